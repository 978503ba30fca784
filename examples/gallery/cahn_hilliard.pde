# Phase separation that keeps the mean.
# Cahn, Hilliard, J. Chem. Phys. 28 (1958).
unknown   u(x, y, t)
equation  u_t = -laplacian(laplacian(u)) + laplacian(u^3 - u)
boundary  periodic
scheme    explicit(tau = 1/40, steps = 1000)

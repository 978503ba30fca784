# Stripes from noise.
# Swift, Hohenberg, Phys. Rev. A 15 (1977).
unknown   u(x, y, t)
parameter epsilon > 0 = 0.4
equation  u_t = -laplacian(laplacian(u)) - 2 * laplacian(u) - u + epsilon * u - u^3
boundary  periodic
scheme    explicit(tau = 1/40, steps = 1000)

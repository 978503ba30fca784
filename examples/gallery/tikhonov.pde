# Quadratic regularisation, a smoothing filter.
# Tikhonov, Soviet Mathematics Doklady 4 (1963).
unknown   u(x, y, t)
field     f(x, y)
parameter beta > 0 = 0.2
equation  u_t = laplacian(u) + beta * (f - u)
scheme    multigrid(tau = oo, pre = 2, post = 2, tol = 1e-5, cycles = 20)

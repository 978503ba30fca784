# Inpainting of fourth order, a thin plate.
# Duchon, RAIRO Analyse numerique 10 (1976).
unknown   u(x, y, t)
field     f(x, y)
field     c(x, y) in [0, 1]
equation  u_t = -(1 - c) * laplacian(laplacian(u)) + c * (f - u)
scheme    implicit(tau = oo, solver = newton(tol = 1e-6, preconditioner = diagonal, linear_iterations = 4000))

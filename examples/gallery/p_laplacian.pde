# Diffusion by the 4-Laplacian.
# Lindqvist, Notes on the p-Laplace equation (2006).
unknown   u(x, y, t)
equation  u_t = div(|grad u|^2 * grad u)
scheme    implicit(tau = 50, solver = newton(tol = 1e-6))

# Diffusion by the 4-Laplacian.
# Lindqvist, Notes on the p-Laplace equation (2006).
unknown   u(x, y, t) in [0, 1]
equation  u_t = div(|grad u|^2 * grad u)
scheme    aos(tau = 10, steps = 5)

# Nonlinear diffusion of fourth order, piecewise planar.
# You, Kaveh, IEEE Trans. Image Process. 9 (2000).
unknown   u(x, y, t)
parameter lambda > 0 = 0.2
let       q = laplacian(u)
equation  u_t = -laplacian(q / (1 + q^2 / lambda^2))
scheme    explicit(tau = 1/32, steps = 40)

# Denoising by Perona-Malik diffusion: pde2net run examples/perona_malik.pde noisy.png clean.png
unknown   u(x, y, t)
parameter lambda > 0 = 0.07
let       g(s2) = 1 / (1 + s2 / lambda^2)
equation  u_t = div(g(|grad u|^2) * grad u)
boundary  reflecting
grid      h = 1
scheme    explicit(tau = 1/5, steps = 12)

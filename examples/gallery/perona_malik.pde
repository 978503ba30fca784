# Nonlinear diffusion that sharpens edges.
# Perona, Malik, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990), rational diffusivity.
unknown   u(x, y, t)
parameter lambda > 0 = 0.06
let       g(s2) = 1 / (1 + s2 / lambda^2)
equation  u_t = div(g(|grad u|^2) * grad u)
scheme    explicit(tau = 1/4, steps = 60)

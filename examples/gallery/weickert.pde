# A diffusivity that falls fast beyond the contrast.
# Weickert, Anisotropic Diffusion in Image Processing (1998), (1.46).
unknown   u(x, y, t)
parameter lambda > 0 = 0.12
equation  u_t = div(weickert(|grad u|^2, lambda) * grad u)
scheme    explicit(tau = 1/4, steps = 40)

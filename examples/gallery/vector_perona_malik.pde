# Perona-Malik diffusion of a colour image: all channels have one diffusivity.
# Gerig, Kuebler, Kikinis, Jolesz, IEEE Trans. Medical Imaging 11 (1992).
unknown   u(x, y, t)
channels  3
parameter lambda > 0 = 0.12
equation  u_t = div(perona_malik(|grad u|^2, lambda) * grad u)
scheme    explicit(tau = 1/4, steps = 20)

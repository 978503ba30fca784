# Perona-Malik diffusion biased towards the data.
# Nordstrom, Image and Vision Computing 8 (1990).
unknown   u(x, y, t)
field     f(x, y)
parameter lambda > 0 = 0.06
parameter beta > 0 = 0.02
equation  u_t = div(perona_malik(|grad u|^2, lambda) * grad u) + beta * (f - u)
scheme    explicit(tau = 0.24, steps = 80)

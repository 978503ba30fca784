# The exponential diffusivity of Perona and Malik.
# Perona, Malik, IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990).
unknown   u(x, y, t)
parameter lambda > 0 = 0.06
equation  u_t = div(exponential(|grad u|^2, lambda) * grad u)
scheme    explicit(tau = 1/4, steps = 60)

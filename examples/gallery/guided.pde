# Linear diffusion guided by the edges of a known image.
# Fritsch, Proc. Visualization in Biomedical Computing (1992).
unknown   u(x, y, t)
field     e(x, y)
parameter lambda > 0 = 0.03
equation  u_t = div(perona_malik(|grad e|^2, lambda) * grad u)
scheme    fsi(tau = 1/4, cycle_length = 9)

# Perona-Malik diffusion whose edges are those of a smoothed image.
# Catte, Lions, Morel, Coll, SIAM J. Numer. Anal. 29 (1992).
unknown   u(x, y, t)
parameter lambda > 0 = 0.04
equation  u_t = div(perona_malik(|grad smooth(u, 1)|^2, lambda) * grad u)
scheme    explicit(tau = 1/4, steps = 16)

# Two substances that react and diffuse form spots that divide.
# Pearson, Science 261 (1993).
unknown   u(x, y, t)
unknown   v(x, y, t)
parameter F > 0 = 0.035
parameter k > 0 = 0.065
equation  u_t = 0.16 * laplacian u - u * v^2 + F * (1 - u)
equation  v_t = 0.08 * laplacian v + u * v^2 - (F + k) * v
boundary  periodic
scheme    explicit(tau = 1, steps = 4000)

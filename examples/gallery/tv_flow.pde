# Total variation flow, regularised.
# Andreu et al., Differential Integral Equations 14 (2001).
unknown   u(x, y, t)
parameter epsilon > 0 = 0.01
equation  u_t = div(regularised_tv(|grad u|^2, epsilon) * grad u)
scheme    implicit(tau = 0.3, steps = 1, solver = kacanov(tol = 1e-4))

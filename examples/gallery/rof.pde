# Denoising by total variation, at the steady state.
# Rudin, Osher, Fatemi, Physica D 60 (1992).
unknown   u(x, y, t)
field     f(x, y)
parameter epsilon > 0 = 0.01
parameter beta > 0 = 6
equation  u_t = div(regularised_tv(|grad u|^2, epsilon) * grad u) + beta * (f - u)
scheme    implicit(tau = oo, solver = kacanov(tol = 1e-4))

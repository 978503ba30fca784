# Total variation of each axis on its own, regularised.
# Esedoglu, Osher, Comm. Pure Appl. Math. 57 (2004).
unknown   u(x, y, t)
parameter epsilon > 0 = 0.01
equation  u_t = diff(u_x / sqrt(u_x^2 + epsilon^2), x) + diff(u_y / sqrt(u_y^2 + epsilon^2), y)
scheme    implicit(tau = 0.3, solver = kacanov(tol = 1e-4))

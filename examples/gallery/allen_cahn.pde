# Phase separation into two values.
# Allen, Cahn, Acta Metallurgica 27 (1979).
unknown   u(x, y, t) in [-1, 1]
equation  u_t = laplacian(u) + u - u^3
boundary  periodic
scheme    explicit(tau = 1/6, steps = 120)

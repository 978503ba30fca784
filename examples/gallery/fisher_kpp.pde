# A front that spreads.
# Kolmogorov, Petrovskii, Piskunov, Bull. Univ. Moscow (1937).
unknown   u(x, y, t) in [0, 1]
equation  u_t = laplacian(u) + u * (1 - u) / 10
scheme    explicit(tau = 1/5, steps = 150)

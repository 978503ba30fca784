# The porous medium equation, m = 2.
# Barenblatt, Prikladnaya Matematika i Mekhanika 16 (1952).
unknown   u(x, y, t) in [0, 1]
equation  u_t = div(2 * u * grad u)
scheme    explicit(tau = 1/8, steps = 40)

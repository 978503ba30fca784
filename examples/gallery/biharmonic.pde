# Linear diffusion of fourth order.
# Didas, Weickert, Burgeth, J. Math. Imaging Vis. 35 (2009).
unknown   u(x, y, t)
equation  u_t = -laplacian(laplacian(u))
scheme    rkl(order = 2, tau = largest, stages = 6, steps = 2)

# Homogeneous diffusion, the Gaussian scale space.
# Iijima, Bulletin of the Electrotechnical Laboratory 26 (1962).
unknown   u(x, y, t)
equation  u_t = laplacian(u)
scheme    fsi(tau = 1/4, cycle_length = 6)

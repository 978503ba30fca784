# Homogeneous diffusion inpainting.
# Carlsson, Signal Processing 15 (1988).
unknown   u(x, y, t)
field     f(x, y)
field     c(x, y) in [0, 1]
equation  u_t = (1 - c) * laplacian(u) + c * (f - u)
scheme    multigrid(tau = oo, cycle = FMG, smoother = red_black, tol = 1e-6, cycles = 20)

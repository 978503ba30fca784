# Edge-enhancing diffusion: across edges hardly, along them freely.
# Weickert, Theoretical Foundations of Anisotropic Diffusion in Image Processing, Computing Suppl. 11 (1996).
unknown   u(x, y, t)
parameter lambda > 0 = 0.03
let       v = grad smooth(u, 1)
equation  u_t = div(tensor(v, weickert(|v|^2, lambda), 1) * grad u)
grid      h = 1, gradient = staggered
scheme    fsi(tau = largest, cycle_length = 8, cycles = 2)

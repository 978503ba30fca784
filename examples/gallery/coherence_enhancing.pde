# Coherence-enhancing diffusion: along flow-like structures only.
# Weickert, Int. J. Computer Vision 31 (1999).
unknown   u(x, y, t)
parameter C > 0 = 0.00001
let       alpha = 1/1000
let       J = structure_tensor(u, 0.7, 4)
let       c = alpha if coherence(J) == 0 else alpha + (1 - alpha) * exp(-C / coherence(J))
equation  u_t = div(tensor(principal_direction(J), alpha, c) * grad u)
grid      h = 1, gradient = staggered
scheme    fsi(tau = largest, cycle_length = 12, cycles = 3)

# Edge-preserving diffusion with a monotone flux.
# Charbonnier et al., IEEE Trans. Image Process. 6 (1997).
unknown   u(x, y, t)
parameter lambda > 0 = 0.03
equation  u_t = div(charbonnier(|grad u|^2, lambda) * grad u)
scheme    fed(tau = 1/4, cycle_length = 9, cycles = 2)

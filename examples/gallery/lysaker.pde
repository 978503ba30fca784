# Denoising by the Hessian: piecewise affine, without the stairs of second-order diffusion.
# Lysaker, Lundervold, Tai, IEEE Trans. Image Process. 12 (2003), with epsilon > 0 and a fidelity term.
unknown   u(x, y, t)
field     f(x, y)
parameter beta > 0 = 0.05
parameter epsilon > 0 = 0.1
let       H = hessian(u)
equation  u_t = -div(div(H / sqrt(|H|^2 + epsilon^2))) + beta * (f - u)
scheme    explicit(tau = 1/400, steps = 400)

"""Krylov methods, and what they and other iterations measure, as definitions of emitted source."""

KRYLOV = '''
def magnitude(a: Tensor) -> Tensor:
    """The largest entry of each image, 1 where there is none: squares of a over it do not underflow."""
    a, dims = a.detach(), tuple(range(1, a.dim()))
    largest = torch.maximum(a.amax(dims, keepdim=True), -a.amin(dims, keepdim=True))
    return torch.where((largest > 0) & (largest < math.inf), largest, 1)

def norm(a: Tensor) -> Tensor:
    """The Euclidean norm of each image of a batch, shape (batch, 1, ..., 1)."""
    scale = magnitude(a)
    return scale * torch.linalg.vector_norm(a / scale, dim=tuple(range(1, a.dim())), keepdim=True)

def relative(residual: Tensor, against: Tensor) -> Tensor:
    """The quotient of the norms of each image, shape (batch,); that of the residual where the other is 0."""
    size = norm(against)
    return (norm(residual) / torch.where(size > 0, size, 1)).flatten()

def for_all(done: Tensor) -> bool:
    """Whether it is so for all images, those of all calls where torch.vmap hides them."""
    try:
        return bool(done.all())
    except RuntimeError:
        return bool(unwrapped(done).all())

def unwrapped(a: Tensor) -> Tensor:
    """The values of all calls of torch.vmap."""
    while torch._C._functorch.is_functorch_wrapped_tensor(a):
        a = torch._C._functorch.get_unwrapped(a)
    return a

def finished(done: Tensor) -> bool:
    """Whether all images are done; not asked while the network is traced, when loops run to their end."""
    return not torch.compiler.is_compiling() and for_all(done)

def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each image of a batch, shape (batch, 1, ..., 1)."""
    return (a * b).sum(tuple(range(1, a.dim())), keepdim=True)

def quotient(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0 or so small that derivatives of the quotient overflow."""
    zero = b.abs() < 16 * torch.finfo(b.dtype).tiny
    return torch.where(zero, 0, a / torch.where(zero, 1, b))

def conjugate_gradients(
    product: Product, rhs: Tensor, x: Tensor, tol: float, most: int, precondition: Product = lambda r: r
) -> Tensor:
    """x with product(x) = rhs, symmetric and positive definite, from a first x on (Notay 2000).

    `precondition` need be neither symmetric nor linear: each direction p is made conjugate to the last.
    Images that are done keep their x, whatever happens to others.
    """
    r = rhs - product(x)
    p = q = torch.zeros_like(rhs)
    curvature = dot(p, q)
    bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * dot(rhs, rhs)
    for _ in range(most):
        done = ~(dot(r, r) > bound)
        if finished(done):
            break
        z = precondition(r)
        p = z - quotient(dot(z, q), curvature) * p
        q = product(p)
        curvature = dot(p, q)
        alpha = quotient(dot(p, r), curvature)
        x, r = torch.where(done, x, x + alpha * p), torch.where(done, r, r - alpha * q)
    return x

def nearest(product: Product, rhs: Tensor, directions: Sequence[Tensor]) -> Tensor:
    """The combination y of directions that is nearest to the solution in the norm of the product.

    <rhs - product(y), y> = 0, so ‖y‖ <= ‖rhs‖ if no eigenvalue of the product is below 1.
    """
    y, r, used = torch.zeros_like(rhs), rhs, []
    for d in directions:
        for p, q, size in used * 2:  # once more, for what cancels of nearly parallel directions
            d = d - quotient(dot(d, q), size) * p
        q = product(d)
        used.append((d, q, dot(d, q)))
        scale = quotient(dot(d, r), used[-1][2])
        y, r = y + scale * d, r - scale * q
    return y

def nearest_with_mean(product: Product, rhs: Tensor, directions: Sequence[Tensor]) -> Tensor:
    """The same with the mean of rhs in each channel, which is that of the solution: product(1) = 1."""
    mean = lambda a: a.mean(tuple(range(2, a.dim())), keepdim=True)
    y = nearest(product, rhs - mean(rhs), [d - mean(d) for d in directions])
    return mean(rhs) + (y - mean(y))

def nearest_of(product: Product, rhs: Tensor, v: Tensor, u: Tensor) -> Tensor:
    """The same of v and u, whose squares might overflow; of u alone for images whose v has no value.

    Flat images have nothing to combine: there the derivatives are those of v.
    """
    scale, space = magnitude(rhs), tuple(range(1, v.dim()))
    v = torch.where(v.isfinite().flatten(1).all(1).view(-1, *[1] * len(space)), v, u)
    directions = [d / magnitude(d) for d in (v, u)]
    y = scale * nearest(product, rhs / scale, directions)  # unless means
    y = scale * nearest_with_mean(product, rhs / scale, directions)  # if means
    rest = directions  # unless means
    rest = [d - d.mean(space[1:], keepdim=True) for d in directions]  # if means
    left = sum(d.detach().abs().amax(space, keepdim=True) for d in rest)
    return torch.where(left > 16 * torch.finfo(v.dtype).eps, y, v + (y - v).detach())

def nearest_by_conjugate_gradients(
    product: Product, rhs: Tensor, x: Tensor, tol: float, most: int, precondition: Product = lambda r: r
) -> Tensor:
    """The same from the multiple of x on, and the combination of both nearest to the solution."""
    scale = magnitude(rhs)
    rhs, x = rhs / scale, x / scale
    start = nearest(product, rhs, [x])  # unless means
    start = nearest_with_mean(product, rhs, [x])  # if means
    found = conjugate_gradients(product, rhs, start, tol, most, precondition)
    return scale * nearest(product, rhs, [found, x])  # unless means
    return scale * nearest_with_mean(product, rhs, [found, x])  # if means

def bicgstab(
    product: Product, rhs: Tensor, x: Tensor, tol: float, most: int, precondition: Product = lambda r: r
) -> Tensor:
    """x with product(x) = rhs by stabilised biconjugate gradients (van der Vorst 1992), from a first x on.

    `precondition` acts from the right, on the directions. Images that are done keep their x.
    """
    scale = magnitude(rhs)
    rhs, x = rhs / scale, x / scale
    r = p = shadow = rhs - product(x)
    rho = size = dot(r, r)
    bound = max(tol, 4 * torch.finfo(rhs.dtype).eps) ** 2 * dot(rhs, rhs)
    for _ in range(most):
        done = ~(size > bound)
        if finished(done):
            break
        y = precondition(p)
        q = product(y)
        alpha = quotient(rho, dot(shadow, q))
        s = r - alpha * q
        z = precondition(s)
        w = product(z)
        omega = quotient(dot(w, s), dot(w, w))
        x = torch.where(done, x, x + alpha * y + omega * z)
        r = torch.where(done, r, s - omega * w)
        size = dot(r, r)
        before, rho = rho, dot(shadow, r)
        p = r + quotient(rho, before) * quotient(alpha, omega) * (p - omega * q)
    return scale * x

def rounding(residual: Product, v: Tensor) -> Tensor:
    """About what rounding does to the norm of residual(v): the change by the last digits of v."""
    odd = torch.arange(v[0].numel(), device=v.device).view(v.shape[1:]) % 2
    last = torch.finfo(v.dtype).eps * odd * v
    return 8 * norm(residual(v + last) - residual(v))
'''

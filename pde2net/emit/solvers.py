"""Solvers as definitions of emitted source: tridiagonal systems, loops, gradients of solutions."""

from __future__ import annotations

from collections.abc import Iterable

from pde2net.emit.krylov import KRYLOV
from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.emit.words import lines, words

MISSED = "relative residual"  # begins what is said of a tolerance that was missed
ON_COARSEST = "linear_solution(bicgstab, scaled, right, torch.zeros_like({}), {}, most)"


def solvers(
    roots: Iterable[str], means: bool = False, on_failure: str = "best", more: Iterable[Definition] = ()
) -> list[Definition]:
    """The functions `roots` and what they need, in order; `more` is there as well.

    means       whether truncated conjugate gradients keep the mean of each channel
    on_failure  what is done about images whose residual is above their bound in the end
    """
    missed = f"{MISSED} {{size:.2g}} after {{iterations}} iterations"
    failure = parse(_FAILURE, missed=missed, warn=on_failure == "warn", error=on_failure == "error")
    known = [*parse(KRYLOV, means=means), *parse(_ITERATION), *more, *failure, *parse(_SOLUTION)]
    needs = {d.name: set(words(line.partition("#")[0] for line in lines(d))) for d in known}
    found, new = set[str](), {*roots, *(d.name for d in more)}
    while new:
        found |= new
        new = {word for name in new for word in needs[name] if word in needs} - found
    return [d for d in known if d.name in found]


_ITERATION = '''
def edge_weights_padded(g: Tensor, dim: int, margin: int) -> tuple[Tensor, Tensor]:
    """The weights of the edges to the left and to the right of each cell; g has cells beyond the border."""
    n = g.shape[dim] - 2 * margin
    return g.narrow(dim, margin - 1, n), g.narrow(dim, margin, n)

def edge_weights_periodic(g: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The weights of the edges to the left and to the right of each cell; the border wraps."""
    return torch.roll(g, 1, dim), g

def edge_weights(g: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The weights of the edges to the left and to the right of each cell; none crosses the border."""
    inner = g.narrow(dim, 0, g.shape[dim] - 1)
    return F.pad(inner, beyond(dim, 1, 0)), F.pad(inner, beyond(dim, 0, 1))

def shifts(
    like: Tensor, stride: int, dim: int
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """a -> a[i - stride] and a -> a[i + stride] along `dim`, 0 beyond the ends."""
    n = like.shape[dim]
    if not isinstance(n, int):
        i = torch.arange(n, device=like.device).view(-1, *(1,) * (-1 - dim))
        return (
            lambda a: torch.where(i >= stride, a.roll(stride, dim), 0),
            lambda a: torch.where(i < n - stride, a.roll(-stride, dim), 0),
        )

    def left(a: Tensor) -> Tensor:
        return F.pad(a.narrow(dim, 0, n - stride), beyond(dim, stride, 0))

    def right(a: Tensor) -> Tensor:
        return F.pad(a.narrow(dim, stride, n - stride), beyond(dim, 0, stride))

    return left, right

def solve_tridiagonal(lower: Tensor, middle: Tensor, upper: Tensor, rhs: Tensor, dim: int) -> Tensor:
    """x with lower[i] x[i-1] + middle[i] x[i] + upper[i] x[i+1] = rhs[i] along `dim`.

    Parallel cyclic reduction: each pass doubles the distance between the coupled entries.
    """
    n = rhs.shape[dim]
    lower, upper, x = lower / middle, upper / middle, rhs / middle
    # Exported for all sizes, it has the passes for 2^20 cells.
    for k in range((n - 1).bit_length() if isinstance(n, int) else 20):
        left, right = shifts(rhs, 2**k, dim)
        scale = 1 / (1 - lower * left(upper) - upper * right(lower))
        x = scale * (x - lower * left(x) - upper * right(x))
        lower, upper = -scale * lower * left(lower), -scale * upper * right(upper)
    return x

def solve_cyclic(lower: Tensor, middle: Tensor, upper: Tensor, rhs: Tensor, dim: int) -> Tensor:
    """The same with x[-1] = x[n-1] and x[n] = x[0], by the formula of Sherman and Morrison."""
    n = rhs.shape[dim]
    if n == 1:
        return rhs / (lower + middle + upper)
    lower, middle, upper = (a.expand_as(rhs) for a in (lower, middle, upper))
    first, last = lower.narrow(dim, 0, 1), upper.narrow(dim, n - 1, 1)
    gamma = -middle.narrow(dim, 0, 1)
    end = middle.narrow(dim, n - 1, 1) - first * last / gamma
    middle = torch.cat((-2 * gamma, middle.narrow(dim, 1, n - 2), end), dim)
    lower = F.pad(lower.narrow(dim, 1, n - 1), beyond(dim, 1, 0))
    upper = F.pad(upper.narrow(dim, 0, n - 1), beyond(dim, 0, 1))
    side = torch.cat((gamma, torch.zeros_like(rhs).narrow(dim, 1, n - 2), last), dim)
    x, z = (solve_tridiagonal(lower, middle, upper, b, dim) for b in (rhs, side))
    x_ends = x.narrow(dim, 0, 1) + first / gamma * x.narrow(dim, n - 1, 1)
    z_ends = z.narrow(dim, 0, 1) + first / gamma * z.narrow(dim, n - 1, 1)
    return x - z * (x_ends / (1 + z_ends))

class Anderson:
    """Anderson acceleration of v <- G(v): the mix of the last steps of least residual (Walker, Ni 2011)."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.images: list[Tensor] = []
        self.residuals: list[Tensor] = []

    def __call__(self, v: Tensor, image: Tensor) -> Tensor:
        self.images = [*self.images, image][-self.depth - 1 :]
        self.residuals = [*self.residuals, image - v][-self.depth - 1 :]
        if len(self.images) == 1:
            return image
        tiny = torch.finfo(v.dtype)
        df, dg = (
            torch.stack([(b - a).flatten(1) for a, b in zip(h, h[1:])], 1)
            for h in (self.residuals, self.images)
        )
        # Residuals that are rounding are not mixed.
        done = norm(image - v) <= tiny.eps**0.75 * norm(v)
        df = torch.where(done.flatten(1)[:, :, None], 0, df)
        # Sums: matrix products of a batch may round otherwise than those of an image.
        gram = (df[:, :, None] * df[:, None]).sum(3)
        trace = gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        eye = torch.eye(gram.shape[1], dtype=v.dtype, device=v.device)
        gram = gram + (tiny.eps**0.75 * trace + tiny.tiny) * eye
        right = (df * self.residuals[-1].flatten(1)[:, None]).sum(2)
        gamma, _ = torch.linalg.solve_ex(gram, right[:, :, None])
        return image - (dg * gamma).sum(1).view_as(image)

class Momentum:
    """Extrapolation of steps v <- G(v): G(v) + k/(k + 3) (G(v) - G of the step before), k from 0 on again for
    images in which that points uphill (O'Donoghue, Candes 2015).
    """

    def __init__(self) -> None:
        self.previous: Tensor | None = None
        self.count: Tensor | float = 0.0

    def __call__(self, v: Tensor, image: Tensor) -> Tensor:
        change = torch.zeros_like(v) if self.previous is None else image - self.previous
        uphill = ((v - image) * change).flatten(1).sum(1).view(-1, *[1] * (v.dim() - 1)) > 0
        count = torch.where(uphill, 0.0, self.count)
        self.previous, self.count = image, count + 1
        return image + (count / (count + 3)).to(v.dtype) * change

def error_bound(residual: Tensor, margin: Tensor | float) -> Tensor:
    """‖residual‖/margin of each image, a bound of the distance to the solution; infinite without a margin."""
    margin = torch.as_tensor(margin, dtype=torch.float64, device=residual.device)
    return torch.where(margin > 0, norm(residual).flatten() / margin, torch.inf)

class SemiIterative:
    """Steps v <- G(v) in cycles of a G(v) + (1 - a) (the v before), a = (4 k + 2)/(2 k + 3)."""

    def __init__(self) -> None:
        self.previous: Tensor | None = None
        self.count = 0

    def __call__(self, v: Tensor, image: Tensor) -> Tensor:
        k = self.count % 20
        a, last = (4 * k + 2) / (2 * k + 3), v if self.previous is None or k == 0 else self.previous
        self.previous, self.count = v, self.count + 1
        return a * image + (1 - a) * last

def line_search(residual: Product, v: Tensor, new: Tensor, size: Tensor) -> Tensor:
    """v + s (new - v), s halved for each image until its residual is below `size`; v if it never is.

    A step within the rounding of v is made, so that it passes its derivative on. Where v has no residual
    there is no result either: nan.
    """
    step = torch.ones_like(size)
    rounded = norm(new - v) <= torch.finfo(v.dtype).eps ** 0.75 * norm(v)
    for _ in range(12):
        smaller = rounded | (norm(residual(v + step * (new - v))) < size)
        if finished(smaller):
            break
        step = torch.where(smaller, step, step / 2)
    v = torch.where(size.isfinite(), v, torch.nan)
    return torch.where(smaller, v + step * (new - v), v)
'''

_FAILURE = '''
class ConvergenceError(RuntimeError):
    """An iteration missed its tolerance, and ended worse than it started or has on_failure='error'."""

def not_converged(reached: Tensor, scale: Tensor, iterations: int) -> None:  # unless warn
    """Say that the tolerance was not reached."""
    size = unwrapped(reached / scale.clamp_min(torch.finfo(scale.dtype).tiny)).max().item()
    raise ConvergenceError(f"$missed")  # if error
    warnings.warn(f"$missed", stacklevel=3)  # unless error

def not_converged(reached: Tensor, scale: Tensor, iterations: int, worse: Tensor) -> None:  # if warn
    """Say that the tolerance was not reached; an error if images ended worse than they started."""
    size = unwrapped(reached / scale.clamp_min(torch.finfo(scale.dtype).tiny)).max().item()
    if not for_all(~worse):
        raise ConvergenceError(f"diverges: $missed; see on_failure")
    warnings.warn(f"$missed", stacklevel=3)
'''

_SOLUTION = '''
class Solution(torch.autograd.Function):
    """v, a solution of residual(v) = 0, with its derivatives by the implicit function theorem.

    dv = -J^-1 dR, J the derivative of the residual R with respect to v: the backward pass solves
    with J^T, in memory that does not depend on the number of iterations, forward mode with J. What
    they solve are such solutions again, so that all higher derivatives are right.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, v: Tensor, residual: Product, tol: float, precondition: Product) -> Tensor:
        return v.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, _, ctx.residual, ctx.tol, ctx.precondition = inputs
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def jvp(ctx: Any, value: Tensor, *_: Any) -> Tensor:
        (v,) = ctx.saved_tensors
        product = lambda x: torch.func.jvp(ctx.residual, (v,), (x,))[1]
        return -solved(product, value, ctx.tol, ctx.precondition)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (v,) = ctx.saved_tensors
        pulled = torch.func.vjp(ctx.residual, v)[1]
        product = lambda x: pulled(x)[0]
        return -solved(product, gradient, ctx.tol, ctx.precondition), None, None, None, None

def with_implicit_gradient(residual: Product, v: Tensor, tol: float) -> Tensor:
    """v, the solution of residual(v) = 0, with derivatives, which are solved for to `tol`."""
    v = v.detach()
    return Solution.apply(residual(v), v, residual, tol, lambda r: r)

def with_linear_gradient(
    product: Product, rhs: Tensor, x: Tensor, tol: float, precondition: Product
) -> Tensor:
    """x, the solution of product(x) = rhs, with derivatives, which are solved for to `tol`."""
    x = x.detach()
    return Solution.apply(product(x) - rhs, x, product, tol, precondition)

def solved(product: Product, rhs: Tensor, tol: float, precondition: Product) -> Tensor:
    """x with product(x) = rhs, with derivatives."""
    with torch.no_grad():
        x = bicgstab(product, rhs, torch.zeros_like(rhs), tol, 1000, precondition)
    return with_linear_gradient(product, rhs, x, tol, precondition)

def differentiated(*arrays: Tensor) -> bool:
    """Whether derivatives are asked for, backward or forward; not asked while the network is traced."""
    if torch.compiler.is_compiling():
        return False
    tangents = [torch.autograd.forward_ad.unpack_dual(a).tangent for a in arrays]
    return any(a.requires_grad for a in arrays) or any(t is not None for t in tangents)

def settled(exact: Tensor, residual: Product, v: Tensor) -> Tensor:
    """v, with the derivatives of the solution of residual(v) = 0 for the images where it is `exact`.

    An iteration that had nothing to do, or went on with residuals that are rounding, has no others.
    """
    if not differentiated(v) or finished(~exact):
        return v
    tol = torch.finfo(v.dtype).eps ** 0.75
    return torch.where(exact, with_implicit_gradient(residual, v, tol), v)

def linear_solution(
    method: Callable[..., Tensor], product: Product, rhs: Tensor, x: Tensor, tol: float, most: int,
    precondition: Product = lambda r: r
) -> Tensor:
    """x with product(x) = rhs by a Krylov method, from a first x on.

    Its derivatives are those of the solution for each image where it is reached, those of the iterations
    where they are cut off.
    """
    found = method(product, rhs, x, tol, most, precondition)
    if not differentiated(rhs, found):
        return found
    with torch.no_grad():
        size, eps = norm(product(found) - rhs), torch.finfo(rhs.dtype).eps
        exact = size <= eps**0.5 * norm(rhs) + rounding(product, found)
    if finished(~exact):
        return found
    solution = with_linear_gradient(product, rhs, found, eps**0.75, precondition)
    if finished(exact):
        return solution
    # Without the exact images, whose derivatives by the iterations may be infinite.
    rest = (torch.where(exact, 0, a) for a in (rhs, x))
    return torch.where(exact, solution, method(product, *rest, tol, most, precondition))
'''

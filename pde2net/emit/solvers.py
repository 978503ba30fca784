"""Solvers as definitions of emitted source: tridiagonal systems, loops, gradients of solutions."""

from __future__ import annotations

from pde2net.emit.tree import Class, Function

NORM = Function(
    "norm",
    ("a: Tensor",),
    "Tensor",
    "The Euclidean norm of each image of a batch, shape (batch, 1, ..., 1).",
    ["return torch.linalg.vector_norm(a, dim=tuple(range(1, a.dim())), keepdim=True)"],
)

TRIDIAGONAL = Function(
    "solve_tridiagonal",
    ("lower: Tensor", "middle: Tensor", "upper: Tensor", "rhs: Tensor", "dim: int"),
    "Tensor",
    "x with lower[i] x[i-1] + middle[i] x[i] + upper[i] x[i+1] = rhs[i] along `dim`.\n\n"
    "Parallel cyclic reduction: each pass doubles the distance between the coupled entries.",
    [
        "n = rhs.shape[dim]",
        "lower, upper, x = lower / middle, upper / middle, rhs / middle",
        "# Exported for all sizes, it has the passes for 2^20 cells.",
        "for k in range((n - 1).bit_length() if isinstance(n, int) else 20):",
        "    left, right = shifts(rhs, 2**k, dim)",
        "    scale = 1 / (1 - lower * left(upper) - upper * right(lower))",
        "    x = scale * (x - lower * left(x) - upper * right(x))",
        "    lower, upper = -scale * lower * left(lower), -scale * upper * right(upper)",
        "return x",
    ],
)

SHIFTS = Function(
    "shifts",
    ("like: Tensor", "stride: int", "dim: int"),
    "tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]",
    "a -> a[i - stride] and a -> a[i + stride] along `dim`, 0 beyond the ends.",
    [
        "n = like.shape[dim]",
        "if not isinstance(n, int):",
        "    i = torch.arange(n, device=like.device).view(-1, *(1,) * (-1 - dim))",
        "    return (",
        "        lambda a: torch.where(i >= stride, a.roll(stride, dim), 0),",
        "        lambda a: torch.where(i < n - stride, a.roll(-stride, dim), 0),",
        "    )",
        "",
        "def left(a: Tensor) -> Tensor:",
        "    return F.pad(a.narrow(dim, 0, n - stride), beyond(dim, stride, 0))",
        "",
        "def right(a: Tensor) -> Tensor:",
        "    return F.pad(a.narrow(dim, stride, n - stride), beyond(dim, 0, stride))",
        "",
        "return left, right",
    ],
)

CYCLIC = Function(
    "solve_cyclic",
    ("lower: Tensor", "middle: Tensor", "upper: Tensor", "rhs: Tensor", "dim: int"),
    "Tensor",
    "The same with x[-1] = x[n-1] and x[n] = x[0], by the formula of Sherman and Morrison.",
    [
        "n = rhs.shape[dim]",
        "lower, middle, upper = (a.expand_as(rhs) for a in (lower, middle, upper))",
        "first, last = lower.narrow(dim, 0, 1), upper.narrow(dim, n - 1, 1)",
        "gamma = -middle.narrow(dim, 0, 1)",
        "end = middle.narrow(dim, n - 1, 1) - first * last / gamma",
        "middle = torch.cat((-2 * gamma, middle.narrow(dim, 1, n - 2), end), dim)",
        "lower = F.pad(lower.narrow(dim, 1, n - 1), beyond(dim, 1, 0))",
        "upper = F.pad(upper.narrow(dim, 0, n - 1), beyond(dim, 0, 1))",
        "side = torch.cat((gamma, torch.zeros_like(rhs).narrow(dim, 1, n - 2), last), dim)",
        "x, z = (solve_tridiagonal(lower, middle, upper, b, dim) for b in (rhs, side))",
        "x_ends = x.narrow(dim, 0, 1) + first / gamma * x.narrow(dim, n - 1, 1)",
        "z_ends = z.narrow(dim, 0, 1) + first / gamma * z.narrow(dim, n - 1, 1)",
        "return x - z * (x_ends / (1 + z_ends))",
    ],
)

EDGES = {
    "reflecting": Function(
        "edge_weights",
        ("g: Tensor", "dim: int"),
        "tuple[Tensor, Tensor]",
        "The weights of the edges to the left and to the right of each cell; none crosses the border.",
        [
            "inner = g.narrow(dim, 0, g.shape[dim] - 1)",
            "return F.pad(inner, beyond(dim, 1, 0)), F.pad(inner, beyond(dim, 0, 1))",
        ],
    ),
    "periodic": Function(
        "edge_weights_periodic",
        ("g: Tensor", "dim: int"),
        "tuple[Tensor, Tensor]",
        "The weights of the edges to the left and to the right of each cell; the border wraps.",
        ["return torch.roll(g, 1, dim), g"],
    ),
    "dirichlet": Function(
        "edge_weights_padded",
        ("g: Tensor", "dim: int", "margin: int"),
        "tuple[Tensor, Tensor]",
        "The weights of the edges to the left and to the right of each cell; g has cells beyond the border.",
        [
            "n = g.shape[dim] - 2 * margin",
            "return g.narrow(dim, margin - 1, n), g.narrow(dim, margin, n)",
        ],
    ),
}

ANDERSON = Class(
    "Anderson",
    "",
    "Anderson acceleration of v <- G(v): the mix of the last steps of least residual (Walker, Ni 2011).",
    [
        Function(
            "__init__",
            ("self", "depth: int"),
            "None",
            "",
            ["self.depth = depth", "self.images: list[Tensor] = []", "self.residuals: list[Tensor] = []"],
        ),
        Function(
            "__call__",
            ("self", "v: Tensor", "image: Tensor"),
            "Tensor",
            "",
            [
                "self.images = [*self.images, image][-self.depth - 1 :]",
                "self.residuals = [*self.residuals, image - v][-self.depth - 1 :]",
                "if len(self.images) == 1:",
                "    return image",
                "tiny = torch.finfo(v.dtype)",
                "df, dg = (",
                "    torch.stack([(b - a).flatten(1) for a, b in zip(h, h[1:])], 2)",
                "    for h in (self.residuals, self.images)",
                ")",
                "# Residuals that are rounding are not mixed.",
                "done = norm(image - v) <= tiny.eps**0.75 * norm(v)",
                "df = torch.where(done.flatten(1)[:, :, None], 0, df)",
                "gram = df.mT @ df",
                "trace = gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]",
                "eye = torch.eye(gram.shape[1], dtype=v.dtype, device=v.device)",
                "gram = gram + (tiny.eps**0.75 * trace + tiny.tiny) * eye",
                "gamma, _ = torch.linalg.solve_ex(gram, df.mT @ self.residuals[-1].flatten(1)[:, :, None])",
                "return image - (dg @ gamma).view_as(image)",
            ],
        ),
    ],
)

LINE_SEARCH = Function(
    "line_search",
    ("residual: Product", "v: Tensor", "new: Tensor", "size: Tensor"),
    "Tensor",
    "v + s (new - v), s halved for each image until its residual is below `size`; v if it never is.\n\n"
    "A step within the rounding of v is made, so that it passes its derivative on. Where v has no residual\n"
    "there is no result either: nan.",
    [
        "step = torch.ones_like(size)",
        "rounded = norm(new - v) <= torch.finfo(v.dtype).eps ** 0.75 * norm(v)",
        "for _ in range(12):",
        "    smaller = rounded | (norm(residual(v + step * (new - v))) < size)",
        "    if finished(smaller):",
        "        break",
        "    step = torch.where(smaller, step, step / 2)",
        "v = torch.where(size.isfinite(), v, torch.nan)",
        "return torch.where(smaller, v + step * (new - v), v)",
    ],
)

FAILURE = Class(
    "ConvergenceError",
    "RuntimeError",
    "An iteration missed its tolerance, and ended worse than it started or has on_failure='error'.",
    [],
)

ROUNDING = Function(
    "rounding",
    ("residual: Product", "v: Tensor"),
    "Tensor",
    "About what rounding does to the norm of residual(v): the change by the last digits of v.",
    [
        "odd = torch.arange(v[0].numel(), device=v.device).view(v.shape[1:]) % 2",
        "last = torch.finfo(v.dtype).eps * odd * v",
        "return 8 * norm(residual(v + last) - residual(v))",
    ],
)

MISSED = "relative residual"  # begins what is said of a tolerance that was missed


def report(on_failure: str) -> Function:
    """What is done about images whose residual is above their bound in the end."""
    message = f'f"{MISSED} {{size:.2g}} after {{iterations}} iterations"'
    warned = f"warnings.warn({message}, stacklevel=3)"
    raised = f"raise ConvergenceError({message})"
    arguments = ["reached: Tensor", "scale: Tensor", "iterations: int"]
    body = ["size = (reached / scale.clamp_min(torch.finfo(scale.dtype).tiny)).max().item()"]
    doc = "Say that the tolerance was not reached."
    if on_failure == "warn":
        arguments.append("worse: Tensor")
        doc = "Say that the tolerance was not reached; an error if images ended worse than they started."
        raised = raised.replace("relative", "diverges: relative").replace(
            'iterations")', """iterations; see on_failure")"""
        )
        body += ["if worse.any():", f"    {raised}", warned]
    else:
        body.append(raised if on_failure == "error" else warned)
    return Function("not_converged", arguments, "None", doc, body)


_STATIC = ("@staticmethod",)
_PRECONDITION = "precondition: Product = lambda r: r"

IMPLICIT: tuple[Function | Class, ...] = (
    Class(
        "Solution",
        "torch.autograd.Function",
        "v, a solution of residual(v) = 0, with its derivatives by the implicit function theorem.\n\n"
        "dv = -J^-1 dR, J the derivative of the residual R with respect to v: the backward pass solves\n"
        "with J^T, in memory that does not depend on the number of iterations, forward mode with J. What\n"
        "they solve are such solutions again, so that all higher derivatives are right.",
        [
            Function(
                "forward",
                ("value: Tensor", "v: Tensor", "residual: Product", "tol: float", "precondition: Product"),
                "Tensor",
                "",
                ["return v.clone()"],
                _STATIC,
            ),
            Function(
                "setup_context",
                ("ctx: Any", "inputs: tuple[Any, ...]", "output: Tensor"),
                "None",
                "",
                [
                    "_, _, ctx.residual, ctx.tol, ctx.precondition = inputs",
                    "ctx.save_for_backward(output)",
                    "ctx.save_for_forward(output)",
                ],
                _STATIC,
            ),
            Function(
                "jvp",
                ("ctx: Any", "value: Tensor", "*_: Any"),
                "Tensor",
                "",
                [
                    "(v,) = ctx.saved_tensors",
                    "product = lambda x: torch.func.jvp(ctx.residual, (v,), (x,))[1]",
                    "return -solved(product, value, ctx.tol, ctx.precondition)",
                ],
                _STATIC,
            ),
            Function(
                "backward",
                ("ctx: Any", "gradient: Tensor"),
                "tuple[Tensor, None, None, None, None]",
                "",
                [
                    "(v,) = ctx.saved_tensors",
                    "pulled = torch.func.vjp(ctx.residual, v)[1]",
                    "product = lambda x: pulled(x)[0]",
                    "return -solved(product, gradient, ctx.tol, ctx.precondition), None, None, None, None",
                ],
                _STATIC,
            ),
        ],
        ("generate_vmap_rule = True",),
    ),
    Function(
        "with_implicit_gradient",
        ("residual: Product", "v: Tensor", "tol: float"),
        "Tensor",
        "v, the solution of residual(v) = 0, with derivatives, which are solved for to `tol`.",
        ["v = v.detach()", "return Solution.apply(residual(v), v, residual, tol, lambda r: r)"],
    ),
    Function(
        "with_linear_gradient",
        ("product: Product", "rhs: Tensor", "x: Tensor", "tol: float", "precondition: Product"),
        "Tensor",
        "x, the solution of product(x) = rhs, with derivatives, which are solved for to `tol`.",
        ["x = x.detach()", "return Solution.apply(product(x) - rhs, x, product, tol, precondition)"],
    ),
    Function(
        "solved",
        ("product: Product", "rhs: Tensor", "tol: float", "precondition: Product"),
        "Tensor",
        "x with product(x) = rhs, with derivatives.",
        [
            "with torch.no_grad():",
            "    x = bicgstab(product, rhs, torch.zeros_like(rhs), tol, 1000, precondition)",
            "return with_linear_gradient(product, rhs, x, tol, precondition)",
        ],
    ),
)

DIFFERENTIATED = Function(
    "differentiated",
    ("*arrays: Tensor",),
    "bool",
    "Whether derivatives are asked for, backward or forward; not asked while the network is traced.",
    [
        "if torch.compiler.is_compiling():",
        "    return False",
        "tangents = [torch.autograd.forward_ad.unpack_dual(a).tangent for a in arrays]",
        "return any(a.requires_grad for a in arrays) or any(t is not None for t in tangents)",
    ],
)

SETTLED = Function(
    "settled",
    ("exact: Tensor", "residual: Product", "v: Tensor"),
    "Tensor",
    "v, with the derivatives of the solution of residual(v) = 0 for the images where it is `exact`.\n\n"
    "An iteration that had nothing to do, or went on with residuals that are rounding, has no others.",
    [
        "if not differentiated(v) or finished(~exact):",
        "    return v",
        "tol = torch.finfo(v.dtype).eps ** 0.75",
        "return torch.where(exact, with_implicit_gradient(residual, v, tol), v)",
    ],
)

LINEAR_SOLUTION = Function(
    "linear_solution",
    (
        "method: Callable[..., Tensor]",
        "product: Product",
        "rhs: Tensor",
        "x: Tensor",
        "tol: float",
        "most: int",
        _PRECONDITION,
    ),
    "Tensor",
    "x with product(x) = rhs by a Krylov method, from a first x on.\n\n"
    "Its derivatives are those of the solution for each image where it is reached, those of the iterations\n"
    "where they are cut off.",
    [
        "found = method(product, rhs, x, tol, most, precondition)",
        "if not differentiated(rhs, found):",
        "    return found",
        "with torch.no_grad():",
        "    size, eps = norm(product(found) - rhs), torch.finfo(rhs.dtype).eps",
        "    exact = size <= eps**0.5 * norm(rhs) + rounding(product, found)",
        "if finished(~exact):",
        "    return found",
        "solution = with_linear_gradient(product, rhs, found, eps**0.75, precondition)",
        "if finished(exact):",
        "    return solution",
        "# Without the exact images, whose derivatives by the iterations may be infinite.",
        "rest = (torch.where(exact, 0, a) for a in (rhs, x))",
        "return torch.where(exact, solution, method(product, *rest, tol, most, precondition))",
    ],
)

ON_COARSEST = "linear_solution(bicgstab, scaled, right, torch.zeros_like({}), {}, most)"

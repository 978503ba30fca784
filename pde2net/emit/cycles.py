"""The U-net class of emitted source: encoder, bottleneck, decoder, and what smooths."""

from __future__ import annotations

from pde2net.emit.solvers import ON_COARSEST
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.graph.nodes import Bottleneck, Smooth
from pde2net.scheme.unet import UNet

_DOC = """One multigrid cycle for N(v) = rhs: a U-net, applied from the finest grid to the coarsest and back.

Its skip connections carry the solution and the right-hand side of each grid past the coarser ones.
"""

ENCODER = Function(
    "encoder",
    ("self", "v: Tensor", "rhs: Tensor", "grid: Grid", "coarse: Grid"),
    "tuple[Tensor, Tensor, Tensor]",
    "Smooth; then the restricted solution R v and the coarse right-hand side N(R v) + R (rhs - N(v)).",
    [
        "v = self.smooth(v, rhs, grid, self.pre)",
        "residual = rhs - self.operator(v, grid)",
        "start = restrict(v, grid, coarse, grid.volume)",
        "coarse_rhs = self.operator(start, coarse) + restrict_residual(residual, grid, coarse)",
        "return v, start, coarse_rhs",
    ],
)


def unet_class(unet: UNet, smooth: Smooth, bottleneck: Bottleneck, uneven: bool, frozen: bool) -> Class:
    """A class of a module that holds the operator and makes cycles."""
    members = [
        Function(
            "__init__",
            ("self", "operator: DiffusionOperator", f"pre: int = {unet.pre}", f"post: int = {unet.post}"),
            "None",
            "",
            [
                "super().__init__()",
                "self.operator = operator",
                "self.pre, self.post = pre, post",
            ],
        ),
        _forward(unet),
        ENCODER,
        _bottleneck(bottleneck, frozen, unet.steady),
        _decoder(uneven),
        _smooth(smooth, unet.steady),
        _start(unet),
    ]
    return Class("UNet", "nn.Module", _DOC, members)


def _forward(unet: UNet) -> Function:
    body = [
        "grid, *coarser = grids",
        "if not coarser:",
        "    return self.bottleneck(v, rhs, grid)",
        "v, start, coarse_rhs = self.encoder(v, rhs, grid, coarser[0])",
    ]
    if unet.repeat > 1:
        body += [
            "w = start",
            f"for _ in range({unet.repeat} if len(coarser) > 1 else 1):",
            "    w = self(w, coarse_rhs, coarser)",
        ]
    else:
        body.append("w = self(start, coarse_rhs, coarser)")
    body.append("return self.decoder(v, rhs, w - start, grid, coarser[0])")
    return Function(
        "forward",
        ("self", "v: Tensor", "rhs: Tensor", "grids: list[Grid]"),
        "Tensor",
        "A cycle on the first of the grids, from v on.",
        body,
    )


def _bottleneck(node: Bottleneck, frozen: bool, steady: bool) -> Function:
    product = f"self.operator.product(x, {'frozen, ' if frozen else ''}grid)"
    scaled = f"quotient({product}, diagonal)" if steady else f"{product} / diagonal"
    right = "quotient(rhs - value, diagonal)" if steady else "(rhs - value) / diagonal"
    body = [
        "value, diagonal = self.operator.linearised(v, grid)",
        *(("frozen = self.operator.frozen(v, grid)",) if frozen else ()),
        f"scaled = lambda x: {scaled}",
        f"right, most = {right}, min({node.most}, v[0].numel())",
    ]
    better = f"v + {ON_COARSEST.format('v', number(node.tol))}"
    if node.rounds == 1:
        body.append(f"return {better}")
    else:
        once = [f"    {line}" for line in (*body, f"v = {better}")]
        body = [f"for _ in range({node.rounds}):", *once, "return v"]
    return Function(
        "bottleneck",
        ("self", "v: Tensor", "rhs: Tensor", "grid: Grid"),
        "Tensor",
        "The solution on the coarsest grid, by linear systems with the diffusivities of v.",
        body,
    )


def _decoder(uneven: bool) -> Function:
    kept = "grid.kept * " if uneven else ""
    return Function(
        "decoder",
        ("self", "v: Tensor", "rhs: Tensor", "correction: Tensor", "grid: Grid", "coarse: Grid"),
        "Tensor",
        "Add the prolongated correction to the skip connection; smooth.",
        [
            f"v = v + {kept}prolong(correction, coarse, grid)",
            "return self.smooth(v, rhs, grid, self.post)",
        ],
    )


def _smooth(node: Smooth, steady: bool) -> Function:
    linearised = "value, diagonal = self.operator.linearised(v, grid)"
    change = "quotient(rhs - value, diagonal)" if steady else "(rhs - value) / diagonal"
    damped = change if node.damping == 1 else f"{number(node.damping)} * {change}"
    if node.kind == "jacobi":
        doc = "Sweeps of damped Jacobi."
        body = ["for _ in range(sweeps):", f"    {linearised}", f"    v = v + {damped}"]
    elif node.kind == "red-black":
        doc = "Sweeps of Gauss-Seidel: the even cells of a checkerboard, then the odd ones."
        body = [
            "for _ in range(sweeps):",
            "    for colour in (~grid.odd, grid.odd):",
            f"        {linearised}",
            f"        v = torch.where(colour, v + {damped}, v)",
        ]
    else:
        doc = "Steps of Chebyshev iteration for the upper eigenvalues of N over its diagonal."
        body = [
            "step = torch.zeros_like(v)",
            "for a, b in chebyshev(sweeps):",
            f"    {linearised}",
            f"    step = a * step + b * {change}",
            "    v = v + step",
        ]
    arguments = ("self", "v: Tensor", "rhs: Tensor", "grid: Grid", "sweeps: int")
    return Function("smooth", arguments, "Tensor", doc, [*body, "return v"])


def chebyshev(node: Smooth) -> Function:
    """The coefficients of Chebyshev iteration."""
    low, high = node.interval
    centre, half = (high + low) / 2, (high - low) / 2
    return Function(
        "chebyshev",
        ("sweeps: int",),
        "list[tuple[float, float]]",
        "(a, b) of the steps s <- a s + b z that leave least of the errors of eigenvalues in "
        f"[{number(low)}, {number(high)}].",
        [
            f"rho, found = {number(half / centre)}, [(0.0, {number(1 / centre)})]",
            "for _ in range(sweeps - 1):",
            f"    new = 1 / ({number(2 * centre / half)} - rho)",
            f"    found.append((new * rho, {number(2 / half)} * new))",
            "    rho = new",
            "return found[:sweeps]",
        ],
    )


def _start(unet: UNet) -> Function:
    better = "self.smooth(v, rights[level], grids[level], self.pre + self.post)"
    how = "smoothed on each grid"
    if unet.cycle == "FMG":
        better, how = "self(v, rights[level], grids[level:])", "with a cycle on each coarse grid"
    return Function(
        "start",
        ("self", "u: Tensor", "rhs: Tensor", "grids: list[Grid]"),
        "Tensor",
        f"The first state, from the coarsest grid up, {how}.",
        [
            "states, rights = [u], [rhs]",
            "for fine, coarse in zip(grids, grids[1:]):",
            "    states.append(restrict(states[-1], fine, coarse, fine.volume))",
            "    rights.append(restrict_residual(rights[-1], fine, coarse))",
            "v = self.bottleneck(states[-1], rights[-1], grids[-1])",
            "for level in reversed(range(len(grids) - 1)):",
            "    v = prolong(v, grids[level + 1], grids[level])",
            "    if level > 0:",
            f"        v = {better}",
            "return v",
        ],
    )

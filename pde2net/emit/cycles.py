"""The U-net class of emitted source: encoder, bottleneck, decoder, and what smooths."""

from __future__ import annotations

from collections.abc import Collection

from pde2net.emit.parse import parse
from pde2net.emit.solvers import ON_COARSEST
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Definition
from pde2net.graph.nodes import Bottleneck, Smooth
from pde2net.scheme.unet import UNet


def unet_class(
    unet: UNet, smooth: Smooth, bottleneck: Bottleneck, uneven: bool, frozen: bool, fused: Collection[str]
) -> list[Definition]:
    """A class of a module that holds the operator and makes cycles.

    fused  "relaxed" if the operator has a method of a sweep, "defect" if it has one of rhs -+ N(v),
           "corrected" if there is a function of a state and its correction
    """
    product = f"self.operator.product(x, {'frozen, ' * frozen}grid)"
    change = "quotient(rhs - value, diagonal)" if unet.steady else "(rhs - value) / diagonal"
    return parse(
        _UNET,
        pre=str(unet.pre),
        post=str(unet.post),
        once=unet.repeat == 1,
        repeat=str(unet.repeat),
        full=unet.cycle == "FMG",
        solution=_solution(bottleneck, product, change, frozen, unet.steady),
        kept="grid.kept * " * uneven,
        relaxed="relaxed" in fused,
        defect="defect" in fused,
        corrected="corrected" in fused and not uneven,
        jacobi=smooth.kind == "jacobi",
        coloured=smooth.kind == "red-black",
        chebyshev=smooth.kind == "chebyshev",
        change=change,
        damped=change if smooth.damping == 1 else f"{number(smooth.damping)} * {change}",
    )


def _solution(node: Bottleneck, product: str, right: str, frozen: bool, steady: bool) -> list[str]:
    """Statements that solve linear systems, once or again and again."""
    body = [
        "value, diagonal = self.operator.linearised(v, grid)",
        *(("frozen = self.operator.frozen(v, grid)",) if frozen else ()),
        f"scaled = lambda x: {f'quotient({product}, diagonal)' if steady else f'{product} / diagonal'}",
        f"right, most = {right}, min({node.most}, v[0].numel())",
    ]
    better = f"v + {ON_COARSEST.format('v', number(node.tol))}"
    if node.rounds == 1:
        return [*body, f"return {better}"]
    rounds = [f"    {line}" for line in (*body, f"v = {better}")]
    return [f"for _ in range({node.rounds}):", *rounds, "return v"]


def chebyshev(node: Smooth) -> list[Definition]:
    """The coefficients of Chebyshev iteration."""
    low, high = node.interval
    centre, half = (high + low) / 2, (high - low) / 2
    return parse(
        _CHEBYSHEV,
        low=number(low),
        high=number(high),
        rho=number(half / centre),
        first=number(1 / centre),
        twice=number(2 * centre / half),
        step=number(2 / half),
    )


_CHEBYSHEV = '''
def chebyshev(sweeps: int) -> list[tuple[float, float]]:
    """(a, b) of the steps s <- a s + b z that leave least of the errors of eigenvalues in [$low, $high]."""
    rho, found = $rho, [(0.0, $first)]
    for _ in range(sweeps - 1):
        new = 1 / ($twice - rho)
        found.append((new * rho, $step * new))
        rho = new
    return found[:sweeps]
'''

_UNET = '''
class UNet(nn.Module):
    """One multigrid cycle for N(v) = rhs: a U-net, applied from the finest grid to the coarsest and back.

    Its skip connections carry the solution and the right-hand side of each grid past the coarser ones.
    """

    def __init__(self, operator: DiffusionOperator, pre: int = $pre, post: int = $post) -> None:
        super().__init__()
        self.operator = operator
        self.pre, self.post = pre, post

    def forward(self, v: Tensor, rhs: Tensor, grids: list[Grid]) -> Tensor:
        """A cycle on the first of the grids, from v on."""
        grid, *coarser = grids
        if not coarser:
            return self.bottleneck(v, rhs, grid)
        v, start, coarse_rhs = self.encoder(v, rhs, grid, coarser[0])
        w = self(start, coarse_rhs, coarser)  # if once
        w = start  # unless once
        for _ in range($repeat if len(coarser) > 1 else 1):  # unless once
            w = self(w, coarse_rhs, coarser)
        return self.decoder(v, rhs, w, start, grid, coarser[0])

    def encoder(self, v: Tensor, rhs: Tensor, grid: Grid, coarse: Grid) -> tuple[Tensor, Tensor, Tensor]:
        """Smooth; then the restricted solution R v and the coarse right-hand side N(R v) + R (rhs - N(v))."""
        v = self.smooth(v, rhs, grid, self.pre)
        residual = rhs - self.operator(v, grid)  # unless defect
        residual = self.operator.defect(v, rhs, grid)  # if defect
        start = restrict(v, grid, coarse, grid.volume)
        restricted = restrict_residual(residual, grid, coarse)
        coarse_rhs = self.operator(start, coarse) + restricted  # unless defect
        coarse_rhs = self.operator.defect(start, restricted, coarse, sign=1.0)  # if defect
        return v, start, coarse_rhs

    def bottleneck(self, v: Tensor, rhs: Tensor, grid: Grid) -> Tensor:
        """The solution on the coarsest grid, by linear systems with the diffusivities of v."""
        $solution

    def decoder(
        self, v: Tensor, rhs: Tensor, w: Tensor, start: Tensor, grid: Grid, coarse: Grid
    ) -> Tensor:
        """Add the prolongated correction w - start to the skip connection; smooth."""
        v = corrected(v, w, start, coarse, grid)  # if corrected
        v = v + ${kept}prolong(w - start, coarse, grid)  # unless corrected
        return self.smooth(v, rhs, grid, self.post)

    def smooth(self, v: Tensor, rhs: Tensor, grid: Grid, sweeps: int) -> Tensor:  # if jacobi
        """Sweeps of damped Jacobi."""
        for _ in range(sweeps):
            v = self.operator.relaxed(v, rhs, grid)  # if relaxed
            value, diagonal = self.operator.linearised(v, grid)  # unless relaxed
            v = v + $damped  # unless relaxed
        return v

    def smooth(self, v: Tensor, rhs: Tensor, grid: Grid, sweeps: int) -> Tensor:  # if coloured
        """Sweeps of Gauss-Seidel: the even cells of a checkerboard, then the odd ones."""
        for _ in range(sweeps):
            for colour in (~grid.odd, grid.odd):
                value, diagonal = self.operator.linearised(v, grid)
                v = torch.where(colour, v + $damped, v)
        return v

    def smooth(self, v: Tensor, rhs: Tensor, grid: Grid, sweeps: int) -> Tensor:  # if chebyshev
        """Steps of Chebyshev iteration for the upper eigenvalues of N over its diagonal."""
        step = torch.zeros_like(v)
        for a, b in chebyshev(sweeps):
            value, diagonal = self.operator.linearised(v, grid)
            step = a * step + b * $change
            v = v + step
        return v

    def start(self, u: Tensor, rhs: Tensor, grids: list[Grid]) -> Tensor:
        """The first state, from the coarsest grid up, smoothed on each grid."""  # unless full
        """The first state, from the coarsest grid up, with a cycle on each coarse grid."""  # if full
        states, rights = [u], [rhs]
        for fine, coarse in zip(grids, grids[1:]):
            states.append(restrict(states[-1], fine, coarse, fine.volume))
            rights.append(restrict_residual(rights[-1], fine, coarse))
        v = self.bottleneck(states[-1], rights[-1], grids[-1])
        for level in reversed(range(len(grids) - 1)):
            v = prolong(v, grids[level + 1], grids[level])
            if level > 0:
                v = self.smooth(v, rights[level], grids[level], self.pre + self.post)  # unless full
                v = self(v, rights[level], grids[level:])  # if full
        return v
'''

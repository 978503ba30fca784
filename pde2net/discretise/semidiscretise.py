"""From a divergence form to its semidiscrete operators: which stencil, closure and padding where."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.domain import require_domain
from pde2net.discretise.filters import Parity, continued
from pde2net.discretise.operators import Bank, Difference, Mixed
from pde2net.discretise.sides import with_sides
from pde2net.discretise.stencils import Stencil, central, half_point, second
from pde2net.errors import DeclarationError, EquationError
from pde2net.language.borders import BORDERS, Border
from pde2net.language.bounds import LINE, Interval
from pde2net.language.grid import Grid
from pde2net.language.linear_operator import Chain, LinearOperator
from pde2net.language.symbols import Domain
from pde2net.normalise.form import DivergenceForm, SystemForm
from pde2net.normalise.terms import (
    LENGTH,
    SQUARED,
    FirstOrder,
    Hessian,
    Learned,
    SecondOrder,
    Tensor,
    Term,
    symbols_in,
)


@dataclass(frozen=True)
class Semidiscrete:
    """The operators of a form on a grid.

    gradient  K of the first-order terms, one row per axis
    cell      gradient at cells, where a staggered grid evaluates its diffusivity; None otherwise
    operators  per term, the operator of each of its weights: of a gradient one difference per axis
    margin    zeros added on both sides of each axis for first-order terms: 0, or for zero-Dirichlet
              conditions enough that periodic operators on the larger grid never see the far side
    joint     of a system with declared ranges, the same with all unknowns taken to lie within theirs
    """

    form: DivergenceForm
    grid: Grid
    spacing: tuple[sp.Expr, ...]
    origin: tuple[sp.Expr, ...]
    gradient: Bank
    cell: Bank | None
    operators: tuple[tuple[Bank | Chain, ...], ...]
    margin: tuple[int, ...]
    joint: Semidiscrete | None = None

    @property
    def within(self) -> Semidiscrete | None:
        """The same with u taken to lie within its declared bounds; None if it has none."""
        if self.joint is not None or self.form.problem.interval(self.form.state) == LINE:
            return self.joint
        return replace(self, form=replace(self.form, within=True))

    @property
    def intervals(self) -> Mapping[sp.Symbol, Interval]:
        """Where values lie: those of the form and, for u in [a, b], |grad u| of first-order terms.

        |sum w_j u_j| <= ‖w‖_1 (b - a)/2 for differences, whose weights sum to 0.
        """
        found = self.form.intervals
        a, b = found.get(self.form.state, LINE)
        known = (b - a).is_finite and (self.closed or a <= 0 <= b) and self.form.problem.channels == 1
        if not (known and all(isinstance(t, FirstOrder) for t in self.form.terms)):
            return found
        banks = [self.gradient] if self.cell is None else [self.gradient, self.cell]
        entries = [[(b - a) / 2 * d.absolute for d in bank.differences] for bank in banks]
        square = sp.Max(*(sp.Add(*(e**2 for e in row)) for row in entries))
        length = sp.Max(*(sp.Add(*row) for row in entries))  # no root, for exact ranges
        return {**found, SQUARED: (sp.S.Zero, square), LENGTH: (sp.S.Zero, length)}

    @property
    def in_domain(self) -> Semidiscrete:
        """What the network computes: the same in the domain of the problem alone (discretise/domain.py)."""
        domain = self.form.problem.domain
        if domain is None:
            return self
        return replace(self, form=replace(self.form, domain=Domain(str(domain.func))))

    @property
    def one_channel(self) -> Semidiscrete:
        """The same of an image of one channel."""
        problem = self.form.problem
        single = problem.changed(channels=1)
        return self if problem.channels == 1 else replace(self, form=replace(self.form, problem=single))

    @property
    def parities(self) -> dict[LinearOperator, tuple[Parity, Parity]]:
        """Of learned operators: those of the channels that each is applied to, and of its filters."""
        problem = self.form.problem
        even: Parity = ((1,) * len(problem.space),) * problem.channels
        chains = (k for row in self.operators for k in row if isinstance(k, Chain))
        return continued(chains, even, problem.arrays)

    @property
    def boundary(self) -> tuple[str, ...]:
        return tuple(self.form.problem.boundary[a] for a in self.form.space)

    @property
    def borders(self) -> tuple[Border, ...]:
        return tuple(BORDERS[name] for name in self.boundary)

    @property
    def closed(self) -> bool:
        """Whether constants go on as constants beyond all borders."""
        return all(b.keeps_constants for b in self.borders)

    @property
    def smallest(self) -> tuple[int, ...]:
        """The smallest size of each axis: one cell, along which nothing differs, for stencils of order 2.

        Where something flows across sides, no cell is at both of an axis. Gradients at zero-Dirichlet borders
        see an image that is padded.
        """
        apart = {self.form.space.index(axis): 2 for axis in self.form.problem.sides}
        padded = [
            {axis: size - 2 * self.margin[axis] for axis, size in bank.fewest.items()}
            for bank in self.banks
            if bank not in self.second
        ]
        return self._sizes([apart, *padded, *(bank.fewest for bank in self.second)])

    @property
    def roomy(self) -> tuple[int, ...]:
        """The smallest size of each axis within which its stencils lie; coarse grids keep it."""
        return self._sizes([bank.spans for bank in self.banks])

    def _sizes(self, needed: Iterable[Mapping[int, int]]) -> tuple[int, ...]:
        """The largest of what learned filters and banks need along each axis."""
        terms = [t for t in self.form.terms if isinstance(t, Learned)]
        sizes = [max([1, *(cells(t.chain, b) for t in terms)]) for b in self.borders]
        sizes = [self.multiple * -(-n // self.multiple) for n in sizes]
        for each in needed:
            for axis, size in each.items():
                sizes[axis] = max(sizes[axis], size)
        return tuple(sizes)

    @property
    def multiple(self) -> int:
        """What the sizes of images are multiples of: learned operators may act on averages of blocks."""
        return math.lcm(*(k.scale for k in self.form.learned))

    @property
    def first_order(self) -> bool:
        """Whether there are terms in the gradient."""
        return any(t.order == 1 for t in self.form.terms)

    @property
    def second(self) -> tuple[Bank, ...]:
        """K of each second-order term."""
        rows = zip(self.form.terms, self.operators, strict=True)
        return tuple(k for t, row in rows if t.order == 2 for k in row if isinstance(k, Bank))

    @property
    def banks(self) -> tuple[Bank, ...]:
        used: list[Bank] = list(self.second)
        if self.first_order or self.form.field_slopes:
            used.append(self.gradient)
            if self.cell is not None:
                used.append(self.cell)
        return tuple(used)


@dataclass(frozen=True)
class SemidiscreteSystem:
    """`parts` in the order of the equations, all on one grid."""

    form: SystemForm
    grid: Grid
    parts: tuple[Semidiscrete, ...]

    @property
    def in_domain(self) -> SemidiscreteSystem:
        """As of one equation."""
        return replace(self, parts=tuple(part.in_domain for part in self.parts))

    @property
    def spacing(self) -> tuple[sp.Expr, ...]:
        return self.parts[0].spacing

    @property
    def origin(self) -> tuple[sp.Expr, ...]:
        return self.parts[0].origin

    @property
    def boundary(self) -> tuple[str, ...]:
        return self.parts[0].boundary

    @property
    def second(self) -> tuple[Bank, ...]:
        return tuple(bank for part in self.parts for bank in part.second)

    @property
    def smallest(self) -> tuple[int, ...]:
        return tuple(map(max, zip(*(part.smallest for part in self.parts), strict=True)))

    @property
    def roomy(self) -> tuple[int, ...]:
        return tuple(map(max, zip(*(part.roomy for part in self.parts), strict=True)))

    @property
    def banks(self) -> tuple[Bank, ...]:
        return tuple(dict.fromkeys(bank for part in self.parts for bank in part.banks))


def semidiscretise(form: DivergenceForm, grid: Grid) -> Semidiscrete:
    """Choose stencils and closures for every term of `form` on `grid`.

    Raises DeclarationError where no operators are derived: docs/theory.md, section 2.
    """
    space = form.space
    spacing = grid.spacings(space)
    form = with_sides(form, grid, spacing)
    require_domain(form, grid)
    lines = list(zip(spacing, (BORDERS[form.problem.boundary[a]] for a in space), strict=True))
    first = central(grid.order) if grid.gradient == "central" else half_point(grid.order)
    staggered = grid.gradient == "staggered"
    if staggered and grid.order != 2 and any(isinstance(t, Tensor) for t in form.terms):
        lead = "Diffusion tensors on a staggered grid are of order 2; for order 4 use gradient"
        raise DeclarationError(f'{lead}="forward".').spelt(f"{lead} = forward.")

    def gradient(stencil: Stencil) -> Bank:
        """Zeros outside of the grid are cells of a larger, periodic one."""
        inner = (BORDERS["periodic"] if b.zero else b for _, b in lines)
        rows = (Difference(i, stencil, spacing[i], b.closure) for i, b in enumerate(inner))
        return Bank(tuple(((sp.S.One, d),) for d in rows))

    def operators(term: Term) -> tuple[Bank | Chain, ...]:
        if isinstance(term, Hessian):
            return (hessian_bank(grid.order, lines),)
        if isinstance(term, SecondOrder) and term.slope != 0:
            return (mixed_bank(term, grid.order, *lines[0]),)
        if isinstance(term, SecondOrder):
            seconds = (Difference(i, second(grid.order), h, b.closure) for i, (h, b) in enumerate(lines))
            return (Bank((tuple((w, d) for w, d in zip(term.weights, seconds, strict=True) if w != 0),)),)
        return tuple(Bank((row,)) for row in gradient(first).rows) if term.order == 1 else _chain(term)

    semi = Semidiscrete(
        form=form,
        grid=grid,
        spacing=spacing,
        origin=grid.origins(space),
        gradient=gradient(first),
        cell=gradient(central(grid.order)) if staggered else None,
        operators=tuple(operators(t) for t in form.terms),
        margin=tuple(2 * first.reach if b.zero else 0 for _, b in lines),
    )
    _require_derived(semi)
    _require_fields(semi.form)
    return semi


def _require_fields(form: DivergenceForm) -> None:
    """Raises EquationError where a field drops out by what is declared of its values."""
    used = symbols_in(form.terms) | form.reaction.free_symbols
    used |= {s for e in form.smoothed.values() for s in e.argument.free_symbols}
    used |= {owner for owner, _ in form.field_slopes.values()}
    for field in (f for f in form.fields if f not in used):
        raise EquationError(f"Nothing of {field} is left in the equation, with what is declared of it.")


def _require_derived(semi: Semidiscrete) -> None:
    """Raises DeclarationError for borders whose adjoints or norms are not derived."""
    for border in semi.borders:
        border.require(border.source == 0 and abs(border.factor) <= 1, "Norms of operators")
        if semi.form.learned:
            border.require_plain("Learned filters")
        for operator in (k for k in semi.parities if k.border == "continued" and not border.even):
            lead = f"{operator} continues the image by its mirror image, which goes with reflecting borders:"
            raise DeclarationError(f'{lead} boundary="reflecting" along all axes, or border="inside".')
        if any(owner in semi.form.fields for owner, _ in semi.form.field_slopes.values()):
            border.require_plain("Slopes of known fields")
    for difference in (d for bank in semi.banks for d in bank.differences if d.stencil.half):
        difference.border.require_plain("Differences at half-points")


def _chain(term: Term) -> tuple[Chain, ...]:
    """The operators of a learned term, which are one operator together."""
    if not isinstance(term, Learned):
        return ()
    kinds = {k.border for k in term.chain.operators}
    if len(kinds) > 1:
        names = ", ".join(k.name for k in term.chain.operators)
        raise DeclarationError(f"Operators that are composed have one kind of border: {names} have two.")
    _, *outer = term.chain.operators
    for operator in (k for k in outer if k.scale != 1):
        raise DeclarationError(
            f"{operator} has scale = {operator.scale}: of composed operators the first one alone, which is "
            "applied to the image, acts on averages."
        )
    return (term.chain,)


def cells(chain: Chain, border: Border) -> int:
    """The fewest cells along an axis on which filters can be applied."""
    scale = chain.operators[0].scale
    if chain.last.border == "continued":
        return scale * max(k.left for k in chain.operators)
    if border.even:
        return scale * (1 + sum(k.kernel_size - 1 for k in chain.operators))
    return scale * max(k.kernel_size // 2 if border.wraps else 1 for k in chain.operators)


def hessian_bank(order: int, lines: Sequence[tuple[sp.Expr, Border]]) -> Bank:
    """The entries u_ij, i <= j: second differences, and products of half-point differences along i and j.

    On periodic and reflecting grids sum_ij K_ij^T K_ij is the square of the Laplacian sum_i K_i^T K_i for
    order 2. Raises DeclarationError for zero-Dirichlet borders: differences at half-points count both
    outer ones, second differences neither.
    """
    if any(b.zero for _, b in lines):
        raise DeclarationError(
            "A Hessian takes reflecting or periodic borders: zero-Dirichlet values have no mixed differences "
            "at the border that go with the second differences. laplacian(u) takes all borders."
        )
    axes = list(enumerate(lines))
    pure = tuple(((sp.S.One, Difference(i, second(order), h, b.closure)),) for i, (h, b) in axes)
    mixed = (
        Mixed(tuple(Difference(i, half_point(order), h, b.closure) for i, (h, b) in pair))
        for pair in itertools.combinations(axes, 2)
    )
    return Bank(pure, tuple(mixed))


def mixed_bank(term: SecondOrder, order: int, h: sp.Expr, border: Border) -> Bank:
    """One row b D_xx + a D_x, D_x the central difference at cells. Raises DeclarationError for order 4."""
    if order != 2:
        raise DeclarationError("Operators of first and second order together take order = 2.")
    parts = ((term.weights[0], second(2)), (term.slope, central(2)))
    return Bank((tuple((w, Difference(0, stencil, h, border.closure)) for w, stencil in parts),))


def semidiscretise_system(
    form: SystemForm, grid: Grid, within: SystemForm | None = None
) -> SemidiscreteSystem:
    """The operators of every equation on `grid`; `within` is the form of unknowns in declared ranges."""
    parts = tuple(semidiscretise(part, grid) for part in form.parts)
    if within is not None:
        joint = semidiscretise_system(within, grid).parts
        parts = tuple(replace(part, joint=own) for part, own in zip(parts, joint, strict=True))
    return SemidiscreteSystem(form, grid, parts)

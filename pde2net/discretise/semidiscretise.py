"""From a divergence form to its semidiscrete operators: which stencil, closure and padding where."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.operators import Bank, Difference, Mixed
from pde2net.discretise.stencils import Stencil, central, half_point, second
from pde2net.errors import DeclarationError
from pde2net.language.grid import Grid
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import Hessian, SecondOrder, Tensor, Term


@dataclass(frozen=True)
class Semidiscrete:
    """The operators of a form on a grid.

    gradient  K of the first-order terms, one row per axis
    cell      gradient at cells, where a staggered grid evaluates its diffusivity; None otherwise
    operators  per term, the operator of each of its weights: of a gradient one difference per axis
    margin    zeros added on both sides of each axis for first-order terms: 0, or for zero-Dirichlet
              conditions enough that periodic operators on the larger grid never see the far side
    """

    form: DivergenceForm
    grid: Grid
    spacing: tuple[sp.Expr, ...]
    origin: tuple[sp.Expr, ...]
    gradient: Bank
    cell: Bank | None
    operators: tuple[tuple[Bank | LinearOperator, ...], ...]
    margin: tuple[int, ...]

    @property
    def one_channel(self) -> Semidiscrete:
        """The same of an image of one channel."""
        problem = self.form.problem
        single = Problem(problem.equation, dict(problem.boundary), dict(problem.parameters))
        return self if problem.channels == 1 else replace(self, form=replace(self.form, problem=single))

    @property
    def boundary(self) -> tuple[str, ...]:
        return tuple(self.form.problem.boundary[a] for a in self.form.space)

    @property
    def smallest(self) -> tuple[int, ...]:
        """The smallest size of each axis on which the stencils fit."""
        sizes = [max([1, *(k.kernel_size for k in self.form.learned)])] * len(self.spacing)
        for bank in self.banks:
            for axis, span in bank.span:
                sizes[axis] = max(sizes[axis], span)
        return tuple(sizes)

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


def semidiscretise(form: DivergenceForm, grid: Grid) -> Semidiscrete:
    """Choose stencils and closures for every term of `form` on `grid`."""
    space = form.space
    spacing = grid.spacings(space)
    boundary = tuple(form.problem.boundary[a] for a in space)
    first = central(grid.order) if grid.gradient == "central" else half_point(grid.order)
    staggered = grid.gradient == "staggered"
    if staggered and grid.order != 2 and any(isinstance(t, Tensor) for t in form.terms):
        lead = "Diffusion tensors on a staggered grid are of order 2; for order 4 use gradient"
        raise DeclarationError(f'{lead}="forward".').spelt(f"{lead} = forward.")

    def gradient(stencil: Stencil) -> Bank:
        return Bank(
            tuple(
                (
                    (
                        sp.S.One,
                        Difference(i, stencil, h, "reflecting" if b == "reflecting" else "periodic"),
                    ),
                )
                for i, (h, b) in enumerate(zip(spacing, boundary, strict=True))
            )
        )

    def operators(term: Term) -> tuple[Bank | LinearOperator, ...]:
        if isinstance(term, Hessian):
            return (hessian_bank(grid.order, spacing, boundary),)
        if isinstance(term, SecondOrder) and term.slope != 0:
            return (mixed_bank(term, grid.order, spacing[0], boundary[0]),)
        if isinstance(term, SecondOrder):
            lines = enumerate(zip(term.weights, spacing, boundary, strict=True))
            stencil = second(grid.order)
            row = (
                (w, Difference(i, stencil, h, "zero" if b == "dirichlet" else b)) for i, (w, h, b) in lines
            )
            return (Bank((tuple((w, d) for w, d in row if w != 0),)),)
        return tuple(Bank((row,)) for row in gradient(first).rows) if term.order == 1 else term.learned

    return Semidiscrete(
        form=form,
        grid=grid,
        spacing=spacing,
        origin=grid.origins(space),
        gradient=gradient(first),
        cell=gradient(central(grid.order)) if staggered else None,
        operators=tuple(operators(t) for t in form.terms),
        margin=tuple(2 * first.reach if b == "dirichlet" else 0 for b in boundary),
    )


def hessian_bank(order: int, spacing: Sequence[sp.Expr], boundary: Sequence[str]) -> Bank:
    """The entries u_ij, i <= j: second differences, and products of half-point differences along i and j.

    On periodic and reflecting grids sum_ij K_ij^T K_ij is the square of the Laplacian sum_i K_i^T K_i for
    order 2. Raises DeclarationError for zero-Dirichlet borders: differences at half-points count both
    outer ones, second differences neither.
    """
    if "dirichlet" in boundary:
        raise DeclarationError(
            "A Hessian takes reflecting or periodic borders: zero-Dirichlet values have no mixed differences "
            "at the border that go with the second differences. laplacian(u) takes all borders."
        )
    lines = list(enumerate(zip(spacing, boundary, strict=True)))
    pure = tuple(((sp.S.One, Difference(i, second(order), h, b)),) for i, (h, b) in lines)
    mixed = (
        Mixed(tuple(Difference(i, half_point(order), h, b) for i, (h, b) in pair))
        for pair in itertools.combinations(lines, 2)
    )
    return Bank(pure, tuple(mixed))


def mixed_bank(term: SecondOrder, order: int, h: sp.Expr, border: str) -> Bank:
    """One row b D_xx + a D_x, D_x the central difference at cells. Raises DeclarationError for order 4."""
    if order != 2:
        raise DeclarationError("Operators of first and second order together take order = 2.")
    closure = "zero" if border == "dirichlet" else border
    (b,) = term.weights
    return Bank(
        (((b, Difference(0, second(2), h, closure)), (term.slope, Difference(0, central(2), h, closure))),)
    )

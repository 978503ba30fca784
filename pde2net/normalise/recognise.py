"""From a `Problem` to its `DivergenceForm`, or an error that says what kind of term is in the way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.continuous import jumps
from pde2net.language.problem import Problem
from pde2net.normalise.form import DivergenceForm, SystemForm
from pde2net.normalise.hessian import Entries
from pde2net.normalise.learned import learned_terms
from pde2net.normalise.linear_combination import NotADivergenceError, raise_not_divergence, split
from pde2net.normalise.products import summands
from pde2net.normalise.quartic import squares
from pde2net.normalise.radial import as_function_of_square, radial_groups, vanishes
from pde2net.normalise.recover import recovered
from pde2net.normalise.symbols import Symbols
from pde2net.normalise.tensors import split as split_tensor
from pde2net.normalise.terms import Component, FirstOrder, Learned, SecondOrder, Tensor, Term
from pde2net.normalise.time import require_apart


def recognise_system(problem: Problem, within: bool = False) -> SystemForm:
    """The divergence forms of a system of equations; raises as `recognise` does.

    within  whether all unknowns are taken to lie within their declared bounds
    """
    parts = (recognise(part) for part in problem.apart(within))
    return SystemForm(problem, tuple(replace(part, within=within) for part in parts))


def recognise(problem: Problem) -> DivergenceForm:
    """The divergence form of `problem`, recovered if its right-hand side is expanded.

    Raises EquationError for advection, third-order or mixed terms and for what is no divergence, naming
    the term.
    """
    if len(problem.equations) > 1:
        raise EquationError("This takes one equation, not a system of several.")
    learned: tuple[Learned, ...] = ()
    fixed = problem
    if problem.operators:
        learned, rest = learned_terms(problem)
        fixed = _with_rhs(problem, rest)
    form = _fixed(fixed)
    form = replace(form, problem=problem, terms=(*form.terms, *learned))
    require_apart(form)
    return form


def _fixed(problem: Problem) -> DivergenceForm:
    """The form of an equation without learned operators."""
    try:
        return _recognised(problem)
    except EquationError as error:
        explained = isinstance(error, NotADivergenceError)
        try:
            rhs = recovered(problem, explained)
        except EquationError as reason:
            if explained:
                raise EquationError(f"{error} In particular, {reason}") from None
            raise error from None
        return _recognised(_with_rhs(problem, rhs))


def _with_rhs(problem: Problem, rhs: sp.Expr) -> Problem:
    equation = sp.Eq(problem.equations[0].lhs, rhs, evaluate=False)
    return problem.changed(equation=equation, parameters={})


def _recognised(problem: Problem) -> DivergenceForm:
    pairs, reaction = split(problem)
    form = _Recogniser(problem).form(pairs, reaction)
    if problem.channels > 1:
        _require_norms(form)
    return form


def _require_norms(form: DivergenceForm) -> None:
    """Channels are coupled by squared norms alone; any other nonlinear flux has no meaning for them."""
    parts = (c for term in form.terms for c in term.parts)
    for flux in (r for c in parts if c.groups is None for r in c.responses):
        raise EquationError(
            f"The flux {flux} is no function of a squared norm, which is what couples the channels of u; "
            "write g(norm2(grad(u))) * grad(u)."
        )


class _Recogniser:
    """Collects the terms of one equation by prefactor and order."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.symbols = Symbols(problem)
        self.fluxes: dict[sp.Expr, list[sp.Expr]] = defaultdict(lambda: [sp.S.Zero] * len(problem.space))
        self.quartic: dict[sp.Expr, dict[tuple[int, int], sp.Expr]] = defaultdict(dict)
        self.entries = Entries(self.symbols)
        self.outer: dict[tuple[sp.Expr, sp.Expr], dict[int, sp.Expr]] = defaultdict(dict)

    def form(self, pairs: list[tuple[sp.Expr, sp.Derivative]], reaction: sp.Expr) -> DivergenceForm:
        for coefficient, derivative in pairs:
            self.add(coefficient, derivative)
        terms: list[Term] = []
        for prefactor, fluxes in self.fluxes.items():
            if prefactor == 0:  # by what is declared of a field
                continue
            fluxes, matrix = split_tensor(fluxes, self.symbols.slopes)
            components = self.components(fluxes)
            if components:
                terms.append(FirstOrder(prefactor, components))
            if matrix is not None:
                terms.append(Tensor(prefactor, matrix))
        for prefactor, coefficients in self.quartic.items():
            for factor, weights in squares(coefficients, len(self.problem.space)):
                # -(1 - c) is c - 1 to SymPy: of two factors, the constant one is positive.
                flipped = factor.is_negative and bool(prefactor.free_symbols)
                m, k = (-prefactor, -factor) if flipped else (prefactor, factor)
                terms.append(SecondOrder(m, weights, k * self.symbols.curvature, k))
        for (prefactor, inner), outer in self.outer.items():
            terms.append(self.second_order(prefactor, inner, outer))
        terms += self.entries.terms()
        reaction = self.symbols.pointwise(reaction, f"The reaction term {reaction}")
        return DivergenceForm(
            problem=self.problem,
            state=self.symbols.state,
            slopes=self.symbols.slopes,
            curvature=self.symbols.curvature,
            fields=self.symbols.fields,
            field_slopes=dict(sorted(self.symbols.field_slopes.items(), key=lambda e: e[0].name)),
            terms=tuple(terms),
            reaction=reaction,
            smoothed=dict(self.symbols.smoothed),
        )

    def add(self, coefficient: sp.Expr, derivative: sp.Derivative) -> None:
        problem, u = self.problem, self.problem.unknown
        constant, prefactor = coefficient.as_independent(*problem.space, u, *problem.fields, as_Add=False)
        if prefactor.has(u):
            raise_not_divergence(coefficient * derivative, problem)
        prefactor = self.symbols.pointwise(prefactor, f"The factor {prefactor}")
        # Nested derivatives count an axis more than once: that of u_xy along x and y has (x, y, x, y).
        orders = tuple(
            int(sum(n for a, n in derivative.variable_count if a == axis)) for axis in problem.space
        )
        if derivative.expr == u:
            self.add_linear(constant, prefactor, orders, derivative)
            return
        if not derivative.expr.has(u):
            raise EquationError(
                f"The term {derivative} differentiates known data only; compute it beforehand and "
                "pass it as a known field."
            )
        if sum(orders) == 1:
            self.add_flux(constant, prefactor, orders.index(1), derivative)
        elif sum(orders) == 2 and max(orders) == 2:
            self.add_outer(constant, prefactor, orders.index(2), derivative)
        elif sum(orders) == 2:
            self.entries.add(constant, prefactor, orders, derivative)
        else:
            raise EquationError(
                f"The term {derivative} is not a divergence of first or second order; diffusion terms "
                "are div(g * grad(u)) and -laplacian(g * laplacian(u))."
            )

    def add_linear(
        self,
        constant: sp.Expr,
        prefactor: sp.Expr,
        orders: tuple[int, ...],
        derivative: sp.Derivative,
    ) -> None:
        total = sum(orders)
        if total == 1:
            raise EquationError(
                f"The term with {derivative} is advection (transport), not diffusion: first "
                "derivatives must stand inside a divergence, div(g * grad(u))."
            )
        if total == 2 and max(orders) == 2:
            axis = orders.index(2)
            self.fluxes[prefactor][axis] += constant * self.symbols.slopes[axis]
        elif total == 4 and all(o % 2 == 0 for o in orders):
            axes = [i for i, o in enumerate(orders) for _ in range(o // 2)]
            table = self.quartic[prefactor]
            key = (axes[0], axes[1])
            table[key] = table.get(key, sp.S.Zero) + constant
        elif total == 2:
            i, j = (k for k, order in enumerate(orders) if order)
            for axis, other in ((i, j), (j, i)):  # half of it in each entry of a symmetric tensor
                self.fluxes[prefactor][axis] += constant / 2 * self.symbols.slopes[other]
        elif total == 4:
            raise EquationError(
                f"The mixed derivative {derivative} of order four is no part of -sum_ij d_i d_j (g u_ij) "
                "with the Hessian (u_ij), nor of a Laplacian; write either of them."
            )
        else:
            raise EquationError(
                f"The term with {derivative} is of order {total}; only even orders 2 and 4 are "
                "diffusion (odd orders disperse)."
            )

    def add_flux(self, constant: sp.Expr, prefactor: sp.Expr, axis: int, derivative: sp.Derivative) -> None:
        """d/dx_axis of a flux in first derivatives."""
        flux = self.symbols.replace(derivative.expr, f"The flux {derivative.expr}")
        if self.symbols.has_second(flux) and len(self.problem.space) == 1:
            self.entries.add(constant, prefactor, (1,), derivative)
            return
        if flux.has(self.symbols.curvature) or self.symbols.has_second(flux):
            raise EquationError(
                f"The flux {derivative.expr} contains second derivatives under a single divergence; "
                "fourth-order diffusion is written -laplacian(g * laplacian(u))."
            )
        slopes = self.symbols.slopes
        if not flux.free_symbols & set(slopes):
            raise EquationError(
                f"The term {derivative} is advection (transport), as in osmosis: its flux {derivative.expr} "
                "contains no derivative of the unknown. A diffusive flux has the form g * grad(u)."
            )
        self.fluxes[prefactor][axis] += constant * flux

    def add_outer(self, constant: sp.Expr, prefactor: sp.Expr, axis: int, derivative: sp.Derivative) -> None:
        """d^2/dx_axis^2 of a function of u, or of second derivatives of u."""
        inner = self.symbols.replace(derivative.expr, f"The expression {derivative.expr}")
        state, slopes = self.symbols.state, self.symbols.slopes
        if self.symbols.has_second(inner):
            if inner.free_symbols & {*self.symbols.mixed.values()} or (
                inner.free_symbols & set(slopes) and len(slopes) == 1
            ):
                orders = tuple(2 if i == axis else 0 for i in range(len(slopes)))
                self.entries.add(constant, prefactor, orders, derivative)
                return
            if inner.free_symbols & set(slopes):
                raise EquationError(
                    f"The term {derivative} mixes first and second derivatives of the unknown; write "
                    "-laplacian(g * laplacian(u)) with g a function of laplacian(u)."
                )
            key = (prefactor, inner)
            self.outer[key][axis] = self.outer[key].get(axis, sp.S.Zero) + constant
            return
        if inner.free_symbols & set(slopes) or inner.free_symbols & self.symbols.data:
            raise EquationError(
                f"The term {derivative} is not in divergence form with a diffusive flux; write "
                "div(g * grad(u))."
            )
        part = jumps(inner, state)
        if part is not None:
            raise EquationError(
                f"{derivative} is div(phi'(u) grad u) only where phi is continuous, which is not known of "
                f"{part}; write the divergence form, div(g * grad(u))."
            )
        self.fluxes[prefactor][axis] += constant * sp.diff(inner, state) * slopes[axis]

    def components(self, fluxes: list[sp.Expr]) -> tuple[Component, ...]:
        """Group the summands of the fluxes by their derivative-free factor.

        What a factor with slopes reads, too, is no factor of its own: both are evaluated at one place.
        """
        symbols = self.symbols
        fixed = {symbols.state} | symbols.data
        grouped: dict[sp.Expr, list[sp.Expr]] = {}
        for axis, flux in enumerate(fluxes):
            for summand in summands(flux, lambda e: bool(e.free_symbols & set(symbols.slopes))):
                coefficient, response = sp.S.One, sp.S.One
                factors = sp.Mul.make_args(summand)
                sloped = [e.free_symbols for e in factors if e.free_symbols & set(symbols.slopes)]
                mixed = fixed & set[sp.Basic]().union(*sloped)
                for factor in factors:
                    free = factor.free_symbols
                    if free & fixed and not free & (mixed | set(symbols.slopes)):
                        coefficient *= factor
                    else:
                        response *= factor
                if response == 0:
                    continue
                row = grouped.setdefault(coefficient, [sp.S.Zero] * len(fluxes))
                row[axis] += response
        return tuple(
            Component(c, tuple(row), radial_groups(tuple(row), symbols.slopes, fixed))
            for c, row in grouped.items()
        )

    def second_order(self, prefactor: sp.Expr, inner: sp.Expr, outer: dict[int, sp.Expr]) -> SecondOrder:
        """-D(Phi(D u)): `inner` must be a function of the same D as stands outside."""
        seconds = self.symbols.seconds
        used = [i for i, s in enumerate(seconds) if s in inner.free_symbols]
        pivot = used[0]
        scale = -outer.get(pivot, sp.S.Zero)
        weights = tuple(
            sp.cancel(outer.get(i, sp.S.Zero) / -scale) if scale != 0 else sp.S.Zero
            for i in range(len(seconds))
        )
        q = self.symbols.curvature
        combination = sum(w * s for w, s in zip(weights, seconds, strict=True))
        flux = inner.subs(combination, q)
        if flux.free_symbols & set(seconds) and scale != 0:
            rest = sum(w * s for w, s in zip(weights, seconds, strict=True) if s != seconds[pivot])
            flux = sp.simplify(inner.subs(seconds[pivot], q - rest))
        if scale == 0 or flux.free_symbols & set(seconds):
            raise EquationError(
                f"The fourth-order term with {inner} applies another operator outside than inside; "
                "a diffusion term has the form -D(Phi(D u)) with the same D, such as "
                "-laplacian(g * laplacian(u))."
            )
        if not vanishes(flux, q):
            raise EquationError(
                f"The fourth-order flux {flux} does not vanish where {q} = D u does, as every "
                "diffusive flux g * D u does."
            )
        if flux.free_symbols & ({self.symbols.state} | self.symbols.data):
            raise EquationError(
                f"The fourth-order flux {flux} depends on u, position or known fields; only "
                "functions of D u are supported there."
            )
        flux = scale * flux
        return SecondOrder(prefactor, weights, flux, as_function_of_square(flux / q, (q,)))

"""The figures of a certificate at one choice of numbers for all of its symbols.

Everything is derived again from the divergence form and the stencils, numerically: norms by sampling the
Fourier symbols, ranges by ball arithmetic. Nothing is taken from the certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from pde2net.audit.ranges import ball_range, real_range, slope_range
from pde2net.discretise.operators import Difference
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.normalise.form import SQUARED, FirstOrder
from pde2net.normalise.radial import as_function_of_square
from pde2net.verify.ranges import UndecidedError

Pair = tuple[float, float]


@dataclass(frozen=True)
class Numbers:
    """`semi` with `values` for every parameter and spacing."""

    semi: Semidiscrete
    values: Mapping[sp.Symbol, sp.Expr]

    def number(self, expression: sp.Expr) -> float:
        return float(expression.subs(self.values))

    @cached_property
    def symmetric(self) -> bool:
        return all(t.prefactor == 1 for t in self.semi.form.terms)

    @cached_property
    def weights(self) -> list[tuple[Pair, float]]:
        """(range of the weight, ‖K‖²) per term and axis."""
        found: list[tuple[Pair, float]] = []
        second = iter(self.semi.second)
        for term in self.semi.form.terms:
            if isinstance(term, FirstOrder):
                found += self.first_order(term)
                continue
            bank = next(second)
            if term.diffusivity is None:
                raise UndecidedError("the flux has no diffusivity")
            signed = [(float(w.subs(self.values)), self.largest(d)) for w, d in bank.rows[0]]
            one_sided = [sum(abs(w) * m for w, m in signed if w * sign > 0) for sign in (1, -1)]
            found.append((self.pair(ball_range(self.valued(term.diffusivity), SQUARED)), max(one_sided) ** 2))
        return found

    def first_order(self, term: FirstOrder) -> list[tuple[Pair, float]]:
        totals = [np.zeros(2) for _ in self.semi.form.slopes]
        for component in term.components:
            coefficient = np.array(self.pair(real_range(self.gathered(component.coefficient))))
            if component.groups is None:
                raise UndecidedError("the flux has no diffusivity")
            for group in component.groups:
                g = np.array(self.pair(ball_range(self.valued(group.diffusivity), SQUARED)))
                for axis, weight in zip(group.axes, group.weights, strict=True):
                    products = np.outer(coefficient, g).ravel() * float(weight.subs(self.values))
                    totals[axis] = totals[axis] + [products.min(), products.max()]
        norms = [self.largest(d) ** 2 for ((_, d),) in self.semi.gradient.rows]
        return [((float(low), float(high)), n) for (low, high), n in zip(totals, norms, strict=True)]

    @cached_property
    def slopes(self) -> list[tuple[Pair, float]]:
        """(range of the eigenvalues of Phi', ‖K‖²) per term and axis, for the gradient of a penaliser."""
        found: list[tuple[Pair, float]] = []
        for term in self.semi.form.terms:
            if not isinstance(term, FirstOrder):
                if term.diffusivity is None:
                    raise UndecidedError("the flux has no diffusivity")
                found.append((self.eigenvalues(term.diffusivity), 0.0))
                continue
            totals = [np.zeros(2) for _ in self.semi.form.slopes]
            for component in term.components:
                self.require_penaliser(component.coefficient, component.groups)
                for group in component.groups or ():
                    both = np.array(self.eigenvalues(group.diffusivity))
                    for axis, weight in zip(group.axes, group.weights, strict=True):
                        scaled = both * float(weight.subs(self.values))
                        totals[axis] = totals[axis] + [scaled.min(), scaled.max()]
            found += [((float(low), float(high)), 0.0) for low, high in totals]
        return [(pair, norm) for (pair, _), (_, norm) in zip(found, self.weights, strict=True)]

    def require_penaliser(self, coefficient: sp.Expr, groups: object) -> None:
        varying = coefficient.free_symbols & (self.semi.form.data | {self.semi.form.state})
        if varying or groups is None:
            raise UndecidedError("the flux is not the gradient of a penaliser")
        for group in groups:  # type: ignore[attr-defined]
            moving = SQUARED in group.diffusivity.free_symbols
            if moving and (len(set(group.weights)) > 1 or self.semi.cell is not None):
                raise UndecidedError("the flux is not the gradient of a penaliser")

    def eigenvalues(self, diffusivity: sp.Expr) -> Pair:
        g = self.valued(diffusivity)
        along, across = self.pair(ball_range(g, SQUARED)), self.pair(slope_range(g, SQUARED))
        return min(along[0], across[0]), max(along[1], across[1])

    @cached_property
    def rate(self) -> Pair:
        """Range of -r'(u)."""
        form = self.semi.form
        return self.pair(real_range(self.gathered(-sp.diff(form.reaction, form.state))))

    @cached_property
    def damping(self) -> Pair:
        """Range of -r(u)/u."""
        form = self.semi.form
        ratio = sp.cancel(-form.reaction / form.state)
        if ratio.subs(form.state, 0).has(sp.nan, sp.zoo):
            start = sp.limit(ratio, form.state, 0)
            ratio = sp.Piecewise((start, sp.Eq(form.state, 0)), (ratio, True))
        return self.pair(real_range(self.gathered(ratio)))

    @cached_property
    def degree(self) -> float:
        """The largest diagonal entry of A for two-point stencils."""
        rows = self.semi.gradient.rows
        sizes = [2 * self.number(d.stencil.weights[0] * d.scale) ** 2 for ((_, d),) in rows]
        ranges = [pair for pair, _ in self.weights]
        return sum(high * sizes[i % len(sizes)] for i, (_, high) in enumerate(ranges))

    def largest(self, difference: Difference) -> float:
        """sup over theta of |sum_k w_k exp(i k theta)|/h^m, refined around the largest sample."""
        stencil = difference.stencil
        weights = np.array([float(w) for w in stencil.weights])
        offsets = np.array(stencil.offsets)
        centre, width = np.pi / 2, np.pi / 2
        best = 0.0
        for _ in range(6):
            theta = np.linspace(max(0.0, centre - width), min(np.pi, centre + width), 2001)
            size = abs(np.exp(1j * np.outer(theta, offsets)) @ weights)
            best, centre, width = float(size.max()), float(theta[size.argmax()]), width / 500
        return best * self.number(difference.scale)

    def valued(self, expression: sp.Expr) -> sp.Expr:
        valued = expression.subs(self.values)
        if valued.free_symbols - {SQUARED}:
            raise UndecidedError(f"{valued} mixes derivatives with other variables")
        return valued

    def gathered(self, expression: sp.Expr) -> sp.Expr:
        """At the values of the parameters, with |grad f|² of a field as one variable."""
        expression = expression.subs(self.values)
        owners = {owner for owner, _ in self.semi.form.field_slopes.values()}
        for owner in sorted(owners, key=str):
            of_owner = [s for s, (o, _) in self.semi.form.field_slopes.items() if o == owner]
            inside = tuple(s for s in of_owner if s in expression.free_symbols)
            radial = as_function_of_square(expression, inside) if inside else None
            if radial is not None:
                square = sp.Symbol(f"|grad {owner}|^2", nonnegative=True)
                expression = radial.xreplace({SQUARED: square})
        return expression

    def pair(self, both: tuple[sp.Expr, sp.Expr]) -> Pair:
        return float(both[0]), float(both[1])

"""What a certificate rests on, at one choice of numbers for all of its symbols.

Derived a second time from the divergence form and the stencils; only the ranges of functions are those of
the certificate, after they were checked (rows.py). Numbers have 80 digits. What cannot be derived is no
disagreement: NoOpinionError.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import mul

import sympy as sp

from pde2net.audit.exactly import ONE, ZERO, NoOpinionError, Number, number
from pde2net.audit.ranges import slope
from pde2net.audit.rows import Pair, Rows
from pde2net.audit.several import corners, inside
from pde2net.audit.spectra import constant_eigenvalues, drawn_eigenvalues, largest_square
from pde2net.discretise.operators import Bank, Operation, factors
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import RecheckError
from pde2net.language.bounds import LINE, Interval, within
from pde2net.language.linear_operator import Chain, norm_symbol
from pde2net.language.spline import SplineDiffusivity
from pde2net.language.symbols import Edge, per_filter
from pde2net.normalise.affine import affine
from pde2net.normalise.radial import as_function_of_square
from pde2net.normalise.tensors import spectrum
from pde2net.normalise.terms import SQUARED, Component, Tensor, Term
from pde2net.verify.bounds import DIFFUSIVITY, FLUX_SLOPE, POINTWISE
from pde2net.verify.clock import Clock
from pde2net.verify.ranges import UndecidedError, require_continuous_on
from pde2net.verify.ranges.parts import through_one_part, weighted_kernels
from pde2net.verify.ranges.pieces import KINKS

Weighted = list[tuple[Pair, Number]]


@dataclass(frozen=True)
class Numbers:
    """`semi` at `rows.values`; `given` are the parameters whose values the certificate assumes.

    exact  whether no symbol had to be drawn, so that every sign is known
    clock  the times over which coefficients that contain t are bounded
    """

    semi: Semidiscrete
    rows: Rows
    given: Mapping[sp.Symbol, sp.Expr]
    exact: bool
    clock: Clock | None = None

    @property
    def known(self) -> dict[sp.Symbol, sp.Expr]:
        """What is put in for symbols before ranges are looked up."""
        timed = {} if self.clock is None else {self.clock.time: self.clock.value}
        return {**self.given, **timed}

    def number(self, expression: sp.Basic) -> Number:
        return number(expression.subs(self.rows.values))

    @cached_property
    def symmetric(self) -> bool:
        return all(t.prefactor == 1 for t in self.semi.form.terms)

    @cached_property
    def varies(self) -> bool:
        """Whether the reaction is linear in u with a coefficient that is not the same everywhere."""
        found = affine(self.reaction, self.semi.form.state)
        return found is not None and bool(found[1].free_symbols & self.semi.form.data)

    @cached_property
    def drives(self) -> bool:
        """Whether something is added where nothing pulls, inside or in the cells of one side."""
        found = affine(self.semi.form.reaction.subs(self.semi.form.problem.parameters), self.semi.form.state)
        if found is None:
            return False
        marks = self.semi.form.edges
        places = [{m: int(m == own) for m in marks} for own in (None, *marks)]
        parts = ([sp.simplify(e.subs(place)) for e in found] for place in places)
        return any(source != 0 and slope == 0 for source, slope in parts)

    @cached_property
    def reaction(self) -> sp.Expr:
        return self.semi.form.reaction.subs(self.known)

    @cached_property
    def weights(self) -> Weighted:
        """(range of the weight, ‖K‖²) per term and axis."""
        return self.weighted(self.coefficient, self.diffusivity, self.tensor)

    @cached_property
    def slopes(self) -> Weighted:
        """(range of the eigenvalues of Phi', ‖K‖²) per term and axis, for the gradient of a penaliser."""
        return self.weighted(self.constant, self.eigenvalues, self.constant_tensor)

    def weighted(
        self,
        coefficient: Callable[[Term, Component], Pair],
        radial: Callable[[sp.Expr], Pair],
        tensor: Callable[[Tensor], Pair],
    ) -> Weighted:
        found: Weighted = []
        for term, operators in zip(self.semi.form.terms, self.semi.operators, strict=True):
            sizes = [self.squared_norm(k) for k in operators]
            if isinstance(term, Tensor):
                found += zip([tensor(term)] * len(sizes), sizes, strict=True)
                continue
            totals: list[Pair] = [(ZERO, ZERO)] * len(sizes)
            for part in term.parts:
                if part.groups is None:
                    raise NoOpinionError("the flux has no diffusivity")
                outer = coefficient(term, part)
                for group in part.groups:
                    inner = product(outer, radial(group.diffusivity))
                    for axis, weight in zip(group.axes, group.weights, strict=True):
                        w = self.pointwise(weight.subs(self.known))
                        totals[axis] = total(totals[axis], product(w, inner))
            found += zip(totals, sizes, strict=True)
        return found

    def squared_norm(self, operator: Bank | Chain) -> Number:
        if not isinstance(operator, Chain):
            return self.bank_norm(operator)
        parts = [operator]
        if any(border.zero for border in self.semi.borders):  # zeros between the operators
            parts = [Chain((k,)) for k in operator.operators]
        return reduce(mul, (self.number(norm_symbol(part)) ** 2 for part in parts))

    def bank_norm(self, bank: Bank) -> Number:
        """(sum w_i M_i)² for D = sum w_i d_ii, symbols of d_ii in [-M_i, 0]: the larger one-signed sum.

        Of a gradient, a Hessian, and of first and second differences together, sum ‖K_r‖² over all entries.
        """
        if bank.mixed or any(d.stencil.derivative == 1 for d in bank.differences):
            return sum(
                ((2 if len(factors(k)) > 1 else 1) * self.number(w) ** 2 * self.square(k))
                for row in bank.operations
                for w, k in row
            )
        sums = [ZERO, ZERO]
        for w, d in bank.rows[0]:
            size = abs(self.number(w)) * largest_square(d.stencil) ** 0.5 * self.number(d.scale)
            if w.is_nonnegative or w.is_negative is None:
                sums[0] += size
            if w.is_negative or w.is_nonnegative is None:  # of unknown sign: it counts in both
                sums[1] += size
        return max(sums) ** 2

    def square(self, operation: Operation) -> Number:
        """‖K‖², for mixed differences the product of those along each axis."""
        found = self.number(sp.S.One)
        for d in factors(operation):
            found *= largest_square(d.stencil) * self.number(d.scale) ** 2
        return found

    @cached_property
    def degrees(self) -> list[Number]:
        """What each term and axis gives to the largest diagonal entry of A for two-point stencils."""
        rows = self.semi.gradient.rows
        sizes = [
            sum(number(w) ** 2 for w in d.stencil.weights) * self.number(d.scale) ** 2 for ((_, d),) in rows
        ]
        return [high * sizes[i % len(sizes)] for i, ((_, high), _) in enumerate(self.weights)]

    @property
    def degree(self) -> Number:
        return sum(self.degrees)

    @cached_property
    def diagonal(self) -> Number:
        """The largest diagonal entry of diag(m) A + diag(b), for factors m and a reaction b (f - u).

        Linear in one known field with two bounds, it is the larger one of the values at these.
        """
        form, count = self.semi.form, len(self.semi.gradient.rows)
        found = affine(self.reaction, form.state)
        if found is None:
            raise NoOpinionError("the reaction is no pull towards a field")
        parts = [-found[1], *(t.prefactor.subs(self.known) for t in form.terms)]
        moving = set().union(*(e.free_symbols & form.data for e in parts))
        ends = [
            form.intervals[f]
            for f in moving
            if f in form.intervals and all(e.is_finite for e in form.intervals[f])
        ]
        if len(moving) != 1 or not ends or any(sp.diff(e, *moving, 2) != 0 for e in parts):
            raise NoOpinionError("the largest entry cannot be confirmed")
        degrees = [ONE, *(sum(self.degrees[k : k + count]) for k in range(0, len(self.degrees), count))]

        def entry(end: sp.Expr) -> Number:
            values = (self.number(e.subs(dict.fromkeys(moving, end))) for e in parts)
            return sum(v * d for v, d in zip(values, degrees, strict=True))

        return max(map(entry, ends[0]))

    def tensor(self, term: Tensor) -> Pair:
        """Bounds of the eigenvalues of D; those of matrices at drawn arguments must lie within."""
        found, moving = spectrum(term.matrix), {self.semi.form.state} | self.semi.form.data
        if found is not None and len(found.weights) <= 1:
            ranges = [self.pointwise(e.subs(self.known)) for e in found.eigenvalues]
        elif not term.free_symbols & moving:
            ranges = [constant_eigenvalues([[self.number(e) for e in row] for row in term.matrix])]
        else:
            raise NoOpinionError("the eigenvalues of the diffusion tensor cannot be confirmed")
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        for values in drawn_eigenvalues(term, self.rows.values):
            if not low - 1e-9 <= values.min() <= values.max() <= high + 1e-9:
                raise RecheckError("an eigenvalue of the diffusion tensor lies outside of the stated range")
        return low, high

    def constant_tensor(self, term: Tensor) -> Pair:
        if term.free_symbols & ({self.semi.form.state} | self.semi.form.data):
            raise NoOpinionError("the flux is not the gradient of a penaliser")
        return self.tensor(term)

    def diffusivity(self, g: sp.Expr) -> Pair:
        if g.free_symbols & (self.semi.form.data | {self.semi.form.state}):
            return self.pointwise(g.subs(self.known))
        return self.by_kernels(g, self.kernel)

    def eigenvalues(self, g: sp.Expr) -> Pair:
        return self.by_kernels(g, self.kernel_slope)

    def by_kernels(self, g: sp.Expr, each: Callable[[sp.Expr], Pair]) -> Pair:
        """Sums over the parts of a mixture. Raises NoOpinionError for parameters with a value per filter."""
        if per_filter(g):
            raise NoOpinionError(f"{g} has other bounds for each filter")
        parts = (product(self.pointwise(w), each(e)) for w, e in weighted_kernels(self.valued(g)))
        return reduce(total, parts)

    def kernel(self, g: sp.Expr) -> Pair:
        """What is kept of a spline, and what is stated of other functions."""
        if isinstance(g, SplineDiffusivity):
            return max(ZERO, self.number(g.lower)), self.number(g.upper)
        if SQUARED in self.semi.intervals and SQUARED in g.free_symbols:
            return self.pointwise(g)
        return self.range(DIFFUSIVITY, g)

    def kernel_slope(self, g: sp.Expr) -> Pair:
        if isinstance(g, SplineDiffusivity):
            return self.number(g.lower), self.number(g.upper)
        if SQUARED in self.semi.intervals and SQUARED in g.free_symbols and not g.has(*KINKS):
            along, across = self.pointwise(g), self.pointwise(slope(g, SQUARED))
            return min(along[0], across[0]), max(along[1], across[1])
        along, across = self.range(DIFFUSIVITY, g), self.range(FLUX_SLOPE, g)
        return min(along[0], across[0]), max(along[1], across[1])

    def range(self, quantity: str, g: sp.Expr) -> Pair:
        """Of a function of |grad u|²; if it contains t, of that with positive numbers for its parts in t.

        Raises NoOpinionError for parts in t that are not known to be positive.
        """
        if self.clock is None or self.clock.symbol not in g.free_symbols:
            return self.rows.range(quantity, g, SQUARED)
        if SQUARED not in g.free_symbols:
            return self.pointwise(g)
        scaled, back = self.clock.hidden(g)
        if sp.simplify(scaled.xreplace(back) - g) != 0 or not all(e.is_positive for e in back.values()):
            raise NoOpinionError(f"{g} is no function of positive expressions in t")
        answer = self.rows.find(quantity, scaled, SQUARED)
        if answer is None:
            raise NoOpinionError(f"the range of {scaled} is not stated")
        self.rows.bounds(answer)
        low, high = (self.pointwise(e.xreplace(back)) for e in (answer.found.lower, answer.found.upper))
        return low[0], high[1]

    def valued(self, g: sp.Expr) -> sp.Expr:
        if g.free_symbols & (self.semi.form.data | {self.semi.form.state}):
            raise NoOpinionError(f"{g} mixes derivatives with other variables")
        return g.subs(self.known)

    def coefficient(self, term: Term, component: Component) -> Pair:
        return self.pointwise(component.coefficient.subs(self.known))

    def constant(self, term: Term, component: Component) -> Pair:
        """1, for components of the gradient of a penaliser; D(x) of p^T D(x) p/2."""
        form, used = self.semi.form, component.coefficient.free_symbols
        if used & (form.data | {form.state}):
            linear = component.groups and not any(g.diffusivity.free_symbols for g in component.groups)
            if linear and not used & {form.state, *form.lagging}:
                return self.coefficient(term, component)
            raise NoOpinionError("the flux is not the gradient of a penaliser")
        averaged = term.order == 1 and self.semi.cell is not None
        for group in component.groups or ():
            moving = SQUARED in group.diffusivity.free_symbols
            if moving and (len(set(group.weights)) > 1 or averaged):
                raise NoOpinionError("the flux is not the gradient of a penaliser")
        return self.pointwise(component.coefficient.subs(self.known))

    @cached_property
    def rate(self) -> Pair:
        """Range of -r'(u), of a reaction without jumps."""
        u = self.semi.form.state
        if u in self.reaction.free_symbols:
            require_continuous_on(self.reaction, u, self.semi.intervals.get(u, LINE))
        return self.pointwise(-sp.diff(self.reaction, u))

    @cached_property
    def damping(self) -> Pair:
        """Range of -r(u)/u."""
        u = self.semi.form.state
        ratio = sp.cancel(-self.reaction / u)
        if ratio.subs(u, 0).has(sp.nan, sp.zoo):
            try:
                start = sp.limit(ratio, u, 0)
            except Exception as error:  # SymPy gives up in many ways: it has no series of Min, say
                raise UndecidedError(f"the limit of {ratio} at 0 is not known") from error
            ratio = sp.Piecewise((start, sp.Eq(u, 0)), (ratio, True))
        return self.pointwise(ratio)

    def pointwise(self, expression: sp.Expr) -> Pair:
        """Bounds over all real values of u, position and fields, taken apart in sums and products."""
        marks = self.semi.form.edges
        if expression.free_symbols & set(marks):
            return self.at_sides(expression, marks)
        expression = sp.expand_power_exp(self.gathered(expression))
        constants = set(self.semi.form.problem.symbols)
        variables = sorted(expression.free_symbols - constants, key=str)
        if not variables:
            both = self.number(expression)
            return both, both
        if len(variables) == 1:
            return self.one_variable(expression, variables[0])
        for func, combined in ((sp.Mul, product), (sp.Add, total)):
            parts = separated(expression, func, constants)
            if len(parts) > 1:
                return reduce(combined, [self.pointwise(p) for p in parts])
        for extremes in (corners, inside):
            with contextlib.suppress(NoOpinionError, UndecidedError, ArithmeticError):
                return extremes(expression.subs(self.rows.values), {v: self.interval(v) for v in variables})
        composed = through_one_part(expression, variables)
        if composed is None:
            raise NoOpinionError(f"the range of {expression} cannot be confirmed")
        return self.one_variable(*composed)

    def interval(self, v: sp.Symbol) -> Interval:
        """Where a variable lies, by its sign and declared bounds."""
        low, high = self.semi.intervals.get(v, LINE)
        return within((low, high), v)

    def at_sides(self, expression: sp.Expr, marks: Sequence[Edge]) -> Pair:
        """The extremes over all choices of sides, one of an axis at most."""
        if any(sp.simplify(sp.diff(expression, a, b)) != 0 for a in marks for b in marks):
            raise NoOpinionError(f"{expression} is not linear in what holds at sides")
        found = self.pointwise(expression.subs(dict.fromkeys(marks, 0)))
        for axis in {m.axis for m in marks}:
            slopes = [sp.simplify(sp.diff(expression, m)) for m in marks if m.axis == axis]
            ranges = [(ZERO, ZERO), *map(self.pointwise, slopes)]
            found = total(found, (min(low for low, _ in ranges), max(high for _, high in ranges)))
        return found

    def one_variable(self, expression: sp.Expr, v: sp.Symbol) -> Pair:
        s = sp.Symbol(f"|{v}|", nonnegative=True)
        low, high = self.semi.intervals.get(v, LINE)
        if low.is_finite and high.is_finite:
            sides: tuple[sp.Expr, ...] = (low + (high - low) * s / (1 + s),)
        elif low.is_finite or high.is_finite:
            sides = (low + s,) if low.is_finite else (high - s,)
        else:
            sides = (s,) if v.is_nonnegative else (s, -s)
        halves = [self.rows.range(POINTWISE, expression.xreplace({v: side}), s) for side in sides]
        if low.is_finite and high.is_finite:
            halves.append((self.number(expression.subs(v, high)),) * 2)
        return min(h[0] for h in halves), max(h[1] for h in halves)

    def gathered(self, expression: sp.Expr) -> sp.Expr:
        """|grad f|² of a known field as one variable."""
        slopes = self.semi.form.field_slopes
        for owner in dict.fromkeys(o for o, _ in slopes.values()):
            inside = tuple(s for s, (o, _) in slopes.items() if o == owner and s in expression.free_symbols)
            radial = as_function_of_square(expression, inside) if inside else None
            if radial is not None:
                square = sp.Symbol(f"|grad {owner}|^2", nonnegative=True)
                expression = radial.xreplace({SQUARED: square})
        return expression


def total(a: Pair, b: Pair) -> Pair:
    return a[0] + b[0], a[1] + b[1]


def product(a: Pair, b: Pair) -> Pair:
    products = [p * q for p in a for q in b]
    return min(products), max(products)


def separated(expression: sp.Expr, func: type, constants: set[sp.Symbol]) -> list[sp.Expr]:
    """Summands or factors, those that share a variable together."""
    groups: list[tuple[set[sp.Symbol], sp.Expr]] = []
    for argument in func.make_args(expression):  # type: ignore[attr-defined]  # Add or Mul
        inside = argument.free_symbols - constants
        sharing = [g for g in groups if g[0] & inside]
        groups = [g for g in groups if not g[0] & inside]
        groups.append((inside.union(*(g[0] for g in sharing)), func(argument, *(g[1] for g in sharing))))
    return [expression for _, expression in groups]

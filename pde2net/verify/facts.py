"""What the theorems need to know: bounds of diffusivities, flux slopes, operators and reactions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeVar

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.bounds import LINE
from pde2net.language.spline import SplineDiffusivity
from pde2net.language.symbols import per_filter
from pde2net.normalise.affine import affine
from pde2net.normalise.radial import as_function_of_square
from pde2net.normalise.tensors import spectrum
from pde2net.normalise.terms import SQUARED, Component, RadialGroup, Tensor, Term, symbols_in
from pde2net.normalise.time import moving
from pde2net.verify.bounds import DIFFUSIVITY, FLUX_SLOPE, POINTWISE, Answer, Bounds, Questions
from pde2net.verify.certificate import Discharged
from pde2net.verify.changes import changes
from pde2net.verify.clock import Clock
from pde2net.verify.finite import require_finite_until
from pde2net.verify.norms import (
    FilterNorm,
    OperatorNorm,
    constant_eigenvalues,
    largest,
    operator_norms,
    sharp,
    shortened,
    weighted_norm,
)
from pde2net.verify.ranges import Range, UndecidedError, given_up, require_continuous_on, within
from pde2net.verify.ranges.exact import limit
from pde2net.verify.ranges.parts import through_one_part, weighted_kernels
from pde2net.verify.ranges.pieces import KINKS
from pde2net.verify.ranges.several import domain, extrema

SECONDS = 10.0  # per question about a range
SOUGHT = {
    "weights": "bounds of the diffusivity",
    "slopes": "bounds of the slope of the flux",
    "damping": "bounds of -r/u",
    "rate": "bounds of -r'",
    "factors": "bounds of factors of divergences",
    "diagonal": "the largest diagonal entry",
    "cover": "the smallest sum of factor and pull",
    "inward": "the signs of r at the ends of the range",
    "changes": "bounds of what changes of the weights do",
}

T = TypeVar("T")
Rows = tuple[tuple[Bounds, ...], ...]


@dataclass(frozen=True)
class Facts:
    """Facts about one semidiscrete problem; where one is None, `why[name]` says what is missing.

    weights      per term and axis, the interval of the weight g in K^T g K u (second order: one)
    norm         bound of sum_k sup(g_k) ‖K_k‖², the largest eigenvalue of A(u) for weights >= 0
    slopes       per term and axis, the interval of the eigenvalues of Phi'
    slope_norm   bound of sum_k sup|Phi_k'| ‖K_k‖²
    curvature    bounds of the spectrum of K^T Phi' K: -sum_k sup(-Phi_k')+ ‖K_k‖² and
                 sum_k sup(Phi_k')+ ‖K_k‖²
    damping      interval of -r(u)/u, for reactions that vanish at u = 0
    rate         interval of -r'(u)
    factors      per term, the interval of the factor m of its divergence
    diagonal     bound of the diagonal entries of diag(m) A + diag(-r'), of two-point stencils, where -r' is
                 no function of u
    source       whether r does not vanish at u = 0
    amplitudes   values of |K u|² where sup g is attained or approached; 0 .. oo
    given        parameters whose values were needed
    answers      the ranges that all of this rests on
    several      bounds of functions of several variables, from what is left of one
    norms        per term, the norm of the operator of each axis
    sharp        whether all norms are attained at one frequency
    until        all of this holds for 0 <= t <= until, where coefficients contain t; else None
    cover        inf(m - r') of one term with the factor m; where neither acts, nothing is said of a cell
    inward       whether r(a) >= 0 >= r(b), where u is taken to lie in [a, b]; None if there is no such range
    changes      C of ‖K^T (G(u) - G(v)) K u‖ <= C ‖u - v‖, where u is taken to lie in [a, b] and Phi is no
                 gradient
    within       the same facts for u within its declared bounds, if it has some
    filter_norms  what the symbols of norms of learned operators stand for
    given_norms  what is known of norms whose filters are given
    """

    weights: Rows | None
    norm: sp.Expr | None
    slopes: Rows | None
    slope_norm: sp.Expr | None
    curvature: Bounds | None
    damping: Bounds | None
    rate: Bounds | None
    factors: tuple[Bounds, ...] | None
    diagonal: sp.Expr | None
    source: bool
    amplitudes: tuple[sp.Expr, ...]
    expanding_at: tuple[sp.Expr, ...]
    given: tuple[sp.Symbol, ...]
    answers: tuple[Answer, ...]
    several: Mapping[sp.Expr, Bounds]
    norms: tuple[tuple[OperatorNorm, ...], ...]
    sharp: bool
    until: sp.Expr | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    filter_norms: Mapping[sp.Symbol, FilterNorm] = field(default_factory=dict)
    given_norms: tuple[Discharged, ...] = ()
    cover: sp.Expr | None = None
    inward: bool | None = None
    changes: sp.Expr | None = None
    within: Facts | None = None


def gather(semi: Semidiscrete, seconds: float = SECONDS, clock: Clock | None = None) -> Facts:
    """All facts, with parameters symbolic where that decides, and at their values otherwise.

    Each question about a range may take `seconds`; what is not decided by then is None. Coefficients that
    contain t are bounded over the times of `clock`, of all t >= 0 if there is none.
    """
    inner = semi.within
    if inner is not None and not semi.form.within:
        return replace(_gathered(semi, seconds, clock), within=_gathered(inner, seconds, clock))
    return _gathered(semi, seconds, clock)


def _gathered(semi: Semidiscrete, seconds: float, clock: Clock | None) -> Facts:
    """Those of `semi` as it stands."""
    questions = Questions(seconds)
    clock = clock or Clock(semi.form.problem.time)
    facts = _Gatherer(semi, {}, questions, clock).facts()
    values = semi.form.problem.parameters
    if not values or (_conclusive(facts) and (facts.inward or not semi.form.within)):
        return facts
    questions.answers.clear()
    return _Gatherer(semi, values, questions, clock).facts()


def _conclusive(facts: Facts) -> bool:
    """Whether values of parameters could tell nothing more than their assumptions do."""
    rows = (*(facts.weights or ()), *(facts.slopes or ()), (facts.rate,))
    decided = all(b is not None and _decided(b) for row in rows for b in row)
    return decided and facts.norm is not None and facts.slope_norm is not None


def _decided(bounds: Bounds) -> bool:
    """Whether a sign is known, or up to the values of filters, which are not put in."""
    return bounds.nonnegative is not None or bool(per_filter(bounds.lower))


class _Gatherer:
    def __init__(
        self,
        semi: Semidiscrete,
        values: Mapping[sp.Symbol, sp.Expr],
        questions: Questions,
        clock: Clock,
    ) -> None:
        self.semi, self.form, self.questions = semi, semi.form, questions
        self.intervals = semi.intervals
        self.given, self.clock = tuple(values), clock
        self.until = clock.until if semi.form.problem.depends_on_time else None
        self.values = values if self.until is None else {**values, self.clock.time: self.clock.value}
        self.norms = operator_norms(semi)
        self.why: dict[str, str] = {}
        self.unbounded: dict[str, None] = {}
        self.amplitudes: list[sp.Expr] = []
        self.expanding: list[sp.Expr] = []
        self.filter_norms: dict[sp.Symbol, FilterNorm] = {}
        self.several: dict[sp.Expr, Bounds] = {}

    def facts(self) -> Facts:
        weights = self.attempt("weights", self.weights)
        slopes = self.attempt("slopes", self.slopes)
        reaction = self.form.reaction.subs(self.values)
        return Facts(
            weights=weights,
            norm=None if weights is None else self.norm(weights, "weights"),
            slopes=slopes,
            slope_norm=None if slopes is None else self.norm(slopes, "slopes"),
            curvature=None if slopes is None else self.curvature(slopes),
            damping=self.attempt("damping", lambda: self.damping(reaction)),
            rate=self.attempt("rate", lambda: self.rate(reaction)),
            factors=self.attempt("factors", self.factors),
            diagonal=None if weights is None else self.attempt("diagonal", lambda: self.diagonal(weights)),
            source=reaction.subs(self.form.state, 0) != 0,
            amplitudes=tuple(dict.fromkeys(self.amplitudes)),
            expanding_at=tuple(dict.fromkeys(self.expanding)),
            given=self.given,
            answers=tuple(self.questions.answers.values()),
            several=self.several,
            norms=self.norms,
            sharp=sharp(self.semi),
            until=self.until,
            why=self.why,
            filter_norms=self.filter_norms,
            cover=self.attempt("cover", lambda: self.cover(reaction)),
            inward=self.attempt("inward", lambda: self.inward(reaction)) if self.form.within else None,
            changes=self.attempt("changes", self.changes) if self.form.within and slopes is None else None,
        )

    def attempt(self, name: str, find: Callable[[], T]) -> T | None:
        try:
            if self.until is not None:
                within(self.questions.left, "the search for poles in time", self.require_times)
            return within(self.questions.left, f"the search for {SOUGHT[name]}", find)
        except UndecidedError as error:
            self.why[name] = str(error)
        except Exception as error:
            self.why[name] = given_up(f"the bounds of its {name}", error)
        return None

    def require_times(self) -> None:
        """Ranges over [0, T) are those over [0, T] of what is continuous there."""
        time = self.semi.form.problem.time
        given = {s: v for s, v in self.values.items() if s != time}
        for coefficient in moving(self.form):
            if time in coefficient.free_symbols:
                require_finite_until(coefficient.subs(given), time, self.clock.end)

    def weights(self) -> Rows:
        """Intervals of the weights g."""
        return self.rows(self.weight, self.eigenvalues_of)

    def slopes(self) -> Rows:
        """Eigenvalues of Phi', where Phi is the gradient of a penaliser of K u at each point."""
        return self.rows(self.slope, self.linear_tensor)

    def rows(
        self, each: Callable[[Term, Component, RadialGroup], Bounds], tensor: Callable[[Tensor], Bounds]
    ) -> Rows:
        """Per term and weight w_i of its flux, the sum of w_i each(part, group) over the parts."""
        rows = []
        for term, norms in zip(self.form.terms, self.norms, strict=True):
            if isinstance(term, Tensor):
                rows.append((tensor(term),) * len(norms))
                continue
            totals = [Bounds(sp.S.Zero, sp.S.Zero)] * len(norms)
            for part in term.parts:
                if part.groups is None:
                    slopes, q = part.responses, part.responses[0]
                    form = f"{slopes} has no scalar diffusivity g(|grad u|^2)"
                    raise UndecidedError(f"the flux {form if term.order == 1 else f'{q} is not g(q^2) q'}")
                for group in part.groups:
                    found = each(term, part, group)
                    for axis, weight in zip(group.axes, group.weights, strict=True):
                        totals[axis] = totals[axis] + self.over_time(weight.subs(self.values)) * found
            rows.append(tuple(totals))
        return tuple(rows)

    def eigenvalues_of(self, term: Tensor) -> Bounds:
        """lower |p|² <= p^T D p <= upper |p|², which bounds K^T D K as equal weights on all axes do."""
        found = spectrum(term.matrix)
        if found is not None and len(found.weights) <= 1:
            own = [self.bounded_range(e.subs(self.values)) for e in found.eigenvalues]
            return Bounds(sp.Min(*(b.lower for b in own)), sp.Max(*(b.upper for b in own)))
        if not term.free_symbols & ({self.form.state} | self.form.data):
            return constant_eigenvalues([[e.subs(self.values) for e in row] for row in term.matrix])
        raise UndecidedError(
            "the eigenvalues of the diffusion tensor are not known: it is no tensor(v, a, b)"
        )

    def linear_tensor(self, term: Tensor) -> Bounds:
        """Phi = D p is the gradient of p^T D p/2 for a constant D."""
        if term.free_symbols & ({self.form.state} | self.form.data):
            raise UndecidedError("the flux of a diffusion tensor that varies is no gradient of a penaliser")
        return self.eigenvalues_of(term)

    def weight(self, term: Term, part: Component, group: RadialGroup) -> Bounds:
        coefficient = part.coefficient.subs(self.values)
        found = self.pointwise_range(coefficient)
        if found.lower == -sp.oo or found.upper == sp.oo:
            self.unbounded[str(coefficient)] = None
        return found * self.radial(group.diffusivity)

    def slope(self, term: Term, part: Component, group: RadialGroup) -> Bounds:
        return self.unit_coefficient(term, part) * self.eigenvalues(group.diffusivity)

    def radial(self, diffusivity: sp.Expr) -> Bounds:
        """Where a diffusivity depends on more than slopes, it is one of all of these."""
        g = diffusivity.subs(self.values)
        if g.free_symbols & (self.form.data | {self.form.state}):
            return self.pointwise_range(g)
        return reduce(operator.add, (Bounds(w, w) * self.kernel(e) for w, e in weighted_kernels(g)))

    def kernel(self, g: sp.Expr) -> Bounds:
        """Of a part of a diffusivity; splines keep phi(s) s >= 0."""
        if isinstance(g, SplineDiffusivity):
            return Bounds(sp.Max(sp.S.Zero, g.lower), g.upper)
        if SQUARED in self.intervals and SQUARED in g.free_symbols:
            return self.pointwise_range(g)
        found = self.ask(DIFFUSIVITY, g)
        self.amplitudes += [found.upper_at, found.lower_at]
        return Bounds(found.lower, found.upper)

    def ask(self, quantity: str, g: sp.Expr) -> Range:
        """The range of a diffusivity or of the slope of its flux, over all times too."""
        if self.clock.symbol not in g.free_symbols:
            return self.questions.ask(quantity, g, SQUARED)
        if SQUARED not in g.free_symbols:
            found = self.over_time(g)
            return Range(found.lower, found.upper, sp.S.Zero, sp.S.Zero)
        scaled, back = self.clock.hidden(g)
        found_ = self.questions.ask(quantity, scaled, SQUARED)
        lower, upper = (self.over_time(e.xreplace(back)) for e in (found_.lower, found_.upper))
        start = {self.clock.symbol: sp.S.Zero}
        places = [e.xreplace(back).subs(start) for e in (found_.lower_at, found_.upper_at)]
        return Range(lower.lower, upper.upper, *places)

    def over_time(self, expression: sp.Expr) -> Bounds:
        if self.clock.symbol in expression.free_symbols:
            return self.bounded_range(expression)
        return Bounds(expression, expression)

    def unit_coefficient(self, term: Term, part: Component) -> Bounds:
        """The coefficient 1, or one of position in a linear flux D(x) p, the gradient of p^T D(x) p/2.

        Raises UndecidedError where Phi is the gradient of no penaliser.
        """
        if part.coefficient.free_symbols & (self.form.data | {self.form.state}):
            moving = {self.form.state, SQUARED, *self.form.slopes, *self.form.lagging}
            if part.groups and not symbols_in((part.coefficient, part.groups)) & moving:
                return self.bounded_range(part.coefficient.subs(self.values))
            raise UndecidedError(
                f"the flux contains the coefficient {part.coefficient}; Phi' is bounded here "
                "for fluxes of grad u alone"
            )
        if part.groups is None and term.order == 1:
            raise UndecidedError("the flux is not the gradient of a penaliser")
        for group in part.groups or ():
            varying = SQUARED in group.diffusivity.free_symbols
            if varying and len(set(group.weights)) > 1:
                raise UndecidedError("unequal weights: the flux is not the gradient of a penaliser")
            if varying and term.order == 1 and self.semi.cell is not None:
                raise UndecidedError(
                    "a staggered grid averages the diffusivity over cells, so the flux is not a "
                    "function of grad u at one point"
                )
        return Bounds(sp.S.One, sp.S.One)

    def eigenvalues(self, diffusivity: sp.Expr) -> Bounds:
        """Phi' has the eigenvalues g (along the level line, in nD) and g + 2 s2 g' (across)."""
        g = diffusivity.subs(self.values)
        if g.free_symbols & (self.form.data | {self.form.state}):
            raise UndecidedError(f"the diffusivity {g} mixes derivatives with other variables")
        return reduce(operator.add, (Bounds(w, w) * self.kernel_slope(e) for w, e in weighted_kernels(g)))

    def kernel_slope(self, g: sp.Expr) -> Bounds:
        """Of a part of a diffusivity."""
        if isinstance(g, SplineDiffusivity):
            return Bounds(g.lower, g.upper)
        if SQUARED in self.intervals and SQUARED in g.free_symbols and not g.has(*KINKS):
            return self.slope_within(g)
        along = self.ask(DIFFUSIVITY, g)
        across = self.ask(FLUX_SLOPE, g)
        self.expanding.append(across.lower_at)
        if along.upper == sp.oo:
            raise UndecidedError(f"the diffusivity {g} is not bounded")
        return Bounds(sp.Min(across.lower, along.lower), sp.Max(across.upper, along.upper))

    def slope_within(self, g: sp.Expr) -> Bounds:
        """The same where slopes are bounded; g is smooth."""
        along, across = map(self.pointwise_range, (g, g + 2 * SQUARED * sp.diff(g, SQUARED)))
        return Bounds(sp.Min(across.lower, along.lower), sp.Max(across.upper, along.upper))

    def norm(self, rows: Sequence[Sequence[Bounds]], name: str) -> sp.Expr | None:
        """sum over terms of sup|weight| ‖K‖², by the Fourier symbol of each stencil."""
        total = weighted_norm(self.norms, rows)
        for norm_row, row in zip(self.norms, rows, strict=True):
            used = (n for norm, b in zip(norm_row, row, strict=True) for n in norm.used(largest(b)))
            self.filter_norms |= {n.symbol: n for n in used}
        if total is None:
            what = "; ".join(self.unbounded) or "the diffusivity"
            self.why[name] = f"{what} is not bounded, so no step size is small enough"
            return None
        return shortened(total.subs(self.values))

    def curvature(self, slopes: Rows) -> Bounds | None:
        zero = sp.S.Zero
        above = [[Bounds(zero, sp.Max(zero, b.upper)) for b in row] for row in slopes]
        below = [[Bounds(zero, sp.Max(zero, -b.lower)) for b in row] for row in slopes]
        upper, lower = self.norm(above, "slopes"), self.norm(below, "slopes")
        return None if upper is None or lower is None else Bounds(-lower, upper)

    def factors(self) -> tuple[Bounds, ...]:
        return tuple(self.bounded_range(t.prefactor.subs(self.values)) for t in self.form.terms)

    def diagonal(self, weights: Rows) -> sp.Expr:
        """sup(sum_k m_k a_k + b) over all cells, a_k = sum_i sup g_i sum w_i²/h_i².

        b may be large where m is small, as in inpainting. Where this is not decided, the sum of suprema.
        """
        rows = self.semi.gradient.rows
        found = affine(self.form.reaction.subs(self.values), self.form.state)
        if found is None or not all(len(row) == 1 for row in rows):
            raise UndecidedError("the reaction is not linear in u")
        if any(t.order != 1 for t in self.form.terms):
            raise UndecidedError("entries of operators of fourth order are not derived")
        b = -found[1]
        sizes = [sum(w**2 for w in d.stencil.weights) * d.scale**2 for ((_, d),) in rows]
        entries = [
            shortened(
                sum((b.upper * n for b, n in zip(row, sizes, strict=True)), sp.S.Zero).subs(self.values)
            )
            for row in weights
        ]
        factors = [t.prefactor.subs(self.values) for t in self.form.terms]
        try:
            whole = sum((m * a for m, a in zip(factors, entries, strict=True)), b)
            return self.bounded_range(whole).upper
        except UndecidedError:
            bounds = zip(map(self.bounded_range, factors), entries, strict=True)
            return sum((m.upper * a for m, a in bounds), self.bounded_range(b).upper)

    def damping(self, reaction: sp.Expr) -> Bounds:
        u = self.form.state
        if reaction.subs(u, 0) != 0:
            raise UndecidedError("the reaction term does not vanish at u = 0")
        if reaction == 0:
            return Bounds(sp.S.Zero, sp.S.Zero)
        ratio = sp.cancel(-reaction / u)
        if ratio.subs(u, 0).has(sp.nan, sp.zoo):  # the limit, -r'(0), where it exists
            at_zero = limit(ratio, u, sp.S.Zero)
            if at_zero is None:
                raise UndecidedError(f"the limit of {ratio} at u = 0 could not be found")
            ratio = sp.Piecewise((at_zero, sp.Eq(u, 0)), (ratio, True))
        return self.bounded_range(ratio)

    def cover(self, reaction: sp.Expr) -> sp.Expr:
        if len(self.form.terms) != 1:
            raise UndecidedError("there are several divergences")
        factor = self.form.terms[0].prefactor.subs(self.values)
        return self.pointwise_range(factor - sp.diff(reaction, self.form.state)).lower

    def inward(self, reaction: sp.Expr) -> bool:
        """Whether r is at least 0 at the lower end of the range of u, and at most 0 at the upper one."""
        lower, upper = self.intervals[self.form.state]
        starts, ends = (
            Bounds(sp.S.Zero, sp.S.Zero)
            if end.is_infinite
            else self.pointwise_range(reaction.subs(self.form.state, end))
            for end in (lower, upper)
        )
        return bool(starts.lower.is_nonnegative and ends.upper.is_nonpositive)

    def changes(self) -> sp.Expr:
        return changes(self.semi, self.norms, self.values, self.bounded_range)

    def rate(self, reaction: sp.Expr) -> Bounds:
        """Range of -r', of a reaction without jumps: a derivative does not see them."""
        u = self.form.state
        if u in reaction.free_symbols:
            require_continuous_on(reaction, u, self.intervals.get(u, LINE))
        return self.bounded_range(-sp.diff(reaction, u))

    def bounded_range(self, expression: sp.Expr) -> Bounds:
        """The same, finite."""
        found = self.pointwise_range(expression)
        if found.lower == -sp.oo or found.upper == sp.oo:
            state = self.form.state
            open_ = state in expression.free_symbols and state not in self.intervals
            ranged = f"; over a declared range of {state} it may be" if open_ else ""
            raise UndecidedError(f"{expression} is not bounded over all values of its variables{ranged}")
        return found

    def pointwise_range(self, expression: sp.Expr) -> Bounds:
        """Interval of an expression in u, position and known fields over all real values."""
        if expression.free_symbols & set(self.form.edges):
            return self.with_edges(expression)
        expression = sp.expand_power_exp(self.gathered_slopes(expression))
        constants = set(self.form.problem.symbols)
        variables = sorted(expression.free_symbols - constants, key=lambda s: s.name)
        if not variables:
            return Bounds(expression, expression)
        if len(variables) == 1:
            return self.one_variable(expression, variables[0])
        if isinstance(expression, sp.Min | sp.Max):
            return self.lattice(expression)
        for func, combine in ((sp.Mul, operator.mul), (sp.Add, operator.add)):
            parts = _separated(expression, variables, func)
            if len(parts) > 1:
                return reduce(combine, map(self.pointwise_range, parts))
        try:
            domains = {v: domain(v, self.intervals.get(v)) for v in variables}
            self.several[expression] = Bounds(*extrema(expression, domains, self.rest))
            return self.several[expression]
        except UndecidedError:
            composed = through_one_part(expression, variables)
            if composed is None:
                raise
        return self.one_variable(*composed)

    def lattice(self, expression: sp.Expr) -> Bounds:
        """Of a minimum or maximum, from the bounds of what it is taken of."""
        each = [self.pointwise_range(a) for a in expression.args]
        lower, upper = [b.lower for b in each], [b.upper for b in each]
        return Bounds(expression.func(*lower), expression.func(*upper))

    def rest(self, expression: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
        """The bounds of what is left of one variable, over s >= 0."""
        found = self.questions.ask(POINTWISE, expression, s)
        return found.lower, found.upper

    def with_edges(self, expression: sp.Expr) -> Bounds:
        """Of what is there in all cells, and more at sides: at one of two of an axis, at most.

        Raises UndecidedError unless it is linear in the marks of edges.
        """
        inside = dict.fromkeys(self.form.edges, sp.S.Zero)
        whole = expression.subs(inside)
        found, rest = self.pointwise_range(whole), expression - whole
        for axis in sorted({mark.axis for mark in self.form.edges}):
            lower, upper = [sp.S.Zero], [sp.S.Zero]
            for mark in (m for m in self.form.edges if m.axis == axis):
                more = sp.simplify(expression.subs({**inside, mark: sp.S.One}) - whole)
                own = self.pointwise_range(more)
                lower, upper, rest = [*lower, own.lower], [*upper, own.upper], rest - mark * more
            found = found + Bounds(sp.Min(*lower), sp.Max(*upper))
        if sp.simplify(rest) != 0:
            raise UndecidedError(f"{expression} is not linear in what holds at sides")
        return found

    def gathered_slopes(self, expression: sp.Expr) -> sp.Expr:
        """|grad f|² of a known field as one nonnegative variable."""
        slopes = self.form.field_slopes
        for owner in dict.fromkeys(f for f, _ in slopes.values()):
            inside = tuple(s for s, (f, _) in slopes.items() if f == owner and s in expression.free_symbols)
            radial = as_function_of_square(expression, inside) if inside else None
            if radial is not None:
                square = sp.Symbol(f"|grad {owner}|^2", nonnegative=True)
                expression = radial.xreplace({SQUARED: square})
        return expression

    def one_variable(self, expression: sp.Expr, variable: sp.Symbol) -> Bounds:
        s = sp.Symbol(f"|{variable}|", nonnegative=True)
        try:
            if variable in self.intervals:
                return self.inside(expression, variable, s)
            return self.over(expression, variable, s, *((s,) if variable.is_nonnegative else (s, -s)))
        except UndecidedError:  # where parameters decide which branch is taken
            if not isinstance(expression, sp.Min | sp.Max):
                raise
            return self.lattice(expression)

    def inside(self, expression: sp.Expr, variable: sp.Symbol, s: sp.Symbol) -> Bounds:
        """Over an interval (a, b), which is a + (b - a) s/(1 + s) for s >= 0, and at b."""
        a, b = self.intervals[variable]
        if not b.is_finite:
            return self.over(expression, variable, s, a + s)
        if not a.is_finite:
            return self.over(expression, variable, s, b - s)
        last = expression.subs(variable, b)
        if not last.is_finite and last.is_number:
            raise UndecidedError(f"{expression} has no value at {variable} = {b}")
        found = self.over(expression, variable, s, a + (b - a) * s / (1 + s))
        return Bounds(sp.Min(found.lower, last), sp.Max(found.upper, last))

    def over(self, expression: sp.Expr, variable: sp.Symbol, s: sp.Symbol, *places: sp.Expr) -> Bounds:
        """Over all s >= 0 of the values of a variable."""
        found = [self.questions.ask(POINTWISE, expression.xreplace({variable: p}), s) for p in places]
        return Bounds(sp.Min(*(r.lower for r in found)), sp.Max(*(r.upper for r in found)))


def _separated(expression: sp.Expr, variables: list[sp.Symbol], func: Any) -> list[sp.Expr]:
    """Factors or summands with disjoint variables; a single one if they do not separate."""
    parts: list[tuple[set[sp.Symbol], sp.Expr]] = []
    for argument in func.make_args(expression):
        inside = argument.free_symbols & set(variables)
        touching = [p for p in parts if p[0] & inside]
        parts = [p for p in parts if not p[0] & inside]
        merged = set().union(inside, *(p[0] for p in touching))
        parts.append((merged, func(argument, *(p[1] for p in touching))))
    return [p for _, p in parts]

"""That a declared range of u is kept, a second time: by numbers, and by states that are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from pde2net.audit.claims import Rule, every, negative, norm
from pde2net.audit.exactly import INFINITY, ZERO, NoOpinionError, Number, number
from pde2net.audit.numbers import Numbers
from pde2net.audit.stacks import size_of
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language import bounds
from pde2net.network import Network
from pde2net.normalise.terms import LENGTH
from pde2net.scheme.registry import shortest
from pde2net.verify.certificate import Claim
from pde2net.verify.changes import in_lengths, length_of

ASSUMED = "declared range"  # the hypothesis of claims about u within it
STATES, CELLS, BEYOND = 24, 5, 1e-9


def assumes(claim: Claim) -> bool:
    """Whether a claim is about u within its declared range."""
    return any(h.name.startswith(ASSUMED) for h in claim.hypotheses)


def keeps(network: Network, table: Mapping[str, Rule]) -> Rule:
    """That the range is kept: by explicit steps up to a limit of their own, by others as their maxima are."""
    step, own = size_of(network.scheme), table["maximum_principle"]
    if step is None:
        return own
    c = number(step)

    def longest(n: Numbers) -> Number:
        found = entry(n)
        return 1 / (c * found) if found > 0 else INFINITY

    return Rule(every(negative, outward, lambda n: leaving(network, n)), own.applies, longest)


def within(network: Network, table: Mapping[str, Rule], claim: Claim) -> Rule:
    """The rule of such a claim about one equation."""
    kept, own = keeps(network, table), table[claim.name]
    if claim.name == "maximum_principle":
        return kept

    def limit(n: Numbers) -> Number:
        return min(INFINITY if find is None else find(n) for find in (own.limit, kept.limit))

    step = size_of(network.scheme)
    of_range = claim.name == "well_posed" and step is not None and own.factors is not None

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        assert own.factors is not None and step is not None
        try:
            return own.factors(n, tau)
        except NoOpinionError:  # Phi is no gradient
            return (1 + number(step) * tau * (norm(n) + changes(n) + max(n.rate[1], -n.rate[0])),)

    return replace(
        own,
        against=every(own.against, kept.against),
        applies=lambda n: own.applies(n) and kept.applies(n),
        limit=limit,
        factors=factors if of_range else own.factors,
    )


def changes(n: Numbers) -> Number:
    """sum_k ‖K_k‖ sup|K_k u| sup‖dG_k‖ over terms and axes, G_k the weights of the flux."""
    form, u = n.semi.form, n.semi.form.state
    low, high = n.semi.intervals.get(u, bounds.LINE)
    smooth = [s for s, of in form.smoothed.items() if of.argument == u]
    beyond = form.lagging - {*smooth, *(s for s, (o, _) in form.field_slopes.items() if o in smooth)}
    if not (low.is_finite and high.is_finite) or form.problem.depends_on_time or form.edges or beyond:
        raise NoOpinionError("what changes of the weights do is not derived")
    bank = n.semi.cell or n.semi.gradient
    seen, found = sum((n.square(d) for d in bank.differences), ZERO) ** 0.5, ZERO
    values = (u, *smooth)
    lengths = (LENGTH, *(length_of(s) for s in smooth))
    for term in form.terms:
        for part, group in ((p, g) for p in term.parts for g in p.groups or ()):
            both = [in_lengths(n.semi, e.subs(n.known)) for e in (part.coefficient, group.diffusivity)]
            turned = ZERO
            for e, other in (both, both[::-1]):
                rise = sum((size(n, sp.diff(e, v)) for v in values), ZERO)
                rise += seen * sum((size(n, sp.diff(e, v)) for v in lengths), ZERO)
                turned += rise * size(n, other) if rise else ZERO
            for axis, weight in zip(group.axes, group.weights, strict=True):
                d = n.semi.gradient.differences[axis]
                reach = n.number((high - low) / 2) * sum(abs(number(w)) for w in d.stencil.weights)
                found += abs(n.number(weight)) * turned * n.square(d) ** 0.5 * reach * n.number(d.scale)
    return found


def size(n: Numbers, expression: sp.Expr) -> Number:
    """sup|f|; nothing is asked about what vanishes."""
    return max(map(abs, n.pointwise(expression))) if expression != 0 else ZERO


def entry(n: Numbers) -> Number:
    """sup(m a_ii) + sup(-r')."""
    count, found = len(n.semi.gradient.rows), n.rate[1]
    for k, term in enumerate(n.semi.form.terms):
        found += n.pointwise(term.prefactor.subs(n.known))[1] * sum(n.degrees[k * count : (k + 1) * count])
    return max(ZERO, found)


def outward(n: Numbers) -> str:
    """Where the reaction leads out of the range."""
    state = n.semi.form.state
    a, b = n.semi.form.problem.interval(state)
    if not n.semi.closed and not a <= 0 <= b:
        return "0 beyond the border lies outside of the declared range"
    for end, sign in ((a, 1), (b, -1)):
        if end.is_finite and n.pointwise(sign * n.reaction.subs(state, end))[0] < 0:
            return f"the reaction leads out of the declared range at {end}"
    return ""


def leaving(network: Network, n: Numbers) -> str:
    """Whether a step leads a state out of the range; inputs are random, at the ends and between."""
    semi, tau = n.semi, network.certificate.tau
    values = dict(n.rows.values)
    if tau.subs(values).free_symbols or semi.form.problem.depends_on_time:
        raise NoOpinionError("the step has no number")
    random, shape = np.random.default_rng(0), tuple(max(CELLS, m) for m in semi.smallest)
    run = Interpreter(build(semi, tau, shortest(network.update)), values)
    low, high = (float(e) for e in semi.form.problem.interval(semi.form.state))
    known = {f.name: bounds.within(semi.intervals.get(f, bounds.LINE), f) for f in semi.form.fields}
    for k in range(STATES):
        fields = {name: drawn(random, k, shape, *pair) for name, pair in known.items()}
        u0 = drawn(random, k, shape, *semi.form.problem.interval(semi.form.state))
        with np.errstate(all="ignore"):
            u1 = run(u0, fields)
        slack = BEYOND * (1 + float(abs(u0).max()))
        if not (low - slack <= u1.min() and u1.max() <= high + slack):
            return "a state leaves the declared range"
    return ""


def drawn(
    random: np.random.Generator, k: int, shape: tuple[int, ...], lower: sp.Expr, upper: sp.Expr
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Values of an interval: at both ends in turn, at random ends, or between."""
    a = float(lower) if lower.is_finite else (float(upper) if upper.is_finite else 0.0) - 10.0 ** (k % 4)
    b = float(upper) if upper.is_finite else max(a, 0.0) + 10.0 ** (k % 4)
    parts = random.random(shape)
    if k % 3 == 0:
        parts = np.indices(shape).sum(axis=0) % 2 * 1.0
    elif k % 3 == 1:
        parts = parts.round()
    return np.asarray(a + (b - a) * parts)

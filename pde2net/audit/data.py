"""How results depend on the data, a second time: limits and constants in numbers."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.audit import claims as its
from pde2net.audit.claims import Find, Rule, every, over, symmetric
from pde2net.audit.exactly import INFINITY, ONE, ZERO, NoOpinionError, Number, at_most
from pde2net.audit.linear import affine, fidelity_of, linear
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Pair
from pde2net.audit.stages import rounded_up
from pde2net.normalise.form import DivergenceForm
from pde2net.verify.certificate import Claim

LARGEST = 10**9
BOUNDED, LIPSCHITZ, AVERAGED = "bounded_by_data", "lipschitz_in_data", "averaged"


def target(form: DivergenceForm) -> sp.Symbol | None:
    """f of a reaction b (f - u) with numbers or parameters b; None for any other."""
    b = fidelity_of(form) if affine(form) else sp.oo
    if form.reaction == 0 or not b.free_symbols <= set(form.problem.symbols):
        return None
    fits = (f for f in form.fields if sp.simplify(form.reaction - b * (f - form.state)) == 0)
    return next(fits, None)


def weight(n: Numbers) -> Number | None:
    """b of a reaction b (f - u), None without a source. Raises NoOpinionError else."""
    form = n.semi.form
    if form.reaction.subs(form.state, 0) == 0:
        return None
    if target(form) is None:
        raise NoOpinionError("the reaction is no fidelity")
    return n.number(fidelity_of(form))


def constant(n: Numbers) -> Number:
    """C = b/(b - rho_m), beyond which a counterexample has to move data apart."""
    b = weight(n)
    left = ZERO if b is None else b + its.curvature(n)[0]
    return b / left if left > 0 else INFINITY


def astray(n: Numbers) -> str:
    """Data that are followed are the input, or those of a fidelity that pulls."""
    try:
        b = weight(n)
    except NoOpinionError as error:
        return str(error)
    return "" if b is None or b >= 0 else "the fidelity pushes away"


def mixed(n: Numbers) -> str:
    """Data that stand in a divergence too: then differences of results are no contraction of theirs."""
    form, f = n.semi.form, target(n.semi.form)
    if f is None:
        return ""
    (own,) = (g for g in form.problem.fields if str(g.func) == f.name)
    terms = sp.Add.make_args(sp.expand(form.problem.rhs))
    both = any(term.has(sp.Derivative) and term.has(own) for term in terms)
    return "the data stand in the diffusion, too" if both else ""


def growing(n: Numbers) -> str:
    return its.undamped(n) if weight(n) is None else ""


def pushing(n: Numbers) -> str:
    if weight(n) is None:
        return its.backward(n)
    return "" if its.curvature(n)[0] >= 0 else "the flux is not monotone"


def rounded(bound: Number) -> tuple[Number, ...]:
    return (bound, *rounded_up(bound)) if bound > 0 else (bound,)


def spectrum(n: Numbers) -> Pair:
    """Bounds of K^T Phi' K - r'."""
    (low, high), (least, most) = its.curvature(n), n.rate
    return low + least, high + most


def filtered(n: Numbers) -> bool:
    """Whether the network is a function of one operator, applied to a field."""
    return n.clock is None and not n.semi.form.learned and linear(n.semi.form) and weight(n) is not None


def stepwise(n: Numbers, t: Number, count: int) -> tuple[Number, ...]:
    """e of e+ = q e + t b from 1, ‖I - t J‖ <= q; without numbers also a bound of it."""
    low, high = spectrum(n)
    q, b = max(abs(1 - t * low), abs(1 - t * high)), weight(n)
    if b is None:
        return rounded(q**count)
    error = ONE
    for _ in range(count):
        error = q * error + t * b
        if error > LARGEST:
            break
    return (*rounded(error), max(ONE, q) ** count * (1 + count * t * b))


def averages(a: Number, w: Number, count: int) -> Number:
    """alpha_n, by x = alpha/(1 - alpha), which adds up where maps are composed."""
    if a >= 1:
        return 1 - w
    alpha = ZERO
    for _ in range(count):
        x = a / (1 - a) + alpha / (1 - alpha)
        alpha = (1 - w) * x / (1 + x)
    return alpha


# -- explicit steps --


class Steps:
    """`count` steps of size c tau, or c tau/(1 + tau b) if the fidelity is taken at their end."""

    def __init__(self, size: Number, count: int, proximal: bool, claims: Mapping[str, Claim]) -> None:
        self.size, self.count, self.proximal, self.claims = size, count, proximal, claims

    def length(self, n: Numbers, tau: Number) -> Number:
        return self.size * tau / (1 + tau * n.number(fidelity_of(n.semi.form)) if self.proximal else 1)

    def share(self, number: Number) -> Number:
        """What a reaction has in rates: nothing where it is taken at the end."""
        return ZERO if self.proximal else number

    def largest(self, n: Numbers) -> Number:
        return its.curvature(n)[1] + self.share(max(ZERO, n.rate[1]))

    def bounded(self, n: Numbers) -> Number:
        b = weight(n)
        if b is None:
            return its.norm(n) + self.share(n.damping[1])
        return self.largest(n) if filtered(n) else its.norm(n) + self.share(2 * b)

    def lipschitz(self, n: Numbers) -> Number:
        b, (low, high) = weight(n), its.curvature(n)
        if self.claims[LIPSCHITZ].limit in (None, sp.oo) and (b is None or b + low <= 0):
            return ZERO
        if b is None or filtered(n):
            return self.largest(n)
        return high + low + self.share(2 * b)

    def constants(self, n: Numbers, tau: Number) -> tuple[Number, ...]:
        b, (low, _), t = weight(n), its.curvature(n), self.length(n, tau)
        limited = self.claims[LIPSCHITZ].limit not in (None, sp.oo)  # then by the step that is asked for
        short = limited or at_most(tau * self.size * self.largest(n), 2 * ONE)
        if b is None and its.least_slope(n) >= 0 and short:
            return tuple(c for factor in its.contraction(n, t) for c in rounded(factor**self.count))
        if b is None or (b + low <= 0 and not filtered(n)):
            return stepwise(n, t, self.count)
        return (b / (b + low),)

    def mean(self, n: Numbers) -> Number:
        b = weight(n)
        return self.largest(n) if b is None else its.curvature(n)[1] + self.share(2 * b)

    def alphas(self, n: Numbers, tau: Number) -> tuple[Number, ...]:
        b, high = weight(n), its.curvature(n)[1]
        if b is None:
            a = self.length(n, tau) * spectrum(n)[1] / 2
            return (self.count * a / (1 + (self.count - 1) * a),)
        w = self.length(n, tau) * b
        a = ZERO if high == 0 else self.length(n, tau) * high / 2 / (1 - w)
        return (*rounded(averages(a, w, self.count)), 1 - w)

    def rules(self) -> Mapping[str, Rule]:
        def limit(rate: Find) -> Find:
            return over(2 * ONE / self.size, rate)

        return {
            BOUNDED: Rule(every(its.negative, astray, growing), symmetric, limit(self.bounded)),
            LIPSCHITZ: Rule(every(astray, mixed), symmetric, limit(self.lipschitz), self.constants),
            AVERAGED: Rule(every(astray, mixed, pushing), symmetric, limit(self.mean), self.alphas),
        }


# -- what follows from the rules about cycles and solved steps --


def following(
    table: Mapping[str, Rule], count: int, claims: Mapping[str, Claim], solved: bool = False
) -> Mapping[str, Rule]:
    """`count` cycles or steps, that are `solved` if every state is the solution of a system with A >= 0."""

    def limit_of(n: Numbers, name: str) -> Number:
        find = table[name].limit
        return INFINITY if find is None else find(n)

    def bounded(n: Numbers) -> Number:
        if weight(n) is None:
            return limit_of(n, "l2_stability")
        return INFINITY if solved else limit_of(n, "nonexpansive")

    def stated(n: Numbers) -> str:
        """The claim about a step or a cycle that is composed."""
        return (
            "well_posed" if claims["nonexpansive"].status not in ("proved", "proved if") else "nonexpansive"
        )

    def lipschitz(n: Numbers) -> Number:
        if weight(n) is None:
            return limit_of(n, stated(n))
        return INFINITY if solved else limit_of(n, "nonexpansive")

    def constants(n: Numbers, tau: Number) -> tuple[Number, ...]:
        if weight(n) is not None:
            return (ONE,)
        rule = table[stated(n)]
        if not rule.applies(n) or rule.factors is None:
            raise NoOpinionError("no factor is known")
        return tuple(c for factor in rule.factors(n, tau) for c in rounded(factor**count))

    return {
        BOUNDED: Rule(every(its.negative, astray, growing), symmetric, bounded),
        LIPSCHITZ: Rule(every(astray, mixed), symmetric, lipschitz, constants),
        AVERAGED: Rule(
            every(its.negative, astray, mixed, its.growing_reaction),
            symmetric,
            None,
            lambda n, tau: (count * ONE / (count + 1),),
        ),
    }

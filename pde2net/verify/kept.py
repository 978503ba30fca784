"""Which condition a network can keep in training, and what then holds for all values of its parameters.

The step and the filters are computed from the parameters such that tau * rate <= room (docs/theory.md,
section 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.assumptions import SIGNS, assumed
from pde2net.language.schemes import DuFortFrankel
from pde2net.scheme.cell import Cell
from pde2net.scheme.registry import trainable_tables
from pde2net.scheme.stack import TAU, Stack
from pde2net.verify.case import Case
from pde2net.verify.certificate import CLAIMS, Claim, Discharged, Status
from pde2net.verify.claims import derived
from pde2net.verify.constants import Bounded, Constants, bounded
from pde2net.verify.data_term import data_term
from pde2net.verify.facts import Facts
from pde2net.verify.norms import FilterNorm
from pde2net.verify.plan import Plan, descent_values
from pde2net.verify.rates import damped_rate, frozen_rate
from pde2net.verify.theorems.du_fort_frankel import alpha_of

BOUND = "kept bound"
OF_DESCENT = ("bounded_by_data", "lipschitz_in_data", "well_posed", "solver_convergence", "energy_decay")
AT_MOST_ONE = ("nonexpansive",)  # factors that are so under the condition of the claim


@dataclass(frozen=True)
class Kept:
    """tau * rate <= room, for every value of the trainable parameters.

    claim   the one whose condition this is, l2 or frozen stability
    claims  those that follow from it, and those that hold for every step
    factors  of some of them, where their own is that of the values to start from alone
    rate    in the parameters and the norms of learned operators
    room    a number
    tau     as declared; None for the largest step
    alpha   of Du Fort-Frankel, in the same symbols; else None
    norms   those in the rate and in the bounds
    bounds  (rate, room): filters are scaled such that each rate is at most its room
    own     what is derived under these bounds, by name
    """

    claim: str
    claims: tuple[str, ...]
    factors: Mapping[str, sp.Expr]
    rate: sp.Expr
    room: sp.Expr
    tau: sp.Expr | None
    alpha: sp.Expr | None
    norms: tuple[FilterNorm, ...]
    bounds: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    own: Mapping[str, Claim] = field(default_factory=dict)

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Those of the norms."""
        return frozenset(norm.symbol for norm in self.norms)

    @property
    def limit(self) -> sp.Expr:
        """The largest tau."""
        return self.room / self.rate


def signed(symbol: sp.Symbol) -> bool:
    """Whether a sign was declared that proofs may have used: training must keep it."""
    return bool(assumed(symbol, SIGNS))


def kept(plan: Plan, facts: Facts, trainable: Sequence[str], constants: Constants) -> Kept:
    """The condition that the network of `plan` keeps, and bounds for constants that are asked for.

    Raises DeclarationError, saying why, where no condition is proved for all values of the parameters.
    """
    scheme, semi = plan.scheme, plan.semi
    trained = trained_symbols(plan, trainable)
    _require_signs("keep_stable=True has nothing to keep", plan, facts, trained)
    under = bounded(plan, facts, constants, trained)
    if isinstance(plan.update, Cell) and plan.update.values:
        return _of_descent(plan, facts, under, trained)
    facts = under.facts
    if not isinstance(plan.update, Stack):
        raise DeclarationError(
            f"keep_stable=True keeps a condition on the step, which {scheme.label} schemes do not have; "
            "Explicit, DuFortFrankel, FSI, FED, RKL and RKC do."
        )
    if set(trainable) & trainable_tables(plan.update):
        raise DeclarationError(
            "keep_stable=True cannot keep anything if weights of the scheme are trained, on which the "
            f"condition rests: leave {' and '.join(sorted(set(trainable) & trainable_tables(plan.update)))} "
            "out of trainable."
        )
    if facts.until is not None and facts.until.is_finite and TAU.name in trainable:
        raise DeclarationError(
            "keep_stable=True cannot keep anything if tau is trained: coefficients are bounded up to the "
            f"time {facts.until} alone, which then changes."
        )
    case = Case(semi, facts, scheme, plan.update, TAU, None)
    unknown = set(trainable) - {s.name for s in semi.form.problem.symbols} - {TAU.name}
    unknown -= set(semi.form.problem.learned)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise DeclarationError(f"keep_stable=True cannot keep anything if {names} is trained.")
    claim, limit = _condition(case)
    rate, alpha = _rate(case, claim, trained)
    room = sp.simplify(limit * rate)
    if room.free_symbols:
        raise DeclarationError(f"keep_stable=True cannot keep tau <= {limit}: it is no quotient.")
    if under.step is not None:
        rate, room = _smaller_step((rate, room), under.step)
        limit = room / rate
    norms = tuple(norm for symbol, norm in facts.filter_norms.items() if rate.has(symbol))
    moving = trained | set(facts.filter_norms)
    if TAU.name in trainable or (limit.free_symbols & moving and not (norms and scheme.tau is not None)):
        moving |= {TAU}
    following = _following(replace(case, free=frozenset(trained)), claim, limit, moving)
    if not {"l2_stability", "frozen_stability"} & set(following):
        raise DeclarationError(
            f"keep_stable=True has nothing to keep: {claim.name} is {claim.status} at most."
        )
    factors = {name: factor for name, factor in following.items() if factor is not None}
    rates = [rate, *(r for r, _ in under.bounds)]
    norms = tuple(n for symbol, n in facts.filter_norms.items() if any(r.has(symbol) for r in rates))
    own = _under_bounds(case, constants, under, limit)
    holding = tuple(name for name in CLAIMS if name in following or name in own)
    found = Kept(
        claim.name, holding, factors, sp.expand(rate), room, scheme.tau, alpha, norms, under.bounds, own
    )
    _require_room(found, trained, "tau" in trainable, semi.form.problem.parameters)
    return found


def _require_signs(what: str, plan: Plan, facts: Facts, trained: set[sp.Symbol]) -> None:
    """Refuse to train what bounds, or the sign of a fidelity, are proved for the value of alone."""
    term = data_term(plan.semi.form)
    weight = sp.S.Zero if term is None else term.weight
    found = trained & set(facts.given)
    found |= set() if weight.is_nonnegative else trained & weight.free_symbols
    if found:
        names = ", ".join(sorted(map(str, found)))
        more = "" if all(map(signed, found)) else 'Declare its sign, sp.Symbol("...", positive=True), or '
        advice = f"{more}do not train it."
        raise DeclarationError(
            f"{what}: bounds are proved for the value of {names} alone, which is trained. "
            f"{advice[0].upper()}{advice[1:]}"
        )


def _smaller_step(
    condition: tuple[sp.Expr, sp.Expr], other: tuple[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, sp.Expr]:
    """The second of two conditions tau rate <= room, which implies the first one."""
    (rate, room), (own, most) = condition, other
    if not sp.simplify((own / most) / (rate / room) - 1).is_nonnegative:
        raise DeclarationError(
            f"averaged asks for tau <= {most / own}, which is not known to be less than {room / rate}."
        )
    return own, most


def _under_bounds(case: Case, constants: Constants, under: Bounded, limit: sp.Expr) -> dict[str, Claim]:
    """The claims about the data with the constants that are kept."""
    found: dict[str, Claim] = {}
    for name, constant in (("lipschitz_in_data", constants.lipschitz), ("averaged", constants.averaged)):
        if constant is None:
            continue
        claim = derived(name, replace(case, free=frozenset()))
        held = claim.status == Status.PROVED or (
            claim.status == Status.PROVED_IF
            and isinstance(claim.condition, sp.Le | sp.Lt)
            and _implied(claim.condition.rhs, limit, under, case)
        )
        if not held:
            raise DeclarationError(f"{name.replace('_', ' ')} cannot be kept: {claim.reason or claim.status}")
        least = under.bounds or under.step is not None or claim.factor is None
        found[name] = _with_bound(claim, under, constant if least else claim.factor)
    return found


def _implied(other: sp.Expr, limit: sp.Expr, under: Bounded, case: Case) -> bool:
    """Whether tau <= other follows from tau <= limit, or for a number tau from the bounds of the filters.

    That is so if 1/other is a + c rate with c >= 0, and tau < other at the largest rate.
    """
    if sp.simplify(other / limit - 1).is_nonnegative:
        return True
    tau = case.scheme.tau
    for rate, room in under.bounds if tau is not None else ():
        size = sp.Dummy("rate", nonnegative=True)
        inverse = sp.Poly(sp.simplify(1 / other.subs(rate, size)), size)
        slope, rest = inverse.coeff_monomial(size), inverse.coeff_monomial(1)
        norms = (slope.free_symbols | rest.free_symbols) & set(case.facts.filter_norms)
        if inverse.degree() > 1 or norms or not slope.is_nonnegative:
            continue
        largest = case.valued(1 / (rest + slope * room))
        if sp.Lt(case.valued(tau), largest) == sp.true:
            return True
    return False


def _with_bound(claim: Claim, under: Bounded, constant: sp.Expr) -> Claim:
    """The claim with the constant that is kept, and the bounds it rests on."""
    rows = [*under.bounds, *([] if under.step is None else [under.step])]
    held = tuple(
        Discharged(BOUND, f"{rate} <= {room}", "the network scales its filters down", {"room": room})
        for rate, room in rows
    )
    return replace(
        claim,
        status=Status.PROVED,
        factor=constant,
        condition=sp.true,
        limit=None,
        hypotheses=(*claim.hypotheses, *held),
    )


def _of_descent(plan: Plan, facts: Facts, under: Bounded, trained: set[sp.Symbol]) -> Kept:
    """What a descent computes, and the claims that its bounds make hold."""
    found = computed(plan, facts, trained)
    assert isinstance(plan.update, Cell)
    update = replace(plan.update, values=descent_values(plan.update, under.facts))
    case = Case(plan.semi, under.facts, plan.scheme, update, plan.tau, None, free=frozenset(trained))
    own = {name: derived(name, case) for name in OF_DESCENT}
    holding = tuple(name for name, claim in own.items() if claim.status == Status.PROVED)
    if under.bounds:
        own |= {name: _with_bound(own[name], under, own[name].factor) for name in holding}
    else:
        own = {name: own[name] for name in holding}
    norms = {n.symbol: n for n in found.norms}
    norms |= {s: n for s, n in facts.filter_norms.items() if any(r.has(s) for r, _ in under.bounds)}
    return replace(found, claims=holding, norms=tuple(norms.values()), bounds=under.bounds, own=own)


def trained_symbols(plan: Plan, trainable: Sequence[str]) -> set[sp.Symbol]:
    return {s for s in plan.semi.form.problem.symbols if s.name in trainable}


def computed(plan: Plan, facts: Facts, trained: set[sp.Symbol]) -> Kept:
    """What a descent computes of norms of filters: its step, and the margin of its residual.

    Raises DeclarationError where these are known for the values of trained parameters alone.
    """
    assert isinstance(plan.update, Cell)
    _require_signs("Descent has no step that follows what is trained", plan, facts, trained)
    used = {s for e in plan.update.values.values() for s in e.free_symbols}
    norms = tuple(norm for symbol, norm in facts.filter_norms.items() if symbol in used)
    return Kept("", (), {}, sp.S.Zero, sp.S.One, None, None, norms)


def _condition(case: Case) -> tuple[Claim, sp.Expr]:
    """l2 stability with the step left open, frozen stability where that is no question; and its limit."""
    claim = derived("l2_stability", case)
    if claim.status == Status.NOT_APPLICABLE:
        claim = derived("frozen_stability", case)
    if claim.status in (Status.PROVED_IF, Status.LINEARISED) and isinstance(claim.condition, sp.Le):
        return claim, claim.condition.rhs
    if claim.status == Status.PROVED and isinstance(case.scheme, DuFortFrankel):
        return claim, 1 / (2 * alpha_of(case))  # stable for every tau, but tau = None takes this one
    why = "every step is stable." if claim.status == Status.PROVED else claim.reason
    raise DeclarationError(
        f"keep_stable=True has nothing to keep: of {claim.name}, no condition is proved. {why}"
    )


def _rate(case: Case, claim: Claim, trained: set[sp.Symbol]) -> tuple[sp.Expr, sp.Expr | None]:
    """The rate that limits the step, and alpha."""
    rate = (damped_rate if claim.name == "l2_stability" else frozen_rate)(case)
    if not isinstance(case.scheme, DuFortFrankel):
        return rate, None
    alpha = alpha_of(case)
    if case.scheme.alpha is None:
        return 4 * alpha, alpha
    moving = trained | set(case.facts.filter_norms)
    if moving & rate.free_symbols:
        raise DeclarationError(
            f"keep_stable=True cannot keep alpha = {alpha} admissible, whose least value {rate / 4} changes "
            "in training; alpha=None takes the smallest one in every block."
        )
    return 4 * alpha, alpha


def _following(case: Case, claim: Claim, limit: sp.Expr, moving: set[sp.Symbol]) -> dict[str, sp.Expr | None]:
    """The claims that hold for every tau up to the limit of `claim`, and their factors if these must change.

    No factor may contain what is `moving` in training.
    """
    if isinstance(case.scheme, DuFortFrankel) and case.scheme.alpha is not None:
        return {claim.name: None}  # alpha is compared with the least one at the values of the parameters
    found: dict[str, sp.Expr | None] = {}
    for name in CLAIMS:
        if name == "consistency":
            continue
        other = claim if name == claim.name else derived(name, case)
        if other.status == Status.PROVED and other.factor is None:
            found[name] = None
        if other.status != Status.PROVED_IF or not isinstance(other.condition, sp.Le):
            continue
        if sp.simplify(other.condition.rhs / limit - 1).is_nonnegative:
            own = other.factor is not None and bool(other.factor.free_symbols & moving)
            if not own or name in AT_MOST_ONE:
                found[name] = sp.S.One if own else None
    return found


def _require_room(
    found: Kept, trained: set[sp.Symbol], step: bool, values: Mapping[sp.Symbol, sp.Expr]
) -> None:
    """The declared step must be one that is kept."""
    tau, norms = found.tau, found.symbols
    if tau is None:
        return
    if tau.free_symbols:
        raise DeclarationError(f"keep_stable=True needs a number for the step, or tau=None, not tau = {tau}.")
    if not norms:
        if (found.limit.subs(values) - tau).is_negative:
            raise DeclarationError(
                f"keep_stable=True keeps tau <= {found.limit}; the step tau = {tau} to start from is larger."
            )
        return
    fixed = found.rate.subs(dict.fromkeys(norms, 0))
    if fixed != 0 and (step or fixed.free_symbols & trained):
        raise DeclarationError(
            f"keep_stable=True cannot scale filters for tau = {tau}: what the other terms leave of the "
            f"bound, {found.room}/tau - ({fixed}), changes in training; use tau=None."
        )
    if not (found.room / tau - fixed.subs(values)).is_positive:
        raise DeclarationError(
            f"keep_stable=True cannot keep tau = {tau}: without the learned operators the limit is "
            f"{found.room / fixed} already."
        )

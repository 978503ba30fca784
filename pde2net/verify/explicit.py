"""The claims about the explicit scheme (docs/theory.md, section 4; Alt et al. 2023, Theorem 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.normalise.form import SecondOrder
from pde2net.verify import witness as wit
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.consistency import consistency
from pde2net.verify.facts import Bounds, Facts

THEOREM_L2 = "Explicit l2 stability (Alt et al. 2023, Theorem 1)"
THEOREM_NONEXPANSIVE = "Cocoercive gradients (Baillon, Haddad 1977)"
THEOREM_ENERGY = "Descent lemma (Nesterov 2004, Theorem 2.1.5)"
THEOREM_RANGE = "Maximum-minimum principle by nonnegative weights (Weickert 1998, Theorem 8)"
THEOREM_MEAN = "Constants in the kernel of K (Weickert 1998, Theorem 8)"
THEOREM_LIPSCHITZ = "Lipschitz composition"
THEOREM_FROZEN = "Spectrum of the frozen operator (von Neumann)"


@dataclass(frozen=True)
class Case:
    """What the claims are derived from: operators, facts, the step, and a search for witnesses."""

    semi: Semidiscrete
    facts: Facts
    tau: sp.Expr
    search: wit.Search | None

    @property
    def plain(self) -> bool:
        """Whether every prefactor is 1, so that A(u) is symmetric."""
        return all(t.prefactor == 1 for t in self.semi.form.terms)

    @property
    def given(self) -> tuple[str, ...]:
        values = self.semi.form.problem.parameters
        return tuple(f"{s} = {values[s]} (given)" for s in self.facts.given)

    @property
    def decoupled(self) -> tuple[str, ...]:
        if self.semi.grid.gradient != "central" or len(self.semi.second) == len(
            self.semi.form.terms
        ):
            return ()
        return ("note: central differences do not see the checkerboard; it is kept, never damped",)

    def valued(self, expression: sp.Expr) -> sp.Expr:
        return sp.simplify(expression.subs(self.semi.form.problem.parameters))


def claims(case: Case) -> dict[str, Claim]:
    """Every claim by name; each function below derives one."""
    derived = [
        l2_stability(case),
        nonexpansive(case),
        maximum_principle(case),
        energy_decay(case),
        mean_preservation(case),
        well_posed(case),
        frozen_stability(case),
        Claim(
            "solver_convergence",
            Status.NOT_APPLICABLE,
            reason="An explicit step solves no system of equations.",
        ),
        consistency(case.semi, case.tau),
    ]
    return {claim.name: claim for claim in derived}


def unknown(name: str, reason: str, theorem: str = "") -> Claim:
    return Claim(name, Status.UNKNOWN, reason=sentence(reason), theorem=theorem)


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def under(
    case: Case,
    name: str,
    rate: sp.Expr,
    numerator: int,
    theorem: str,
    assumptions: tuple[str, ...],
    refute: Callable[[], dict[str, Any] | None],
) -> Claim:
    """The claim that holds for tau <= numerator/rate: proved, proved if, refuted or unknown."""
    rate = sp.factor_terms(rate)
    limit = sp.oo if rate == 0 else sp.simplify(numerator / rate)
    assumptions = (*assumptions, *case.given, *case.decoupled)
    if limit == sp.oo:
        return Claim(
            name,
            Status.PROVED,
            sp.true,
            sp.oo,
            theorem=theorem,
            assumptions=assumptions,
            reason="Holds for every tau: the operator is zero.",
        )
    condition = sp.Le(case.tau, limit)
    shown = case.valued(limit)
    decided = condition if condition in (sp.true, sp.false) else sp.Le(case.valued(case.tau), shown)
    common = {
        "condition": condition,
        "limit": shown,
        "theorem": theorem,
        "assumptions": assumptions,
    }
    if decided == sp.true:
        return Claim(name, Status.PROVED, **common)
    if decided == sp.false:
        found = refute()
        reason = f"tau = {case.valued(case.tau)} exceeds the limit {shown}"
        if found is not None:
            return Claim(name, Status.REFUTED, witness=found, reason=reason + ".", **common)
        return Claim(
            name, Status.UNKNOWN, reason=reason + ", and no counterexample was found.", **common
        )
    return Claim(name, Status.PROVED_IF, **common)


def seek(case: Case, measure: wit.Measure, what: str) -> dict[str, Any] | None:
    return None if case.search is None else case.search.find(measure, what)


def refuted_or_unknown(
    case: Case, name: str, reason: str, measure: wit.Measure, what: str, theorem: str = ""
) -> Claim:
    found = seek(case, measure, what)
    if found is None:
        return unknown(name, reason, theorem)
    return Claim(name, Status.REFUTED, reason=sentence(reason), witness=found, theorem=theorem)


def nonnegative(rows: tuple[tuple[Bounds, ...], ...]) -> bool:
    return all(b.nonnegative for row in rows for b in row)


def grows(case: Case) -> str | None:
    """Why ‖u+‖ <= ‖u‖ is not the question for this reaction term, or None."""
    reaction = case.semi.form.reaction
    if case.facts.source:
        return (
            f"the source or fidelity term {reaction} drives the solution, so the norm may grow "
            "by design; see frozen_stability"
        )
    return None


def l2_stability(case: Case) -> Claim:
    """‖u+‖ <= ‖u‖ if 0 <= g <= L and tau <= 2/(L ‖K‖² + beta), -r(u) = b(u) u with 0 <= b <= beta."""
    name, facts = "l2_stability", case.facts
    reason = grows(case)
    if reason is not None:
        return Claim(name, Status.NOT_APPLICABLE, reason=sentence(reason))
    if facts.damping is None and case.semi.form.reaction != 0:
        return unknown(
            name, f"the reaction term is not bounded as needed: {facts.why.get('damping')}"
        )
    damping = facts.damping or Bounds(sp.S.Zero, sp.S.Zero)
    if not damping.nonnegative:
        return Claim(
            name,
            Status.NOT_APPLICABLE,
            reason=f"The reaction term {case.semi.form.reaction} may let the solution grow by design; "
            "see frozen_stability for the diffusion and well_posed for the growth per step.",
        )
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if facts.weights is None or facts.norm is None:
        why = facts.why.get("weights", "the diffusivity is not bounded")
        return refuted_or_unknown(
            case,
            name,
            f"the diffusivity has no proved bound: {why}",
            wit.growth,
            "norm grows by",
            THEOREM_L2,
        )
    if not nonnegative(facts.weights):
        return refuted_or_unknown(
            case,
            name,
            "the diffusivity takes negative values or its sign is not known: "
            "backward diffusion amplifies oscillations",
            wit.growth,
            "norm grows by",
            THEOREM_L2,
        )
    return under(
        case,
        name,
        facts.norm + damping.upper,
        2,
        THEOREM_L2,
        (
            f"0 <= g, and sup g ‖K‖² = {facts.norm}",
            "K and K^T are exact adjoints (built from one stencil)",
            *((f"0 <= -r(u)/u <= {damping.upper}",) if damping.upper != 0 else ()),
        ),
        lambda: seek(case, wit.growth, "norm grows by"),
    )


def _prefactor_reason(case: Case) -> str:
    factors = ", ".join(str(t.prefactor) for t in case.semi.form.terms if t.prefactor != 1)
    return (
        f"the divergence is multiplied by {factors}, which varies in space, so the operator is not "
        "symmetric; nothing is known about the values of that field"
    )


def frozen_stability(case: Case) -> Claim:
    """|1 - tau mu| <= 1 for every eigenvalue mu of A + beta I with coefficients frozen."""
    name, facts = "frozen_stability", case.facts
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if facts.weights is None or facts.norm is None:
        return unknown(
            name, facts.why.get("weights", "the diffusivity is not bounded"), THEOREM_FROZEN
        )
    if not nonnegative(facts.weights):
        return refuted_or_unknown(
            case,
            name,
            "the diffusivity is not known to be nonnegative",
            wit.growth,
            "norm grows by",
            THEOREM_FROZEN,
        )
    rate = facts.rate
    if rate is None:
        return unknown(name, f"the reaction rate is not bounded: {facts.why.get('rate')}")
    upper = rate.upper if rate.nonnegative else sp.Max(sp.S.Zero, rate.upper)
    claim = under(
        case,
        name,
        facts.norm + upper,
        2,
        THEOREM_FROZEN,
        (f"spectrum of A in [0, {facts.norm}]", f"damping of the reaction at most {upper}"),
        # With a source, two inputs that the network moves apart stand for a growing mode.
        (lambda: pair(case)) if facts.source else (lambda: seek(case, wit.growth, "norm grows by")),
    )
    if rate.nonnegative or claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    return replace(
        claim,
        status=Status.LINEARISED,
        factor=sp.expand(1 + case.tau * sp.Max(sp.S.Zero, -rate.lower)),
        reason="The reaction term may let modes grow by the factor per step; the diffusion does not.",
    )


def pair(case: Case) -> dict[str, Any] | None:
    return None if case.search is None else wit.find_pair(case.search)


def nonexpansive(case: Case) -> Claim:
    """‖N(u) - N(v)‖ <= ‖u - v‖ if 0 <= Phi' <= L', 0 <= -r' <= beta, tau <= 2/(L' ‖K‖² + beta)."""
    name, facts = "nonexpansive", case.facts
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_NONEXPANSIVE)
    if not nonnegative(facts.slopes):
        found = pair(case)
        reason = "The flux is not monotone (Phi' takes negative values or its sign is not known)."
        if found is None:
            return Claim(name, Status.UNKNOWN, reason=reason, theorem=THEOREM_NONEXPANSIVE)
        return Claim(
            name, Status.REFUTED, reason=reason, witness=found, theorem=THEOREM_NONEXPANSIVE
        )
    if facts.rate is None or not facts.rate.nonnegative:
        return unknown(name, "the reaction term is not known to be decreasing in u")
    return under(
        case,
        name,
        facts.slope_norm + facts.rate.upper,
        2,
        THEOREM_NONEXPANSIVE,
        (
            f"0 <= Phi', and sup Phi' ‖K‖² = {facts.slope_norm}",
            "Phi is the gradient of a convex penaliser",
        ),
        lambda: pair(case),
    )


def energy_decay(case: Case) -> Claim:
    """E(u+) <= E(u) for tau <= 2/(sup|Phi'| ‖K‖² + sup|r'|), E the penalised energy."""
    name, facts = "energy_decay", case.facts
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_ENERGY)
    if facts.weights is None or not nonnegative(facts.weights):
        return unknown(
            name,
            "the diffusivity is not known to be nonnegative, so the energy may "
            "be unbounded from below",
            THEOREM_ENERGY,
        )
    if facts.rate is None:
        return unknown(name, f"the reaction rate is not bounded: {facts.why.get('rate')}")
    steepest = sp.Max(facts.rate.upper, -facts.rate.lower)
    return under(
        case,
        name,
        facts.slope_norm + steepest,
        2,
        THEOREM_ENERGY,
        (
            f"the gradient of E has the Lipschitz constant {sp.factor_terms(facts.slope_norm + steepest)}",
        ),
        lambda: None,
    )


def maximum_principle(case: Case) -> Claim:
    """min u <= u+ <= max u if the rows of I - tau A(u) are nonnegative with sum 1.

    First-order stencils with two points make A(u) a weighted graph Laplacian, of largest diagonal
    entry sum_i 2 w_i² sup g_i with stencil weights ±w_i.
    """
    name, facts, semi = "maximum_principle", case.facts, case.semi
    zero = "dirichlet" in semi.boundary
    measure = wit.leaves_range(zero)
    seek_range = lambda: seek(case, measure, "range is exceeded by")  # noqa: E731
    if any(isinstance(t, SecondOrder) for t in semi.form.terms):
        return refuted_or_unknown(
            case,
            name,
            "fourth-order diffusion has positive off-diagonal entries in A",
            measure,
            "range is exceeded by",
            THEOREM_RANGE,
        )
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    stencils = [d.stencil for ((_, d),) in semi.gradient.rows]
    if any(len(s.offsets) != 2 for s in stencils):
        return refuted_or_unknown(
            case,
            name,
            "stencils of order 4 have positive off-diagonal entries in A",
            measure,
            "range is exceeded by",
            THEOREM_RANGE,
        )
    if facts.weights is None:
        return unknown(name, facts.why.get("weights", ""), THEOREM_RANGE)
    if not nonnegative(facts.weights) or facts.norm is None:
        return refuted_or_unknown(
            case,
            name,
            "the diffusivity is not known to be nonnegative and bounded",
            measure,
            "range is exceeded by",
            THEOREM_RANGE,
        )
    beta, fidelity = _fidelity(case)
    if beta is None:
        return unknown(name, f"the reaction term {semi.form.reaction} is not beta (f - u)")
    degree: sp.Expr = sp.S.Zero
    for row in facts.weights:
        for bounds, ((_, d),) in zip(row, semi.gradient.rows, strict=True):
            degree += bounds.upper * sum(w**2 for w in d.stencil.weights) * d.scale**2
    included = [*(["the values of " + fidelity] if fidelity else []), *(["0"] if zero else [])]
    return under(
        case,
        name,
        degree + beta,
        1,
        THEOREM_RANGE,
        (
            "two-point stencils: off-diagonal entries of A are nonpositive",
            f"diagonal entries of A at most {sp.factor_terms(degree)}",
            *((f"the range includes {' and '.join(included)}",) if included else ()),
        ),
        seek_range,
    )


def _fidelity(case: Case) -> tuple[sp.Expr | None, str]:
    """(beta, f) of a reaction term beta (f - u) with a known constant beta >= 0; beta None otherwise."""
    form = case.semi.form
    reaction = form.reaction
    if reaction == 0:
        return sp.S.Zero, ""
    beta = sp.simplify(-sp.diff(reaction, form.state))
    if beta.free_symbols & (form.data | {form.state}) or not beta.is_positive:
        return None, ""
    target = sp.simplify(reaction / beta + form.state)
    return beta, "" if target == 0 else str(target)


def mean_preservation(case: Case) -> Claim:
    """The mean is kept, for every tau, if K 1 = 0 and there is no reaction term."""
    name, semi = "mean_preservation", case.semi
    if semi.form.reaction != 0:
        return Claim(
            name,
            Status.NOT_APPLICABLE,
            reason=f"The reaction term {semi.form.reaction} changes the mean by design.",
        )
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if "dirichlet" in semi.boundary:
        return refuted_or_unknown(
            case,
            name,
            "values flow out across a zero-Dirichlet border",
            wit.mean_change,
            "mean changes by",
            THEOREM_MEAN,
        )
    return Claim(
        name,
        Status.PROVED,
        sp.true,
        sp.oo,
        theorem=THEOREM_MEAN,
        assumptions=(
            "K 1 = 0: the weights of every stencil sum to 0",
            "no reaction term",
            *case.decoupled,
        ),
    )


def well_posed(case: Case) -> Claim:
    """‖N(u) - N(v)‖ <= (1 + tau (sup|Phi'| ‖K‖² + Lip r)) ‖u - v‖ per block."""
    name, facts = "well_posed", case.facts
    if not case.plain:
        return unknown(name, _prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_LIPSCHITZ)
    if facts.rate is None:
        return unknown(name, f"the reaction term is not Lipschitz: {facts.why.get('rate')}")
    lipschitz = sp.Max(facts.rate.upper, -facts.rate.lower)
    factor = sp.expand(1 + case.tau * (facts.slope_norm + lipschitz))
    return Claim(
        name,
        Status.PROVED,
        sp.true,
        sp.oo,
        factor=factor,
        theorem=THEOREM_LIPSCHITZ,
        assumptions=(f"Phi is Lipschitz: sup|Phi'| ‖K‖² = {facts.slope_norm}", *case.given),
        reason="The factor bounds how much one block may enlarge a difference of inputs.",
    )

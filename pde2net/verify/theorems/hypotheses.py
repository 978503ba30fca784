"""The hypotheses that theorems share, each with the way in which it is discharged."""

from __future__ import annotations

import sympy as sp

from pde2net.language.spline import SplineDiffusivity
from pde2net.normalise.affine import affine
from pde2net.normalise.terms import Learned
from pde2net.verify.bounds import DIFFUSIVITY, FLUX_SLOPE, POINTWISE, Bounds, advice
from pde2net.verify.case import Case, nonnegative
from pde2net.verify.certificate import Status
from pde2net.verify.elasticity import diffusivities
from pde2net.verify.rates import pull
from pde2net.verify.theorem import Held, Hypothesis, Missing, hypothesis


def explained(case: Case, quantity: str) -> str:
    """The ranges that were derived for one kind of quantity, and by which engine."""
    until = case.facts.until
    if until is not None:
        return f"bounds over {f'0 <= t <= {until}' if until.is_finite else 't >= 0'}"
    lines = []
    for answer in case.facts.answers:
        if answer.quantity != quantity:
            continue
        found, name = answer.found, quantity if quantity != POINTWISE else str(answer.function)
        what = f" for g = {answer.function}" if quantity == FLUX_SLOPE else ""
        what = f" = {answer.function}" if quantity == DIFFUSIVITY else what
        lines.append(
            f"{name}{what}: inf {found.lower} at {answer.variable} = {found.lower_at}, "
            f"sup {found.upper} at {answer.variable} = {found.upper_at}; {found.method}"
        )
    if quantity == DIFFUSIVITY:
        lines += (
            f"{function} lies in [{bounds.lower}, {bounds.upper}], by slopes, and parts of its box"
            for function, bounds in case.facts.several.items()
        )
    return "; ".join(dict.fromkeys(lines))


def known(case: Case, quantity: str, what: str) -> str:
    """The ranges that were derived, and those that splines keep."""
    splines = {s for g, _ in diffusivities(case.semi.form, case.facts) for s in g.atoms(SplineDiffusivity)}
    kept = (f"{what} of {s.name} is kept in [{s.lower}, {s.upper}]" for s in sorted(splines, key=str))
    return "; ".join(line for line in (explained(case, quantity), *dict.fromkeys(kept)) if line)


@hypothesis("exact adjoints", "A(u) = K^T G(u) K is symmetric")
def symmetric(case: Case) -> Held | Missing:
    if case.plain:
        return Held("no divergence is multiplied by a factor; K and K^T come from one stencil")
    return Missing(prefactor_reason(case))


@hypothesis("forward divergences", "m >= 0, the factor of each divergence")
def forward_factors(case: Case) -> Held | Missing:
    factors = case.facts.factors
    if case.plain:
        return Held("no divergence is multiplied by a factor")
    if factors is None or not all(b.nonnegative for b in factors):
        why = case.facts.why.get("factors", "a factor may be negative")
        return Missing(f"{prefactor_reason(case)}: {why}")
    shown = ", ".join(str(t.prefactor) for t in case.semi.form.terms)
    upper = sp.Max(*(b.upper for b in factors))
    return Held(f"the factors {shown} of divergences are at least 0 and at most {upper}", (("sup m", upper),))


def prefactor_reason(case: Case) -> str:
    factors = ", ".join(str(t.prefactor) for t in case.semi.form.terms if t.prefactor != 1)
    return (
        f"the divergence is multiplied by {factors}, which varies in space, so the operator is not symmetric"
    )


@hypothesis("bounded diffusivity", "g <= L, and ‖K^T G K‖ <= L ‖K‖²")
def bounded(case: Case) -> Held | Missing:
    facts = case.facts
    if facts.weights is None or facts.norm is None:
        why = facts.why.get("weights", "the diffusivity is not bounded")
        return Missing(f"the diffusivity has no proved bound: {why}", violated=True)
    exactness = "attained in the limit of large grids" if facts.sharp else "an upper bound"
    norms = ", ".join(f"‖{n.label}‖² = {n.squared}" for row in facts.norms for n in row)
    how = f"{known(case, DIFFUSIVITY, 'g') or 'g is constant'}; {norms} by the Fourier symbol, {exactness}"
    return Held(how, (("L ‖K‖²", facts.norm),))


@hypothesis("nonnegative diffusivity", "0 <= g")
def nonnegative_diffusivity(case: Case) -> Held | Missing:
    weights = case.facts.weights
    if weights is None:
        return Missing(f"the sign of the diffusivity is not known: {case.facts.why.get('weights')}")
    if nonnegative(weights):
        lowest = sorted({b.lower for row in weights for b in row}, key=str)
        return Held(
            "every weight of the flux is nonnegative",
            tuple((f"inf g ({i + 1})", v) for i, v in enumerate(lowest)),
        )
    return Missing(_backward([b for row in weights for b in row]), violated=True)


def _backward(bounds: list[Bounds]) -> str:
    """Why the weights are not known to be nonnegative."""
    negative = [b.lower for b in bounds if b.nonnegative is False]
    if -sp.oo in negative:
        return "the diffusivity is not known to be nonnegative: it has no lower bound"
    if negative:
        return (
            f"the diffusivity takes negative values, down to {negative[0]}: backward diffusion "
            "amplifies oscillations"
        )
    lower = next(b.lower for b in bounds if b.nonnegative is None)
    return f"the sign of the diffusivity, at least {lower}, is not known{advice(lower.free_symbols)}"


@hypothesis("no source", "r(0) = 0")
def no_source(case: Case) -> Held | Missing:
    reaction = case.semi.form.reaction
    if not case.facts.source:
        return Held("there is no reaction term" if reaction == 0 else f"{reaction} vanishes at u = 0")
    return Missing(
        f"the source or fidelity term {reaction} drives the solution, so the norm may grow "
        "by design; see frozen_stability",
        Status.NOT_APPLICABLE,
    )


@hypothesis("damping reaction", "r(u) = -b(u) u with 0 <= b <= beta")
def damping(case: Case) -> Held | Missing:
    facts, reaction = case.facts, case.semi.form.reaction
    if reaction == 0:
        return Held("r = 0", (("beta", sp.S.Zero),))
    if facts.damping is None:
        return Missing(f"the reaction term is not bounded as needed: {facts.why.get('damping')}")
    if not facts.damping.nonnegative:
        return Missing(
            f"the reaction term {reaction} may let the solution grow by design; see frozen_stability "
            "for the diffusion and well_posed for the growth per step",
            Status.NOT_APPLICABLE,
        )
    return Held(
        f"-r(u)/u lies in [{facts.damping.lower}, {facts.damping.upper}]", (("beta", facts.damping.upper),)
    )


@hypothesis("Lipschitz reaction", "r' is bounded")
def lipschitz_reaction(case: Case) -> Held | Missing:
    rate = case.facts.rate
    if rate is None:
        return Missing(f"the rate r' of the reaction is not bounded: {case.facts.why.get('rate')}")
    if case.semi.form.reaction == 0:
        return Held("r = 0", (("inf -r'", sp.S.Zero), ("sup -r'", sp.S.Zero)))
    return Held(
        f"-r' lies in [{rate.lower}, {rate.upper}]", (("inf -r'", rate.lower), ("sup -r'", rate.upper))
    )


@hypothesis("Lipschitz flux", "Phi is the gradient of a penaliser and |Phi'| <= L'")
def penaliser(case: Case) -> Held | Missing:
    facts = case.facts
    if facts.slopes is None or facts.slope_norm is None:
        return Missing(facts.why.get("slopes", "Phi' is not bounded"))
    how = known(case, FLUX_SLOPE, "Phi'") or "Phi is linear"
    if len(case.semi.form.slopes) > 1 and case.facts.answers:
        how += "; the eigenvalues of Phi' are g and g + 2 s2 g'"
    return Held(how, (("L' ‖K‖²", facts.slope_norm),))


@hypothesis("changing weights", "‖K^T (G(u) - G(v)) K u‖ <= C ‖u - v‖ for u, v in [a, b]")
def changing_weights(case: Case) -> Held | Missing:
    if case.facts.changes is None:
        return Missing(case.facts.why.get("changes", "the slopes of the weights are not bounded"))
    return Held("slopes of the weights and of u are bounded on the range", (("C", case.facts.changes),))


def linear_equation(otherwise: str) -> Hypothesis:
    """`otherwise` says that nothing is derived for others."""

    @hypothesis("linear equation", "F(u) - F(v) = -B (u - v) with a constant B")
    def linear(case: Case) -> Held | Missing:
        return Held("the equation is linear in u") if case.linear else Missing(otherwise, violated=True)

    return linear


@hypothesis("monotone step", "F(u) = K^T Phi(K u) - r(u) is monotone")
def monotone(case: Case) -> Held | Missing:
    """A decreasing reaction may make up for a flux that is not monotone."""
    curvature, rate = case.facts.curvature, case.facts.rate
    if curvature is None or rate is None:
        return Missing("the slopes of the flux and of the reaction are not bounded")
    lower = sp.simplify(curvature.lower + rate.lower)
    if lower.is_nonnegative:
        kind = "every eigenvalue of Phi' is nonnegative" if curvature.lower == 0 else f"F' >= {lower}"
        return Held(kind, (("inf F'", lower),))
    why = "takes negative values" if curvature.lower.is_negative else "has a sign that is not known"
    return Missing(
        f"the flux is not monotone (Phi' {why})"
        if curvature.lower != 0
        else "the reaction term is not known to be decreasing in u",
        violated=True,
    )


@hypothesis("energy bounded from below", nonnegative_diffusivity.statement)
def bounded_below(case: Case) -> Held | Missing:
    """For g >= 0 the energy without reaction is bounded from below; else its decay says nothing."""
    held = nonnegative_diffusivity.check(case) if case.facts.weights is not None else Missing("")
    if isinstance(held, Held):
        return held
    return Missing(
        "the diffusivity is not known to be nonnegative, so the energy may be unbounded from below"
    )


@hypothesis("nonpositive off-diagonals", "A_ij <= 0 for i != j, and A 1 = 0")
def two_points(case: Case) -> Held | Missing:
    if case.semi.form.learned:
        return Missing("learned filters may have weights of any sign")
    if case.semi.second:
        return Missing("fourth-order diffusion has positive off-diagonal entries in A", violated=True)
    if any(t.mixed for t in case.semi.form.terms):
        return Missing("mixed derivatives have positive off-diagonal entries in A", violated=True)
    if not all(t.along_axes for t in case.semi.form.terms):
        return Missing("the signs of the entries of A are not known")
    if any(b.factor < 0 for b in case.semi.borders):
        return Missing("values beyond the border lie outside of the range of u")
    if any(len(d.stencil.offsets) != 2 for ((_, d),) in case.semi.gradient.rows):
        return Missing("stencils of order 4 have positive off-diagonal entries in A", violated=True)
    return Held("two-point stencils: A(u) is the Laplacian of a weighted graph")


@hypothesis("pull", "r = b (f - u) with 0 <= b <= beta, or r = -b(u) u")
def pulls(case: Case) -> Held | Missing:
    beta, target = pull(case)
    if beta is None:
        return Missing(_no_pull(case))
    zero = not case.semi.closed or (beta != 0 and not target)
    included = [*([f"the values of {target}"] if target else []), *(["0"] if zero else [])]
    how = f"the range includes {' and '.join(included)}" if included else "the range is that of u"
    return Held(how, (("beta", beta),))


def _no_pull(case: Case) -> str:
    reaction = case.semi.form.reaction
    found = affine(reaction, case.semi.form.state)
    slope = sp.S.Zero if found is None else sp.simplify(-found[1])
    if (
        slope != 0
        and slope.is_nonnegative is None
        and slope.free_symbols <= set(case.semi.form.problem.symbols)
    ):
        names = " ".join(sorted(s.name for s in slope.free_symbols))
        declared = f'parameter {names} > 0, or sp.symbols("{names}", positive=True)'
        return f"the sign of {slope}, by which {reaction} pulls, is not declared: {declared}"
    return f"the reaction term {reaction} is neither beta (f - u) nor damping"


@hypothesis("no reaction", "r = 0")
def no_reaction(case: Case) -> Held | Missing:
    reaction = case.semi.form.reaction
    if reaction == 0:
        return Held("the right-hand side is a divergence")
    return Missing(f"the reaction term {reaction} changes the mean by design", Status.NOT_APPLICABLE)


@hypothesis("closed border", "K 1 = 0")
def closed(case: Case) -> Held | Missing:
    innermost = [t.chain.operators[0] for t in case.semi.form.terms if isinstance(t, Learned)]
    if not all(operator.zero_mean for operator in innermost):
        return Missing(
            "learned filters may respond to constants: K 1 = 0 holds for some weights only, and for all with "
            "zero_mean=True"
        )
    for border in (b for b in case.semi.borders if not b.keeps_constants):
        kind = "zero-Dirichlet" if border.zero else f'"{border.name}"'
        return Missing(f"values flow out across a {kind} border", violated=True)
    if innermost:
        return Held("the weights of every filter and stencil sum to 0, for all weights that are learned")
    return Held("the weights of every stencil sum to 0, and no flux crosses the border")


# What theorems have in common: a norm that the reaction does not raise, and operators 0 <= A <= L ‖K‖².
STABLE = (no_source, damping)
FORWARD = (symmetric, bounded, nonnegative_diffusivity)

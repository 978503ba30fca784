"""Claims about values: maximum-minimum principle and mean preservation."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.form import SecondOrder
from pde2net.verify import witness as wit
from pde2net.verify.case import (
    Case,
    nonnegative,
    prefactor_reason,
    refuted_or_unknown,
    seek,
    under,
    unknown,
)
from pde2net.verify.certificate import Claim, Status

THEOREM_RANGE = "Maximum-minimum principle by nonnegative weights (Weickert 1998, Theorem 8)"
THEOREM_MEAN = "Constants in the kernel of K (Weickert 1998, Theorem 8)"


def maximum_principle(case: Case) -> Claim:
    """min u <= u+ <= max u if the rows of I - tau A(u) are nonnegative with sum 1.

    First-order stencils with two points make A(u) a weighted graph Laplacian, of largest diagonal
    entry sum_i 2 w_i² sup g_i with stencil weights ±w_i.
    """
    name, facts, semi = "maximum_principle", case.facts, case.semi
    zero = "dirichlet" in semi.boundary
    beta, fidelity = _fidelity(case)
    zero = zero or (bool(beta) and not fidelity)
    # Known fields are 0 in the search, so a fidelity term adds 0 to the admissible range.
    measure = wit.leaves_range(zero or bool(fidelity))
    searchable = not fidelity or fidelity in {f.name for f in semi.form.fields}
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
        return unknown(name, prefactor_reason(case))
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
        lambda: seek(case, measure, "range is exceeded by") if searchable else None,
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
        return unknown(name, prefactor_reason(case))
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

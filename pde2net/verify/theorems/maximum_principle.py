"""Maximum-minimum principle (docs/theory.md, section 4.5)."""

from __future__ import annotations

from typing import Any

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.verify.case import Case
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.search import neutral
from pde2net.verify.stages import step_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem, quotient
from pde2net.verify.theorems.hypotheses import BOUNDED, NONNEGATIVE, SYMMETRIC


def _two_points(case: Case) -> Held | Missing:
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


TWO_POINTS = Hypothesis("nonpositive off-diagonals", "A_ij <= 0 for i != j, and A 1 = 0", _two_points)


def _reaction(case: Case) -> Held | Missing:
    beta, target = pull(case)
    if beta is None:
        return Missing(f"the reaction term {case.semi.form.reaction} is neither beta (f - u) nor damping")
    zero = not case.semi.closed or (beta != 0 and not target)
    included = [*([f"the values of {target}"] if target else []), *(["0"] if zero else [])]
    how = f"the range includes {' and '.join(included)}" if included else "the range is that of u"
    return Held(how, (("beta", beta),))


REACTION = Hypothesis("pull", "r = beta (f - u), or r = -b(u) u with 0 <= b <= beta", _reaction)


def pull(case: Case) -> tuple[sp.Expr | None, str]:
    """(beta, f) with f empty for decay towards 0; beta None for any other reaction term."""
    form, damping = case.semi.form, case.facts.damping
    reaction = form.reaction
    if reaction == 0:
        return sp.S.Zero, ""
    if damping is not None:
        return (damping.upper, "") if damping.nonnegative else (None, "")
    found = affine(reaction, form.state)
    if found is None:
        return None, ""
    source, beta = found[0], sp.simplify(-found[1])
    if case.facts.until is not None:
        return _pull_over_time(case, source, beta)
    if beta.free_symbols & form.data or not beta.is_positive:
        return None, ""
    return beta, str(sp.simplify(source / beta))


def _pull_over_time(case: Case, source: sp.Expr, beta: sp.Expr) -> tuple[sp.Expr | None, str]:
    """The largest beta(t) of a reaction beta(t) (f - u); beta None unless beta(t) >= 0 for all t."""
    form, rate = case.semi.form, case.facts.rate
    if beta.free_symbols & form.data or rate is None or not rate.nonnegative or beta == 0:
        return None, ""
    target = sp.simplify(source / beta)
    return (None, "") if form.problem.time in target.free_symbols else (rate.upper, str(target))


def largest_diagonal(case: Case) -> sp.Expr:
    """That of A, sum_i 2 w_i² sup g_i/h_i², and beta."""
    degree: sp.Expr = pull(case)[0]
    for row in case.facts.weights or ():
        for bounds, ((_, d),) in zip(row, case.semi.gradient.rows, strict=True):
            degree += bounds.upper * sum(w**2 for w in d.stencil.weights) * d.scale**2
    return degree


def refute(case: Case) -> dict[str, Any] | None:
    beta, target = pull(case)
    if target and target not in {f.name for f in case.semi.form.fields if neutral(f) == 0}:
        return None
    # Known fields are 0 in the search, so a fidelity term adds 0 to the admissible range.
    zero = not case.semi.closed or beta != 0
    return wit.seek_extremum(case.search, zero)


MAXIMUM_PRINCIPLE = Theorem(
    claim="maximum_principle",
    title="Maximum-minimum principle by nonnegative weights",
    reference="Weickert 1998, Theorem 8",
    section="4.5",
    hypotheses=(TWO_POINTS, SYMMETRIC, BOUNDED, NONNEGATIVE, REACTION),
    conclusion="every value of u+ is a weighted mean of values of u (and what the range includes)",
    limit=lambda case: quotient(1 / step_of(case), largest_diagonal(case)),
    refute=refute,
)

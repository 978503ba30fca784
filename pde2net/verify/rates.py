"""The eigenvalues, slopes and entries of the operator that limit a step (docs/theory.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.scheme.stack import Stack
from pde2net.verify.case import Case

Rate = Callable[[Case], sp.Expr]


# Of reactions that are taken implicitly, rates have no part: tau/(1 + tau b) (a + b) <= 2 if tau a <= 2.


def implicit(case: Case) -> bool:
    """Whether a step takes b u at its end."""
    return isinstance(case.update, Stack) and case.update.implicit != 0


def damped_rate(case: Case) -> sp.Expr:
    """L ‖K‖² + beta, the largest eigenvalue of A(u) + diag(b)."""
    damping = case.facts.damping
    return case.facts.norm + (sp.S.Zero if damping is None or implicit(case) else damping.upper)


def frozen_rate(case: Case) -> sp.Expr:
    """L ‖K‖² + sup(-r'), the largest eigenvalue of A - r' at any state."""
    reaction = case.facts.rate
    upper = sp.S.Zero if reaction is None or implicit(case) else reaction.upper
    return case.facts.norm + (upper if upper.is_nonnegative else sp.Max(sp.S.Zero, upper))


def largest_slope(case: Case) -> sp.Expr:
    """M, an upper bound of the eigenvalues of F' = K^T Phi' K - r'."""
    curvature, rate = case.facts.curvature, case.facts.rate
    if curvature is None or rate is None:
        return sp.oo
    if implicit(case):
        return curvature.upper
    return curvature.upper + (rate.upper if rate.nonnegative else sp.Max(sp.S.Zero, rate.upper))


def slope_bounds(case: Case) -> tuple[sp.Expr, sp.Expr]:
    """(m, M) with m <= F' = K^T Phi' K - r' <= M, at the values of the parameters."""
    curvature, rate = case.facts.curvature, case.facts.rate
    if curvature is None or rate is None:
        return -sp.oo, sp.oo
    return case.valued(curvature.lower + rate.lower), case.valued(curvature.upper + rate.upper)


def lipschitz(case: Case) -> sp.Expr:
    """A Lipschitz constant of F."""
    facts = case.facts
    if facts.slope_norm is None or facts.rate is None:
        return sp.oo
    return facts.slope_norm + sp.Max(facts.rate.upper, -facts.rate.lower)


def largest_diagonal(case: Case) -> sp.Expr:
    """That of A, sum_i 2 w_i² sup g_i/h_i², and beta."""
    if not case.plain or (_varies(case) and not implicit(case)):
        return sp.oo if case.facts.diagonal is None else case.facts.diagonal
    degree: sp.Expr = sp.S.Zero if implicit(case) else pull(case)[0]
    for row in case.facts.weights or ():
        for bounds, ((_, d),) in zip(row, case.semi.gradient.rows, strict=True):
            degree += bounds.upper * sum(w**2 for w in d.stencil.weights) * d.scale**2
    return degree


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
    if beta.free_symbols & form.data:
        rate = case.facts.rate
        if implicit(case) or rate is None or not rate.nonnegative or beta == 0:
            return None, ""
        targets = _targets(case, source, beta)
        return (None, "") if targets is None else (rate.upper, ", ".join(map(str, targets)))
    if beta == 0:
        return None, ""
    target = sp.simplify(source / beta)
    vanishing = beta.is_nonnegative and not target.free_symbols & beta.free_symbols  # r = 0 with beta
    return (beta, str(target)) if beta.is_positive or vanishing else (None, "")


def _targets(case: Case, source: sp.Expr, beta: sp.Expr) -> list[sp.Expr] | None:
    """The values that a reaction source - beta u pulls to, beta >= 0; None where that is not so in all cells.

    At each side something of its own pulls, beside what does everywhere.
    """
    edges = case.semi.form.edges
    both, inside = sp.Matrix([source, beta]), dict.fromkeys(edges, sp.S.Zero)
    parts = [(sp.S.One, both.subs(inside))]
    parts += [(mark, both.subs({**inside, mark: sp.S.One}) - parts[0][1]) for mark in edges]
    rest = both - sum((mark * part for mark, part in parts), sp.zeros(2, 1))
    if not sp.simplify(rest).is_zero_matrix:
        return None
    found = []
    for _, (pulled, by) in parts:
        if sp.simplify(pulled) == 0 and sp.simplify(by) == 0:
            continue
        target = sp.simplify(pulled / by) if by != 0 else sp.zoo
        if not _without_poles(case, target) or (edges and not by.is_nonnegative):
            return None
        found.append(target)
    return found


def _without_poles(case: Case, target: sp.Expr) -> bool:
    """Whether a target has a value wherever nothing pulls to it: s/b with b = 0 is none where s is not 0."""
    divisor = case.valued(sp.denom(sp.together(target)))
    known = bool(divisor.is_positive or divisor.is_negative)
    return known and not divisor.free_symbols & case.semi.form.data and not target.has(sp.zoo, sp.nan)


def _varies(case: Case) -> bool:
    """Whether the pull towards data is not the same everywhere."""
    found = affine(case.semi.form.reaction, case.semi.form.state)
    return found is not None and bool(found[1].free_symbols & case.semi.form.data)


def _pull_over_time(case: Case, source: sp.Expr, beta: sp.Expr) -> tuple[sp.Expr | None, str]:
    """The largest beta(t) of a reaction beta(t) (f - u); beta None unless beta(t) >= 0 for all t."""
    form, rate = case.semi.form, case.facts.rate
    if beta.free_symbols & form.data or rate is None or not rate.nonnegative or beta == 0:
        return None, ""
    target = sp.simplify(source / beta)
    still = form.problem.time not in target.free_symbols and _without_poles(case, target)
    return (rate.upper, str(target)) if still else (None, "")

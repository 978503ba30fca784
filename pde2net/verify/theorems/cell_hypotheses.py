"""The hypotheses about iterations and linear systems of recurrent cells (docs/theory.md, 4.11 to 4.14)."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED
from pde2net.scheme.cell import Cell
from pde2net.scheme.unet import UNet
from pde2net.verify.bounds import POINTWISE, Bounds
from pde2net.verify.case import Case
from pde2net.verify.certificate import Status
from pde2net.verify.elasticity import diffusivities, elasticity, slope
from pde2net.verify.iteration import iteration_of
from pde2net.verify.theorem import Held, Hypothesis, Missing
from pde2net.verify.theorems.hypotheses import NONNEGATIVE

KRYLOV = {
    "cg": "conjugate gradients stop at a tolerance",
    "bicgstab": "BiCGStab is truncated, and its iterates have no bound",
}


def _finite(case: Case) -> Held | Missing:
    if not (isinstance(case.update, Cell | UNet) and case.update.steady):
        return Held("tau is finite")
    return Missing(
        "tau = oo asks for the steady state, which does not depend on the input", Status.NOT_APPLICABLE
    )


STEP = Hypothesis("time step", "v = u + tau ((1 - theta) F(u) + theta F(v))", _finite)


def _exact(case: Case) -> Held | Missing:
    it = iteration_of(case)
    if it.kind == "Picard":
        return Missing("Picard iterates solve no linear system", violated=True)
    if it.method == "direct":
        return Held("they are tridiagonal and solved by elimination")
    return Missing(f"linear systems are not solved exactly: {KRYLOV[it.method]}", violated=True)


EXACT = Hypothesis("exact solves", "linear systems are solved exactly", _exact)

GALERKIN = (
    "a truncated solve ends with the combination x of its result and its start that is nearest to the "
    "solution in the norm of the system"
)


def _bounded_solves(case: Case) -> Held | Missing:
    exact = _exact(case)
    if isinstance(exact, Held) or iteration_of(case).method != "cg":
        return exact
    return Held(f"{GALERKIN}: <rhs - (I + theta tau B) x, x> = 0")


BOUNDED_SOLVES = Hypothesis("bounded solves", "<rhs - (I + theta tau B) x, x> = 0 or better", _bounded_solves)


def _from_u(case: Case) -> Held | Missing:
    """The start of the solve is u itself, which makes the change x - u one of the combinations."""
    bounded = _bounded_solves(case)
    it = iteration_of(case)
    if isinstance(bounded, Missing) or it.method == "direct" or it.once:
        return bounded
    return Missing("later solves start from an iterate, not from u, and are not exact", violated=True)


SOLVES_FROM_U = Hypothesis(
    "solves from u", "<rhs - (I + theta tau B) x, w> = 0 for w = x and w = u, or better", _from_u
)


def _frozen_solves(case: Case) -> Held | Missing:
    """Weakens the claim to linearised where the exact solution has it but a truncated one may not."""
    it = iteration_of(case)
    if it.kind == "Newton" and not it.linear:
        return Missing("in Newton's systems Phi' takes the place of g", weakens=True)
    bounded = _bounded_solves(case) if it.theta == 1 else _from_u(case)
    if isinstance(bounded, Held) and (it.method == "direct" or not case.facts.source):
        return bounded
    reason = KRYLOV[it.method]
    return Missing(f"linear systems are not solved exactly: {reason}", weakens=True)


FROZEN_SOLVES = Hypothesis("bounded solves", BOUNDED_SOLVES.statement, _frozen_solves)


def _regular(case: Case) -> Held | Missing:
    """1^T J = 1^T, and J is regular; Newton's matrix contains Phi', which may be negative."""
    it, curvature = iteration_of(case), case.facts.curvature
    forward = NONNEGATIVE.check(case)
    if isinstance(forward, Missing) and it.kind != "Picard":
        return Missing(f"linear systems may be singular: {forward.reason}", violated=True)
    if it.method == "cg" and it.means:
        return Held("truncated solves get the mean of their right-hand side")
    exact = _exact(case)
    if isinstance(exact, Missing) or it.kind != "Newton" or it.linear:
        return exact
    if curvature is None or curvature.lower != 0:
        return Missing("Newton's systems may be singular: Phi' is not known to be nonnegative")
    return exact


REGULAR = Hypothesis("solves with a mean", "1^T x = 1^T rhs for every linear system", _regular)


def implicit_reaction(form: DivergenceForm) -> sp.Expr | None:
    """b with r = s - b u, b and s free of u; None for other reactions."""
    found = affine(form.reaction, form.state)
    return None if found is None else sp.simplify(-found[1])


def _implicit(case: Case) -> Held | Missing:
    form, rate = case.semi.form, case.facts.rate
    if form.reaction == 0:
        return Held("r = 0")
    b = implicit_reaction(form)
    if b is None:
        return Missing(
            f"the reaction term {form.reaction} is taken at the previous iterate, since it is not linear in u"
        )
    if rate is None or not rate.nonnegative:
        return Missing(
            f"the reaction term {form.reaction} is taken at the previous iterate, since it may let the "
            "solution grow"
        )
    return Held(f"b = {b}")


IMPLICIT = Hypothesis("implicit reaction", "r = s - b u with 0 <= b, and b and s are free of u", _implicit)


def _decreasing(case: Case) -> Held | Missing:
    rate = case.facts.rate
    if rate is None:
        return Missing(f"the rate r' of the reaction is not bounded: {case.facts.why.get('rate')}")
    figures = (("inf -r'", rate.lower), ("sup -r'", rate.upper))
    if not rate.nonnegative:
        return Missing(f"the reaction term {case.semi.form.reaction} may let differences grow by design")
    if case.semi.form.reaction == 0:
        return Held("r = 0", figures)
    return Held(f"-r' lies in [{rate.lower}, {rate.upper}]", figures)


DECREASING = Hypothesis("nonincreasing reaction", "r' <= 0 is bounded", _decreasing)


def _linear(case: Case) -> Held | Missing:
    if iteration_of(case).linear:
        return Held("the equation is linear in u")
    return Missing("the equation is not linear, and nothing is derived for its iterates", violated=True)


LINEAR = Hypothesis("linear equation", "F(u) - F(v) = -B (u - v) with a constant B", _linear)


def _fixed(case: Case) -> Held | Missing:
    it = iteration_of(case)
    if it.count is not None:
        return Held("their number is fixed")
    return Missing(
        "the number of iterations depends on the input, and the output jumps where it changes: "
        "give iterations, not tol"
    )


FIXED = Hypothesis(
    "fixed number of iterations", "the number of iterations is the same for all inputs", _fixed
)


def _plain(case: Case) -> Held | Missing:
    if not iteration_of(case).accelerated:
        return Held("every iterate is computed from the one before")
    return Missing("Anderson acceleration mixes iterates with weights that depend on them", violated=True)


PLAIN = Hypothesis("no acceleration", "v+ = rhs + theta tau F(v)", _plain)


def _backward(case: Case) -> Held | Missing:
    if iteration_of(case).theta == 1:
        return Held("theta = 1")
    return Missing("nothing is derived for theta below one and a nonlinear equation", violated=True)


BACKWARD = Hypothesis("implicit scheme", "theta = 1", _backward)


def _concave(case: Case) -> Held | Missing:
    """Psi is concave: g, of every part of the flux, does not increase."""
    varying = [(g, w) for g, w in diffusivities(case.semi.form, case.facts) if SQUARED in g.free_symbols]
    for g, weight in varying:
        found = stated(case, elasticity(g)) or stated(case, slope(g))
        if found is None or not found.upper.is_nonpositive:
            return Missing(
                f"the diffusivity {g} is not known to be nonincreasing in the slope", violated=True
            )
        if not weight.is_nonnegative:
            return Missing(f"the sign of the factor {weight} of the diffusivity is not known")
    return Held("the range of 2 s g'/g, or of g', for each part of the flux" if varying else "g is constant")


CONCAVE = Hypothesis("concave penaliser", "g' <= 0", _concave)


def stated(case: Case, function: sp.Expr) -> Bounds | None:
    """The range of a function of |K u|² that was asked for."""
    for answer in case.facts.answers:
        if answer.quantity == POINTWISE and answer.function == function and answer.variable == SQUARED:
            return Bounds(answer.found.lower, answer.found.upper)
    return None


def largest_elasticity(case: Case) -> sp.Expr | None:
    """sigma = sup |2 s g'/g| over all parts of the flux; None if it is not known to be finite."""
    largest: sp.Expr = sp.S.Zero
    for g, weight in diffusivities(case.semi.form, case.facts):
        if SQUARED not in g.free_symbols:
            continue
        found = stated(case, elasticity(g))
        if found is None or not (found.lower.is_finite and found.upper.is_finite and weight.is_nonnegative):
            return None
        largest = sp.Max(largest, -found.lower, found.upper)
    return largest


def _elastic(case: Case) -> Held | Missing:
    sigma = largest_elasticity(case)
    if sigma is None:
        return Missing("the relative change of the diffusivity with the slope is not known to be bounded")
    return Held("the range of each diffusivity", (("sigma", sigma),))


ELASTIC = Hypothesis("elasticity", "|Phi' - G| <= sigma G", _elastic)

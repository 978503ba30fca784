"""The hypotheses about iterations and linear systems of recurrent cells (docs/theory.md, 4.11 to 4.14)."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.normalise.terms import SQUARED
from pde2net.scheme.cell import Cell
from pde2net.scheme.unet import UNet
from pde2net.verify.bounds import POINTWISE, Bounds
from pde2net.verify.case import Case
from pde2net.verify.certificate import Status
from pde2net.verify.elasticity import diffusivities, elasticity, jumps, slope
from pde2net.verify.iteration import iteration_of
from pde2net.verify.theorem import Held, Missing, hypothesis
from pde2net.verify.theorems import hypotheses as hyp

KRYLOV = {
    "cg": "conjugate gradients stop at a tolerance",
    "bicgstab": "BiCGStab is truncated, and its iterates have no bound",
}


@hypothesis("time step", "v = u + tau ((1 - theta) F(u) + theta F(v))")
def step(case: Case) -> Held | Missing:
    if not (isinstance(case.update, Cell | UNet) and case.update.steady):
        return Held("tau is finite")
    return Missing(
        "tau = oo asks for the steady state, which does not depend on the input", Status.NOT_APPLICABLE
    )


@hypothesis("exact solves", "linear systems are solved exactly")
def exact(case: Case) -> Held | Missing:
    it = iteration_of(case)
    if it.kind == "Picard":
        return Missing("Picard iterates solve no linear system", violated=True)
    if it.systems.method == "direct":
        return Held("they are tridiagonal and solved by elimination")
    return Missing(f"linear systems are not solved exactly: {KRYLOV[it.systems.method]}", violated=True)


GALERKIN = (
    "a truncated solve ends with the combination x of its result and its start that is nearest to the "
    "solution in the norm of the system"
)


@hypothesis("bounded solves", "<rhs - (I + theta tau B) x, x> = 0 or better")
def bounded_solves(case: Case) -> Held | Missing:
    solved = exact.check(case)
    if isinstance(solved, Held) or iteration_of(case).systems.method != "cg":
        return solved
    return Held(f"{GALERKIN}: <rhs - (I + theta tau B) x, x> = 0")


@hypothesis("solves from u", "<rhs - (I + theta tau B) x, w> = 0 for w = x and w = u, or better")
def solves_from_u(case: Case) -> Held | Missing:
    """The start of the solve is u itself, which makes the change x - u one of the combinations."""
    bounded = bounded_solves.check(case)
    it = iteration_of(case)
    if isinstance(bounded, Missing) or it.systems.method == "direct" or it.systems.once:
        return bounded
    return Missing("later solves start from an iterate, not from u, and are not exact", violated=True)


@hypothesis("bounded solves", bounded_solves.statement)
def frozen_solves(case: Case) -> Held | Missing:
    """Weakens the claim to linearised where the exact solution has it but a truncated one may not."""
    it = iteration_of(case)
    if it.kind == "Newton" and not it.linear:
        return Missing("in Newton's systems Phi' takes the place of g", weakens=True)
    bounded = bounded_solves.check(case) if it.theta == 1 else solves_from_u.check(case)
    if isinstance(bounded, Held) and (it.systems.method == "direct" or not case.facts.source):
        return bounded
    reason = KRYLOV[it.systems.method]
    return Missing(f"linear systems are not solved exactly: {reason}", weakens=True)


@hypothesis("solves with a mean", "1^T x = 1^T rhs for every linear system")
def regular(case: Case) -> Held | Missing:
    """1^T J = 1^T, and J is regular; Newton's matrix contains Phi', which may be negative."""
    it, curvature = iteration_of(case), case.facts.curvature
    forward = hyp.nonnegative_diffusivity.check(case)
    if isinstance(forward, Missing) and it.kind != "Picard":
        return Missing(f"linear systems may be singular: {forward.reason}", violated=True)
    if it.systems.method == "cg" and it.systems.means:
        return Held("truncated solves get the mean of their right-hand side")
    solved = exact.check(case)
    if isinstance(solved, Missing) or it.kind != "Newton" or it.linear:
        return solved
    if curvature is None or curvature.lower != 0:
        return Missing("Newton's systems may be singular: Phi' is not known to be nonnegative")
    return solved


@hypothesis("implicit reaction", "r = s - b u with 0 <= b, and b and s are free of u")
def implicit(case: Case) -> Held | Missing:
    form, rate = case.semi.form, case.facts.rate
    if form.reaction == 0:
        return Held("r = 0")
    found = affine(form.reaction, form.state)
    if found is None:
        return Missing(
            f"the reaction term {form.reaction} is taken at the previous iterate, since it is not linear in u"
        )
    if rate is None or not rate.nonnegative:
        return Missing(
            f"the reaction term {form.reaction} is taken at the previous iterate, since it may let the "
            "solution grow"
        )
    return Held(f"b = {sp.simplify(-found[1])}")


@hypothesis("nonincreasing reaction", "r' <= 0 is bounded")
def decreasing(case: Case) -> Held | Missing:
    rate = case.facts.rate
    if rate is not None and not rate.nonnegative:
        return Missing(f"the reaction term {case.semi.form.reaction} may let differences grow by design")
    return hyp.lipschitz_reaction.check(case)


linear = hyp.linear_equation("the equation is not linear, and nothing is derived for its iterates")


@hypothesis("fixed number of iterations", "the number of iterations is the same for all inputs")
def fixed(case: Case) -> Held | Missing:
    it = iteration_of(case)
    if it.count is not None:
        return Held("their number is fixed")
    return Missing(
        "the number of iterations depends on the input, and the output jumps where it changes: "
        "give iterations, not tol"
    )


@hypothesis("no acceleration", "v+ = rhs + theta tau F(v)")
def plain(case: Case) -> Held | Missing:
    if not iteration_of(case).accelerated:
        return Held("every iterate is computed from the one before")
    return Missing("Anderson acceleration mixes iterates with weights that depend on them", violated=True)


@hypothesis("implicit scheme", "theta = 1")
def backward(case: Case) -> Held | Missing:
    if iteration_of(case).theta == 1:
        return Held("theta = 1")
    return Missing("nothing is derived for theta below one and a nonlinear equation", violated=True)


@hypothesis("concave penaliser", "g' <= 0")
def concave(case: Case) -> Held | Missing:
    """Psi is concave: g, of every part of the flux, does not increase."""
    varying = [(g, w) for g, w in diffusivities(case.semi.form, case.facts) if SQUARED in g.free_symbols]
    for g, weight in varying:
        found = None if jumps(g) else stated(case, elasticity(g)) or stated(case, slope(g))
        if found is None or not found.upper.is_nonpositive:
            return Missing(
                f"the diffusivity {g} is not known to be nonincreasing in the slope", violated=True
            )
        if not weight.is_nonnegative:
            return Missing(f"the sign of the factor {weight} of the diffusivity is not known")
    return Held("the range of 2 s g'/g, or of g', for each part of the flux" if varying else "g is constant")


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
        found = None if jumps(g) else stated(case, elasticity(g))
        if found is None or not (found.lower.is_finite and found.upper.is_finite and weight.is_nonnegative):
            return None
        largest = sp.Max(largest, -found.lower, found.upper)
    return largest


@hypothesis("elasticity", "|Phi' - G| <= sigma G")
def elastic(case: Case) -> Held | Missing:
    sigma = largest_elasticity(case)
    if sigma is None:
        return Missing("the relative change of the diffusivity with the slope is not known to be bounded")
    return Held("the range of each diffusivity", (("sigma", sigma),))

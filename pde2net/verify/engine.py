"""From operators and a scheme to a certificate."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import DeclarationError, StabilityError
from pde2net.graph.build import residual_stack
from pde2net.graph.network import Graph
from pde2net.language.declaration import Declaration
from pde2net.language.schemes import Explicit
from pde2net.scheme.explicit import TAU
from pde2net.verify.case import Case
from pde2net.verify.certificate import Certificate, Claim, Status
from pde2net.verify.explicit import claims
from pde2net.verify.facts import Facts, gather
from pde2net.verify.refute.candidates import amplitudes
from pde2net.verify.refute.witness import Search
from pde2net.verify.theorem import prove
from pde2net.verify.theorems.explicit_l2 import EXPLICIT_L2
from pde2net.verify.theorems.frozen_spectrum import frozen_stability


def certify(semi: Semidiscrete, scheme: Explicit, graph: Graph, facts: Facts) -> Certificate:
    """The certificate of `graph`, the network of `scheme` for `semi`. No torch is imported."""
    tau = graph_tau(graph)
    search = None
    valued = tau.subs(semi.form.problem.parameters)
    if not valued.free_symbols:
        squares = (*facts.amplitudes, *facts.expanding_at)
        search = Search(semi, residual_stack(semi, tau, 1), graph, tau, amplitudes(semi, squares))
    case = Case(semi, facts, tau, search)
    declaration = Declaration(semi.form.problem, scheme, semi.grid)
    return Certificate(_subject(semi, scheme, tau), tau, claims(case), declaration, facts.answers)


def graph_tau(graph: Graph) -> sp.Expr:
    tau: sp.Expr = graph.graph["values"][TAU]
    return tau


def largest_step(semi: Semidiscrete, facts: Facts) -> sp.Expr:
    """The largest tau for which l2 stability (or, with a source term, frozen stability) is proved.

    Raises StabilityError if nothing is proved for any tau.
    """
    case = Case(semi, facts, sp.Symbol("tau", positive=True), None)
    reasons = []
    for claim in (prove(EXPLICIT_L2, case), frozen_stability(case)):
        if claim.status in (Status.PROVED_IF, Status.LINEARISED) and claim.limit is not None:
            return claim.limit
        if claim.limit == sp.oo and claim.status == Status.PROVED:
            raise DeclarationError("tau = None needs a limit, but every tau is stable; give a number.")
        reasons.append(f"{claim.name}: {claim.reason}")
        if claim.status not in (Status.NOT_APPLICABLE, Status.PROVED_IF):
            break
    raise StabilityError(
        "tau = None asks for the largest proved step, but none is proved. " + " ".join(reasons)
    )


def instability(certificate: Certificate) -> Claim | None:
    """The claim that makes the network refused: l2 or frozen stability refuted."""
    for name in ("l2_stability", "frozen_stability"):
        claim = certificate.claims[name]
        if claim.status == Status.REFUTED:
            return claim
    return None


def _subject(semi: Semidiscrete, scheme: Explicit, tau: sp.Expr) -> dict[str, str]:
    form, grid, problem = semi.form, semi.grid, semi.form.problem
    boundary = {a.name: kind for a, kind in problem.boundary.items()}
    kinds = sorted(set(boundary.values()))
    spacing = dict(zip((a.name for a in form.space), semi.spacing, strict=True))
    same = len(set(spacing.values())) == 1
    return {
        "equation": str(form),
        "boundary": kinds[0]
        if len(kinds) == 1
        else ", ".join(f"{a}: {kind}" for a, kind in boundary.items()),
        "parameters": ", ".join(f"{s} = {v}" for s, v in problem.parameters.items()),
        "scheme": f"explicit, tau = {tau}, {scheme.steps} step{'s' if scheme.steps > 1 else ''}: "
        "u <- u - tau K^T Phi(K u)" + (" + tau r(u)" if form.reaction != 0 else ""),
        "grid": (f"h = {semi.spacing[0]}" if same else ", ".join(f"h_{a} = {h}" for a, h in spacing.items()))
        + f", {grid.gradient} differences of order {grid.order}",
    }


__all__ = ["certify", "gather", "instability", "largest_step"]

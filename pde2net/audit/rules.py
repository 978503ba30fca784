"""What the numbers say about each claim, for each kind of scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from pde2net.audit import cells, data, descent, stacks, steady
from pde2net.audit.claims import Rule
from pde2net.audit.exactly import number
from pde2net.audit.iterations import joint, linear_step, solves_of
from pde2net.audit.linear import linear as is_linear
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.schemes import CELLS, DuFortFrankel, Explicit, Implicit, Multigrid
from pde2net.language.solvers import Descent
from pde2net.network import Network
from pde2net.scheme.stack import ALPHA, Stack
from pde2net.verify.kept import BOUND

# What the combination that ends cycles of a linear step has, as conjugate gradients end with it.
COMBINED = ("l2_stability", "energy_decay", "mean_preservation", "frozen_stability", data.BOUNDED)


def rules(network: Network, semi: Semidiscrete, together: Sequence[Semidiscrete] = ()) -> Mapping[str, Rule]:
    """The rule of each claim that is known here; linear systems of the equations `together` are one.

    Of claims that rest on bounds to which filters are scaled, nothing is said for filters of any norm.
    """
    claims = network.certificate.claims
    scaled = {name for name, claim in claims.items() if any(h.name == BOUND for h in claim.hypotheses)}
    found = _rules(network, semi, together)
    if getattr(network.scheme, "tau", None) == sp.oo:
        found = {**found, **steady.RULES}
    return {name: rule for name, rule in found.items() if name not in scaled}


def _rules(network: Network, semi: Semidiscrete, together: Sequence[Semidiscrete]) -> Mapping[str, Rule]:
    scheme, certificate, count = network.scheme, network.certificate, network.scheme.repeats
    claims, size = certificate.claims, stacks.size_of(scheme)
    if size is not None:
        proximal = isinstance(scheme, Explicit) and scheme.fidelity == "implicit"
        of_steps = stacks.of_proximal_steps() if proximal else stacks.of_steps(size)
        return {**of_steps, **data.Steps(number(size), count, proximal, claims).rules()}
    if isinstance(scheme, DuFortFrankel):
        table = stacks.of_du_fort_frankel(scheme, network.update.values[ALPHA], certificate.tau)
        return {**table, **data.following(table, 1, claims)}
    if isinstance(network.update, Stack):
        table = stacks.of_cycles(scheme, claims)
        return {**table, **data.following(table, count, claims)}
    if isinstance(scheme, Implicit) and isinstance(scheme.solver, Descent):
        return descent.rules(scheme)
    if isinstance(scheme, Multigrid) and is_linear(semi.form):
        table = cells.rules(linear_step(), len(semi.spacing))
        table = {**table, **data.following(table, count, claims, solved=True)}
        return {name: rule for name, rule in table.items() if name in COMBINED}
    if isinstance(scheme, CELLS):
        solves = joint(together, solves_of(scheme, semi)) if together else solves_of(scheme, semi)
        table = cells.rules(solves, len(semi.spacing))
        if solves.single:
            return {**table, **data.Steps(number(sp.S.One), count, False, claims).rules()}
        solved = solves.theta == 1 and (solves.kind in ("Kacanov", "AOS") or solves.linear)
        return {**table, **data.following(table, count, claims, solved and solves.kind != "Picard")}
    return {}

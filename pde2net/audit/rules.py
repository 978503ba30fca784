"""What the numbers say about each claim, for each kind of scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pde2net.audit import cells, descent, stacks
from pde2net.audit.claims import Rule
from pde2net.audit.iterations import joint, solves_of
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.schemes import CELLS, DuFortFrankel, Explicit, Implicit
from pde2net.language.solvers import Descent
from pde2net.network import Network
from pde2net.scheme.stack import ALPHA, Stack
from pde2net.verify.kept import BOUND


def rules(network: Network, semi: Semidiscrete, together: Sequence[Semidiscrete] = ()) -> Mapping[str, Rule]:
    """The rule of each claim that is known here; linear systems of the equations `together` are one.

    Of claims that rest on bounds to which filters are scaled, nothing is said for filters of any norm.
    """
    claims = network.certificate.claims
    scaled = {name for name, claim in claims.items() if any(h.name == BOUND for h in claim.hypotheses)}
    found = _rules(network, semi, together)
    return {name: rule for name, rule in found.items() if name not in scaled}


def _rules(network: Network, semi: Semidiscrete, together: Sequence[Semidiscrete]) -> Mapping[str, Rule]:
    scheme, certificate = network.scheme, network.certificate
    if isinstance(scheme, Explicit) and scheme.fidelity == "implicit":
        return stacks.of_proximal_steps()
    size = stacks.size_of(scheme)
    if size is not None:
        return stacks.of_steps(size)
    if isinstance(scheme, DuFortFrankel):
        return stacks.of_du_fort_frankel(scheme, network.update.values[ALPHA], certificate.tau)
    if isinstance(network.update, Stack):
        return stacks.of_cycles(scheme, certificate.claims)
    if isinstance(scheme, Implicit) and isinstance(scheme.solver, Descent):
        return descent.rules(scheme)
    if isinstance(scheme, CELLS):
        solves = solves_of(scheme, semi)
        return cells.rules(joint(together, solves) if together else solves, len(semi.spacing))
    return {}

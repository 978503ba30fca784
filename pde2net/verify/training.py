"""What becomes of a certificate in training: claims that are kept, and claims that own weights end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pde2net.language.linear_operator import operators_of
from pde2net.scheme.registry import owner_of
from pde2net.scheme.stack import Stack
from pde2net.verify.certificate import Certificate, Claim, Discharged, Status, Training, because
from pde2net.verify.constants import Constants
from pde2net.verify.kept import Kept
from pde2net.verify.plan import Plan, SystemPlan
from pde2net.verify.theorems.invariance import assumes_range

KEPT = "kept step"
STATEMENT = "tau <= limit for all weights of learned operators"
HOW = "the network scales its filters down, by a bound of their norms that it computes"
DATA = ("bounded_by_data", "lipschitz_in_data", "averaged")
POLYNOMIALS = ("l2_stability", "nonexpansive", "energy_decay", "frozen_stability", *DATA)


def trained(
    certificate: Certificate,
    plan: Plan | SystemPlan,
    trainable: Sequence[str],
    shared: bool,
    kept: Kept | None,
    constants: Constants | None = None,
) -> Certificate:
    """The certificate of the network whose parameters `trainable` are trained, `kept` being what it keeps.

    The subject speaks of training where claims depend on it.
    """
    owner = owner_of(plan.update, trainable, shared, kept is not None)
    own = owner != "network" and len(blocks_of(plan)) > 1
    learned = bool(operators_of(plan.semi.form.problem.rhs))
    if shared and kept is None and not trainable:
        return certificate
    claims = dict(certificate.claims)
    if own and learned:
        claims = {name: _of_own_weights(claim, plan, kept) for name, claim in claims.items()}
    names: tuple[str, ...] = ()
    if kept is not None:
        claims |= kept.own
        holds = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
        # Those that rest on a range which a step may leave have a condition of their own.
        possible = [n for n in kept.claims if claims[n].status in holds and not assumes_range(claims[n])]
        names = tuple(n for n in possible if not (own and n == "energy_decay"))
        claims = {n: _kept(c, kept) if n in names else c for n, c in claims.items()}
    asked = constants or Constants()
    options = tuple(trainable), shared, kept is not None, owner, names
    training = Training(*options, asked.lipschitz, asked.averaged)
    subject = dict(certificate.subject)
    if kept is not None or (own and learned):
        subject["training"] = str(training)
    return replace(certificate, claims=claims, training=training, subject=subject)


def blocks_of(plan: Plan | SystemPlan) -> range:
    """The blocks of a stack, the steps of a cell or a U-net."""
    update = plan.update
    return range(len(update.stages) * update.cycles if isinstance(update, Stack) else update.steps)


def _of_own_weights(claim: Claim, plan: Plan | SystemPlan, kept: Kept | None) -> Claim:
    update = plan.update  # the blocks of a cycle may be the stages of one polynomial
    several = isinstance(update, Stack) and len(update.stages) > 1 and not update.repeated
    if several and kept is None and claim.name in POLYNOMIALS:
        return _unknown(claim, "own operators")
    if claim.name == "energy_decay" and claim.status in (Status.PROVED, Status.PROVED_IF, Status.LINEARISED):
        return _unknown(claim, "own energy")
    return claim


def _unknown(claim: Claim, rule: str) -> Claim:
    if claim.status == Status.NOT_APPLICABLE:
        return claim
    return Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=because(rule))


def _kept(claim: Claim, kept: Kept) -> Claim:
    """A claim whose condition the network keeps is proved."""
    claim = replace(claim, factor=kept.factors.get(claim.name, claim.factor))
    if claim.status != Status.PROVED_IF:
        return claim
    held = Discharged(KEPT, STATEMENT, HOW, {"limit": kept.limit})
    return replace(claim, status=Status.PROVED, hypotheses=(*claim.hypotheses, held))

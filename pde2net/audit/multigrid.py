"""The claims about U-nets, a second time: what may be said of truncated cycles, and their factor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pde2net.audit import two_grid, wording
from pde2net.audit.claims import closed, damped, forward, out_of_time
from pde2net.audit.exactly import require_plain
from pde2net.audit.numbers import Numbers
from pde2net.graph.unet import grids
from pde2net.language.schemes import Multigrid
from pde2net.scheme.registry import update_of
from pde2net.scheme.unet import UNet
from pde2net.verify.certificate import Certificate, Claim, Discharged, Status

if TYPE_CHECKING:
    from pde2net.audit.conclusions import Conclusions

CYCLES = "Full approximation cycles (Brandt 1977)"
FOURIER = "Two-grid local Fourier analysis (Trottenberg, Oosterlee, Schüller 2001, chapter 4)"
SAID = {
    "l2_stability": "Cycles are truncated; the solution that they approach has at most the norm of the input "
    "for every tau, and where the flux is monotone the output differs from it by at most the norm of the "
    "residual.",
    "nonexpansive": "Cycles are truncated; only the solution that they approach is nonexpansive, where the "
    "flux is monotone.",
    "maximum_principle": "Corrections from coarse grids are no weighted means.",
    "energy_decay": "Nothing is derived for the energy along truncated cycles.",
    "mean_preservation": "Smoothing changes the mean, and truncated cycles leave a part of the change.",
    "well_posed": "Nothing is derived for the Lipschitz constant of a cycle.",
}
LINEARISED = {
    "solver_convergence": "With frozen coefficients and away from the border, each cycle reduces the error "
    "by the factor.",
    "frozen_stability": "With frozen coefficients cycles approach a step that amplifies no mode, by the "
    "factor per cycle.",
}
SWEEP = (
    r"Two-grid factors are computed from numbers: give values to tau, spacing and parameters; the smoothing "
    r"factor of one sweep, coefficients at their upper bounds, is (.*)\."
)
LARGE = "The largest factor over frequencies is not below one"
CLOSE = 0.02  # a small grid does not have the worst frequency
ABOVE = 2e-3  # the stated factor is rounded up


def disagreements(c: Conclusions) -> Iterator[str]:
    for claim in c.certificate.claims.values():
        name = claim.name.replace("_", " ")
        for figure in c.figures(claim):
            if claim.name != "consistency":
                require_plain(figure)
        if out_of_time(claim):
            continue
        if claim.name in SAID:
            yield from _truncated(c, claim, name)
        elif claim.name in LINEARISED:
            yield from _analysed(c, claim, name)


def _truncated(c: Conclusions, claim: Claim, name: str) -> Iterator[str]:
    """Never proved."""
    known = claim.limit, claim.condition, claim.factor, claim.hypotheses
    if claim.status not in (Status.REFUTED, Status.UNKNOWN, Status.NOT_APPLICABLE) or any(known):
        yield f"Of truncated cycles nothing is proved, as {name} says."
        return
    yield from _stated(c, claim, name, CYCLES)
    holds = (
        damped if claim.name == "l2_stability" else closed if claim.name == "mean_preservation" else forward
    )
    if claim.reason == SAID[claim.name]:
        failing = holds(c.numbers)
        if failing:
            yield f"The reason given for {name} needs what fails: {failing}."
    elif c.declared and not wording.explains(claim.reason, c.numbers, c.certificate):
        yield f"The reason given for {name} has figures that are not those of the problem."


def _stated(c: Conclusions, claim: Claim, name: str, title: str) -> Iterator[str]:
    if claim.theorem != ("" if claim.status == Status.NOT_APPLICABLE else title):
        yield f"The theorem of {name} is {title}."
    if (claim.witness is not None) != (claim.status == Status.REFUTED):
        yield f"{name} has a counterexample if it is refuted, and only then."
    if claim.status == Status.REFUTED and claim.name == "well_posed":
        yield f"{name} cannot be refuted by an input."


def _analysed(c: Conclusions, claim: Claim, name: str) -> Iterator[str]:
    yield from _stated(c, claim, name, FOURIER)
    if claim.limit is not None or claim.condition is not None:
        yield f"{name} has no limit."
    if claim.status == Status.LINEARISED:
        expected = (
            Discharged("frozen coefficients", "g and r' are constants", "assumed", {"factor": claim.factor}),
            Discharged("grids", "the next grid is solved exactly", "assumed"),
            *wording.assumed(c.numbers.semi, c.numbers.given),
        )
        if claim.hypotheses != expected or claim.reason != LINEARISED[claim.name]:
            yield f"{name} is stated otherwise than it follows."
        failing = forward(c.numbers) or ("" if c.numbers.rate[0] >= 0 else "the reaction may grow")
        if failing:
            yield f"A hypothesis of {name} fails: {failing}."
        return
    if claim.hypotheses or claim.factor is not None:
        yield f"{name} is {claim.status}, but lists hypotheses."
    if claim.status not in (Status.REFUTED, Status.UNKNOWN, Status.NOT_APPLICABLE):
        yield f"{name} cannot be {claim.status}."
    if claim.status == Status.REFUTED and claim.reason != LARGE + ".":
        yield f"The reason given for {name} should be: {LARGE}."
    elif c.declared and not _explained(c, claim):
        yield f"The reason given for {name} has figures that are not those of the problem."


def _explained(c: Conclusions, claim: Claim) -> bool:
    """Whether the figures of a reason follow: the smoothing factor is derived again."""
    scheme = c.certificate.declaration.scheme
    match = re.fullmatch(SWEEP, claim.reason)
    if match and isinstance(scheme, Multigrid):
        stated = wording.value_of(match.group(1), c.numbers)
        found = two_grid.sweep(scheme, c.certificate.tau, c.numbers)
        return stated is not None and abs(float(stated) - found) <= 1e-9 * max(1, found)
    return wording.explains(claim.reason, c.numbers, c.certificate)


def factors(certificate: Certificate, numbers: Numbers) -> Iterator[str]:
    """The stated factors against those of dense cycles, at the numbers of the declaration."""
    scheme = certificate.declaration.scheme
    claims = [certificate.claims[name] for name in LINEARISED]
    stated = [claim for claim in claims if claim.factor is not None]
    if not isinstance(scheme, Multigrid) or not stated:
        return
    update = update_of(scheme)
    if not numbers.exact or not isinstance(update, UNet) or grids(numbers.semi, update) < 2:
        yield "There is no factor of these cycles."
        return
    here = two_grid.factor(scheme, certificate.tau, numbers)
    for claim in stated:
        factor = float(numbers.number(claim.factor))
        if not (here - ABOVE <= factor <= here + CLOSE) or factor >= 1:
            yield f"The factor {claim.factor} of {claim.name} should be about {here:.4f}."

"""What is said of a network whose stability is refuted: the limit, and remedies as its author writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pde2net.errors import StabilityError, StabilityWarning
from pde2net.verify.certificate import Certificate, Claim

Said = TypeVar("Said", StabilityError, StabilityWarning)


@dataclass(frozen=True)
class Spelling:
    """How remedies are written where a declaration is."""

    largest: str
    advise: Callable[[str], str]
    ignore: str


PYTHON = Spelling(
    "tau=None",
    lambda time: f"p2n.advise(problem, time={time or '...'}), or pde2net advise FILE,",
    'on_unstable="warn" or "ignore"',
)
TEXT = Spelling(
    "tau = largest",
    lambda time: f"pde2net advise FILE{'' if time else ' --time T'}",
    "--on-unstable warn or ignore",
)


def told(kind: type[Said], claim: Claim, certificate: Certificate) -> Said:
    """The error or the warning about the refuted claim."""
    return kind(_message(claim, certificate, PYTHON)).spelt(_message(claim, certificate, TEXT))


def _message(claim: Claim, certificate: Certificate, spelling: Spelling) -> str:
    tau, scheme = certificate.tau, certificate.declaration.scheme
    if claim.limit is None:
        remedy = "No step of this scheme is known to be stable; change the scheme or the equation"
    else:
        number = "" if claim.limit.free_symbols else f" = {float(claim.limit):.6g}"
        remedy = (
            f"The largest stable step is tau = {claim.limit}{number}; use it ({spelling.largest} does) "
            "with more steps, or a coarser grid"
        )
    time = scheme.duration(tau)
    until = "" if time.free_symbols or not time.is_finite else str(time)
    found = "" if claim.witness is None else f" Counterexample: {claim.witness['description']}."
    return (
        f"The network is unstable for tau = {tau}: {claim.name} is refuted. {claim.reason}{found} "
        f"{remedy}; {spelling.advise(until)} lists schemes that reach the same time stably; "
        f"{spelling.ignore} builds it all the same."
    )

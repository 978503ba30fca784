"""A certificate derived again from its declaration, its options and its counterexamples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pde2net import deadline
from pde2net.compiler import network
from pde2net.network import Network
from pde2net.verify.bounds import exact_search
from pde2net.verify.certificate import Certificate, Claim, Status, Training
from pde2net.verify.consistency import expansion
from pde2net.verify.ranges import Method
from pde2net.verify.ranges.half_line import EXACT_SEARCH

DEFAULT = Training((), True, False, "network", ())
PATIENCE = 5.0  # times the limits of the first derivation, which may have run on a faster machine
SEARCHES = (
    "the search for",
    "the expansion of the step",
    "the range of",
    f"{EXACT_SEARCH} for",
    "the proof by z3 for",
    "ball arithmetic for",
)
_OUT_OF_TIME = re.compile(r"The derivation took longer than [0-9.e+-]+ s\.")


def derivations(stated: Certificate) -> Iterator[Network]:
    """The network that `stated` is about, with what is derived about it: at once, then with more time.

    Counterexamples are those that are stated: nothing is searched for. Claims that are stated to be unknown
    since time ran out are left so, and what time ran out for, as the certificate shows, is not tried.
    """
    yield derived(stated, 1.0, ())
    gone = tuple(_gone(stated))
    yield derived(stated, PATIENCE, gone)
    for order in _unexpanded(stated):
        yield derived(stated, PATIENCE, (*gone, expansion(order)))


def derived(stated: Certificate, patience: float, gone: tuple[str, ...]) -> Network:
    declared, training = stated.declaration, stated.training or DEFAULT
    with deadline.paced(patience, gone):
        found = network(
            declared.problem,
            declared.scheme,
            declared.grid,
            training.trainable,
            training.shared,
            training.keep_stable,
            {name: c.witness for name, c in stated.claims.items() if c.witness is not None},
        )
    open_ = {name: claim for name, claim in stated.claims.items() if out_of_time(claim)}
    certificate = found.certificate
    return replace(found, certificate=replace(certificate, claims={**certificate.claims, **open_}))


def out_of_time(claim: Claim) -> bool:
    """Whether nothing is claimed, since the derivation ended before there was anything to say."""
    given_up = _OUT_OF_TIME.fullmatch(claim.reason) is not None
    return given_up and claim == Claim(claim.name, Status.UNKNOWN, reason=claim.reason)


def _gone(stated: Certificate) -> Iterator[str]:
    """What time ran out for: as reasons say, and exact searches for ranges that another engine has found."""
    for claim in stated.claims.values():
        for kind in SEARCHES:
            what = rf"[{kind[0].upper()}{kind[0]}]({kind[1:]}[^;]*?)"
            for pattern in (rf"{what} took longer than", rf"[Nn]o time was left for {what}(?=\.?$|; )"):
                yield from (kind[0] + match[1] for match in re.finditer(pattern, claim.reason))
    for answer in stated.ranges:
        if answer.found.method != Method.EXACT:
            yield exact_search(answer.quantity, answer.function)


def _unexpanded(stated: Certificate) -> Iterator[int]:
    """The order in h of which the certificate knows no more than that it is one."""
    claim = stated.claims["consistency"]
    figures = {k: v for h in claim.hypotheses for k, v in h.figures.items()}
    if claim.status == Status.PROVED and "leading error in h" not in figures:
        yield from (int(v) for k, v in figures.items() if k == "order in h" and v.is_Integer)

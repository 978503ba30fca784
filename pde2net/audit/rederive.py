"""A certificate derived again from its declaration, its options and its counterexamples."""

from __future__ import annotations

import re
from dataclasses import replace

from pde2net.compiler import network
from pde2net.network import Network
from pde2net.verify.certificate import Certificate, Claim, Status, Training

DEFAULT = Training((), True, False, "network", ())
_OUT_OF_TIME = re.compile(r"The derivation took longer than [0-9.e+-]+ s\.")


def derived(stated: Certificate) -> Network:
    """The network that `stated` is about, with what is derived about it.

    Counterexamples are those that are stated: nothing is searched for. Claims that are stated to be unknown
    since time ran out are left so.
    """
    declared, training = stated.declaration, stated.training or DEFAULT
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

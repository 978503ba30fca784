"""A certificate derived again from its declaration, its options and its counterexamples."""

from __future__ import annotations

from collections.abc import Iterator

from pde2net import deadline
from pde2net.compiler import network
from pde2net.language.declaration import Declaration
from pde2net.network import Network
from pde2net.verify.certificate import Certificate, Training
from pde2net.verify.constants import Constants
from pde2net.verify.engine import Witnesses

DEFAULT = Training((), True, False, "network", ())
PATIENCE = 5.0  # times the limits of the first derivation, which may have run on a faster machine


def derivations(stated: Certificate) -> Iterator[Network]:
    """The network that `stated` is about, with what is derived about it.

    Counterexamples are those that are stated: nothing is searched for. What time ran out for is not tried;
    if it runs out here for more, there is a second derivation, with more of it.
    """
    if not stated.ran_out:
        found = derived(stated, 1.0)
        yield found
        if not found.certificate.ran_out:
            return
    yield derived(stated, PATIENCE)


def derived(stated: Certificate, patience: float) -> Network:
    witnesses = {name: c.witness for name, c in stated.claims.items() if c.witness is not None}
    with deadline.paced(patience, stated.ran_out):
        return network_of(stated.declaration, stated.training, witnesses)


def network_of(declared: Declaration, training: Training | None, stated: Witnesses | None = None) -> Network:
    """The network of a declaration and the options of its training; `stated` as in `compiler.network`."""
    asked = training or DEFAULT
    return network(
        declared.problem,
        declared.scheme,
        declared.grid,
        asked.trainable,
        asked.shared,
        asked.keep_stable,
        stated,
        Constants(asked.lipschitz, asked.averaged),
    )

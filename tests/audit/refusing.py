"""Forged certificates are refused: with derivations that are made once for all forgeries of a certificate."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from attack.forge import is_genuine

import pde2net as p2n
from pde2net.audit import rederive


class Once:
    """`derivations` with a memory: what a derivation depends on, by its text."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[list[Any], Iterator[Any]]] = {}

    def __call__(self, stated: p2n.Certificate) -> Iterator[Any]:
        claims = stated.claims.items()
        key = json.dumps(
            [
                stated.declaration.to_data(),
                str(stated.training and vars(stated.training)),
                {name: claim.witness for name, claim in claims},
                stated.ran_out,
            ]
        )
        if key not in self.found:
            self.found[key] = [], rederive.derivations(stated)
        known, more = self.found[key]
        for number in range(1_000):
            if number == len(known):
                following = next(more, None)
                if following is None:
                    return
                known.append(following)
            yield known[number]


def refused(monkeypatch: pytest.MonkeyPatch, forged: list[tuple[str, str]]) -> None:
    """None of the texts is accepted, but for genuine ones of other declarations."""
    monkeypatch.setattr(sys.modules["pde2net.audit.recheck"], "derivations", Once())
    accepted = []
    for what, text in forged:
        try:
            p2n.recheck(text)
        except p2n.Pde2NetError:
            continue
        if not is_genuine(text):
            accepted.append(what)
    assert not accepted, accepted

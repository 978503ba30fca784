"""What notebooks show of each object: short in text, rich in HTML and pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

import pde2net as p2n
from pde2net.learn.history import History

MODELS = ("perona_malik", "inpainting", "gray_scott", "lysaker", "coherence_enhancing", "tv_flow")


def compiled(name: str) -> p2n.Network:
    declared = p2n.gallery.load(name)
    return p2n.compile(declared.problem, declared.scheme, declared.grid, on_unstable="ignore")


def objects(network: p2n.Network) -> list[Any]:
    claims = list(network.certificate.claims.values())
    return [network, network.certificate, network.certificate.declaration, *claims]


@pytest.mark.parametrize("name", MODELS)
def test_texts_are_short_and_html_is_whole(name: str) -> None:
    network = compiled(name)
    for thing in [*objects(network), network.semidiscrete.form.problem]:
        assert len(repr(thing)) < 700, repr(thing)
        assert repr(thing).startswith(type(thing).__name__)
    for thing in objects(network):
        ET.fromstring(thing._repr_html_())  # tags are closed and text is escaped
    assert network._repr_svg_() in network._repr_html_()


def test_every_claim_opens_to_its_proof() -> None:
    certificate = compiled("perona_malik").certificate
    page = ET.fromstring(certificate._repr_html_())
    proofs = ["".join(part.itertext()) for part in page.iter("pre")]
    assert proofs == [str(claim) for claim in certificate.claims.values()]
    badges = [part.text for part in page.iter("span")]
    assert badges == [str(claim.status) for claim in certificate.claims.values()]


def test_histories_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    history = History([1.0, 0.5], [1.0, 0.6], [0.1, 0.1], [1.0, 2.0], ["all", "all"], 2)
    assert repr(history) == "History(2 epochs, loss 1 -> 0.5, validation 1 -> 0.6, best: epoch 2)"
    png = history._repr_png_()
    assert png is not None and png.startswith(b"\x89PNG")
    assert History()._repr_png_() is None and repr(History()) == "History(0 epochs)"


def test_advice_is_short() -> None:
    assert repr(p2n.advise(compiled("heat").semidiscrete.form.problem, time=5)).startswith("Advice(u_t = ")

"""The network as a tree of text."""

from __future__ import annotations

import re

import pytest
from drawn_graphs import GRAPHS, NESTED, graph_of

from pde2net.graph.draw import to_text
from pde2net.graph.network import block

every = pytest.mark.parametrize("name", [*GRAPHS, *NESTED])
plain = pytest.mark.parametrize("name", GRAPHS)


@every
def test_the_tree_is_narrow_and_well_formed(name: str) -> None:
    rows = to_text(graph_of(name)).splitlines()
    assert all(len(row) <= 90 for row in rows)
    branches = [row for row in rows[1:] if row[0] in "├└"]
    assert branches[0].startswith("├─ input")
    assert branches[-1].startswith("└─ output")
    assert all(row[0] == "├" for row in branches[:-1])


@plain
def test_the_tree_names_every_layer_of_the_block(name: str) -> None:
    graph, tree = graph_of(name), to_text(graph_of(name))
    roles = [graph.nodes[n]["node"].role for n in block(graph)]
    for role, heading in (("activation", "activation"), ("skip", "skip connection"), ("crop", "crop")):
        assert len(re.findall(rf"[├└]─ {heading}", tree)) == roles.count(role)
    assert len(re.findall("─ transposed convolution \u2212K", tree)) == roles.count("transposed convolution")


def test_the_tree_of_perona_malik() -> None:
    expected = (
        "residual stack, 2D, λ = 1/10, τ = 1/99\n"
        "├─ input u\n"
        "├─ x 20, shared weights\n"
        "│  ├─ convolution K\n"
        "│  │     u_x = (-1, 1) along x\n"
        "│  │     u_y = (-1, 1) along y\n"
        "│  │     reflecting border\n"
        "│  ├─ activation Φ\n"
        "│  │     Φ = g·(u_x, u_y)\n"
        "│  │     g = 1/(1 + |∇u|²/λ²)\n"
        "│  ├─ transposed convolution -Kᵀ: d = -Kᵀ Φ\n"
        "│  └─ skip connection: u + τ·d\n"
        "└─ output u\n"
    )
    tree = to_text(graph_of("perona_malik"))
    assert tree.replace("\u2212", "-").replace("\u00d7", "x") == expected

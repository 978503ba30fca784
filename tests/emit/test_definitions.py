"""What the emitted module and the interpreter cannot mean is refused, not passed over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from support import equation, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.emit.operators import Along
from pde2net.errors import EmissionError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import add
from pde2net.graph.nodes import Node

U = unknown(1)
PROBLEM = p2n.Problem(equation(laplacian(U) - U.diff(*U.args[:1] * 4), 1))


@dataclass(frozen=True)
class Flip(Node):
    takes = ("u",)
    role: str = "flip"


def test_two_functions_of_one_name_are_refused(monkeypatch):
    network, same = (uncertified(PROBLEM, p2n.Explicit(sp.Rational(1, 100), 1)) for _ in range(2))
    network.source()
    monkeypatch.setattr(Along, "name", property(lambda self: "difference"))
    with pytest.raises(EmissionError, match="definitions of the source are called difference"):
        same.source()


def test_a_node_without_a_meaning_is_not_evaluated():
    graph = uncertified(PROBLEM, p2n.Explicit(sp.Rational(1, 100), 1)).graph.copy()
    ((before, _, data),) = graph.in_edges("output", data=True)
    add(graph, "flip", Flip(), {"u": (before, data["port"])})
    graph.remove_edge(before, "output")
    graph.add_edge("flip", "output", **{**data, "port": 0})
    with pytest.raises(EmissionError, match="what Flip computes"):
        Interpreter(graph)(np.ones(9))

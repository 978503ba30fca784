"""Graphs as text: nothing is lost, nothing is executed, anything damaged is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import sympy as sp
from drawn_graphs import graph_of
from support import diffusion, equation, h, lam, network_of, tau, unknown, x, y

import pde2net as p2n
from pde2net import FileError, div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import Graph, validate
from pde2net.graph.nodes import Pointwise
from pde2net.graph.serialise import from_json, to_json

u = unknown(2)
f = sp.Function("f")(x, y)


def rich() -> Graph:
    """All kinds of nodes, special functions, a mixed boundary."""
    rhs = (
        div(sp.exp(-norm2(grad(u)) / lam**2) * grad(u))
        + f * div(sp.atan(x) * grad(u))
        - laplacian(laplacian(u) / sp.sqrt(1 + laplacian(u) ** 2))
        + sp.Max(y, 0) * (f - u)
    )
    problem = p2n.Problem(
        equation(rhs, 2), boundary={x: "dirichlet", y: "reflecting"}, parameters={lam: sp.Rational(1, 3)}
    )
    return network_of(
        problem, sp.Rational(1, 99), 3, p2n.Grid(gradient="staggered", origin={x: -1, y: 2})
    ).looped


def symbolic() -> Graph:
    """Step, spacing and contrast stay symbols; one of them is a Python keyword."""
    problem = diffusion(lambda s2: 1 / (1 + s2 / lam**2))
    return network_of(problem, tau, 2, p2n.Grid(h, order=4)).looped


def guided() -> Graph:
    problem = p2n.Problem(equation(div(grad(u) / (1 + norm2(grad(f)))), 2), boundary="periodic")
    return network_of(problem, sp.Rational(1, 8), 2).looped


GRAPHS = [
    rich,
    symbolic,
    guided,
    *(partial(graph_of, n) for n in ("fsi", "rkl2", "kacanov", "newton_1d", "aos", "fmg")),
]


def content(graph: Graph) -> tuple[Any, ...]:
    edges = {(a, b, d["slot"], d["port"]) for a, b, d in graph.edges(data=True)}
    return graph.graph, list(graph.nodes(data=True)), edges, graph.number_of_edges()


@pytest.mark.parametrize("make", GRAPHS)
def test_reading_what_was_written_gives_an_equal_graph(make: Any) -> None:
    graph = make()
    text = to_json(graph)
    back = from_json(text)
    assert content(back) == content(graph)
    assert to_json(back) == text


def test_the_read_graph_computes_the_same_bits() -> None:
    graph = rich()
    rng = np.random.default_rng(0)
    u0, data = rng.normal(size=(6, 5)), {"f": rng.normal(size=(6, 5))}
    back = from_json(to_json(graph))
    np.testing.assert_array_equal(Interpreter(back)(u0, data), Interpreter(graph)(u0, data))


def test_weights_stay_exact() -> None:
    third = sp.Rational(1, 3)
    graph = network_of(diffusion(lambda s2: 1 / (1 + s2)), third, 1, p2n.Grid(sp.sqrt(2), order=4)).looped
    back = from_json(to_json(graph))
    assert back.graph["values"][tau] == third
    ((_, difference),) = back.nodes["block.K"]["node"].bank.rows[0]
    assert difference.spacing == sp.sqrt(2)
    assert difference.stencil.weights == tuple(sp.Rational(k, 24) for k in (1, -27, 27, -1))


def test_operators_and_operations_are_written_once() -> None:
    problem = diffusion(lambda s2: 1 / (1 + s2), 2)
    stored = [json.loads(to_json(network_of(problem, sp.Rational(1, 5), n).looped)) for n in (1, 30)]
    assert stored[0]["banks"] == stored[1]["banks"]
    counts = [next(o for o in s["operations"] if o["type"] == "Repeat").pop("count") for s in stored]
    assert counts == [1, 30]
    assert stored[0]["operations"] == stored[1]["operations"]


def with_activation(expression: sp.Expr) -> Graph:
    graph = network_of(diffusion(lambda s2: 1 / (1 + s2)), sp.Rational(1, 5)).looped
    graph.nodes["block.flux"]["node"] = Pointwise((expression,), "activation")
    others = [s for s in expression.free_symbols if s.name != "u_x"]
    graph.graph["parameters"] += tuple(s for s in others if s not in graph.graph["parameters"])
    return validate(graph)


@pytest.mark.parametrize("name", ["lambda", "E", "two words", "k'", "a+b", "None", "\u03bb\u00b2"])
def test_odd_names_survive(name: str) -> None:
    expression = sp.Symbol("u_x", real=True) * sp.exp(sp.Symbol(name, negative=True))
    graph = with_activation(expression)
    assert content(from_json(to_json(graph))) == content(graph)


def test_two_symbols_of_one_name_are_refused() -> None:
    slope = sp.Symbol("u_x", real=True)
    with pytest.raises(FileError, match=r'two symbols called "tau"'):
        to_json(with_activation(slope * sp.Symbol("tau")))


@pytest.mark.parametrize(
    "expression",
    [
        sp.Symbol("u_x", real=True) * sp.Symbol("k", even=True),
        sp.Symbol("u_x", real=True) * sp.Symbol("pi") * sp.pi,
        sp.Symbol("u_x", real=True) * sp.Dummy("k"),
        sp.besselj(0, sp.Symbol("u_x", real=True)),
    ],
    ids=["assumption", "name", "dummy", "function"],
)
def test_what_has_no_text_form_is_refused_when_writing(expression: sp.Expr) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        to_json(with_activation(expression))


# -- damaged and hostile text -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"format": "pde2net-graph-4"}',
        '{"format": "pde2net-graph-2"}',
        "[" * 10**5,
    ],
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(FileError):
        from_json(text)


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(symbolic()))
    return found


def damaged(path: tuple[Any, ...], value: Any) -> str:
    document = stored()
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("operations", 3, "expressions", 0), "__import__('os').getcwd()", "not allowed"),
        (("operations", 3, "expressions", 0), "u_x.__class__", "not allowed"),
        (("operations", 3, "expressions", 0), "(lambda: 0)()", "not allowed|cannot read"),
        (("operations", 3, "expressions", 0), "9**9**9**9", "large"),
        (("operations", 3, "expressions", 0), "unknown_name", "not allowed"),
        (("operations", 0, "type"), "Graph", "no operation 'Graph'"),
        (("operations", 0, "role"), "output", "the role of Input"),
        (("operations", 2, "bank"), 7, "range"),
        (("operations", 2, "bank"), -1, "negative"),
        (("banks", 0, 0, 0, 1, "closure"), "open", "no closure 'open'"),
        (("banks", 0, 0, 0, 1, "axis"), 1, "no axis 1"),
        (("banks", 0, 0, 0, 1, "axis"), True, "True is no int"),
        (("banks", 0, 0, 0, 1, "stencil", "offsets"), [2, 1, 0, -1], "ascending"),
        (("banks", 0, 0, 0, 1, "stencil", "weights", 0), "tau", "no Rational"),
        (("dimension",), 0, "dimension is 0"),
        (("nodes", 1, "name"), "input", "two nodes"),
        (("nodes", 1, "inputs", 0, 1), "nowhere", "does not exist"),
        (("nodes", 2, "inputs", 0, 2), 1, "which has fewer"),
        (("nodes", 2, "loop"), "nowhere", "is no loop"),
        (("nodes", 2, "loop"), 0, "0 is no str"),
        (("operations", 6, "count"), 0, "0 times"),
    ],
)
def test_damage_is_named(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(FileError, match=message):
        from_json(damaged(path, value))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        yield (*path, key)
        yield from leaves(entry, (*path, key))


def test_no_single_change_escapes_as_another_error() -> None:
    """Every value replaced by every kind of value, and every entry removed: a valid graph or FileError."""
    original = stored()
    paths = list(leaves(original))
    refused = 0
    for path in paths:
        for value in (None, -1, 10**6, 0.5, "", "(", "zoo", [], {}, ...):
            document = copy.deepcopy(original)
            target = document
            for key in path[:-1]:
                target = target[key]
            if value is ...:
                del target[path[-1]]
            else:
                target[path[-1]] = value
            try:
                validate(from_json(json.dumps(document)))
            except FileError as error:
                refused += 1
                assert len(str(error)) < 400
    assert refused > 8 * len(paths)

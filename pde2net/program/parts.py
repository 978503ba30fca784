"""The functions of each architecture: blocks and what cycles compute once, cells, operators of U-nets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pde2net.graph.network import Graph, block, cycle, fields_of, loops, node_of, sources, variable
from pde2net.graph.nodes import Iterate, LinearSolve, Operator, Previous, Repeat, State, Trial, VCycle
from pde2net.program.records import Function, Given, Let, Loop, Program, Stored
from pde2net.program.slice import (
    captured,
    captured_name,
    data,
    depending,
    function,
    inside,
    needed,
    prelude,
    product,
    value,
)
from pde2net.scheme.stack import START_RATE


def stack(graph: Graph, axes: Sequence[str]) -> Program:
    """ "forward", a block; "diffusivities" or "rate", what a cycle computes once."""
    *outer, inner = loops(graph)
    blocks, cycles = block(graph), cycle(graph)
    program = _with_data(graph, [*blocks, *cycles], axes)
    read = {p: slot for n in blocks for slot, (p, _) in sources(graph, n).items()}
    carried = [(p, "previous") for p in read if isinstance(node_of(graph, p), Previous)]
    carried += [(p, "start") for p in read if outer and p == variable(graph, outer[0])]
    carried += [(p, "rate_at_start") for p, slot in read.items() if slot == START_RATE.name]
    frozen: dict[str, str] = {}
    for name in blocks:
        for slot, source in sources(graph, name).items():
            if source[0] in cycles and slot != START_RATE.name:
                frozen.setdefault(value(source), slot.lstrip("_"))
    handed = ((variable(graph, inner), "u"), *carried, *frozen.items(), *program.data)
    functions = [function(graph, "forward", handed, blocks, [sources(graph, inner)["next"]], axes)]
    if cycles:
        handed = ((variable(graph, outer[0]), "u"), *program.data)
        kept = function(graph, "rate", handed, cycles, [(cycles[-1], 0)], axes)
        functions.append(replace(kept, name="diffusivities", results=tuple(frozen)) if frozen else kept)
    return replace(
        program,
        functions=(*program.functions, *functions),
        carried=tuple(carried),
        frozen=tuple(frozen.items()),
    )


def network(graph: Graph, axes: Sequence[str]) -> Function:
    """A whole stack, a function of the input and of known fields, with its loops."""
    program, first, inner = stack(graph, axes), loops(graph)[0], loops(graph)[-1]
    known, body = program["known"], program["forward"]
    if inner != first:
        once = next((f.body for f in program.functions if f.name in ("diffusivities", "rate")), ())
        steps = _loop(graph, inner, body, variable(graph, first))
        handed = ((variable(graph, first), "u"), *program.data)
        body = Function("cycle", handed, (*once, steps), (inner,))
    whole = _loop(graph, first, body, known.parameters[0][0])
    return Function("network", known.parameters, (*known.body, whole), (first,))


def _loop(graph: Graph, name: str, body: Function, start: str) -> Let:
    """Passes through a function, whose first parameter is the state."""
    (_, *handed) = (v for v, _ in body.parameters)
    previous = next((v for v in handed if isinstance(node_of(graph, v.partition(":")[0]), Previous)), "")
    fed = [("start", start), *((v, v) for v in handed if v != previous)]
    repeat = node_of(graph, name)
    assert isinstance(repeat, Repeat)
    return Let((name,), Loop(repeat, body, previous), tuple(fed), ("u",))


def cell(graph: Graph, axes: Sequence[str]) -> Program:
    """ "forward", the next state; of those that are iterated "right_hand_side", "residual" and "product"."""
    step, names = loops(graph)[-1], block(graph)
    operator = next((n for n in names if isinstance(node_of(graph, n), Operator)), None)
    hierarchy = None if operator is None else operator_on_grids(graph, axes)
    own = [n for n in names if not isinstance(node_of(graph, n), VCycle | Operator)]
    own = [n for n in own if operator is None or graph.nodes[n]["loop"] != operator]
    program = replace(_with_data(graph, own, axes, operator), operator=hierarchy)
    outside, state = inside(graph, step), variable(graph, step)
    loop = next((n for n in own if isinstance(node_of(graph, n), Iterate)), None)
    if loop is None:
        handed = ((state, "u"), *program.data)
        end = sources(graph, step)["next"]
        functions = [function(graph, "forward", handed, outside, [end], axes)]
    else:
        functions = _iteration(graph, loop, [n for n in outside if n != loop], state, program.data, axes)
    return replace(program, functions=(*program.functions, *functions))


def _iteration(
    graph: Graph, loop: str, outside: list[str], state: str, known: tuple[Given, ...], axes: Sequence[str]
) -> list[Function]:
    """The functions of an iterated step, and of the linear systems in its body."""
    feeds, within = sources(graph, loop), inside(graph, loop)
    rhs = next((n for n in outside if n.endswith(".rhs")), None)
    handed = [(variable(graph, loop), "v"), (state, "rhs"), *([(rhs, "rhs")] if rhs else []), *known]
    found = []
    if rhs:
        found.append(function(graph, "right_hand_side", ((state, "u"), *known), outside, [(rhs, 0)], axes))
    for name, slot in (("residual", "residual"), ("forward", "next")):
        if slot in feeds:
            nodes = needed(graph, [feeds[slot][0]], within)
            found.append(function(graph, name, handed, nodes, [feeds[slot]], axes))
    for system in (n for n in within if isinstance(node_of(graph, n), LinearSolve)):
        nodes, end = product(graph, system), sources(graph, system)["product"]
        trial = next(n for n in nodes if isinstance(node_of(graph, n), Trial))
        taken = [(value(s), captured_name(graph, s)) for s in captured(graph, nodes)]
        found.append(function(graph, "product", ((trial, "trial"), *taken), nodes, [end], axes))
    return found


def operator_on_grids(graph: Graph, axes: Sequence[str]) -> Program:
    """Slots of an operator as functions of v; "product" of a trial, and "frozen", what that takes at v."""
    name = next(n for n in block(graph) if isinstance(node_of(graph, n), Operator))
    feeds, within = sources(graph, name), inside(graph, name)
    v = next(n for n in within if isinstance(node_of(graph, n), State))
    program = _with_data(graph, [n for n in block(graph) if n in (*within, name)], axes)

    def of(method: str, handed: Sequence[Given], nodes: list[str], slots: Sequence[str]) -> Function:
        ends = [feeds[s] for s in slots]
        used = [value(s) for n in nodes for s in sources(graph, n).values()] + [value(s) for s in ends]
        wanted = dict(program.data)
        stored = [Let((s,), Stored(s), (), (wanted[s],)) for s in dict.fromkeys(used) if s in wanted]
        found = function(graph, method, handed, nodes, ends, axes)
        return replace(found, body=(*stored, *found.body))

    def at(method: str, *slots: str) -> Function:
        return of(method, [(v, "v")], needed(graph, [feeds[s][0] for s in slots], within), slots)

    whole = needed(graph, [feeds["product"][0]], within)
    inner = depending(graph, whole, Trial)
    taken = [s for s in captured(graph, inner) if value(s) not in dict(program.data)]
    trial = next(n for n in inner if isinstance(node_of(graph, n), Trial))
    handed = [*((value(s), captured_name(graph, s)) for s in taken), (trial, "trial")]
    frozen = of("frozen", [(v, "v")], [n for n in whole if n not in inner], [])
    functions = [
        *((at("forward", "value"), at("linearised", "value", "diagonal")) if "value" in feeds else ()),
        at("diagonal", "diagonal"),
        *((at("rows", "rows", "kept"),) if "rows" in feeds else ()),
        replace(frozen, results=tuple(value(s) for s in taken)),
        of("product", handed, inner, ["product"]),
    ]
    return replace(program, functions=(*program.functions, *functions))


def _with_data(
    graph: Graph, nodes: Sequence[str], axes: Sequence[str], operator: str | None = None
) -> Program:
    """A program of what nodes use of known data, and of the fields that an operator is handed."""
    used = data(graph, nodes)
    if operator is not None:
        used |= {(n, 0): field.name for n, field in fields_of(graph, operator).items()}
    known = tuple((value(s), wanted) for s, wanted in used.items())
    return Program((prelude(graph, used, axes),), known)

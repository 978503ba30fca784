"""From a graph to the program that backends print, by passes in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pde2net.graph.network import Graph
from pde2net.program import parts
from pde2net.program.activate import activate
from pde2net.program.coarsen import coarsen
from pde2net.program.merge import join, merge
from pde2net.program.parametrise import parametrise
from pde2net.program.records import Function, Let, Loop, Program, Reversed
from pde2net.program.share import share
from pde2net.scheme.method import Update
from pde2net.scheme.registry import owner_of
from pde2net.verify.kept import Kept

SLICES: dict[str, Callable[[Graph, Sequence[str]], Program]] = {
    "residual stack": parts.stack,
    "recurrent cell": parts.cell,
    "u-net": parts.operator_on_grids,
}
PASSES: tuple[Callable[[Function], Function], ...] = (share, merge)
ON_GRIDS = (coarsen, *PASSES)  # of operators on all grids


def lower(
    graph: Graph,
    axes: Sequence[str],
    update: Update,
    trainable: Sequence[str] = (),
    shared: bool = True,
    kept: Kept | None = None,
    activations: bool = False,
) -> Program:
    """The program of a network; `axes` are the names of the axes, by which outputs are called.

    `activations` asks for these where they can be.

    Its values have no identifiers yet: `name` gives them, when it is known which words a text needs itself.
    """
    architecture = graph.graph["architecture"]
    sliced = SLICES[architecture](graph, axes)
    sliced = activate(sliced, graph) if activations else sliced
    own = parametrise(graph, update, trainable, kept)
    owner = owner_of(update, trainable, shared, kept is not None)
    operator = None
    if sliced.operator is not None:
        operator = replace(_passed(sliced.operator, ON_GRIDS), parameters=own, owner=owner)
    made = join(_passed(sliced, ON_GRIDS if architecture == "u-net" else PASSES))
    return replace(made, operator=operator, parameters=own, owner=owner)


def everywhere(function: Function, each: Callable[[Function], Function]) -> Function:
    """A function after a pass, with those that its loops pass through."""
    return each(replace(function, body=tuple(_inside(let, each) for let in function.body)))


def _inside(let: Let, each: Callable[[Function], Function]) -> Let:
    op = let.op
    if isinstance(op, Loop):
        return replace(let, op=replace(op, body=everywhere(op.body, each)))
    if isinstance(op, Reversed):
        loop = replace(op.loop, body=everywhere(op.loop.body, each))
        return replace(let, op=replace(op, loop=loop, backward=everywhere(op.backward, each)))
    return let


def _passed(program: Program, passes: Sequence[Callable[[Function], Function]]) -> Program:
    functions = program.functions
    for each in passes:
        functions = tuple(map(each, functions))
    return replace(program, functions=functions)

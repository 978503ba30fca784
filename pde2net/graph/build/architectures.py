"""From operators and an update to the graph of a network: one builder per architecture."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.cell import implicit_steps
from pde2net.graph.build.place import Source
from pde2net.graph.build.stack import StackBuilder
from pde2net.graph.build.unet import UNetBuilder
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import Input, Output
from pde2net.language.schemes import Explicit
from pde2net.scheme import explicit
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.stack import TAU, Stack
from pde2net.scheme.unet import UNet


def build(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, update: Update) -> Graph:
    """The graph of the network of `update` with step `tau`.

    Raises EquationError or DeclarationError for fluxes and grids that the scheme cannot treat.
    """
    steady = not isinstance(update, Stack) and update.steady
    more = {} if isinstance(update, UNet) else update.values
    values = {**semi.form.problem.parameters, **({} if steady else {TAU: tau}), **more}
    graph = new_graph(update.architecture, semi, values)
    state: Source = (add(graph, "input", Input(semi.form.state), {}), 0)
    add(graph, "output", Output(), {"u": _end(semi, graph, update, state)})
    return validate(graph)


def _end(semi: Semidiscrete | SemidiscreteSystem, graph: Graph, update: Update, state: Source) -> Source:
    """Adds the network itself, from `state` to its end."""
    if isinstance(update, Stack):
        return StackBuilder(semi, graph, update).network(state)
    if isinstance(update, Cell):
        return implicit_steps(semi, graph, update, state)
    if isinstance(semi, SemidiscreteSystem):
        raise DeclarationError(
            "Multigrid takes one equation; a system takes explicit schemes, Implicit, Theta and AOS."
        )
    return UNetBuilder(semi, graph, update).network(state)


def explicit_steps(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, steps: int) -> Graph:
    """The graph of `steps` explicit steps of size `tau`."""
    return build(semi, tau, explicit.stack(Explicit(tau, steps)))

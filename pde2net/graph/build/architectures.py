"""From operators and an update to the graph of a network: one builder per architecture."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.cell import recurrent_cell
from pde2net.graph.build.stack import residual_stack
from pde2net.graph.build.unet import u_net
from pde2net.graph.network import Graph
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.stack import Stack


def build(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, update: Update) -> Graph:
    """The graph of the network of `update` with step `tau`.

    Raises EquationError or DeclarationError for fluxes and grids that the scheme cannot treat.
    """
    if isinstance(update, Stack):
        return residual_stack(semi, tau, update)
    if isinstance(update, Cell):
        return recurrent_cell(semi, tau, update)
    if isinstance(semi, SemidiscreteSystem):
        raise DeclarationError(
            "Multigrid takes one equation; a system takes explicit schemes, Implicit, Theta and AOS."
        )
    return u_net(semi, tau, update)

"""Adds implicit steps of systems to a graph: every equation with the other unknowns of the last iterate.

Kacanov's method lags what couples the equations, so that its linear systems are those of the equations side
by side; they are solved as one. Newton's method linearises the whole.
"""

from __future__ import annotations

from functools import partial

from pde2net.discretise.system import SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.implicit import ImplicitBuilder
from pde2net.graph.build.iteration import StepLoop, V
from pde2net.graph.build.place import Source
from pde2net.graph.build.precondition import diagonal
from pde2net.graph.build.system import PartBuilder, SystemBuilder
from pde2net.graph.build.tangent import Tangent
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Pointwise, Trial
from pde2net.scheme.cell import Cell


class ImplicitPart(ImplicitBuilder, PartBuilder):
    """The parts of an implicit step of one equation of a system."""


class _SystemBuilder(SystemBuilder[ImplicitPart]):
    def __init__(self, semi: SemidiscreteSystem, graph: Graph, cell: Cell) -> None:
        super().__init__(semi, graph, partial(ImplicitPart, cell=cell))
        self.cell = cell


class SplitSystem(_SystemBuilder):
    """Steps of AOS, each equation with the other unknowns of the old state."""

    def split_step(self, u: Source) -> Source:
        parts = [part.split_step(source, "mean") for part, source in self.channels(u)]
        return self.node("skip", Pointwise((V,), "skip"), {V.name: self.joined("means", parts)})


class ImplicitSystem(_SystemBuilder):
    """A system, whose steps are iterated."""

    def kacanov(self, loop: StepLoop, v: Source, rhs: Source) -> Source:
        pairs = self.channels(v)
        weights = [part.weights(source) for part, source in pairs]
        sides = zip(pairs, self.split("rhs", rhs), strict=True)
        rights = [part.lagged(side, source) for (part, source), side in sides]
        if loop.systems.method == "direct":
            solved = []
            for (part, source), own, right in zip(pairs, weights, rights, strict=True):
                if not own:
                    solved.append(part.divided("update", right, part.diagonal(source)))
                    continue
                ((weight,),) = own
                part.state = source
                solved.append(
                    part.tridiagonal("update", 0, weight, part.diagonal(source), right, self.cell.step)
                )
            return self.joined("updates", solved)
        full = self.joined("sources", rights)
        with self.within(self.full("update"), "product."):
            self.place_parts()
            x = self.node("x", Trial(), {})
            products = [
                part.frozen_product("product", trial, own, part.diagonal(source))
                for (part, source), own, trial in zip(pairs, weights, self.split("x", x), strict=True)
            ]
            product = self.joined("products", products)
        self.place_parts()
        return loop.linear_solve("update", full, x, product, v, start=v)

    def correction(self, loop: StepLoop, tangent: Tangent, v: Source, rhs: Source) -> Source:
        return loop.newton_system(tangent, v, rhs)

    def preconditioned(self, kind: str, name: str, x: Source, v: Source) -> dict[str, Source]:
        if kind == "none":
            return {}
        if kind == "multigrid":
            raise DeclarationError(
                'Systems take linear systems with preconditioner="none" or "diagonal", not "multigrid".'
            )
        mass, step, solver = self.cell.mass, self.cell.step, self.cell.solver
        parts = [
            diagonal(part, source, mass + step * part.pull(solver), step) for part, source in self.channels(v)
        ]
        return {"diagonal": self.joined("diagonals", parts)}

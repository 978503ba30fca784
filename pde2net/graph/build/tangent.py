"""The derivative of F at a state, applied to a direction: a graph beside that of F, node by node.

Convolutions, means, pads and crops are linear, so they are applied to the direction; a pointwise node e
becomes sum_j de/ds_j ds_j, with the partial derivatives evaluated at the state, once.
"""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
import sympy as sp

from pde2net.errors import EquationError
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.build.rate import Rate
from pde2net.graph.network import node_of, sources
from pde2net.graph.nodes import CHANNEL_SUM, Convolution, Pointwise


def derivative(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """The derivative where there is one; kinks and jumps have measure zero."""
    found = sp.diff(expression, symbol)
    step = sp.Wild("step")
    found = found.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    return found.replace(sp.Heaviside(step), lambda step: (1 + sp.sign(step)) / 2)


class Tangent:
    """The tangent of `rate`, which was built at the state `v` in the current block of `builder`."""

    def __init__(self, builder: NodeBuilder, v: Source, rate: Rate) -> None:
        self.builder, self.graph, self.v, self.rate = builder, builder.graph, v, rate
        self.path = self._path()
        self.partials = {name: self._partials(name) for name in self.path}
        self.last = self._partial_nodes("rate", [rate.expression], rate.inputs)

    def slope_weight(self) -> Source | sp.Expr:
        """Phi'(p) of a flux of one slope, as an array or a constant."""
        (entry,) = (p for n, p in self.partials.items() if p and "flux" in n)
        ((_, weight),) = entry[0]
        return weight

    def along(self, x: Source) -> Rate:
        """F'(v) x, as an expression in the slots that its inputs feed."""
        moved: dict[Source, Source] = {self.v: x}
        for name in self.path:
            node, inputs = node_of(self.graph, name), sources(self.graph, name)
            local = f"d{self.local(name)}"
            if isinstance(node, Pointwise):
                rows = [self._combined(row, inputs, moved) for row in self.partials[name]]
                fed = {slot: source for row in rows for slot, source in row.inputs.items()}
                role = node.role if node.role == CHANNEL_SUM else "tangent"
                tangent = self.builder.node(local, Pointwise(tuple(r.expression for r in rows), role), fed)
                moved |= {(name, port): (tangent[0], port) for port in range(len(rows))}
                continue
            directions = {slot: moved[source] for slot, source in inputs.items() if source in moved}
            tangent = self.builder.node(local, node, directions)
            count = len(node.bank.operations) if isinstance(node, Convolution) else 1
            moved |= {(name, port): (tangent[0], port) for port in range(count)}
        return self._combined(self.last[0], self.rate.inputs, moved)

    def local(self, name: str) -> str:
        """A name within the block, with the unknown of its equation where there are several."""
        *_, owner, last = ["", *name.split(".")]
        states = {s.name for s in getattr(self.builder.form, "states", ())}
        return f"{owner}_{last}" if owner in states else last

    def _path(self) -> list[str]:
        """The nodes between v and the rate, in the order in which they were added."""
        ends = {producer for producer, _ in self.rate.inputs.values()}
        needed = ends.union(*(nx.ancestors(self.graph, name) for name in ends))
        needed &= nx.descendants(self.graph, self.v[0])
        return [name for name in self.graph if name in needed]

    def _partials(self, name: str) -> list[list[tuple[str, Source | sp.Expr]]]:
        node = node_of(self.graph, name)
        if not isinstance(node, Pointwise):
            return []
        return self._partial_nodes(self.local(name), list(node.expressions), sources(self.graph, name))

    def _partial_nodes(
        self, local: str, expressions: list[sp.Expr], inputs: Mapping[str, Source]
    ) -> list[list[tuple[str, Source | sp.Expr]]]:
        """Per expression (slot, derivative) of the slots that depend on v; arrays come from one node."""
        moving = [slot for slot, (producer, _) in inputs.items() if producer in (self.v[0], *self.path)]
        symbols = {s.name: s for e in expressions for s in e.free_symbols}
        rows = [
            [(s, derivative(e, symbols[s])) for s in moving if s in symbols and e.has(symbols[s])]
            for e in expressions
        ]
        distinct = list(dict.fromkeys(d for row in rows for _, d in row))
        for partial in distinct:
            self._require_regular(partial)
        found = self.builder.arrays(f"{local}_slope", distinct, inputs, self.builder.node)
        arrays = dict(zip(distinct, found, strict=True))
        return [[(slot, arrays[d]) for slot, d in row] for row in rows]

    def _require_regular(self, partial: sp.Expr) -> None:
        """Raise EquationError for a derivative that is not known, or not defined for a zero gradient."""
        form = self.builder.form
        if partial.has(sp.Derivative, sp.Subs):
            raise EquationError(
                "Newton's method needs derivatives of directions, which have none where eigenvalues meet; "
                "use Kacanov."
            )
        at_rest = partial.xreplace(dict.fromkeys((*form.slopes, *form.curvatures), sp.S.Zero))
        if at_rest.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            raise EquationError(
                f"Newton's method needs {partial} for a zero gradient too, where it is not defined; "
                "use Kacanov."
            )

    def _combined(
        self,
        row: list[tuple[str, Source | sp.Expr]],
        inputs: Mapping[str, Source],
        moved: Mapping[Source, Source],
    ) -> Rate:
        """sum_j (de/ds_j) ds_j."""
        expression, fed = sp.S.Zero, {}
        for slot, partial in row:
            direction = sp.Symbol(f"_d{slot.strip('_')}", real=True)
            fed[direction.name] = moved[inputs[slot]]
            if isinstance(partial, tuple):
                symbol = sp.Symbol(f"_{partial[0].rpartition('.')[2]}_{partial[1]}", real=True)
                fed[symbol.name], partial = partial, symbol
            expression += partial * direction
        return Rate(expression, fed)

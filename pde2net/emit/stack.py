"""Lowers a residual stack to PyTorch source: a block class, and a network class that repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.emit.checks import input_checks
from pde2net.emit.header import module_docstring
from pde2net.emit.names import identifier, identifiers
from pde2net.emit.operators import BEYOND, along, bank_classes, difference_functions, mean_function
from pde2net.emit.statements import Values, statements
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.tree import Class, Function, Source, render
from pde2net.errors import EmissionError
from pde2net.graph.network import Graph, blocks, fields, node_of, parameters, sources
from pde2net.graph.nodes import Convolution, EdgeMean, Field, Input, Output
from pde2net.scheme.explicit import TAU
from pde2net.verify.certificate import Certificate

NETWORK, BLOCK = "DiffusionNetwork", "DiffusionBlock"


@dataclass(frozen=True)
class Request:
    """What is emitted: the graph, its certificate, the trainable names, and the smallest sizes."""

    graph: Graph
    certificate: Certificate
    axes: tuple[str, ...]
    smallest: tuple[int, ...]
    trainable: tuple[str, ...] = ()
    shared: bool = True


def emit(request: Request) -> str:
    """The source of a standalone module; the same text for the same request.

    Raises EmissionError if a symbol has no value.
    """
    return _Emitter(request).text()


class _Emitter:
    def __init__(self, request: Request) -> None:
        self.request, self.graph = request, request.graph
        self.values: dict[sp.Symbol, sp.Expr] = request.graph.graph["values"]
        self.dimension = len(request.axes)
        self.steps = len(blocks(self.graph))
        self.block_names = blocks(self.graph)[0]
        self.banks = self._banks()
        used = [s for s in parameters(self.graph) if s != TAU and self._occurs_in_expressions(s)]
        for symbol in (*parameters(self.graph), TAU):
            self.value(symbol)
        self.scalars = [TAU, *used]
        known = [s.name for s in fields(self.graph)]
        self.names = identifiers([*(s.name for s in self.scalars), *known])
        self.data_sources = self._data_sources()

    def value(self, expression: sp.Expr) -> sp.Expr:
        """`expression` with all parameters at their values."""
        result = expression.subs(self.values).subs(self.values)
        if result.free_symbols:
            missing = ", ".join(sorted(map(str, result.free_symbols)))
            raise EmissionError(
                f"{missing} has no value, so no network can be emitted: pass a number for the step "
                f"and the spacing, and Problem(..., parameters={{{missing}: ...}}) for the rest."
            )
        return sp.nsimplify(result) if result.is_Float else result

    def _occurs_in_expressions(self, symbol: sp.Symbol) -> bool:
        return any(
            symbol in e.free_symbols
            for name in self.graph
            for e in getattr(node_of(self.graph, name), "expressions", ())
        )

    def _banks(self) -> dict[Bank, str]:
        found: dict[Bank, str] = {}
        data = [n for n in self.graph if self.graph.nodes[n]["block"] is None]
        for name in [*data, *self.block_names]:
            node = node_of(self.graph, name)
            if isinstance(node, Convolution) and node.bank not in found:
                found[node.bank] = ""
        for bank in found:
            found[bank] = self._bank_name(bank, found)
        return found

    def _bank_name(self, bank: Bank, taken: dict[Bank, str]) -> str:
        difference = bank.rows[0][0][1]
        if difference.stencil.derivative == 2:
            base = "Curvature"
        else:
            same = [b for b in taken if b.rows[0][0][1].stencil.derivative == 1]
            base = "Gradient" if difference.stencil.half or len(same) == 1 else "CellGradient"
        number_, name = 1, base
        while name in taken.values():
            number_ += 1
            name = f"{base}{number_}"
        return name

    def _data_sources(self) -> dict[tuple[str, int], str]:
        """What the blocks use of nodes outside of them -> the argument that hands it over."""
        used: dict[tuple[str, int], str] = {}
        for name in self.block_names:
            for slot, (producer, port) in sources(self.graph, name).items():
                node = node_of(self.graph, producer)
                if self.graph.nodes[producer]["block"] is None and not isinstance(node, Input):
                    wanted = slot if isinstance(node, Convolution) else producer
                    if (producer, port) not in used:
                        taken = [*used.values(), *self.names.values()]
                        used[producer, port] = self.names.get(wanted) or identifier(wanted, taken)
        return used

    # -- names ---------------------------------------------------------------------------------

    def scalar_name(self, symbol: sp.Symbol) -> str:
        return self.names[symbol.name]

    def trained(self, symbol: sp.Symbol) -> bool:
        return symbol.name in self.request.trainable

    def printer(self, tensors: Mapping[str, str], owner: str = "self") -> TorchPrinter:
        """A printer with `tensors` in scope; parameters are attributes of `owner`."""
        scalars = {s.name: f"{owner}.{self.scalar_name(s)}" for s in self.scalars}
        return TorchPrinter(tensors, scalars, frozenset(self.request.trainable))

    # -- text ----------------------------------------------------------------------------------

    def text(self) -> str:
        definitions: list[Function | Class] = []
        items = dict.fromkeys(along(d) for bank in self.banks for row in bank.rows for _, d in row)
        functions = [f for item in items for f in difference_functions(item)]
        means = {n.closure for n in map(partial(node_of, self.graph), self.graph) if isinstance(n, EdgeMean)}
        functions += [mean_function(closure) for closure in sorted(means)]
        if any("beyond(" in line for f in functions for line in f.body):
            definitions.append(BEYOND)
        definitions += functions
        for bank, name in self.banks.items():
            what = self._what(bank)
            definitions += bank_classes(name, what, bank, self.dimension, self.value)
        definitions += [self.block(), self.network()]
        body = render(Source("x", (), (), definitions))
        imports = ["from __future__ import annotations", ""]
        if "math." in body:
            imports += ["import math", ""]
        imports += ["import torch"]
        if "F." in body:
            imports.append("import torch.nn.functional as F")
        imports.append("from torch import Tensor, nn")
        doc = module_docstring(
            self.request.certificate,
            self.request.axes,
            self.request.smallest,
            [self.scalar_name(s) for s in self.scalars if self.trained(s)],
        )
        return render(Source(doc, imports, [f'__all__ = ["{NETWORK}"]'], definitions))

    def _what(self, bank: Bank) -> str:
        difference = bank.rows[0][0][1]
        if difference.stencil.derivative == 2:
            terms = " + ".join(
                (f"d_{self.request.axes[d.axis] * 2}" if w == 1 else f"{w} d_{self.request.axes[d.axis] * 2}")
                for w, d in bank.rows[0]
            )
            return f"u -> {terms}"
        return "u -> " + ", ".join(f"u_{a}" for a in self.request.axes)

    def block(self) -> Class:
        """One residual block: u + tau * (-K^T Phi(K u) + r(u))."""
        values = Values(self.graph, self.request.axes, self.banks, self.value)
        values.bound.update(self.data_sources)
        state = next(n for n in self.graph if isinstance(node_of(self.graph, n), Input))
        values.bind(state, "u")
        body: list[str] = []
        for name in self.block_names:
            body += statements(name, values, self.printer)
        arguments = ("self", "u: Tensor", *(f"{v}: Tensor" for v in self.data_sources.values()))
        return Class(
            BLOCK,
            "nn.Module",
            "One explicit step: convolution K, activation, transposed convolution -K^T, skip.",
            [self._initialiser(), Function("forward", arguments, "Tensor", "", body)],
        )

    def _initialiser(self) -> Function:
        arguments, body = ["self"], ["super().__init__()"]
        for symbol in self.scalars:
            name = self.scalar_name(symbol)
            arguments.append(f"{name}: float = {number(self.value(symbol))}")
            stored = (
                f"nn.Parameter(torch.tensor({name}, dtype=torch.float64))" if self.trained(symbol) else name
            )
            body.append(f"self.{name} = {stored}")
        return Function("__init__", arguments, "None", "", body)

    def network(self) -> Class:
        """The stack: the same block `steps` times, or one block per step."""
        scalars = [self.scalar_name(s) for s in self.scalars]
        own = bool(self.request.trainable) and not self.request.shared
        arguments = ["self", f"steps: int = {self.steps}"]
        arguments += [
            f"{n}: float = {number(self.value(s))}" for n, s in zip(scalars, self.scalars, strict=True)
        ]
        made = f"{BLOCK}({', '.join(scalars)})"
        body = ["super().__init__()"]
        if own:
            body.append(f"self.blocks = nn.ModuleList({made} for _ in range(steps))")
        else:
            body += ["self.steps = steps", f"self.block = {made}"]
        return Class(
            NETWORK,
            "nn.Module",
            f"{self.steps} residual blocks"
            + (", each with weights of its own." if own else " that share their weights."),
            [Function("__init__", arguments, "None", "", body), self._forward(own)],
        )

    def _forward(self, own: bool) -> Function:
        known = [s.name for s in fields(self.graph)]
        arguments = ["self", "u: Tensor"]
        if known:
            arguments += ["*", *(f"{self.names[f]}: Tensor" for f in known)]
        body = input_checks(self.request.axes, self.request.smallest, {f: self.names[f] for f in known})
        values = Values(self.graph, self.request.axes, self.banks, self.value)
        for name in self.graph:
            node, block = node_of(self.graph, name), self.graph.nodes[name]["block"]
            if block is not None or isinstance(node, Output):
                continue
            if isinstance(node, Input):
                values.bind(name, "u")
            elif isinstance(node, Field):
                values.bind(name, self.names[name])
            else:
                body += statements(name, values, self.data_printer)
        passed = ", ".join(["u", *(values.bound[source] for source in self.data_sources)])
        if own:
            body += ["for block in self.blocks:", f"    u = block({passed})"]
        else:
            body += ["for _ in range(self.steps):", f"    u = self.block({passed})"]
        body.append("return u")
        axes = ", ".join(self.request.axes)
        doc = f"u, shape (batch, 1, {axes}) -> the state after all steps, same shape, dtype and device."
        if known:
            doc += f"\n\nKnown fields, shape (batch or 1, 1, {axes}): {', '.join(known)}.\n"
        return Function("forward", arguments, "Tensor", doc.rstrip("\n"), body)

    def data_printer(self, tensors: Mapping[str, str]) -> TorchPrinter:
        """Outside of the blocks, parameters are those of the first block."""
        own = bool(self.request.trainable) and not self.request.shared
        return self.printer(tensors, "self.blocks[0]" if own else "self.block")

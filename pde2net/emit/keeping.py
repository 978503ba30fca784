"""What emitters of blocks with learned operators, or with a condition that they keep, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from pde2net.emit.base import Emitter, Request
from pde2net.emit.filters import filter_functions, filters_of, shape
from pde2net.emit.kept import FRACTION, Keeper
from pde2net.emit.spectral_bound import bound_functions
from pde2net.emit.statements import Printer, Scope
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.emit.tree import Definition, Function
from pde2net.graph.nodes import Filter, TransposedFilter
from pde2net.program.records import Function as Described
from pde2net.program.records import Program, Transform
from pde2net.scheme.stack import TAU


class KeepingEmitter(Emitter):
    """Weights of learned operators, parameters that keep their sign, steps that stay below their limit."""

    def __init__(self, request: Request, program: Program) -> None:
        self.keeper = Keeper(request, program.parameters)
        super().__init__(request, program)
        self.operators: dict[str, str] = {}
        taken = [*self.names.values(), *self.data.values(), *self.computed.values()]
        for name in filters_of(self.graph):
            self.operators[name] = self.namer.attribute(name, [*taken, *self.operators.values()])

    @property
    def computed(self) -> dict[str, str]:
        """The names of the symbols that the block computes: variables, or properties."""
        return {s.name: self.namer.attribute(s.name) for s in self.keeper.computed}

    @property
    def handed(self) -> list[str]:
        """The variables that the method `keep_stable` of a block hands to it."""
        return [*self.computed.values(), *self.operators.values()] if self.keeper.method else []

    @property
    def moving_time(self) -> bool:
        return super().moving_time or TAU in self.keeper.computed

    def printer(self, tensors: Mapping[str, str], owner: str = "self.") -> TorchPrinter:
        """Computed symbols are variables, or properties of `owner`."""
        if self.keeper.method:
            return super().printer({**tensors, **self.computed}, owner)
        found = super().printer(tensors, owner)
        scalars = {**found.scalars, **{s: owner + name for s, name in self.computed.items()}}
        return TorchPrinter(found.tensors, scalars, frozenset(found.trained) | set(self.computed))

    def stored(self, symbol: sp.Symbol, name: str) -> list[str]:
        plain = TorchPrinter({}, {s.name: self.scalar_name(s) for s in self.scalars})
        return self.keeper.stored(symbol, name, plain) or super().stored(symbol, name)

    def initialiser(self) -> Function:
        """Parameters, and the weights of learned operators."""
        made = super().initialiser()
        body = list(made.body)
        if TAU not in self.scalars and self.keeper.transforms.get(TAU) == Transform.FRACTION:
            body += self.keeper.logarithm(self.computed[TAU.name])
        for name, node in filters_of(self.graph).items():
            weights = f"filters({shape(node, self.channels)})"
            kept = f"self.{self.operators[name]} = nn.Parameter({weights})"
            if name not in self.request.trainable:
                kept = f'self.register_buffer("{self.operators[name]}", {weights})'
            body.append(kept)
        return Function(made.name, made.arguments, made.returns, made.doc, body)

    def trained_names(self) -> list[str]:
        trained = [v for name, v in self.operators.items() if name in self.request.trainable]
        return [*super().trained_names(), *trained]

    def functions(self) -> list[Definition]:
        filters = list(filters_of(self.graph).values())
        found = FRACTION if Transform.FRACTION in self.keeper.transforms.values() else []
        if filters:
            found = [*found, *filter_functions(filters[0].boundary, self.request.axes)]
        return [*found, *(bound_functions(self.dimension) if self.keeper.method else [])]

    def properties(self) -> list[Function]:
        """Parameters that keep their sign, and what is computed from parameters; the method `keep_stable`."""
        found = [
            self.keeper.positive(self.scalar_name(s))
            for s in self.scalars
            if self.keeper.transforms[s] == Transform.LOGARITHM
        ]
        found += self.keeper.properties(self.computed, self.printer)
        if self.keeper.method:
            body, returned = self.keeper.statements(self.operators, self.computed, super().printer)
            kind = "Tensor" if len(returned) == 1 else f"tuple[{', '.join(['Tensor'] * len(returned))}]"
            doc = f"{', '.join(returned)}, such that the step is stable whatever the parameters are."
            body.append(f"return {', '.join(returned)}")
            found.append(Function("keep_stable", ("self", "dtype: torch.dtype"), kind, doc, body))
        return found

    def scope(self, printer: Printer | None = None) -> Scope:
        return replace(super().scope(printer), filters=self.operators)

    def start(self, function: Described, like: str = "u") -> list[str]:
        """Statements at the start of a method that is not handed the filters."""
        if self.keeper.method:
            return []
        used = {op.operator for op in function.ops if isinstance(op, Filter | TransposedFilter)}
        return [f"{v} = self.{v}.to({like}.dtype)" for name, v in self.operators.items() if name in used]

"""What emitters of blocks with learned operators, or with a condition that they keep, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from textwrap import TextWrapper

import sympy as sp

from pde2net.emit.base import Emitter, Request
from pde2net.emit.filters import filter_functions, filters_of
from pde2net.emit.kept import FRACTION, UNCHANGED, Keeper
from pde2net.emit.learned import Bank, Column, things
from pde2net.emit.learned import constants as starts
from pde2net.emit.learned import functions as learned_functions
from pde2net.emit.spectral_bound import bound_functions
from pde2net.emit.statements import Printer, Scope
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.emit.tree import Definition, Function
from pde2net.graph.network import node_of
from pde2net.graph.nodes import Filter, Pointwise, Spline, TransposedFilter
from pde2net.program.records import Activation, Program, Transform
from pde2net.program.records import Function as Described
from pde2net.scheme.stack import ALPHA, TAU
from pde2net.verify.serialise import declared_to_json

LINES = TextWrapper(
    94, expand_tabs=False, replace_whitespace=False, drop_whitespace=False, break_on_hyphens=False
)


class KeepingEmitter(Emitter):
    """Weights of learned operators, parameters that keep their sign, steps that stay below their limit."""

    def __init__(self, request: Request, program: Program) -> None:
        self.keeper = Keeper(request, program.parameters)
        super().__init__(request, program)
        taken = [*self.names.values(), *self.data.values(), *self.computed.values()]
        self.things = things(self.graph, request.arrays, request.trainable, self.namer, taken)
        self.learned = {thing.name: thing.variable for thing in self.things}

    @property
    def computed(self) -> dict[str, str]:
        """The names of the symbols that the block computes: variables, or properties."""
        return {s.name: self.namer.attribute(s.name) for s in self.keeper.computed}

    @property
    def handed(self) -> list[str]:
        """The variables that the method `keep_stable` of a block hands to it."""
        return [*self.computed.values(), *self.learned.values()] if self.keeper.method else []

    def kept_by(self, block: str, given: str = "") -> str:
        """The statement by which a block hands over what keeps a condition."""
        made = f"lambda: {block}.keep_stable(u.dtype{given})"
        return f'{", ".join(self.handed)} = unchanged({block}, "kept", u.dtype, {made})'

    @property
    def batched(self) -> bool:
        """Whether the network bounds the norms of all its blocks at once, and hands them to `keep_stable`."""
        return False

    @property
    def moving_time(self) -> bool:
        return super().moving_time or TAU in self.keeper.computed

    def printer(self, tensors: Mapping[str, str], owner: str = "self.") -> TorchPrinter:
        """Computed symbols are variables, or properties of `owner`."""
        tensors = {**tensors, **{n: v for n, v in self.columns.items() if n not in tensors}}
        if self.keeper.method:
            return super().printer({**tensors, **self.computed}, owner)
        found = super().printer(tensors, owner)
        scalars = {**found.scalars, **{s: owner + name for s, name in self.computed.items()}}
        return TorchPrinter(found.tensors, scalars, frozenset(found.trained) | set(self.computed))

    @property
    def columns(self) -> dict[str, str]:
        """The variables of what has a value per filter."""
        return {thing.name: thing.variable for thing in self.things if isinstance(thing, Column)}

    def stored(self, symbol: sp.Symbol, name: str) -> list[str]:
        plain = TorchPrinter({}, {s.name: self.scalar_name(s) for s in self.scalars})
        return self.keeper.stored(symbol, name, plain) or super().stored(symbol, name)

    def initialiser(self) -> Function:
        """Parameters, and the weights of learned operators."""
        made = super().initialiser()
        body = list(made.body)
        if TAU not in self.scalars and self.keeper.transforms.get(TAU) == Transform.FRACTION:
            body += self.keeper.logarithm(self.computed[TAU.name])
        body += [line for thing in self.things for line in thing.stored()]
        return Function(made.name, made.arguments, made.returns, made.doc, body)

    def trained_names(self) -> list[str]:
        trained = [thing.variable for thing in self.things if thing.trained]
        return [*super().trained_names(), *trained]

    def functions(self) -> list[Definition]:
        filters = list(filters_of(self.graph).values())
        found = FRACTION if Transform.FRACTION in self.keeper.transforms.values() else []
        if filters:
            made = any(isinstance(thing, Bank) and thing.start is None for thing in self.things)
            found = [*found, *filter_functions(filters, self.request.axes, made)]
        nodes = [node_of(self.graph, name) for name in self.graph]
        found = [*found, *learned_functions(self.things, nodes)]
        if self.keeper.method:
            channels = {filters_of(self.graph)[n.chain.operators[0].name].channels for n in self.keeper.norms}
            found += [*bound_functions(self.dimension, self.keeper.norms, channels), *UNCHANGED]
        return found

    def constants(self) -> list[str]:
        return [*starts(self.things), *self._declaration()]

    def _declaration(self) -> list[str]:
        """What was compiled, for whoever asks what holds for the weights as they are."""
        if not self.things and not self.request.trainable:
            return []
        text = declared_to_json(self.request.certificate)
        parts = LINES.wrap(text)
        return ["", "DECLARATION = (", *(f"    {part!r}" for part in parts), ")"]

    def properties(self) -> list[Function]:
        """Parameters that keep their sign, and what is computed from parameters; the method `keep_stable`."""
        found = [
            self.keeper.positive(self.scalar_name(s))
            for s in self.scalars
            if self.keeper.transforms[s] == Transform.LOGARITHM
        ]
        found += [property_ for thing in self.things for property_ in thing.properties()]
        found += self.keeper.properties(self.computed, self.printer)
        if self.keeper.method:
            norms = list(self.keeper.names(self.things).values()) if self.batched else []
            body, returned = self.keeper.statements(self.things, self.computed, super().printer, self.batched)
            doc = f"{', '.join(returned)}, such that the step is stable whatever the parameters are."
            arguments = ("self", "dtype: torch.dtype", *(f"{name}: Tensor" for name in norms))
            body.append(f"return {', '.join(returned)}")
            found += [self._bounded()] if self.batched else []
            found.append(Function("keep_stable", arguments, _tensors(len(returned)), doc, body))
        if self.things or self.request.trainable:
            found.append(self._values())
        return found

    def _bounded(self) -> Function:
        """The method for the filters whose norms the network bounds, those of all blocks at once."""
        body, weights = self.keeper.weights(self.things, super().printer)
        body.append(f"return {', '.join(weights)}")
        doc = "The filters whose norms keep_stable is given bounds of."
        return Function("bounded", ("self", "dtype: torch.dtype"), _tensors(len(weights)), doc, body)

    def _values(self) -> Function:
        """The method that `learn.values` asks."""
        lines = []
        own = {s.name: self.scalar_name(s) for s in self.scalars if self.trained(s)}
        shown = {s.name for s in self.keeper.computed if s == ALPHA or not s.name.startswith("_")}
        computed = {name: own for name, own in self.computed.items() if name in shown}
        found = {name: f"self.{variable}" for name, variable in {**own, **computed}.items()}
        found |= {thing.name: f"self.{thing.variable}" for thing in self.things}
        if self.keeper.method:
            given, several = "", len(self.keeper.norms) > 1
            if self.batched:
                given = "self.bounded(torch.float64)"
                given = f", *map(norm_bound, {given})" if several else f", norm_bound({given})"
            lines = [f"{', '.join(self.handed)} = self.keep_stable(torch.float64{given})"]
            found |= computed | {t.name: t.variable for t in self.things if isinstance(t, Bank)}
        entries = ", ".join(f'"{name}": {text}' for name, text in sorted(found.items()))
        doc = "What the block computes with, by the names of the declaration."
        return Function(
            "learned_values", ("self",), "dict[str, Tensor]", doc, [*lines, f"return {{{entries}}}"]
        )

    def scope(self, printer: Printer | None = None) -> Scope:
        return replace(super().scope(printer), filters=self.learned)

    def start(self, function: Described, like: str = "u") -> list[str]:
        """Statements at the start of a method that is not handed the filters."""
        if self.keeper.method:
            return []
        used = {op.operator for op in function.ops if isinstance(op, Filter | TransposedFilter)}
        used |= {op.name for op in function.ops if isinstance(op, Spline)}
        activations = [op for op in function.ops if isinstance(op, Activation)]
        used |= {name for op in activations for name in (op.node.operator, *(s.name for s, _ in op.splines))}
        used |= {s.name for op in activations for e in op.numbers for s in e.free_symbols}
        expressions = (e for op in function.ops if isinstance(op, Pointwise) for e in op.expressions)
        used |= {s.name for e in expressions for s in e.free_symbols}
        named = (thing for thing in self.things if thing.name in used)
        return [f"{thing.variable} = {thing.handed(f'{like}.dtype')}" for thing in named]


def _tensors(count: int) -> str:
    """The type of what a method returns."""
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"

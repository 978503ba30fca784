"""Lowers a residual stack to PyTorch source: a block class, and a network class that repeats it."""

from __future__ import annotations

import sympy as sp

from pde2net.emit.base import NETWORK, Request
from pde2net.emit.keeping import KeepingEmitter
from pde2net.emit.statements import statements
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.graph.network import block, cycle, loops, node_of, parameters, sources, variable
from pde2net.graph.nodes import Previous
from pde2net.scheme.registry import table_of
from pde2net.scheme.stack import ALPHA, START_RATE, TAU, Stack


class StackEmitter(KeepingEmitter):
    part = "DiffusionBlock"

    def __init__(self, request: Request) -> None:
        self.stack: Stack = request.update
        *self.outer, self.inner = loops(request.graph)
        self.block_names = block(request.graph)
        self.cycle_names = cycle(request.graph)
        super().__init__(request)
        self.carried = self._carried()
        taken = [*self.names.values(), *self.data_sources.values(), *self.carried.values()]
        taken += [*self.operators.values(), *self.computed.values()]
        self.weight_names = {w: self.namer.identifier(w.name.strip("_"), taken) for w in self.weights}
        self.frozen = self._frozen()
        self.own = request.owner != "network"

    def _carried(self) -> dict[str, str]:
        """The earlier states that a block reads, and the rate at one -> the variable."""
        read = {p: slot for n in self.block_names for slot, (p, _) in sources(self.graph, n).items()}
        found = {p: "previous" for p in read if isinstance(node_of(self.graph, p), Previous)}
        if self.outer:
            found |= {p: "start" for p in read if p == variable(self.graph, self.outer[0])}
        return found | {p: "rate_at_start" for p, slot in read.items() if slot == START_RATE.name}

    def scalar_symbols(self) -> list[sp.Symbol]:
        used = [
            s
            for s in parameters(self.graph)
            if s not in (TAU, ALPHA) and self.occurs_in_expressions(s) and s not in self.weights
        ]
        has_alpha = ALPHA in parameters(self.graph)
        found = [*([TAU] if self._has_tau() else []), *([ALPHA] if has_alpha else []), *used]
        return [s for s in found if s not in self.keeper.without_value]

    @property
    def per_cycle(self) -> bool:
        """Whether the blocks of a cycle share weights that other cycles do not have: a polynomial is kept."""
        return self.request.owner == "cycle"

    def _has_tau(self) -> bool:
        return TAU in parameters(self.graph) or not self.weights

    def part_names(self) -> list[str]:
        return [*self.block_names, *self.cycle_names]

    @property
    def weights(self) -> list[sp.Symbol]:
        """The symbols whose values differ from stage to stage."""
        return list(self.stack.stages[0])

    @property
    def tables(self) -> list[sp.Symbol]:
        """The weights that the network keeps one by one: those of stacks whose stages differ, or trained."""
        return [w for w in self.weights if not self.stack.repeated or self._trained_table(w)]

    def _trained_table(self, weight: sp.Symbol) -> bool:
        return table_of(weight) in self.request.trainable

    def _frozen(self) -> dict[tuple[str, int], str]:
        """What blocks use of the nodes of their cycle -> the variable."""
        found: dict[tuple[str, int], str] = {}
        for name in self.block_names:
            for slot, (producer, port) in sources(self.graph, name).items():
                if producer in self.cycle_names and slot != START_RATE.name:
                    taken = [*found.values(), *self.names.values(), *self.data_sources.values()]
                    taken += self.weight_names.values()
                    found.setdefault((producer, port), self.namer.identifier(slot.lstrip("_"), taken))
        if len(found) == 1:
            return dict.fromkeys(found, self.namer.identifier("g", [*self.names.values()]))
        return found

    # -- text ------------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        return [self.block(), self.network()]

    def block(self) -> Class:
        """One residual block."""
        values = self.new_values()
        values.bound.update(self.data_sources)
        values.bound.update(self.frozen)
        values.bound.update({(node, 0): name for node, name in self.carried.items()})
        values.factor = sp.diff(self.stack.step, sp.Symbol("_rate", real=True))
        values.bind(variable(self.graph, self.inner), "u")
        body: list[str] = self.start(self.block_names)
        values.filters = self.operators
        for weight in self.weights:
            if weight not in self.tables:
                expression = self.stack.stages[0][weight]
                body.append(f"{self.weight_names[weight]} = {self.printer({}).doprint(expression)}")
            values.weights[weight.name] = self.weight_names[weight]
        for name in self.block_names:
            body += statements(name, values, self.printer)
        passed = [*self.carried.values(), *dict.fromkeys(self.frozen.values()), *self.data_sources.values()]
        arguments = ["self", "u: Tensor", *(f"{v}: Tensor" for v in (*passed, *self.handed))]
        arguments += [f"{self.weight_names[w]}: float" for w in self.tables]
        arguments += self.clock_arguments()
        members = [self.initialiser(), *self.properties(), *self._per_cycle()]
        members.append(Function("forward", arguments, "Tensor", "", body))
        return Class(self.part, "nn.Module", _BLOCK_DOC[bool(self.carried), bool(self.frozen)], members)

    def _per_cycle(self) -> list[Function]:
        """Methods for what is computed once per cycle: frozen weights of the flux, and the rate."""
        if not self.cycle_names:
            return []
        values = self.new_values()
        values.bound.update(self.data_sources)
        values.filters = self.operators
        values.bind(variable(self.graph, self.outer[0]), "u")
        body: list[str] = self.start(self.cycle_names)
        for name in self.cycle_names:
            body += statements(name, values, self.printer)
        passed = (*self.data_sources.values(), *self.handed)
        arguments = ["self", "u: Tensor", *(f"{v}: Tensor" for v in passed), *self.clock_arguments()]
        if self.frozen:
            outputs = list(dict.fromkeys(values.bound[source] for source in self.frozen))
            kind = "Tensor" if len(outputs) == 1 else f"tuple[{', '.join(['Tensor'] * len(outputs))}]"
            doc = "The diffusivities that a cycle freezes."
            body.append(f"return {', '.join(outputs)}")
            return [Function("diffusivities", arguments, kind, doc, body)]
        body.append(f"return {values.bound[self.cycle_names[-1], 0]}")
        return [Function("rate", arguments, "Tensor", "F(u) at the start of a cycle.", body)]

    def network(self) -> Class:
        """The stack: the same block again and again, or blocks with parameters of their own."""
        count, number_ = (
            ("steps", len(self.stack.stages)) if self.stack.repeated else ("cycles", self.stack.cycles)
        )
        arguments = ["self", f"{count}: int = {number_}", *self.scalar_arguments()]
        made = f"{self.part}({', '.join(self.argument_names())})"
        body = ["super().__init__()"]
        if self.per_cycle:
            body.append(f"self.blocks = nn.ModuleList({made} for _ in range({count}))")
        elif self.own:
            total = count if self.stack.repeated else f"{count} * {len(self.stack.stages)}"
            body.append(f"self.blocks = nn.ModuleList({made} for _ in range({total}))")
            if not self.stack.repeated:
                body.append(f"self.{count} = {count}")
        else:
            body += [f"self.{count} = {count}", f"self.block = {made}"]
        for weight in self.tables:
            entries = ", ".join(number(self.value(w[weight])) for w in self.stack.stages)
            table = table_of(weight)
            if self._trained_table(weight):
                body.append(f"table = [{entries}]")
                body.append(f"self.{table} = nn.Parameter(torch.tensor(table, dtype=torch.float64))")
            else:
                body.append(f"self.{table} = ({entries},)")
        blocks_ = len(self.stack.stages) * self.stack.cycles
        what = f"{blocks_} residual blocks" if blocks_ > 1 else "One residual block"
        if not self.stack.repeated and self.stack.cycles > 1:
            what += f" in {self.stack.cycles} cycles"
        shares = " that share their weights" if blocks_ > 1 else ""
        if self.own and blocks_ > 1:
            shares = f", each {'cycle ' if self.per_cycle else ''}with weights of its own"
        return Class(
            NETWORK,
            "nn.Module",
            f"{what}{shares}.",
            [Function("__init__", arguments, "None", "", body), self._forward()],
        )

    def _forward(self) -> Function:
        owner = "self.blocks[0]" if self.own else "self.block"
        arguments, doc = self.network_arguments()
        body, data = self.prelude(f"{owner}.")
        if self.per_cycle:
            owner = "block"
        data = [*data, *self.handed]
        indent = "" if self.stack.repeated else "    "
        begin, start, after = self._times(f"{owner}.")
        if self.handed and not self.own:
            body.append(f"{', '.join(self.handed)} = {owner}.keep_stable(u.dtype)")
        elif self.handed and self.per_cycle:
            start.insert(0, f"{', '.join(self.handed)} = block.keep_stable(u.dtype)")
        timed = [*data, *self.at_time()]
        if self.frozen:
            left = ", ".join(dict.fromkeys(self.frozen.values()))
            start.append(f"{left} = {owner}.diffusivities({', '.join(['u', *timed])})")
        names = list(self.carried.values())
        equal = [n for n in names if n in ("previous", "start")]
        if equal:
            start.append(f"{' = '.join(equal)} = u")
        if "rate_at_start" in names:
            start.append(f"rate_at_start = {owner}.rate({', '.join(['u', *timed])})")
        if self.own and not self.stack.repeated and not self.per_cycle:
            body.append("blocks = iter(self.blocks)")
        body += begin
        if self.per_cycle:
            body.append("for block in self.blocks:")
        elif not self.stack.repeated:
            body.append(f"for {'_' if self.clock is None else self.counter} in range(self.cycles):")
        lines = [*start, *self._loop(names, data), *after]
        body += [indent + line for line in lines]
        return Function("forward", arguments, "Tensor", doc, [*body, "return u"])

    def _times(self, owner: str) -> tuple[list[str], list[str], list[str]]:
        """As `times`, of cycles; stages that are steps move the time themselves."""
        if not self.stack.repeated:
            return self.times(owner, lambda k: self.stack.clock(k, 0))
        return [self.time_zero()] if self.clock is not None and self.own else [], [], []

    def _loop(self, names: list[str], data: list[str]) -> list[str]:
        """The loop over the stages of a cycle."""
        weights = [self.weight_names[w] for w in self.tables]
        tables = [f"self.{table_of(w)}" for w in self.tables]
        block = "self.block"
        if self.per_cycle:
            block = "block"
        elif self.own:
            block = "next(blocks)"
            if self.stack.repeated:
                block, weights, tables = "block", ["block", *weights], ["self.blocks", *tables]
        over = "range(self.steps)"
        if not tables:
            loop = "for _ in range(self.steps):"
        else:
            over = tables[0] if len(tables) == 1 else f"zip({', '.join(tables)}, strict=True)"
            loop = f"for {', '.join(weights)} in {over}:"
        passed = [
            "u",
            *names,
            *dict.fromkeys(self.frozen.values()),
            *data,
            *(self.weight_names[w] for w in self.tables),
        ]
        after: list[str] = []
        if self.clock is not None and self.stack.repeated and not self.own:
            loop = f"for {self.counter} in range(self.steps):"
            if tables:
                entries = f"({', '.join(weights)})" if len(weights) > 1 else weights[0]
                loop = f"for {self.counter}, {entries} in enumerate({over}):"
            passed.append(self.time_at(lambda k: self.stack.clock(0, k), "self.block."))
        elif self.clock is not None:
            passed.append(self.now)
            step = self.printer({}, "block.").doprint(self.clock + TAU)
            after = [f"    {self.now} = {step}"] if self.stack.repeated else []
        call = f"{block}({', '.join(passed)})"
        if self.handed and self.own and not self.per_cycle:
            lines = [loop, f"    {', '.join(self.handed)} = block.keep_stable(u.dtype)"]
        else:
            lines = [loop]
        if "previous" in names:
            return [*lines, f"    u, previous = {call}, u", *after]
        return [*lines, f"    u = {call}", *after]


_BLOCK_DOC = {
    (False, False): "One explicit step: convolution K, activation, transposed convolution -K^T, skip.",
    (False, True): "One explicit step with frozen diffusivities: K, weights, -K^T, skip.",
    (
        True,
        False,
    ): "One step: convolution K, activation, transposed convolution -K^T, skips to earlier states.",
    (True, True): "One step with frozen diffusivities: K, weights, -K^T, skips to earlier states.",
}

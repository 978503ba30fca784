"""Lowers a residual stack to PyTorch source: a block class, and a network class that repeats it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import sympy as sp

from pde2net.emit.base import NETWORK, Request
from pde2net.emit.keeping import KeepingEmitter
from pde2net.emit.statements import returning
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.program.records import Program
from pde2net.scheme.registry import table_of
from pde2net.scheme.stack import RATE, TAU, Stack


class StackEmitter(KeepingEmitter):
    part = "DiffusionBlock"

    def __init__(self, request: Request, program: Program) -> None:
        self.stack: Stack = request.update
        super().__init__(request, program)
        self.carried = dict(program.carried)
        taken = [*self.names.values(), *self.data.values(), *self.carried.values()]
        taken += [*self.learned.values(), *self.computed.values()]
        self.weight_names = {w: self.namer.identifier(w.name.strip("_"), taken) for w in self.weights}
        self.frozen = self._frozen()
        taken += [*self.weight_names.values(), *self.frozen.values()]
        self.norm, self.norms = (self.namer.identifier(name, taken) for name in ("norm", "norms"))

    @property
    def per_cycle(self) -> bool:
        """Whether the blocks of a cycle share weights that other cycles do not have: a polynomial is kept."""
        return self.program.owner == "cycle"

    @property
    def batched(self) -> bool:
        return self.own and self.keeper.method

    @property
    def weights(self) -> list[sp.Symbol]:
        """The symbols whose values differ from stage to stage."""
        return list(self.stack.stages[0])

    @property
    def reserved(self) -> Collection[str]:
        return self.weight_names.values()

    @property
    def tables(self) -> list[sp.Symbol]:
        """The weights that the network keeps one by one: those of stacks whose stages differ, or trained."""
        return [w for w in self.weights if not self.stack.repeated or self._trained_table(w)]

    def _trained_table(self, weight: sp.Symbol) -> bool:
        return table_of(weight) in self.request.trainable

    def _frozen(self) -> dict[str, str]:
        """What blocks use of their cycle -> the variable."""
        if len(self.program.frozen) == 1:
            ((value, _),) = self.program.frozen
            return {value: self.namer.identifier("g", self.names.values())}
        found: dict[str, str] = {}
        for value, wanted in self.program.frozen:
            taken = [*found.values(), *self.names.values(), *self.data.values(), *self.weight_names.values()]
            found[value] = self.namer.identifier(wanted, taken)
        return found

    # -- text ------------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        return [self.block(), self.network()]

    def block(self) -> Class:
        """One residual block."""
        (state, _), *_ = self.program["forward"].parameters
        found = self.named(self.program["forward"], {state: "u", **self.carried, **self.frozen})
        body = self.start(found)
        for weight in self.weights:
            if weight not in self.tables:
                expression = self.stack.stages[0][weight]
                body.append(f"{self.weight_names[weight]} = {self.printer({}).doprint(expression)}")
        factor = sp.diff(self.stack.step, RATE)
        weights = {w.name: self.weight_names[w] for w in self.weights}
        body += returning(found, replace(self.scope(), weights=weights, factor=factor))
        passed = [*self.carried.values(), *self.frozen.values(), *self.data.values()]
        arguments = ["self", "u: Tensor", *(f"{v}: Tensor" for v in (*passed, *self.handed))]
        arguments += [f"{self.weight_names[w]}: float" for w in self.tables]
        arguments += self.clock_arguments()
        members = [self.initialiser(), *self.properties(), *self._per_cycle()]
        members.append(Function("forward", arguments, "Tensor", "", body))
        kind = "step" if self.carried else "explicit step"
        doc = f"One {kind}: convolution K, activation, transposed convolution -K^T, skip"
        if self.frozen:
            doc = f"One {kind} with frozen diffusivities: K, weights, -K^T, skip"
        doc += "s to earlier states." if self.carried else "."
        return Class(self.part, "nn.Module", doc, members)

    def _per_cycle(self) -> list[Function]:
        """Methods for what is computed once per cycle: frozen weights of the flux, and the rate."""
        method = "diffusivities" if self.frozen else "rate"
        if method not in self.program:
            return []
        (state, _), *_ = self.program[method].parameters
        found = self.named(self.program[method], {state: "u"})
        passed = (*self.data.values(), *self.handed)
        arguments = ["self", "u: Tensor", *(f"{v}: Tensor" for v in passed), *self.clock_arguments()]
        kind = "Tensor" if len(found.results) == 1 else f"tuple[{', '.join(['Tensor'] * len(found.results))}]"
        doc = "The diffusivities that a cycle freezes." if self.frozen else "F(u) at the start of a cycle."
        body = [*self.start(found), *returning(found, self.scope())]
        return [Function(method, arguments, kind, doc, body)]

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
        kept = self.kept_by(owner, self._given())
        if self.handed and not self.own:
            body.append(kept)
        elif self.handed and self.per_cycle:
            start.insert(0, kept)
        body += self._norms() if self.batched else []
        timed = [*data, *self.at_time()]
        if self.frozen:
            left = ", ".join(self.frozen.values())
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
            blocks = f"block, {self.norm} in zip(self.blocks, {self.norms}, strict=True)"
            body.append(f"for {blocks if self.batched else 'block in self.blocks'}:")
        elif not self.stack.repeated:
            body.append(f"for {'_' if self.clock is None else self.counter} in range(self.cycles):")
        lines = [*start, *self._loop(names, data), *after]
        body += [indent + line for line in lines]
        body = [*self.kept_outside(), *body, f"return {self.finished('u')}"]
        return Function("forward", arguments, "Tensor", doc, body)

    def _given(self) -> str:
        """What the method `keep_stable` of a block is given besides the dtype."""
        several = len(self.keeper.norms) > 1
        return f", {'*' if several else ''}{self.norm}" if self.batched else ""

    def _norms(self) -> list[str]:
        """Statements that bound the norms of all blocks."""
        bounded, blocks = "block.bounded(u.dtype)", "for block in self.blocks"
        if len(self.keeper.norms) == 1:
            return self._unchanging(f"norm_bound(torch.stack([{bounded} {blocks}]))")
        kinds = f"zip(*({bounded} {blocks}), strict=True)"
        stacked = f"norm_bound(torch.stack(weights)) for weights in {kinds}"
        return self._unchanging(f"torch.stack([{stacked}], 1)")

    def _unchanging(self, norms: str) -> list[str]:
        return [f'{self.norms} = unchanged(self, "norms", u.dtype, lambda: {norms})']

    def _times(self, owner: str) -> tuple[list[str], list[str], list[str]]:
        """As `times`, of cycles; stages that are steps move the time themselves."""
        if not self.stack.repeated:
            return self.times(owner, lambda k: self.stack.clock(k, 0))
        return [self.time_zero()] if self.clock is not None and self.own else [], [], []

    def _loop(self, names: list[str], data: list[str]) -> list[str]:
        """The loop over the stages of a cycle."""
        lines, block, after = self._stages()
        passed = [
            "u",
            *names,
            *self.frozen.values(),
            *data,
            *(self.weight_names[w] for w in self.tables),
        ]
        if self.clock is not None:
            passed.append(self._clock_of_stage())
        call = f"{block}({', '.join(passed)})"
        if "previous" in names:
            return [*lines, f"    u, previous = {call}, u", *after]
        return [*lines, f"    u = {call}", *after]

    def _clock_of_stage(self) -> str:
        """The time that a stage is handed."""
        if self.stack.repeated and not self.own:
            return self.time_at(lambda k: self.stack.clock(0, k), "self.block.")
        return self.now

    def _stages(self) -> tuple[list[str], str, list[str]]:
        """The head of the loop over the stages of a cycle, the block of a stage, statements at its end."""
        weights = [self.weight_names[w] for w in self.tables]
        tables = [f"self.{table_of(w)}" for w in self.tables]
        block = "self.block"
        if self.per_cycle:
            block = "block"
        elif self.own:
            block = "next(blocks)"
            if self.stack.repeated:
                norm, norms = ([self.norm], [self.norms]) if self.batched else ([], [])
                weights, tables = ["block", *norm, *weights], ["self.blocks", *norms, *tables]
                block = "block"
        over = f"range({'self.steps' if self.stack.repeated else len(self.stack.stages)})"
        if not tables:
            loop = f"for _ in {over}:"
        else:
            over = tables[0] if len(tables) == 1 else f"zip({', '.join(tables)}, strict=True)"
            loop = f"for {', '.join(weights)} in {over}:"
        after: list[str] = []
        if self.clock is not None and self.stack.repeated and not self.own:
            loop = f"for {self.counter} in range(self.steps):"
            if tables:
                entries = f"({', '.join(weights)})" if len(weights) > 1 else weights[0]
                loop = f"for {self.counter}, {entries} in enumerate({over}):"
        elif self.clock is not None:
            step = self.printer({}, "block.").doprint(self.clock + TAU)
            after = [f"    {self.now} = {step}"] if self.stack.repeated else []
        if self.handed and self.own and not self.per_cycle:
            return [loop, f"    {self.kept_by('block', self._given())}"], block, after
        return [loop], block, after

"""What all emitters share: banks, names, parameters, data computed once, and the text of the module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sympy as sp

from pde2net.discretise.operators import Bank, Operation, factors
from pde2net.emit.checks import (
    BORDER_CELLS,
    DECLARED,
    NUMBERS,
    declared_check,
    domain_check,
    input_checks,
    number_check,
)
from pde2net.emit.header import module_docstring
from pde2net.emit.operators import HELPERS, LINEAR, along, bank_classes, difference_functions, mean_function
from pde2net.emit.smoothing import gaussian_function
from pde2net.emit.statements import Printer, Scope, statements
from pde2net.emit.torch_expressions import TorchPrinter, number, require_numbers
from pde2net.emit.tree import Definition, Function, Source, render
from pde2net.emit.words import ABSTRACT, MODULES, TOOLS, calls, imported, lines, words
from pde2net.errors import EmissionError
from pde2net.graph.network import Graph, fields, node_of, parameters, repeats
from pde2net.graph.nodes import Convolution, EdgeMean, Field, Gaussian
from pde2net.language.arrays import Array
from pde2net.language.problem import Problem
from pde2net.language.symbols import Edge, Input
from pde2net.language.text.write import sign_text
from pde2net.program import name as naming
from pde2net.program.names import Namer
from pde2net.program.parametrise import expressions
from pde2net.program.records import Function as Described
from pde2net.program.records import Program
from pde2net.scheme.stack import TAU
from pde2net.verify.certificate import Certificate
from pde2net.verify.kept import Kept

NETWORK = "DiffusionNetwork"


@dataclass(frozen=True)
class Request:
    """What is emitted: the graph, the record of its update, its certificate, trainable names, sizes.

    unknowns  the names of those of a system
    arrays    values of what is learned, to start from or to keep
    multiple  what the sizes of images are multiples of
    backend   "torch" or "numba"
    steps     of kernels in one pass over memory, and in one that keeps what derivatives need
    check     whether values are compared with what is declared of them
    namer     makes identifiers
    """

    graph: Graph
    update: Any
    certificate: Certificate
    axes: tuple[str, ...]
    smallest: tuple[int, ...]
    unknowns: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    shared: bool = True
    kept: Kept | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)
    multiple: int = 1
    backend: str = "torch"
    steps: tuple[int, int] | None = None
    check: bool = True
    namer: Namer = field(default_factory=Namer)


class Emitter(ABC):
    """Lowers one graph; `part` is the class that owns the parameters (a block, a cell)."""

    part: str

    def __init__(self, request: Request, program: Program) -> None:
        self.request, self.graph, self.program = request, request.graph, program
        self.values: dict[sp.Symbol, sp.Expr] = request.graph.graph["values"]
        self.dimension = len(request.axes)
        self.channels: int = request.graph.graph["channels"]
        self.banks = self._banks()
        without_value = {p.symbol for p in program.parameters if p.default is None}
        symbols = (s for s in parameters(self.graph) if s.name not in request.arrays)
        self.value(sp.Tuple(*(s for s in symbols if s not in without_value)))
        self.clock = self._clock()
        self.scalars = [p.symbol for p in program.parameters if p.default is not None]
        self.own = program.owner != "network"
        known = [s.name for s in fields(self.graph)]
        self.namer = request.namer
        self.names: dict[str, str] = {}
        for s in self.scalars:
            wanted = f"{s.name[1:]}_" if s.name.startswith("_") else s.name  # of the scheme
            self.names[s.name] = self.namer.attribute(wanted, self.names.values())
        for name in known:
            self.names[name] = self.namer.identifier(name, self.names.values())
        self.data = self._data()
        taken = [*self.names.values(), *self.data.values()]
        self.counter = self.namer.identifier("k", taken)
        self.now = ""
        if self.clock is not None:
            self.now = self.namer.identifier(self.clock.name, [*taken, self.counter])

    # -- what an architecture defines --------------------------------------------------------------

    @abstractmethod
    def classes(self) -> list[Definition]:
        """The part, what it needs, and the network."""

    # -- values and names --------------------------------------------------------------------------

    def value(self, expression: sp.Expr) -> sp.Expr:
        """`expression` with all parameters at their values."""
        result = expression.subs(self.values).subs(self.values)
        if result.free_symbols:
            symbols = sorted(result.free_symbols, key=str)
            missing, first = ", ".join(map(str, symbols)), f"{symbols[0]}{sign_text(symbols[0])}"
            has = "has" if len(symbols) == 1 else "have"
            lead = f"{missing} {has} no value, so no network can be emitted:"
            first_value = -1 if symbols[0].is_negative else 1
            raise EmissionError(
                f"{lead} pass a number for the step and the spacing, and Problem(..., "
                f"parameters={{{', '.join(f'{s}: ...' for s in symbols)}}}) for the rest."
            ).spelt(
                f"{lead} write numbers for the step and the spacing, and declare parameters of the equation "
                f'with their values, "parameter {first} = {first_value}", or --set them.'
            )
        return sp.nsimplify(result) if result.is_Float else result

    def _banks(self) -> dict[Bank, str]:
        found: dict[Bank, str] = {}
        for name in self.graph:
            node = node_of(self.graph, name)
            if isinstance(node, Convolution) and node.bank not in found:
                found[node.bank] = ""
        for bank in found:
            found[bank] = self._bank_name(bank, found)
        return found

    def _bank_name(self, bank: Bank, taken: dict[Bank, str]) -> str:
        difference = bank.rows[0][0][1]
        if bank.mixed:
            base = "Hessian"
        elif difference.stencil.derivative == 2:
            base = "Curvature"
        else:
            same = [b for b in taken if b.rows[0][0][1].stencil.derivative == 1]
            base = "Gradient" if difference.stencil.half or len(same) == 1 else "CellGradient"
        number_, name = 1, base
        while name in taken.values():
            number_ += 1
            name = f"{base}{number_}"
        return name

    def _data(self) -> dict[str, str]:
        """The arguments that hand known data to the part, by their values."""
        fields = {n: node_of(self.graph, n) for n in self.graph}
        found: dict[str, str] = {}
        for value, wanted in self.program.data:
            node = fields.get(value)
            taken = [*found.values(), *self.names.values()]
            own = self.names[node.symbol.name] if isinstance(node, Field) else ""
            found[value] = own or self.namer.identifier(wanted, taken)
        return found

    @property
    def reserved(self) -> Collection[str]:
        """Further variables of the methods of a part."""
        return ()

    def named(self, function: Described, known: Mapping[str, str] | None = None) -> Described:
        """A function with identifiers; `known` are those of values that it is handed beside data."""
        given = {**self.data, **(known or {})}
        values = [*(v for v, _ in function.parameters), *(v for let in function.body for v in let.outputs)]
        return naming.name(function, self.namer, {v: given[v] for v in values if v in given}, self.reserved)

    def scope(self, printer: Printer | None = None) -> Scope:
        """What the statements of a method of the part refer to."""
        time = self.at_time()
        return Scope(
            self.request.axes, self.channels, self.banks, self.value, printer or self.printer, time=time
        )

    def _clock(self) -> sp.Symbol | None:
        """The time t, if blocks contain it."""
        return next((t for repeat in repeats(self.graph) for t, _ in repeat.clock), None)

    @property
    def moving_time(self) -> bool:
        """Whether the time is a tensor, since tau is one."""
        return self.trained(TAU)

    def clock_arguments(self) -> list[str]:
        """The time as an argument of methods."""
        return [] if self.clock is None else [f"{self.now}: {'Tensor' if self.moving_time else 'float'}"]

    def at_time(self) -> list[str]:
        """The time as what is handed to them."""
        return [] if self.clock is None else [self.now]

    def time_at(self, clock: Callable[[sp.Symbol], sp.Expr], owner: str) -> str:
        """The time of the step or cycle that the variable of a loop counts."""
        return self.printer({"_k": self.counter}, owner).doprint(clock(sp.Symbol("_k", integer=True)))

    def loop_over(self, parts: str, part: str) -> str:
        """The loop over implicit steps, whose part is one of `parts` or always the same."""
        if not part.startswith("self."):
            return f"for {part} in {parts}:"
        return f"for {'_' if self.clock is None else self.counter} in range(self.steps):"

    def times(
        self, owner: str, clock: Callable[[sp.Expr], sp.Expr]
    ) -> tuple[list[str], list[str], list[str]]:
        """Statements that set the time: before the loop over steps, at the start and at the end of each."""
        if self.clock is None:
            return [], [], []
        if owner.startswith("self."):
            return [], [f"{self.now} = {self.time_at(clock, owner)}"], []
        printed, offset = self.printer({}, owner), clock(sp.S.Zero)
        before, after = (
            [f"{self.now} = {printed.doprint(self.clock + e)}"] if e != 0 else []
            for e in (offset, sp.simplify(clock(sp.S.One) - 2 * offset))
        )
        return [self.time_zero()], before, after

    def time_zero(self) -> str:
        """The start of a sum of steps."""
        zero = "torch.zeros((), dtype=torch.float64, device=u.device)" if self.moving_time else "0.0"
        return f"{self.now} = {zero}"

    def scalar_name(self, symbol: sp.Symbol) -> str:
        return self.names[symbol.name]

    def trained(self, symbol: sp.Symbol) -> bool:
        return symbol.name in self.request.trainable

    def printer(self, tensors: Mapping[str, str], owner: str = "self.") -> TorchPrinter:
        """A printer with `tensors` in scope; parameters are attributes of `owner`, the time is a variable."""
        scalars = {s.name: f"{owner}{self.scalar_name(s)}" for s in self.scalars}
        trained = frozenset(self.request.trainable)
        if self.clock is not None:
            scalars[self.clock.name] = self.now
            trained |= {self.clock.name} if self.moving_time else set()
        return TorchPrinter(tensors, scalars, trained)

    def initialiser(self) -> Function:
        stored = [line for s in self.scalars for line in self.stored(s, self.scalar_name(s))]
        arguments = ["self", *self.scalar_arguments()]
        return Function("__init__", arguments, "None", "", ["super().__init__()", *stored])

    def stored(self, symbol: sp.Symbol, name: str) -> list[str]:
        """The statements that keep a parameter of the constructor."""
        if self.trained(symbol):
            return [f"self.{name} = nn.Parameter(torch.tensor({name}, dtype=torch.float64))"]
        return [f"self.{name} = float({name})"]

    def argument_names(self) -> list[str]:
        return [self.scalar_name(s) for s in self.scalars]

    def scalar_arguments(self) -> list[str]:
        """The parameters as arguments with their values as defaults."""
        return [f"{self.scalar_name(s)}: float = {number(self.value(s))}" for s in self.scalars]

    def network_arguments(self) -> tuple[list[str], str]:
        """The arguments of the network's forward method, and its docstring."""
        handed = [s for s in fields(self.graph) if not isinstance(s, Edge)]
        known = [s.name for s in handed]
        arguments = ["self", "u: Tensor"]
        if known:
            kinds = {s.name: "Tensor | float" if isinstance(s, Input) else "Tensor" for s in handed}
            arguments += ["*", *(f"{f}{self.namer.mark}: {kinds[f]}" for f in known)]
        axes = ", ".join(self.request.axes)
        shape = f"(batch, {self.channels}, {axes})"
        doc = f"u, shape {shape} -> the state after all steps, same shape, dtype and device."
        if self.request.unknowns:
            doc += f"\n\nIts channels are {', '.join(self.request.unknowns)}."
        given = [s.name for s in fields(self.graph) if isinstance(s, Input)]
        if arrays := [name for name in known if name not in given]:
            own = "1" if self.channels == 1 or self.request.unknowns else f"{self.channels} or 1"
            doc += f"\n\nKnown fields, shape (batch or 1, {own}, {axes}): {', '.join(arrays)}."
        if self.problem.domain is not None:
            doc += f"\n\nThe domain: {self.problem.domain.func} = 1; cells where it is 0 keep their values."
        if given:
            doc += f"\n\nNumbers, one for all images or one for each: {', '.join(given)}."
        return arguments, doc

    def value_checks(self, known: Mapping[str, str]) -> list[str]:
        """Statements that compare values with what is declared; `known` has the variable of each field."""
        found, domain = [], self.problem.domain
        for f in self.problem.equation_fields:
            found += declared_check(f, self.problem.interval(f), known[str(f.func)])
        outside = "" if domain is None else f"{known[str(domain.func)]} != 1"
        for k, state in enumerate(self.problem.unknowns):
            own = f"u[:, {k}:{k + 1}]" if self.request.unknowns else "u"
            found += declared_check(state, self.problem.interval(state), own, outside)
        return found + ([] if domain is None else domain_check(domain, known[str(domain.func)]))

    def checks(self) -> list[str]:
        """Statements that check the arguments; those whose names the text uses itself get others."""
        edges = [s for s in fields(self.graph) if isinstance(s, Edge)]
        known = {s.name: self.names[s.name] for s in fields(self.graph) if s not in edges}
        renamed = [f"{own} = {name}" for name, own in known.items() if own != name + self.namer.mark]
        asked = self.request
        inputs = [s for s in fields(self.graph) if isinstance(s, Input)]
        arrays = {name: own for name, own in known.items() if name not in {s.name for s in inputs}}
        sizes = [(n, asked.multiple) for n in asked.smallest]
        domain = self.problem.domain
        own = "" if domain is None else str(domain.func)
        found = renamed + input_checks(asked.axes, sizes, arrays, self.channels, asked.unknowns, own)
        found += self.value_checks(known) if asked.check else []
        found += [number_check(s, known[s.name]) for s in inputs]
        found += [
            f"{self.names[s.name]} = border_cells(u, {s.axis + 2}, {-1 if s.last else 0})" for s in edges
        ]
        return found if domain is None else [*found, f"u = {self.in_domain('u', '0')}"]

    @property
    def given(self) -> str:
        """The variable of what the network was called with, which cells outside of a domain keep."""
        return self.namer.identifier("given", [*self.names.values(), *self.data.values()])

    def kept_outside(self) -> list[str]:
        """The statement that keeps it."""
        return [] if self.problem.domain is None else [f"{self.given} = u"]

    def finished(self, state: str) -> str:
        """The result for the state after all steps."""
        return state if self.problem.domain is None else self.in_domain(state, self.given)

    def in_domain(self, inner: str, outer: str) -> str:
        """`inner` in the cells of the domain, `outer` in the others."""
        own = self.names[str(self.problem.domain.func)] if self.problem.domain is not None else ""
        return f"torch.where({own} == 1, {inner}, {outer})"

    @property
    def problem(self) -> Problem:
        """What was declared."""
        return self.request.certificate.declaration.problem

    def prelude(self, owner: str) -> tuple[list[str], list[str]]:
        """Checks of the input and what depends on data alone; the variables that the part is handed."""
        body, data = self.prelude_on(partial(self.printer, owner=owner))
        return [*self.checks(), *body], data

    def prelude_on(self, printer: Printer) -> tuple[list[str], list[str]]:
        """Statements that compute what depends on data alone, and the variables of that."""
        (state, _), *known = self.program["known"].parameters
        words = {state: "u", **{n: self.names[field] for n, field in known}}
        found = naming.name(self.program["known"], self.namer, words)
        return statements(found, self.scope(printer)), list(found.results)

    # -- text ------------------------------------------------------------------------------------

    def text(self, definitions: list[Definition]) -> str:
        """The source of the module; raises EmissionError for numbers beyond floating point."""
        for expression in expressions(self.graph):
            require_numbers(expression, self.values)
        doc = module_docstring(
            self.request.certificate,
            self.request.axes,
            self.request.smallest,
            self.trained_names(),
            self.channels,
            self.request.check,
        )
        found = imported(definitions)
        products = any(word == "Product" for d in definitions for word in words(lines(d)))
        constants = [f'__all__ = ["{NETWORK}"]', *self.constants()]
        constants += ["", "Product = Callable[[Tensor], Tensor]"] if products else []
        used = {*found, *(["Callable"] if products else [])}
        abstract = [a for a in ABSTRACT if a in used]
        standard = [f"import {name}" for name in MODULES if name in found]
        standard += [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
        executor = "ThreadPoolExecutor"
        standard += [f"from concurrent.futures import {executor}"] if executor in found else []
        tools = [name for name in TOOLS if name in found]
        standard += [f"from functools import {', '.join(tools)}"] if tools else []
        standard += ["from pathlib import Path"] if "Path" in found else []
        standard += ["from typing import Any"] if "Any" in found else []
        imports = ["from __future__ import annotations", "", *standard, *([""] if standard else [])]
        imports += [*self.libraries(), *(["import torch.nn.functional as F"] if "F" in found else [])]
        imports.append("from torch import Tensor, nn")
        return render(Source(doc, imports, constants, definitions))

    def definitions(self) -> list[Definition]:
        """All functions and classes of the module, in order."""
        items = dict.fromkeys(along(d) for bank in self.banks for d in bank.differences)
        functions = [f for item in items for f in difference_functions(item)]
        nodes = [node_of(self.graph, name) for name in self.graph]
        closures = sorted({n.closure for n in nodes if isinstance(n, EdgeMean)})
        functions += [f for closure in closures for f in mean_function(closure)]
        borders = dict.fromkeys(b for n in nodes if isinstance(n, Gaussian) for b in n.boundary)
        functions += [f for border in borders for f in gaussian_function(border)]
        functions += NUMBERS if any(isinstance(s, Input) for s in fields(self.graph)) else []
        found = [*functions, *self.functions(), *(LINEAR if self.banks else [])]
        for bank, name in self.banks.items():
            found += bank_classes(name, self._what(bank), bank, self.dimension, self.value)
        found += self.classes()
        for helper in (*HELPERS, *DECLARED, *BORDER_CELLS):
            if any(calls(helper.name, d) for d in found):
                found.insert(0, helper)
        counts = Counter(d.name for d in found)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise EmissionError(f"Several definitions of the source are called {twice[0]}.")
        return found

    def trained_names(self) -> list[str]:
        """What the docstring says is trained."""
        return [self.scalar_name(s) for s in self.scalars if self.trained(s)]

    def libraries(self) -> list[str]:
        """Imports of what is installed."""
        return ["import torch"]

    def functions(self) -> list[Definition]:
        """More functions that the classes use."""
        return []

    def constants(self) -> list[str]:
        """Lines of the module that define more constants."""
        return []

    def asked(
        self, name: str, arrays: Sequence[str], several: bool = False, tied: Sequence[str] = ()
    ) -> list[str]:
        """Statements before the body of a method, which may return what it is asked for in another way.

        tied  what is returned as text, with the value of the method, or the first and second one, in braces
        """
        return []

    def _what(self, bank: Bank) -> str:
        difference = bank.rows[0][0][1]
        if difference.stencil.derivative == 2:
            rows = [
                [("" if w == 1 else f"{w} ") + f"d_{self._axes_of(d)}" for w, d in row]
                for row in bank.operations
            ]
            return f"u -> {', '.join(' + '.join(row) for row in rows)}"
        return "u -> " + ", ".join(f"u_{a}" for a in self.request.axes)

    def _axes_of(self, operation: Operation) -> str:
        """xx, xy or x, what an operation differentiates along."""
        return "".join(self.request.axes[d.axis] * d.stencil.derivative for d in factors(operation))

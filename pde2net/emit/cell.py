"""Lowers a recurrent cell to PyTorch source: the cell as a class, and a network that iterates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from pde2net.emit.base import NETWORK, Request
from pde2net.emit.cell_helpers import definitions
from pde2net.emit.grids import grid_definitions
from pde2net.emit.keeping import KeepingEmitter
from pde2net.emit.loops import residuals, until
from pde2net.emit.precondition import PreconditionerEmitter
from pde2net.emit.squares import squares_of
from pde2net.emit.statements import returned, statements
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.emit.tree import Class, Function
from pde2net.emit.values import Values
from pde2net.graph.network import (
    block,
    channel_name,
    fields_of,
    loops,
    node_of,
    parameters,
    sources,
    variable,
)
from pde2net.graph.nodes import Channel, Iterate, LinearSolve, Operator, State, Trial, VCycle
from pde2net.scheme.cell import Cell
from pde2net.scheme.stack import TAU

_DOC = {
    "fixed point": "One Picard iteration, v <- rhs + tau F(v).",
    "Kacanov": "One iteration with lagged diffusivities, (1 + tau A(v)) v <- rhs.",
    "Newton": "One Newton iteration for v - tau F(v) = rhs.",
    "": "One step of additive operator splitting: the mean of implicit steps along each axis.",
}


class CellEmitter(KeepingEmitter):
    part = "ImplicitCell"

    def __init__(self, request: Request) -> None:
        self.cell: Cell = request.update
        self.block = loops(request.graph)[-1]
        names = block(request.graph)
        multigrid = any(isinstance(node_of(request.graph, n), VCycle) for n in names)
        self.preconditioner = PreconditionerEmitter(request) if multigrid else None
        if self.preconditioner:
            names = [n for n in names if not self.preconditioner.computes(n)]
        self.block_names = names
        super().__init__(request)
        self.own = request.owner != "network"
        found = [(n, node_of(self.graph, n)) for n in self.block_names]
        self.loop = next(((n, node) for n, node in found if isinstance(node, Iterate)), None)
        self.system = next(((n, node) for n, node in found if isinstance(node, LinearSolve)), None)

    def scalar_symbols(self) -> list[sp.Symbol]:
        used = [s for s in parameters(self.graph) if s != TAU and self.occurs_in_expressions(s)]
        return [*([] if self.cell.steady else [TAU]), *used]

    def part_names(self) -> list[str]:
        return [n for n in self.block_names if not isinstance(node_of(self.graph, n), Operator)]

    def _data_sources(self) -> dict[tuple[str, int], str]:
        found = super()._data_sources()
        if self.preconditioner:
            needed = fields_of(self.graph, self.preconditioner.name)
            found |= {(node, 0): self.names[f.name] for node, f in needed.items()}
        return found

    def printer(self, tensors: Mapping[str, str], owner: str = "self.") -> TorchPrinter:
        return super().printer(tensors, f"{owner}operator." if self.preconditioner else owner)

    def initialiser(self) -> Function:
        made = super().initialiser()
        if not self.preconditioner:
            return made
        operator = f"self.operator = {self.preconditioner.part}({', '.join(self.argument_names())})"
        return replace(made, body=["super().__init__()", operator])

    @property
    def trial(self) -> str | None:
        """The linear system of the cell, where it is not solved directly."""
        return None if self.system is None else self.system[0]

    @property
    def loop_name(self) -> str | None:
        return None if self.loop is None else self.loop[0]

    def inside(self, loop: str | None) -> list[str]:
        return [n for n in self.block_names if self.graph.nodes[n]["loop"] == loop]

    # -- the cell ----------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        nodes = [node_of(self.graph, n) for n in self.block_names]
        helpers = squares_of(self.graph, self.banks, self.dimension, self.value)
        if self.preconditioner:
            helpers += grid_definitions(self.preconditioner.grid_kind())
        helpers += definitions(nodes, self.loop[1] if self.loop else None)
        helpers += self.preconditioner.classes() if self.preconditioner else []
        return [*helpers, self._cell(), self._network()]

    def _cell(self) -> Class:
        method = self.loop[1].method if self.loop else ""
        members = [self._cell_initialiser()]
        if self.loop is None:
            members.append(self._method("forward", "", self.inside(self.block), ""))
        else:
            name, _ = self.loop
            feeds = sources(self.graph, name)
            if self.cell.theta != 1:
                doc = "u + (1 - theta) tau F(u)."
                outside = [n for n in self.inside(self.block) if n != name]
                members.append(self._method("right_hand_side", doc, outside, self._rhs()))
            if "residual" in feeds:
                doc = "v - tau F(v) - rhs." if not self.cell.steady else "-F(v)."
                members.append(self._in_loop("residual", doc, feeds["residual"][0]))
            if self.trial:
                members.append(self._product())
            members.append(self._in_loop("forward", "The next state.", feeds["next"][0]))
        return Class(self.part, "nn.Module", _DOC[method], members)

    def _rhs(self) -> str:
        return next(n for n in self.inside(self.block) if n.endswith(".rhs"))

    def _cell_initialiser(self) -> Function:
        made = self.initialiser()
        if self.system is None:
            return made
        _, node = self.system
        arguments = [
            *made.arguments,
            f"linear_tol: float = {float(node.tol):.3g}",
            f"linear_iterations: int = {node.most}",
        ]
        body = [*made.body, "self.linear_tol = linear_tol", "self.linear_iterations = linear_iterations"]
        return Function(made.name, arguments, made.returns, made.doc, body)

    def _values(self, loop: bool) -> Values:
        """Variables of a method of the cell: the input u, or the state v and the right-hand side."""
        values = self.new_values()
        values.bound.update(self.data_sources)
        state = variable(self.graph, self.block)
        values.bind(state, "u")
        if loop:
            values.bind(next(n for n in self.block_names if isinstance(node_of(self.graph, n), State)), "v")
            values.bind(state, "rhs")
            if self.cell.theta != 1:
                values.bind(self._rhs(), "rhs")
        values.filters = self.operators
        if self.trial:
            values.captured[self.trial] = []
        if self.preconditioner:
            values.captured[self.preconditioner.name] = self.at_time()
        return values

    def _needed(self, names: list[str], wanted: str) -> list[str]:
        """Of `names`, those that `wanted` is computed from, in order."""
        found, stack = {wanted}, [wanted]
        while stack:
            for producer, _ in sources(self.graph, stack.pop()).values():
                if producer not in found:
                    found.add(producer)
                    stack.append(producer)
        return [n for n in names if n in found]

    def _in_loop(self, method: str, doc: str, wanted: str) -> Function:
        names = [
            n
            for n in self._needed(self.inside(self.loop_name), wanted)
            if not isinstance(node_of(self.graph, n), State)
        ]
        values = self._values(loop=True)
        body: list[str] = []
        for name in names:
            if name == self.trial:
                values.captured[name] = [*(values.bound[s] for s in self._captured()), *self.at_time()]
            body += self._statement(name, values)
        body = [*self.start(names, "v"), *body, f"return {values.bound[wanted, 0]}"]
        return Function(method, self._arguments(["v", *self._rhs_argument()]), "Tensor", doc, returned(body))

    def _statement(self, name: str, values: Values) -> list[str]:
        return statements(name, values, self.printer)

    def _captured(self) -> list[tuple[str, int]]:
        """What the product of the linear system takes from outside of its body, in order of use."""
        body = self.inside(self.trial)
        found: dict[tuple[str, int], None] = {}
        for name in body:
            for source in sources(self.graph, name).values():
                if source[0] not in body:
                    found.setdefault(source)
        return list(found)

    def _product(self) -> Function:
        """The operator of the linear system."""
        values = self.new_values()
        values.filters = self.operators
        arguments = ["self", "trial: Tensor"]
        for source in self._captured():
            wanted = self.data_sources.get(source) or self._capture_name(source)
            variable = values.fresh(wanted)
            values.bound[source] = variable
            arguments.append(f"{variable}: Tensor")
        arguments += self.clock_arguments()
        body: list[str] = []
        names = self.inside(self.trial)
        for name in names:
            if isinstance(node_of(self.graph, name), Trial):
                values.bind(name, "trial")
            else:
                body += self._statement(name, values)
        body = [*self.start(names, "trial"), *body, f"return {values.bound[names[-1], 0]}"]
        return Function(
            "product", arguments, "Tensor", "The linear operator of an iteration.", returned(body)
        )

    def _capture_name(self, source: tuple[str, int]) -> str:
        name, port = source
        local = name.rpartition(".")[2]
        if isinstance(node_of(self.graph, name), State):
            return "v"
        if isinstance(node_of(self.graph, name), Channel):
            return channel_name(name)
        return local if port == 0 else f"{local}_{port}"

    def _method(self, name: str, doc: str, names: list[str], wanted: str) -> Function:
        values = self._values(loop=False)
        body = self.start(names, "u")
        for node in names:
            body += self._statement(node, values)
        if wanted:
            body.append(f"return {values.bound[wanted, 0]}")
        return Function(name, self._arguments(["u"]), "Tensor", doc, returned(body))

    def _arguments(self, states: list[str]) -> list[str]:
        arrays = [f"{s}: Tensor" for s in [*states, *self.data_sources.values()]]
        return ["self", *arrays, *self.clock_arguments()]

    def _rhs_argument(self) -> list[str]:
        return [] if self.cell.steady else ["rhs"]

    # -- the network -------------------------------------------------------------------------------

    def _network(self) -> Class:
        many = self.cell.steps > 1
        arguments = ["self", f"steps: int = {self.cell.steps}", *self.scalar_arguments()]
        body = ["super().__init__()"]
        made = f"{self.part}({', '.join(self.argument_names())})"
        if self.own:
            body.append(f"self.cells = nn.ModuleList({made} for _ in range(steps))")
        else:
            body += ["self.steps = steps", f"self.cell = {made}"]
        node = self.loop[1] if self.loop else None
        if node is not None:
            if node.tol == 0:
                arguments.insert(2, f"iterations: int = {node.iterations}")
                body.append("self.iterations = iterations")
            else:
                arguments[2:2] = [f"tol: float = {float(node.tol):.3g}", f"most: int = {node.most}"]
                body += ["self.tol = tol", "self.most = most"]
        doc = f"{self.cell.steps} implicit steps" if many else "One implicit step"
        if self.cell.steady:
            doc = "The steady state"
        doc += ": a recurrent cell, iterated." if node is not None else " of a cell without inner iterations."
        members = [Function("__init__", arguments, "None", "", body), self._forward()]
        if node is not None:
            members += [*self._loops(node), self._residuals()]
        return Class(NETWORK, "nn.Module", doc, members)

    def _forward(self) -> Function:
        arguments, doc = self.network_arguments()
        body, data = self.prelude("self.cells[0]." if self.own else "self.cell.")
        cell = "cell" if self.own else "self.cell"
        loop = self.loop_over("self.cells", cell)
        passed = ", ".join(["u", *data, *self.at_time()])
        start, before, after = self.times(f"{cell}.", self.cell.clock)
        call = f"{cell}({passed})" if self.loop is None else f"self.step({cell}, {passed})"
        lines = [*before, f"u = {call}", *after]
        body += [*start, loop, *(f"    {line}" for line in lines)]
        return Function("forward", arguments, "Tensor", doc, [*body, "return u"])

    def _residuals(self) -> Function:
        """What the steps leave: the method of the network that measures it."""
        arguments, _ = self.network_arguments()
        body, data = self.prelude("self.cells[0]." if self.own else "self.cell.")
        cell = "cell" if self.own else "self.cell"
        start, before, after = self.times(f"{cell}.", self.cell.clock)
        rest = [*data, *self.at_time()]
        rows = [*before, f"v = self.step({', '.join([cell, 'u', *rest])})"]
        if self.cell.steady:
            doc = "‖F(v)‖/‖F(u)‖"
            pairs = (("left", "v"), ("against", "u"))
            rows += [f"{name} = {cell}.residual({', '.join([w, *rest])})" for name, w in pairs]
        else:
            doc = "‖v - tau F(v) - rhs‖/‖rhs‖"
            rhs = "u" if self.cell.theta == 1 else f"{cell}.right_hand_side({', '.join(['u', *rest])})"
            rows += [f"against = {rhs}", f"left = {cell}.residual({', '.join(['v', 'against', *rest])})"]
        doc += " after each step, for every image: shape (steps, batch)."
        loop = [self.loop_over("self.cells", cell)]
        return residuals(arguments, doc, [*body, *start], loop, [*rows, *after])

    def _loops(self, node: Iterate) -> list[Function]:
        """The step: the right-hand side, the loop, and how gradients pass."""
        kinds = [*(f"{d}: Tensor" for d in self.data_sources.values()), *self.clock_arguments()]
        data = [*self.data_sources.values(), *self.at_time()]
        rhs = [] if self.cell.steady else ["rhs"]
        passed = ", ".join(["v", *rhs, *data])
        body: list[str] = []
        if rhs and self.cell.theta != 1:
            body.append(f"rhs = cell.right_hand_side({', '.join(['u', *data])})")
        elif rhs:
            body.append("rhs = u")
        step_arguments = ("self", f"cell: {self.part}", "u: Tensor", *kinds)
        if node.tol == 0:
            body += ["v = u", *self._accelerated(node)]
            if node.method == "Newton":
                body.append(f"residual = lambda v: cell.residual({passed})")
            body.append("for _ in range(self.iterations):")
            body += [f"    {line}" for line in self._update(node, passed, "norm(residual(v))", "v")]
            doc = "One implicit step: the cell, iterated."
            body += self._settled(node, passed)
            return [Function("step", step_arguments, "Tensor", doc, body)]
        start = ", ".join(["cell", "u", *rhs, *data])
        if node.gradients == "implicit":
            body += [
                "with torch.no_grad():",
                f"    v = self.iterate({start})",
                f"return with_implicit_gradient(lambda v: cell.residual({passed}), v, self.tol / 100)",
            ]
        else:
            body.append(f"return self.iterate({start})")
        step = Function(
            "step", step_arguments, "Tensor", "One implicit step: the solution of its equation.", body
        )
        arguments = ("self", f"cell: {self.part}", "v: Tensor", *(f"{r}: Tensor" for r in rhs), *kinds)
        against = "tol times the first one" if self.cell.steady else "tol ‖rhs‖"
        doc = f"The cell iterated from v until ‖residual‖ <= {against}, for each image alone."
        loop = until(
            "iterations",
            "iterations=..., without tol",
            f"cell.residual({passed})",
            "first" if self.cell.steady else "norm(rhs)",
            lambda size: self._update(node, passed, size, "new"),
            node.on_failure,
            unrolled=node.gradients == "unrolled",
        )
        return [step, Function("iterate", arguments, "Tensor", doc, [*self._accelerated(node), *loop])]

    @staticmethod
    def _accelerated(node: Iterate) -> list[str]:
        return [f"accelerate = Anderson({node.anderson})"] if node.anderson else []

    @staticmethod
    def _settled(node: Iterate, passed: str) -> list[str]:
        """What a fixed number of iterations returns."""
        if not node.anderson:
            return ["return v"]
        return [
            f"residual = lambda v: cell({passed}) - v",
            "exact = norm(residual(v)) <= torch.finfo(v.dtype).eps ** 0.75 * norm(v)",
            "return settled(exact, residual, v)",
        ]

    @staticmethod
    def _update(node: Iterate, passed: str, size: str, target: str) -> list[str]:
        """Statements that set `target` to the next v."""
        update = f"cell({passed})"
        if node.method == "Newton":
            return [f"{target} = line_search(residual, v, {update}, {size})"]
        return [f"{target} = accelerate(v, {update})" if node.anderson else f"{target} = {update}"]

"""Lowers a recurrent cell to PyTorch source: the cell as a class, and a network that iterates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pde2net.emit.base import NETWORK, Request
from pde2net.emit.keeping import KeepingEmitter
from pde2net.emit.loops import residuals, until
from pde2net.emit.precondition import PreconditionerEmitter
from pde2net.emit.solvers import solvers
from pde2net.emit.squares import squares_of
from pde2net.emit.statements import returning
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.emit.tree import Class, Definition, Function
from pde2net.graph.network import block, node_of
from pde2net.graph.nodes import Iterate, LinearSolve, Tridiagonal
from pde2net.language.borders import BORDERS
from pde2net.program.records import Program
from pde2net.scheme.cell import MARGIN, Cell

_DOC = {
    "fixed point": "One Picard iteration, v <- rhs + tau F(v).",
    "Kacanov": "One iteration with lagged diffusivities, (1 + tau A(v)) v <- rhs.",
    "Newton": "One Newton iteration for v - tau F(v) = rhs.",
    "descent": "One step of gradient descent, v <- v + omega F(v).",
    "": "One step of additive operator splitting: the mean of implicit steps along each axis.",
}


_METHODS = {
    "right_hand_side": "u + (1 - theta) tau F(u).",
    "residual": "v - tau F(v) - rhs.",
    "product": "The linear operator of an iteration.",
    "forward": "The next state.",
}
_STATES = ("u", "v", "rhs", "trial")
_MOMENTUM = {"nesterov": "Momentum", "fsi": "SemiIterative"}


class CellEmitter(KeepingEmitter):
    part = "ImplicitCell"

    def __init__(self, request: Request, program: Program) -> None:
        self.cell: Cell = request.update
        operator = program.operator
        self.preconditioner = self.preconditioner_of(request, operator) if operator else None
        super().__init__(request, program)
        self.nodes = [node_of(self.graph, n) for n in block(self.graph)]
        self.loop = next((n for n in self.nodes if isinstance(n, Iterate)), None)
        self.system = next((n for n in self.nodes if isinstance(n, LinearSolve)), None)

    def preconditioner_of(self, request: Request, operator: Program) -> PreconditionerEmitter:
        return PreconditionerEmitter(request, operator)

    def printer(self, tensors: Mapping[str, str], owner: str = "self.") -> TorchPrinter:
        return super().printer(tensors, f"{owner}operator." if self.preconditioner else owner)

    def initialiser(self) -> Function:
        made = super().initialiser()
        if not self.preconditioner:
            return made
        operator = f"self.operator = {self.preconditioner.part}({', '.join(self.argument_names())})"
        return replace(made, body=["super().__init__()", operator])

    # -- the cell ----------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        helpers = squares_of(self.graph, self.banks, self.dimension, self.value)
        if self.preconditioner:
            helpers += self.preconditioner.grid_definitions()
        helpers += self.solvers()
        helpers += self.preconditioner.classes() if self.preconditioner else []
        return [*helpers, self._cell(), self._network()]

    def solvers(self) -> list[Definition]:
        """What solves the linear systems, iterates, and differentiates solutions."""
        systems = [n for n in self.nodes if isinstance(n, LinearSolve)]
        found = {"linear_solution", "with_implicit_gradient"} if systems else set()
        if any(n.method == "cg" for n in systems):
            found.add("nearest_by_conjugate_gradients")
        for node in (n for n in self.nodes if isinstance(n, Tridiagonal)):
            border = BORDERS[node.closure]
            found.add("solve_cyclic" if border.wraps else "solve_tridiagonal")
            if not border.zero or node.g == 0:
                found.add("edge_weights_padded" if border.zero else f"edge_weights{border.suffix}")
        loop = self.loop
        if loop is None:
            return solvers(found)
        found |= {"error_bound"} if loop.method == "descent" else set()
        found |= {"relative"} | ({"line_search"} if loop.method == "Newton" else set())
        if loop.tol != 0:
            found |= {"not_converged"} | ({"rounding"} if loop.on_failure == "warn" else set())
            found.add("with_implicit_gradient" if loop.gradients == "implicit" else "settled")
        if loop.anderson:
            found |= {"Anderson", "settled"}
        if loop.weights != "none":
            found.add(_MOMENTUM[loop.weights])
        return solvers(found, any(n.means for n in systems), loop.on_failure)

    def _cell(self) -> Class:
        methods = [self._method(name) for name in _METHODS if name in self.program]
        doc = _DOC[self.loop.method if self.loop else ""]
        return Class(self.part, "nn.Module", doc, [self._cell_initialiser(), *self.properties(), *methods])

    @property
    def passed(self) -> list[str]:
        """What the methods of the cell take of what it hands over: all but the margin of the residual."""
        return [name for name in self.handed if name != self.computed.get(MARGIN.name)]

    def _cell_initialiser(self) -> Function:
        made = self.initialiser()
        if self.system is None:
            return made
        arguments = [
            *made.arguments,
            f"linear_tol: float = {float(self.system.tol):.3g}",
            f"linear_iterations: int = {self.system.most}",
        ]
        body = [*made.body, "self.linear_tol = linear_tol", "self.linear_iterations = linear_iterations"]
        return Function(made.name, arguments, made.returns, made.doc, body)

    def _method(self, name: str) -> Function:
        """A method of the cell: of the input u, of the state v and the right-hand side, or of a trial."""
        function, doc = self.program[name], _METHODS[name]
        words = {v: word for v, word in function.parameters if word in _STATES and v not in self.data}
        if name == "product":  # what it captures is called otherwise
            words = dict([function.parameters[0]])
        elif name == "residual" and self.cell.steady:
            doc = "-F(v)."
        elif name == "forward" and self.loop is None:
            doc = ""
        found = self.named(function, words)
        state, *arrays = dict.fromkeys(v for v, _ in found.parameters)
        if self.cell.steady and name != "product":
            arrays.remove("rhs")
        passed = (state, *arrays, *self.passed)
        arguments = ["self", *(f"{v}: Tensor" for v in passed), *self.clock_arguments()]
        asked = self.asked(name, found.read)
        body = [*self.start(found, state), *asked, *returning(found, self.scope())]
        return Function(name, arguments, "Tensor", doc, body)

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
        node = self.loop
        if node is not None:
            if node.tol == 0:
                arguments.insert(2, f"iterations: int = {node.iterations}")
                body.append("self.iterations = iterations")
            else:
                arguments[2:2] = [f"tol: float = {float(node.tol):.3g}", f"most: int = {node.most}"]
                body += ["self.tol = tol", "self.most = most"]
        if self.cell.values:
            body.append("self.error: Tensor | None = None  # a bound for each image of the last call")
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
        passed = ", ".join(["u", *data, *self.passed, *self.at_time()])
        start, before, after = self.times(f"{cell}.", self.cell.clock)
        before = [*([self.kept_by(cell)] if self.handed else []), *before]
        call = f"{cell}({passed})" if self.loop is None else f"self.step({cell}, {passed})"
        lines = [*before, f"u = {call}", *after, *self._error(cell, data)]
        body += [*start, loop, *(f"    {line}" for line in lines)]
        body = [*self.kept_outside(), *body, f"return {self.finished('u')}"]
        return Function("forward", arguments, "Tensor", doc, body)

    def _residuals(self) -> Function:
        """What the steps leave: the method of the network that measures it."""
        arguments, _ = self.network_arguments()
        body, data = self.prelude("self.cells[0]." if self.own else "self.cell.")
        cell = "cell" if self.own else "self.cell"
        start, before, after = self.times(f"{cell}.", self.cell.clock)
        rest = [*data, *self.passed, *self.at_time()]
        kept = [self.kept_by(cell)] if self.handed else []
        rows = [*kept, *before, f"v = self.step({', '.join([cell, 'u', *rest])})"]
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
        kinds = [*(f"{d}: Tensor" for d in (*self.data.values(), *self.passed)), *self.clock_arguments()]
        data = [*self.data.values(), *self.passed, *self.at_time()]
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

    def _error(self, cell: str, data: Sequence[str]) -> list[str]:
        """Statements that set the bound of the error of a descent."""
        if not self.cell.values:
            return []
        margin = self.printer({}, f"{cell}.").doprint(MARGIN)
        residual = f"{cell}.residual({', '.join(['u', *data, *self.passed])})"
        return [
            "if not torch.compiler.is_compiling():",
            "    with torch.no_grad():",
            f"        self.error = error_bound({residual}, {margin})",
        ]

    @staticmethod
    def _accelerated(node: Iterate) -> list[str]:
        if node.weights != "none":
            return [f"accelerate = {_MOMENTUM[node.weights]}()"]
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
        mixed = node.anderson or node.weights != "none"
        return [f"{target} = accelerate(v, {update})" if mixed else f"{target} = {update}"]

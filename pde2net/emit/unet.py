"""Lowers a U-net to PyTorch source: grids, the operator on every grid, a cycle, and a network of steps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sympy as sp

from pde2net.emit.base import NETWORK, Request
from pde2net.emit.cycles import chebyshev, unet_class
from pde2net.emit.loops import residuals, until
from pde2net.emit.solvers import solvers
from pde2net.emit.squares import squares_of
from pde2net.emit.tree import Class, Function
from pde2net.emit.unet_operator import OperatorEmitter
from pde2net.graph.nodes import Bottleneck, Nearest, Smooth
from pde2net.program.records import Program
from pde2net.scheme.unet import UNet


class UNetEmitter(OperatorEmitter):
    def __init__(self, request: Request, program: Program) -> None:
        super().__init__(request, program)
        self.unet: UNet = request.update
        self.bottleneck = next(x for x in self.nodes if isinstance(x, Bottleneck))
        self.smoother = next((x for x in self.nodes if isinstance(x, Smooth)), None)
        self.nearest = next((x for x in self.nodes if isinstance(x, Nearest)), None)

    # -- classes -----------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        smoother = self.smoother or Smooth("jacobi", 1, sp.S.One, (sp.S.One, sp.S.One))
        own = self.operator.weighted, self.takes_frozen
        cycle = unet_class(self.unet, smoother, self.bottleneck, *own, self.fused)
        return [*self._helpers(), self.operator_class(), *cycle, self._network()]

    @property
    def fused(self) -> Collection[str]:
        """ "relaxed" and "defect", methods of the operator, and "corrected", a function, if they exist."""
        return ()

    @property
    def residual(self) -> str:
        """That of v on the finest grid."""
        return "net.operator(v, grids[0]) - rhs"

    def _helpers(self) -> list[Function | Class]:
        found: list[Function | Class] = []
        found += squares_of(self.graph, self.banks, self.dimension, self.value)
        found += self.grid_definitions()
        used = ["relative", "linear_solution", "with_implicit_gradient"]
        if self.unet.tol is not None:
            used += ["not_converged", *([] if self.implicit else ["settled"])]
        used += ["nearest_of"] if self.nearest is not None else []
        means = self.nearest is not None and self.nearest.means
        smoother = self.smoother if self.unet.smoother == "chebyshev" else None
        more = [] if smoother is None else chebyshev(smoother)
        return found + solvers(used, means, self.unet.on_failure, more)

    @property
    def implicit(self) -> bool:
        return self.unet.gradients == "implicit"

    def _network(self) -> Class:
        unet = self.unet
        arguments: list[Any] = ["self", f"steps: int = {unet.steps}", f"levels: int = {self.operator.levels}"]
        body = ["super().__init__()", "self.levels = levels"]
        if unet.tol is None:
            arguments.append(f"cycles: int = {unet.cycles}")
            body.append("self.cycles = cycles")
        else:
            arguments += [f"tol: float = {float(unet.tol):.3g}", f"most: int = {unet.cycles}"]
            body += ["self.tol = tol", "self.most = most"]
        arguments += self.scalar_arguments()
        made = f"UNet({self.part}({', '.join(self.argument_names())}))"
        if self.own:
            body.append(f"self.nets = nn.ModuleList({made} for _ in range(steps))")
        else:
            body += ["self.steps = steps", f"self.net = {made}"]
        doc = f"{unet.steps} implicit steps" if unet.steps > 1 else "One implicit step"
        doc = ("The steady state" if unet.steady else doc) + ", by multigrid cycles: concatenated U-nets."
        members = [Function("__init__", arguments, "None", "", body), self._forward(), self._step()]
        if unet.tol is not None:
            members.append(self._solve())
        members.append(self._residuals())
        return Class(NETWORK, "nn.Module", doc, members)

    def _forward(self) -> Function:
        arguments, doc = self.network_arguments()
        body = self.checks()
        net = "net" if self.own else "self.net"
        start, before, after = self.times(f"{net}.operator.", self.unet.clock)
        step = f"u = self.step({', '.join([net, 'u', *self.fields, *self.at_time()])})"
        body += [*start, self.loop_over("self.nets", net)]
        body += [f"    {line}" for line in (*before, step, *after)]
        return Function("forward", arguments, "Tensor", doc, [*body, "return u"])

    def _residuals(self) -> Function:
        """What the steps leave: the method of the network that measures it."""
        arguments, _ = self.network_arguments()
        net = "net" if self.own else "self.net"
        start, before, after = self.times(f"{net}.operator.", self.unet.clock)
        known = [*self.fields, *self.at_time()]
        rows = [
            f"v = self.step({', '.join([net, 'u', *known])})",
            f"grids = {net}.operator.grids({', '.join(['u', '1', *known])})",
        ]
        if self.unet.steady:
            pairs = (("left", "v"), ("against", "u"))
            rows += [f"{name} = {net}.operator({w}, grids[0])" for name, w in pairs]
        else:
            rows.append(f"left, against = {net}.operator(v, grids[0]) - u, u")
        doc = f"‖{'F(v)‖/‖F(u)' if self.unet.steady else 'v - tau F(v) - u‖/‖u'}‖"
        doc += " after each step, for every image: shape (steps, batch)."
        loop = [self.loop_over("self.nets", net)]
        return residuals(arguments, doc, [*self.checks(), *start], loop, [*before, *rows, *after])

    def _step(self) -> Function:
        unet = self.unet
        passed = ", ".join(["u", "self.levels", *self.fields, *self.at_time()])
        body = [f"grids = net.operator.grids({passed})"]
        body.append("rhs = torch.zeros_like(u)" if unet.steady else "rhs = u")
        start = "net.start(u, rhs, grids)" if self.operator.levels > 1 else "u"
        if unet.tol is not None:
            solve = ["v = self.solve(net, u, rhs, grids)"]
        else:
            solve = [f"v = {start}", "for _ in range(self.cycles):", "    v = net(v, rhs, grids)"]
        solve += self._nearest()
        if self.implicit:
            tol = "self.tol / 100" if unet.tol is not None else "1e-08"
            body += ["with torch.no_grad():", *(f"    {line}" for line in solve)]
            body.append(f"return with_implicit_gradient(lambda v: net.operator(v, grids[0]) - rhs, v, {tol})")
        else:
            body += [*solve, "return v"]
        known = [*(f"{f}: Tensor" for f in self.fields), *self.clock_arguments()]
        arguments = ("self", "net: UNet", "u: Tensor", *known)
        doc = "The steady state." if unet.steady else "One implicit step."
        return Function("step", arguments, "Tensor", doc, body)

    def _nearest(self) -> list[str]:
        """Statements that combine v and u, where the step is linear."""
        if self.nearest is None:
            return []
        frozen = ["frozen = net.operator.frozen(u, grids[0])"] if self.takes_frozen else []
        product = f"net.operator.product(x, {'frozen, ' * len(frozen)}grids[0])"
        rhs = "rhs - net.operator(torch.zeros_like(u), grids[0])" if self.nearest.source else "rhs"
        return [*frozen, f"v = nearest_of(lambda x: {product}, {rhs}, v, u)"]

    def _solve(self) -> Function:
        steady = self.unet.steady
        start = "net.start(v, rhs, grids)"
        against = "‖N(v)‖ of the first v" if steady else "‖rhs‖"
        return Function(
            "solve",
            ("self", "net: UNet", "v: Tensor", "rhs: Tensor", "grids: list[Grid]"),
            "Tensor",
            f"Cycles until ‖rhs - N(v)‖ <= tol {against}, for each image alone.",
            until(
                "cycles",
                "cycles=..., without tol",
                self.residual,
                "first" if steady else "norm(rhs)",
                lambda _: ["new = net(v, rhs, grids)"],
                self.unet.on_failure,
                start if self.operator.levels > 1 else "",
                not self.implicit,
            ),
        )

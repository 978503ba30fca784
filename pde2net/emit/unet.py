"""Lowers a U-net to PyTorch source: grids, the operator on every grid, a cycle, and a network of steps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import sympy as sp

from pde2net.emit import solvers
from pde2net.emit.base import NETWORK, Emitter, Request
from pde2net.emit.cell import returned
from pde2net.emit.checks import input_checks
from pde2net.emit.cycles import chebyshev, unet_class
from pde2net.emit.grids import Layout, grid_definitions
from pde2net.emit.on_grid import on_grid, squares_functions
from pde2net.emit.statements import Values
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.graph.network import blocks, fields, in_order, is_data, node_of, parameters, sources
from pde2net.graph.nodes import (
    Bottleneck,
    Coordinate,
    Crop,
    Field,
    Iterate,
    Operator,
    Smooth,
    SquaredAdjoint,
    State,
    Trial,
)
from pde2net.scheme.stack import TAU
from pde2net.scheme.unet import UNet


class UNetEmitter(Emitter):
    part = "DiffusionOperator"

    def __init__(self, request: Request) -> None:
        self.unet: UNet = request.update
        self.block_names = blocks(request.graph)[0]
        super().__init__(request)
        self.own = bool(request.trainable) and not request.shared
        nodes = {n: node_of(self.graph, n) for n in self.block_names}
        self.name, self.operator = next((n, x) for n, x in nodes.items() if isinstance(x, Operator))
        self.loop = next(x for x in nodes.values() if isinstance(x, Iterate))
        self.bottleneck = next(x for x in nodes.values() if isinstance(x, Bottleneck))
        smoothers = [x for x in nodes.values() if isinstance(x, Smooth)]
        self.smoother = smoothers[0] if smoothers else None
        self.feeds = sources(self.graph, self.name)
        self.variable = self.feeds_of("value", State)
        self.inner = self._body("product", Trial)
        self.fields = [self.names[s.name] for s in fields(self.graph)]

    def scalar_symbols(self) -> list[sp.Symbol]:
        used = [s for s in parameters(self.graph) if s != TAU and self.occurs_in_expressions(s)]
        return [*([] if self.unet.steady else [TAU]), *used]

    def part_names(self) -> list[str]:
        return self.block_names

    # -- the body of the operator ------------------------------------------------------------------

    def ancestors(self, slots: Iterable[str]) -> list[str]:
        """The nodes of the body that the slots of the operator are computed from, in order."""
        found: set[str] = set()
        stack = [self.feeds[s][0] for s in slots]
        while stack:
            name = stack.pop()
            if name not in found and self.graph.nodes[name]["loop"] == self.name:
                found.add(name)
                stack += [producer for producer, _ in sources(self.graph, name).values()]
        return [n for n in self.block_names if n in found]

    def feeds_of(self, slot: str, kind: type) -> str:
        return next(n for n in self.ancestors([slot]) if isinstance(node_of(self.graph, n), kind))

    def _body(self, slot: str, kind: type) -> list[str]:
        """The nodes of `slot` that depend on the variable of type `kind`."""
        names = self.ancestors([slot])
        depending = {n for n in names if isinstance(node_of(self.graph, n), kind)}
        for name in names:
            if any(p in depending for p, _ in sources(self.graph, name).values()):
                depending.add(name)
        return [n for n in names if n in depending]

    def captured(self) -> list[tuple[str, int]]:
        """What the product takes from the body at v, in order of use."""
        used = [s for n in self.inner for s in sources(self.graph, n).values()]
        return list(dict.fromkeys(s for s in used if s[0] not in self.inner and s not in self.data_sources))

    def method(self, name: str, doc: str, slots: list[str], kind: str) -> Function:
        """Slots of the operator at v."""
        values = self.new_values()
        names = self.ancestors(slots)
        body = self.known_data(names, values, [self.feeds[s] for s in slots])
        values.bind(self.variable, "v")
        for node in names:
            body += on_grid(node, values, self.printer)
        found = [values.bound[self.feeds[s]] for s in slots]
        return Function(
            name,
            ("self", "v: Tensor", "grid: Grid"),
            kind,
            doc,
            returned([*body, f"return {', '.join(found)}"]),
        )

    def known_data(
        self, names: Iterable[str], values: Values, more: Iterable[tuple[str, int]] = ()
    ) -> list[str]:
        """Statements that fetch what nodes use of the data of the grid."""
        used = [s for n in names for s in sources(self.graph, n).values()] + list(more)
        found = {s: self.data_sources[s] for s in used if s in self.data_sources}
        values.bound.update(found)
        return [f'{v} = grid.known["{v}"]' for v in found.values()]

    def product(self) -> Function:
        values = self.new_values()
        captured = self.captured()
        body = self.known_data(self.inner, values)
        names: list[str] = []
        for source in captured:
            name, port = source
            local = "v" if name == self.variable else name.rpartition(".")[2]
            names.append(values.fresh(local if port == 0 else f"{local}_{port}"))
            values.bound[source] = names[-1]
        if names:
            body.append(f"{', '.join(names)} = frozen" if len(names) > 1 else f"({names[0]},) = frozen")
        for name in self.inner:
            if isinstance(node_of(self.graph, name), Trial):
                values.bind(name, "trial")
            else:
                body += on_grid(name, values, self.printer)
        body.append(f"return {values.bound[self.feeds['product']]}")
        frozen = ("frozen: tuple[Tensor, ...]",) if names else ()
        doc = "N with frozen diffusivities, applied to `trial`."
        return Function(
            "product", ("self", "trial: Tensor", *frozen, "grid: Grid"), "Tensor", doc, returned(body)
        )

    def frozen(self) -> list[Function]:
        captured = self.captured()
        if not captured:
            return []
        names = [n for n in self.ancestors(["product"]) if n not in self.inner]
        values = self.new_values()
        body = self.known_data(names, values)
        values.bind(self.variable, "v")
        for name in names:
            body += on_grid(name, values, self.printer)
        found = ", ".join(values.bound[s] for s in captured)
        body.append(f"return ({found},)" if len(captured) == 1 else f"return {found}")
        doc = "What the linear systems of the bottleneck take at v."
        return [Function("frozen", ("self", "v: Tensor", "grid: Grid"), "tuple[Tensor, ...]", doc, body)]

    def known(self) -> list[Function]:
        """The method that computes what depends on known data alone."""
        if not self.data_sources:
            return []
        values = self.new_values()
        body: list[str] = []
        for name in in_order(self.graph):
            if not is_data(self.graph, name):
                continue
            node = node_of(self.graph, name)
            if isinstance(node, Field):
                values.bind(name, self.names[node.symbol.name])
            else:
                body += on_grid(name, values, self.printer)
        entries = ", ".join(f'"{v}": {values.bound[s]}' for s, v in self.data_sources.items())
        body.append(f"return {{{entries}}}")
        arguments = ["self", "grid: Grid", *(f"{f}: Tensor" for f in self.fields)]
        return [Function("known", arguments, "dict[str, Tensor]", "Data on a grid, computed once.", body)]

    def grids(self) -> Function:
        """The method that makes the grids."""
        single = "," if self.dimension == 1 else ""
        boundary = ", ".join(f'"{b}"' for b in self.operator.boundary)
        axes = f"zip(u.shape[2:], ({boundary}{single}))"
        body = [f"axes = tuple(Axis(n, 1, b) for n, b in {axes})", "grid, grids = Grid(axes, u), []"]
        known = ", ".join(["grid", *self.fields])
        uneven = self.operator.weighted
        body += ["while True:", "    grids.append(grid)"]
        if self.data_sources:
            body.append(f"    grid.known = self.known({known})")
        if uneven:
            body.append("    grid.weigh(*self.rows(u, grid))")
        body += [
            "    axes = coarsened(grid.axes)",
            "    if axes is None or len(grids) == levels:",
            "        break",
            "    coarse = Grid(axes, u)",
        ]
        if uneven:
            body.append("    u = restrict(u, grid, coarse, grid.volume)")
        body += [f"    {f} = restrict({f}, grid, coarse, grid.rows)" for f in self.fields]
        if not self.fields and not uneven:
            body[-1] = "    grid = Grid(axes, u)"
        else:
            body.append("    grid = coarse")
        if self.operator.asked:
            body += [
                "if len(grids) < levels:",
                "    sizes = grids[0].sizes",
                '    warnings.warn(f"an image of {sizes} cells allows {len(grids)} levels, not {levels}")',
            ]
        arguments = ["self", "u: Tensor", "levels: int", *(f"{f}: Tensor" for f in self.fields)]
        doc = "The grid of u and coarser ones, with the known data of each."
        return Function("grids", arguments, "list[Grid]", doc, [*body, "return grids"])

    # -- classes -----------------------------------------------------------------------------------

    def classes(self) -> list[Function | Class]:
        steady = self.unet.steady
        members = [self.initialiser(), self.grids(), *self.known()]
        members.append(self.method("forward", "N(v).", ["value"], "Tensor"))
        both = "N(v), and its diagonal with frozen diffusivities."
        members.append(self.method("linearised", both, ["value", "diagonal"], "tuple[Tensor, Tensor]"))
        if self.operator.weighted:
            doc = "The weights of the equations of the cells in means; how much of a correction is kept."
            members.append(self.method("rows", doc, ["rows", "kept"], "tuple[Tensor, Tensor]"))
        members += [*self.frozen(), self.product()]
        n = "-F(v)" if steady else "v - tau F(v)"
        doc = f"N(v) = {n} on every grid: convolutions K, activations, transposed convolutions K^T."
        operator = Class(self.part, "nn.Module", doc, members)
        smoother = self.smoother or Smooth("jacobi", 1, sp.S.One, (sp.S.One, sp.S.One))
        cycle = unet_class(
            self.unet, smoother, self.bottleneck, self.operator.weighted, bool(self.captured())
        )
        return [*self._helpers(), operator, cycle, self._network()]

    def layout(self) -> Layout:
        stencils = [d.stencil for bank in self.banks for row in bank.rows for _, d in row]
        first = [s for s in stencils if s.derivative == 1]
        second = [s for s in stencils if s.derivative == 2]
        nodes = [node_of(self.graph, n) for n in self.graph]
        margins = [n.margin for n in nodes if isinstance(n, Crop)]
        return Layout(
            self.operator.boundary,
            [number(self.value(h)) for h in self.operator.spacing],
            self.operator.smallest,
            margins[0] if margins else (0,) * self.dimension,
            half=any(s.half for s in first),
            cells=any(not s.half for s in first),
            second=next((number(dict(zip(s.offsets, s.weights, strict=True))[0]) for s in second), ""),
            adjoint=self.operator.adjoint,
            uneven=self.operator.weighted,
            coloured=self.unet.smoother == "red-black",
            coordinates=any(isinstance(n, Coordinate) for n in nodes),
        )

    def _helpers(self) -> list[Function | Class]:
        found: list[Function | Class] = []
        used = {
            n.bank for n in map(partial(node_of, self.graph), self.graph) if isinstance(n, SquaredAdjoint)
        }
        seen: set[str] = set()
        for bank, name in self.banks.items():
            if bank in used:
                made = squares_functions(name, bank, self.dimension, self.value)
                found += [f for f in made if f.name not in seen]
                seen |= {f.name for f in made}
        found += grid_definitions(self.layout())
        tol = self.unet.tol is not None
        if tol:
            found.append(solvers.NORM)
        found += [solvers.DOT, solvers.QUOTIENT, solvers.BICGSTAB]
        if self.unet.smoother == "chebyshev" and self.smoother:
            found.append(chebyshev(self.smoother))
        if tol:
            found.append(solvers.REPORT[self.unet.on_failure])
        if self.implicit:
            found.append(solvers.IMPLICIT)
        return found

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
        return Class(NETWORK, "nn.Module", doc, members)

    def _forward(self) -> Function:
        arguments, doc = self.network_arguments()
        known = [s.name for s in fields(self.graph)]
        body = input_checks(self.request.axes, self.request.smallest, {f: self.names[f] for f in known})
        net = "net" if self.own else "self.net"
        body.append("for net in self.nets:" if self.own else "for _ in range(self.steps):")
        body.append(f"    u = self.step({', '.join([net, 'u', *self.fields])})")
        return Function("forward", arguments, "Tensor", doc, [*body, "return u"])

    def _step(self) -> Function:
        unet = self.unet
        body = [f"grids = net.operator.grids({', '.join(['u', 'self.levels', *self.fields])})"]
        body.append("rhs = torch.zeros_like(u)" if unet.steady else "rhs = u")
        start = "net.start(u, rhs, grids)" if self.operator.levels > 1 else "u"
        if unet.tol is not None:
            solve = ["v = self.solve(net, u, rhs, grids)"]
        else:
            solve = [f"v = {start}", "for _ in range(self.cycles):", "    v = net(v, rhs, grids)"]
        if self.implicit:
            tol = "self.tol / 100" if unet.tol is not None else "1e-08"
            body += ["with torch.no_grad():", *(f"    {line}" for line in solve)]
            body.append(f"return with_implicit_gradient(lambda v: net.operator(v, grids[0]) - rhs, v, {tol})")
        else:
            body += [*solve, "return v"]
        arguments = ("self", "net: UNet", "u: Tensor", *(f"{f}: Tensor" for f in self.fields))
        doc = "The steady state." if unet.steady else "One implicit step."
        return Function("step", arguments, "Tensor", doc, body)

    def _solve(self) -> Function:
        steady = self.unet.steady
        start = "net.start(u, rhs, grids)" if self.operator.levels > 1 else "u"
        against = "‖N(u)‖" if steady else "‖rhs‖"
        return Function(
            "solve",
            ("self", "net: UNet", "u: Tensor", "rhs: Tensor", "grids: list[Grid]"),
            "Tensor",
            f"Cycles until ‖rhs - N(v)‖ <= tol {against} for every image.",
            [
                f"scale = norm({'net.operator(u, grids[0])' if steady else 'rhs'})",
                "bound = max(self.tol, 50 * torch.finfo(u.dtype).eps) * scale",
                f"v = {start}",
                "for _ in range(self.most):",
                "    residual = norm(rhs - net.operator(v, grids[0]))",
                "    if (residual <= bound).all():",
                "        return v",
                "    v = net(v, rhs, grids)",
                "residual = norm(rhs - net.operator(v, grids[0]))",
                "if not (residual <= bound).all():",
                "    not_converged(residual, scale, self.most)",
                "return v",
            ],
        )

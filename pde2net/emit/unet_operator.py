"""Lowers the operator of a U-net, N(v) on every grid, to a class of PyTorch source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from pde2net.emit.base import Emitter, Request
from pde2net.emit.grid_kind import GridKind
from pde2net.emit.on_grid import on_grid
from pde2net.emit.statements import returned
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.tree import Class, Function
from pde2net.emit.values import Values
from pde2net.graph.network import block, fields_of, node_of, parameters, sources
from pde2net.graph.nodes import Coordinate, Crop, Field, Operator, Smooth, State, Trial
from pde2net.scheme.cell import Cell
from pde2net.scheme.stack import TAU
from pde2net.scheme.unet import UNet


class OperatorEmitter(Emitter):
    part = "DiffusionOperator"

    def __init__(self, request: Request) -> None:
        self.update: UNet | Cell = request.update
        self.block_names = block(request.graph)
        self.nodes = {n: node_of(request.graph, n) for n in self.block_names}
        self.name, self.operator = next((n, x) for n, x in self.nodes.items() if isinstance(x, Operator))
        super().__init__(request)
        self.feeds = sources(self.graph, self.name)
        self.variable = self._variable()
        self.inner = self._body("product", Trial)
        self.fields = [self.names[s.name] for s in fields_of(self.graph, self.name).values()]

    def on_grid(self, name: str, values: Values) -> list[str]:
        """The statements of a node of a method that is handed a grid, which knows the time."""
        return on_grid(name, values, self.grid_printer)

    def grid_printer(self, tensors: Mapping[str, str]) -> TorchPrinter:
        found = self.printer(tensors)
        if self.clock is None:
            return found
        return TorchPrinter(
            found.tensors, {**found.scalars, self.clock.name: "grid.time"}, frozenset(found.trained)
        )

    def scalar_symbols(self) -> list[sp.Symbol]:
        used = [s for s in parameters(self.graph) if s != TAU and self.occurs_in_expressions(s)]
        return [*([] if self.update.steady else [TAU]), *used]

    def part_names(self) -> list[str]:
        return [n for n in self.block_names if n == self.name or self.inside(n)]

    # -- the body of the operator ------------------------------------------------------------------

    def inside(self, name: str) -> bool:
        return bool(self.graph.nodes[name]["loop"] == self.name)

    def _variable(self) -> str:
        return next(n for n, x in self.nodes.items() if isinstance(x, State) and self.inside(n))

    def ancestors(self, slots: Iterable[str]) -> list[str]:
        """The nodes of the body that the slots of the operator are computed from, in order."""
        found: set[str] = set()
        stack = [self.feeds[s][0] for s in slots]
        while stack:
            name = stack.pop()
            if name not in found and self.inside(name):
                found.add(name)
                stack += [producer for producer, _ in sources(self.graph, name).values()]
        return [n for n in self.block_names if n in found]

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
            body += self.on_grid(node, values)
        held = {"value": "v", "diagonal": "1"} if self.operator.weighted else {}
        found = [self.tied(values.bound[self.feeds[s]], held.get(s)) for s in slots]
        return Function(
            name,
            ("self", "v: Tensor", "grid: Grid"),
            kind,
            doc,
            returned([*body, f"return {', '.join(found)}"]),
        )

    @staticmethod
    def tied(text: str, argument: str | None) -> str:
        """What a method returns, with the ties of the grid."""
        return text if argument is None else f"grid.tie({text}, {argument})"

    def ties(self) -> Function:
        """The method that finds how strongly cells are tied to known ones."""
        frozen = "self.frozen(v, grid), " if self.captured() else ""
        diagonal = "diagonal = self.diagonal(v, grid)"
        if not self.operator.linear:
            diagonal = "_, diagonal = self.linearised(v, grid)"
        body = [
            diagonal,
            "own = diagonal * grid.kept",
            f"flow = self.product(grid.kept, {frozen}grid) - (diagonal - own) * grid.kept",
            "return quotient(flow.clamp_min(0), grid.kept), own",
        ]
        doc = "How strongly cells are tied to known ones: the diffusion of `kept`; the diagonal without mass."
        return Function("ties", ("self", "v: Tensor", "grid: Grid"), "tuple[Tensor, Tensor]", doc, body)

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
                body += self.on_grid(name, values)
        held = "trial" if self.operator.weighted else None
        body.append(f"return {self.tied(values.bound[self.feeds['product']], held)}")
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
            body += self.on_grid(name, values)
        found = ", ".join(values.bound[s] for s in captured)
        body.append(f"return ({found},)" if len(captured) == 1 else f"return {found}")
        doc = "What the linear systems of the bottleneck take at v."
        if self.operator.linear:
            doc = "What the product takes at v."
        return [Function("frozen", ("self", "v: Tensor", "grid: Grid"), "tuple[Tensor, ...]", doc, body)]

    def known(self) -> list[Function]:
        """The method that computes what depends on known data alone."""
        if not self.data_sources:
            return []
        values = self.new_values()
        body: list[str] = []
        for name in self.known_nodes():
            node = node_of(self.graph, name)
            if isinstance(node, Field):
                values.bind(name, self.names[node.symbol.name])
            else:
                body += self.on_grid(name, values)
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
        if self.clock is not None:
            body.append(f"    grid.time = {self.now}")
        if self.data_sources:
            body.append(f"    grid.known = self.known({known})")
        if uneven:
            body.append("    grid.weigh(*self.rows(u, grid))")
            body.append("    grid.hold(*self.ties(u, grid), grids[-2] if len(grids) > 1 else None)")
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
        known_ = [*(f"{f}: Tensor" for f in self.fields), *self.clock_arguments()]
        arguments = ["self", "u: Tensor", "levels: int", *known_]
        doc = "The grid of u and coarser ones, with the known data of each."
        return Function("grids", arguments, "list[Grid]", doc, [*body, "return grids"])

    def operator_class(self) -> Class:
        """N on every grid, with the parameters."""
        members = [self.initialiser(), self.grids(), *self.known()]
        if self.operator.linear:
            members.append(self.method("diagonal", "That of the product.", ["diagonal"], "Tensor"))
        else:
            both = "N(v), and its diagonal with frozen diffusivities."
            members += [
                self.method("forward", "N(v).", ["value"], "Tensor"),
                self.method("linearised", both, ["value", "diagonal"], "tuple[Tensor, Tensor]"),
            ]
        if self.operator.weighted:
            doc = "The weights of the equations of the cells in means; how much of a correction is kept."
            members += [self.method("rows", doc, ["rows", "kept"], "tuple[Tensor, Tensor]"), self.ties()]
        members += [*self.frozen(), self.product()]
        n = "-F(v)" if self.update.steady else "v - tau F(v)"
        doc = f"N(v) = {n} on every grid: convolutions K, activations, transposed convolutions K^T."
        if self.operator.linear:
            doc = "The operator of linear systems, N with frozen diffusivities, on every grid."
        return Class(self.part, "nn.Module", doc, members)

    def grid_kind(self) -> GridKind:
        """What the grids need."""
        stencils = [d.stencil for bank in self.banks for row in bank.rows for _, d in row]
        first = [s for s in stencils if s.derivative == 1]
        second = [s for s in stencils if s.derivative == 2]
        nodes = [node_of(self.graph, n) for n in self.graph]
        margins = [n.margin for n in nodes if isinstance(n, Crop)]
        return GridKind(
            self.operator.boundary,
            [number(self.value(h)) for h in self.operator.spacing],
            self.operator.smallest,
            margins[0] if margins else (0,) * self.dimension,
            half=any(s.half for s in first),
            cells=any(not s.half for s in first),
            second=next((number(dict(zip(s.offsets, s.weights, strict=True))[0]) for s in second), ""),
            adjoint=self.operator.adjoint,
            uneven=self.operator.weighted,
            coloured=any(isinstance(n, Smooth) and n.kind == "red-black" for n in nodes),
            coordinates=any(isinstance(n, Coordinate) for n in nodes),
            time="" if self.clock is None else "Tensor | float" if self.moving_time else "float",
        )

"""Lowers the operator of a U-net, N(v) on every grid, to a class of PyTorch source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pde2net.emit.base import Emitter, Request
from pde2net.emit.grids import grid_definitions
from pde2net.emit.statements import returning, statements
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.tree import Class, Definition, Function
from pde2net.graph.network import block, fields_of, node_of
from pde2net.graph.nodes import Coordinate, Crop, Operator, Smooth
from pde2net.program.records import Function as Described
from pde2net.program.records import Program, Stored
from pde2net.scheme.cell import Cell
from pde2net.scheme.unet import UNet


class OperatorEmitter(Emitter):
    part = "DiffusionOperator"

    def __init__(self, request: Request, program: Program) -> None:
        self.update: UNet | Cell = request.update
        self.nodes = [node_of(request.graph, n) for n in block(request.graph)]
        self.operator = next(n for n in self.nodes if isinstance(n, Operator))
        super().__init__(request, program)
        name = next(n for n in block(self.graph) if node_of(self.graph, n) == self.operator)
        self.fields = [self.names[s.name] for s in fields_of(self.graph, name).values()]
        self.takes_frozen = bool(program["frozen"].results)

    def statements(self, function: Described, returned: Sequence[str] = ()) -> list[str]:
        """Those of a method that is handed a grid, which knows data and the time."""
        scope = self.scope(self.grid_printer)
        if not returned:
            return returning(function, scope)
        return [*statements(function, scope), f"return {', '.join(returned)}"]

    def grid_printer(self, tensors: Mapping[str, str]) -> TorchPrinter:
        found = self.printer(tensors)
        if self.clock is None:
            return found
        return TorchPrinter(
            found.tensors, {**found.scalars, self.clock.name: "grid.time"}, frozenset(found.trained)
        )

    # -- the body of the operator ------------------------------------------------------------------

    def method(self, name: str, doc: str, kind: str) -> Function:
        """Slots of the operator at v."""
        state, _ = self.program[name].parameters[-1]
        found = self.named(self.program[name], {state: "v"})
        arguments = ("self", "v: Tensor", "grid: Grid")
        asked = self.asked(name, ["v", *self.of_grid(found)], len(found.results) > 1, self.tied(found))
        return Function(name, arguments, kind, doc, [*asked, *self.statements(found, self.ended(found))])

    @staticmethod
    def of_grid(function: Described) -> list[str]:
        """Known data of the grid that a function uses."""
        return [f'grid.known["{let.outputs[0]}"]' for let in function.body if isinstance(let.op, Stored)]

    def more(self) -> list[Function]:
        """More methods."""
        return []

    def tied(self, function: Described) -> list[str]:
        """What a method returns with the ties of the grid, if there are any; in braces the value without."""
        held = {"forward": ["v"], "linearised": ["v", "1"], "diagonal": ["1"], "product": ["trial"]}
        if not self.operator.weighted or function.name not in held:
            return []
        return [f"grid.tie({{}}, {v})" for v in held[function.name]]

    def ended(self, function: Described) -> list[str]:
        """What a method returns if that is not its results."""
        return [t.format(r) for t, r in zip(self.tied(function), function.results, strict=False)]

    def ties(self) -> Function:
        """The method that finds how strongly cells are tied to known ones."""
        frozen = "self.frozen(v, grid), " if self.takes_frozen else ""
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

    def product(self) -> Function:
        trial, _ = self.program["product"].parameters[-1]
        found = self.named(self.program["product"], {trial: "trial"})
        names = [v for v, _ in found.parameters[:-1]]
        body = self.statements(found, self.ended(found))
        if names:
            stored = sum(isinstance(op, Stored) for op in found.ops)
            left = ", ".join(names) if len(names) > 1 else f"({names[0]},)"
            body.insert(stored, f"{left} = frozen")
        handed = ["trial", *(["*frozen"] if names else []), *self.of_grid(found)]
        body = [*self.asked("product", handed, tied=self.tied(found)), *body]
        frozen = ("frozen: tuple[Tensor, ...]",) if names else ()
        doc = "N with frozen diffusivities, applied to `trial`."
        return Function("product", ("self", "trial: Tensor", *frozen, "grid: Grid"), "Tensor", doc, body)

    def frozen(self) -> list[Function]:
        if not self.takes_frozen:
            return []
        state, _ = self.program["frozen"].parameters[-1]
        found = self.named(self.program["frozen"], {state: "v"})
        single = len(found.results) == 1
        body = self.statements(found, [f"({found.results[0]},)"] if single else found.results)
        body = [*self.asked("frozen", ["v", *self.of_grid(found)], True), *body]
        doc = "What the linear systems of the bottleneck take at v."
        if self.operator.linear:
            doc = "What the product takes at v."
        return [Function("frozen", ("self", "v: Tensor", "grid: Grid"), "tuple[Tensor, ...]", doc, body)]

    def known(self) -> list[Function]:
        """The method that computes what depends on known data alone."""
        if not self.data:
            return []
        body, found = self.prelude_on(self.grid_printer)
        entries = ", ".join(f'"{v}": {r}' for v, r in zip(self.data.values(), found, strict=True))
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
        if self.data:
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
            members.append(self.method("diagonal", "That of the product.", "Tensor"))
        else:
            both = "N(v), and its diagonal with frozen diffusivities."
            members += [
                self.method("forward", "N(v).", "Tensor"),
                self.method("linearised", both, "tuple[Tensor, Tensor]"),
            ]
        if self.operator.weighted:
            doc = "The weights of the equations of the cells in means; how much of a correction is kept."
            members += [self.method("rows", doc, "tuple[Tensor, Tensor]"), self.ties()]
        members += [*self.frozen(), self.product(), *self.more()]
        n = "-F(v)" if self.update.steady else "v - tau F(v)"
        doc = f"N(v) = {n} on every grid: convolutions K, activations, transposed convolutions K^T."
        if self.operator.linear:
            doc = "The operator of linear systems, N with frozen diffusivities, on every grid."
        return Class(self.part, "nn.Module", doc, members)

    def grid_definitions(self) -> list[Definition]:
        """The classes and functions of the nested grids."""
        stencils = [d.stencil for bank in self.banks for row in bank.rows for _, d in row]
        first = [s for s in stencils if s.derivative == 1]
        second = [s for s in stencils if s.derivative == 2]
        nodes = [node_of(self.graph, n) for n in self.graph]
        margins = [n.margin for n in nodes if isinstance(n, Crop)]
        return grid_definitions(
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

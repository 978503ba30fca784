"""The reference interpreter of U-nets: operators on nested grids, smoothers, cycles, in NumPy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.errors import GridWarning
from pde2net.graph.interpret import hierarchy
from pde2net.graph.interpret.evaluate import Computed, Evaluator, Feeds
from pde2net.graph.interpret.hierarchy import Axis, Cells
from pde2net.graph.interpret.operator_on_grid import FrozenGrid, OnGrid
from pde2net.graph.interpret.solve import bicgstab, divided, magnitude, nearest
from pde2net.graph.nodes import (
    Bottleneck,
    Correction,
    Cycle,
    Nearest,
    Node,
    Operator,
    Prolongation,
    Residual,
    Restriction,
    Smooth,
    State,
    VCycle,
)
from pde2net.language.borders import BORDERS

ALIKE = np.finfo(float).tiny ** 0.5  # weights of rows where nothing diffuses


class Hierarchy:
    """An operator on all its grids: what an Operator node evaluates to."""

    def __init__(self, run: Evaluator, name: str, node: Operator, state: Array) -> None:
        self.node, self.run = node, run
        fields = dict(run.fields)
        sizes = state.shape[: len(node.boundary)]
        axes = tuple(Axis(n, 1, BORDERS[b]) for n, b in zip(sizes, node.boundary, strict=True))
        cells = Cells(axes, 2 if run.channels > 1 else 1)
        spacing = tuple(float(run.number(h)) for h in node.spacing)
        self.grids: list[OnGrid] = []
        while True:
            grid = OnGrid(run, name, cells, fields)
            if node.linear:
                grid = FrozenGrid(run, name, cells, fields, state)
            self.grids.append(grid)
            if node.weighted:
                rows, grid.kept = grid(state, "rows", "kept")
                grid.weights = grid.weights * np.maximum(rows, ALIKE)
                grid.hold(state, self.grids[-2] if len(self.grids) > 1 else None)
            coarse = cells.coarser(spacing, node.smallest, 0.5 if node.adjoint else 0.0)
            if coarse is None or len(self.grids) == node.levels:
                break
            fields = {k: hierarchy.mean(f, grid.weights, cells, coarse) for k, f in fields.items()}
            state = hierarchy.mean(state, cells.volumes, cells, coarse)
            cells = coarse
        if node.asked and len(self.grids) < node.levels:
            shape = " x ".join(map(str, sizes))
            warnings.warn(
                f"an image of {shape} cells allows {len(self.grids)} levels, not {node.levels}",
                GridWarning,
                stacklevel=2,
            )

    def v_cycle(self, node: VCycle, r: Array, level: int = 0) -> Array:
        """About z with N z = r on a grid; see graph.nodes.VCycle."""
        grid, z = self.grids[level], np.zeros_like(r)
        if level == self.coarsest:
            return self.bottleneck(Bottleneck(1, node.tol, node.most), z, r)
        sweep = Smooth("jacobi", 1, node.damping, (sp.S.One, sp.S.One))
        z = self.smooth(sweep, grid, z, r)
        residual = self.restrict(r - grid(z, "value")[0], level + 1, "residual")
        e = self.v_cycle(node, residual, level + 1)
        e = hierarchy.prolongated(e, self.grids[level + 1].cells, grid.cells)
        return self.smooth(sweep, grid, z + grid.kept * e, r)

    @property
    def coarsest(self) -> int:
        return len(self.grids) - 1

    def restrict(self, u: Array, level: int, kind: str) -> Array:
        """From grid `level` - 1 to grid `level`."""
        fine, coarse = self.grids[level - 1], self.grids[level]
        if kind == "solution":
            return hierarchy.mean(u, fine.cells.volumes, fine.cells, coarse.cells)
        if not self.node.adjoint:
            return hierarchy.mean(u, fine.weights, fine.cells, coarse.cells)
        sums = hierarchy.spread(fine.weights * u, fine.cells, coarse.cells)
        return hierarchy.total(sums, fine.cells, coarse.cells) / hierarchy.total(
            fine.weights, fine.cells, coarse.cells
        )

    def smooth(self, node: Smooth, grid: OnGrid, v: Array, rhs: Array) -> Array:
        omega = float(self.run.number(node.damping))
        if node.kind == "jacobi":
            for _ in range(node.sweeps):
                v = v + omega * self.relaxation(grid, v, rhs)
        elif node.kind == "red-black":
            odd = np.indices(grid.cells.shape).sum(axis=0) % 2
            for k in range(2 * node.sweeps):
                v = np.where(odd == k % 2, v + omega * self.relaxation(grid, v, rhs), v)
        else:
            low, high = (float(self.run.number(e)) for e in node.interval)
            change = np.zeros_like(v)
            for a, b in chebyshev(low, high, node.sweeps):
                change = a * change + b * self.relaxation(grid, v, rhs)
                v = v + change
        return v

    @staticmethod
    def relaxation(grid: OnGrid, v: Array, rhs: Array) -> Array:
        value, diagonal = grid(v, "value", "diagonal")
        return divided(rhs - value, diagonal)

    def bottleneck(self, node: Bottleneck, v: Array, rhs: Array) -> Array:
        """Corrections by linear systems with the weights of v, on the coarsest grid."""
        grid = self.grids[-1]
        for _ in range(node.rounds):
            value, diagonal = grid(v, "value", "diagonal")

            def product(x: Array, v: Array = v, diagonal: Array = diagonal) -> Array:
                return divided(grid(v, "product", x=x)[0], diagonal)

            right, most = divided(rhs - value, diagonal), min(node.most, v[..., 0].size)
            v = v + bicgstab(product, right, np.zeros_like(v), float(node.tol), most)
        return v


def chebyshev(low: float, high: float, sweeps: int) -> list[tuple[float, float]]:
    """(a, b) of the steps s <- a s + b z that are least on [low, high] (Saad, Iterative Methods, 12.3.2)."""
    centre, half = (high + low) / 2, (high - low) / 2
    sigma = centre / half
    rho, found = 1 / sigma, [(0.0, 1 / centre)]
    for _ in range(sweeps - 1):
        new = 1 / (2 * sigma - rho)
        found.append((new * rho, 2 * new / half))
        rho = new
    return found


def step(run: Evaluator, name: str, node: Node, inputs: Feeds, computed: Computed) -> tuple[Any, ...]:
    """The output of a node of a U-net."""

    def value(slot: str) -> Array:
        producer, port = inputs[slot]
        return computed[producer][port]

    if isinstance(node, Operator):
        return (Hierarchy(run, name, node, value("state")),)
    grids: Hierarchy = computed[inputs["operator"][0]][0]  # type: ignore[assignment]  # an Operator's value
    level = run.graph.nodes[name]["level"]
    if isinstance(node, VCycle):
        return (grids.v_cycle(node, value("r")),)
    if isinstance(node, Bottleneck):
        return (grids.bottleneck(node, value("start"), value("rhs")),)
    if isinstance(node, Cycle):
        return (_cycle(run, name, node, grids, level, computed),)
    if isinstance(node, Restriction):
        return (grids.restrict(value("u"), level, node.kind),)
    if isinstance(node, Prolongation):
        coarse, fine = grids.grids[level + 1], grids.grids[level]
        return (hierarchy.prolongated(value("u"), coarse.cells, fine.cells),)
    grid = grids.grids[level]
    if isinstance(node, Smooth):
        return (grids.smooth(node, grid, value("v"), value("rhs")),)
    if isinstance(node, Correction):
        return (value("v") + grid.kept * value("e"),)
    if isinstance(node, Nearest):
        v, start, rhs = value("v"), value("start"), value("rhs")

        def product(x: Array) -> Array:
            found: Array = grid(start, "product", x=x)[0]
            return found

        if node.source:
            rhs = rhs - grid(np.zeros_like(v), "value")[0]
        v = np.where(np.isfinite(v).all(axis=tuple(range(v.ndim - 1))), v, start)
        directions = [d / magnitude(d) for d in (v, start)]
        return (nearest(product, rhs, directions, len(grids.node.boundary), node.means),)
    (found,) = grid(value("v"), "value")
    return (value("rhs") - found,) if isinstance(node, Residual) else (found + value("r"),)


def _cycle(run: Evaluator, name: str, node: Cycle, grids: Hierarchy, level: int, computed: Computed) -> Array:
    feeds = run.sources[name]
    v, rhs = (computed[feeds[s][0]][feeds[s][1]] for s in ("start", "rhs"))
    if level == grids.coarsest:
        nodes = (data["node"] for _, data in run.graph.nodes(data=True))
        bottleneck = next(n for n in nodes if isinstance(n, Bottleneck))
        return grids.bottleneck(bottleneck, v, rhs)
    for _ in range(node.repeat):
        v = run.once(name, {State: v}, computed)[feeds["next"][0]][0]
    return v

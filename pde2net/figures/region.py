"""The panel of the steps for which stability is proved, over one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.figures.factors import Array
from pde2net.figures.scene import Scene, sample
from pde2net.figures.style import BLUE, GREEN, GREY, MARK, RED, empty, finish, formula, frame, heading
from pde2net.language.grid import Grid
from pde2net.scheme.registry import update_of
from pde2net.verify.certificate import Status
from pde2net.verify.facts import gather
from pde2net.verify.plan import Plan, coefficient

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Region:
    """The proved limit of tau over one parameter.

    parameter  the symbol on the axis, and `place` its value in the network
    limit      the formula, and `limits` its values over `grid`
    steps      tau over `grid` where it depends on the parameter, else None
    """

    parameter: sp.Symbol
    place: float
    limit: sp.Expr
    grid: Array
    limits: Array
    steps: Array | None


def region(scene: Scene) -> Region | None:
    """Over a parameter on which the limit depends, or over the spacing; None if nothing is proved."""
    limit = scene.limit
    if limit is None:
        return None
    if not limit.free_symbols:
        return _over_spacing(scene)
    problem = scene.semi.form.problem
    parameter = min(limit.free_symbols, key=lambda s: (s not in problem.symbols, s.name))
    depends = parameter in scene.plan.tau.free_symbols and not scene.open
    return _region(scene, limit, parameter, scene.number(parameter), scene.plan.tau if depends else None)


def _over_spacing(scene: Scene) -> Region | None:
    """The limit derived once more on a grid of spacing h, with the ratios of the axes kept."""
    form, grid, spacing = scene.semi.form, scene.semi.grid, scene.semi.spacing
    taken = {s.name for s in form.problem.symbols}
    h = sp.Symbol("h" if "h" not in taken else "spacing", positive=True)
    scaled = dict(zip(form.space, (h * s / spacing[0] for s in spacing), strict=True))
    semi = semidiscretise(form, Grid(scaled, grid.order, grid.gradient, grid.origin))
    facts, scheme = gather(semi), scene.plan.scheme
    plan = Plan(semi, scheme, scene.plan.tau, update_of(scheme, coefficient(semi, scheme, facts)))
    limit = Scene(plan, facts, scene.claims).limit
    return None if limit is None else _region(scene, limit, h, scene.number(spacing[0]), None)


def _region(scene: Scene, limit: sp.Expr, parameter: sp.Symbol, place: float, step: sp.Expr | None) -> Region:
    reach = abs(place) or 1.0
    start = 0.0 if parameter.is_nonnegative else place - reach
    grid = np.linspace(start, start + 2 * reach, 201)[1:]

    def over(expression: sp.Expr) -> Array:
        others = {s: v for s, v in scene.values.items() if s != parameter}
        left = expression.subs(others)
        left = left.subs(dict.fromkeys(left.free_symbols - {parameter}, 1))
        return sample(left, parameter, grid)

    return Region(parameter, place, limit, grid, over(limit), None if step is None else over(step))


def draw_region(axes: Axes, scene: Scene) -> None:
    """The steps tau for which stability is proved, shaded, over one parameter or the spacing.

    The curve is the limit, 2/(sup g ‖K‖² + beta) for explicit steps; the point is the step of the network.
    """
    name = scene.stability.name.replace("_", " ")
    title = f"Steps for which {name} is proved"
    found = region(scene)
    if found is None:
        empty(axes, title, scene.stability.reason or "no limit is proved")
        return
    finite = found.limits[np.isfinite(found.limits)]
    top = 1.7 * max(scene.step, scene.number(found.limit.subs(found.parameter, found.place)))
    proved = f"{name}, diffusion alone" if scene.stability.status == Status.LINEARISED else f"{name} proved"
    shaded = np.minimum(found.limits, top)
    axes.fill_between(found.grid, 0, shaded, color=GREEN, alpha=0.2, linewidth=0, label=proved)
    symbol = formula(found.parameter)
    axes.plot(found.grid, found.limits, color=GREEN, linewidth=2.2, label=f"limit τ = {formula(found.limit)}")
    if found.steps is not None:
        step = f"τ = {formula(scene.plan.tau)}"
        axes.plot(found.grid, found.steps, "--", color=BLUE, linewidth=1.5, label=step)
    axes.set_xlim(min(0.0, float(found.grid[0])), float(found.grid[-1]))
    axes.set_ylim(0, top if finite.size else None)
    note, colour = _point(axes, scene, found)
    heading(axes, title, note, colour)
    spacing = found.parameter not in scene.semi.form.problem.symbols
    finish(axes, f"spacing {symbol}" if spacing else f"parameter {symbol}", "time step τ")


def _point(axes: Axes, scene: Scene, found: Region) -> tuple[str, str]:
    """Mark the step: filled if it is proved, a cross if not, hollow where tau is left open."""
    limit = scene.number(found.limit.subs(found.parameter, found.place))
    at = f"at {found.parameter} = {found.place:.4g}"
    if scene.open:
        _mark(axes, found.place, limit, "o", BLUE, f"largest step {at}", face="white")
        return f"τ is left open; the largest proved step {at} is {limit:.4g}.", GREY
    label = f"this step: τ = {formula(scene.plan.tau)}"
    if scene.verdict.status == Status.PROVED and scene.step > limit * (1 + 1e-12):
        _mark(axes, found.place, scene.step, "o", BLUE, label)
        return f"τ = {scene.step:.4g} is beyond the curve and proved for this step.", GREY
    if scene.step <= limit * (1 + 1e-12):
        _mark(axes, found.place, scene.step, "o", BLUE, label)
        return f"τ = {scene.step:.4g} does not exceed the limit {limit:.4g} {at}.", GREY
    _mark(axes, found.place, scene.step, "X", RED, label)
    frame(axes)
    refuted = scene.verdict.status == Status.REFUTED
    outcome = "refuted by a counterexample" if refuted else "not proved"
    return f"τ = {scene.step:.4g} exceeds the limit {limit:.4g} {at}: {outcome}.", RED


def _mark(axes: Axes, x: float, y: float, marker: str, colour: str, label: str, face: str = "") -> None:
    axes.plot([x], [y], marker, color=colour, markerfacecolor=face or colour, label=label, **MARK)

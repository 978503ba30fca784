"""The panel of the amplification factor of one step or cycle over the frequency."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.discretise.operators import Bank, Difference
from pde2net.discretise.operators import factors as along_axes
from pde2net.figures.factors import Array
from pde2net.figures.scene import Scene
from pde2net.figures.style import (
    BLUE,
    GREEN,
    GREY,
    MARK,
    ORANGE,
    RED,
    SKY,
    empty,
    finish,
    formula,
    frame,
    heading,
    literal,
)
from pde2net.verify.bounds import Bounds
from pde2net.verify.theorems.hypotheses import prefactor_reason

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ANGLES: Array = np.linspace(0.0, np.pi, 181)
ZERO = 1e-12


@dataclass(frozen=True)
class Factors:
    """Factors over ANGLES, all frequencies but those of `axes` being 0.

    lowest   for explicit steps 1 - tau (sum sup g |K^|² + sup beta); -oo where g is not bounded
    highest  for explicit steps 1 - tau (sum inf g |K^|² + inf beta)
    """

    axes: tuple[int, ...]
    lowest: Array
    highest: Array

    @property
    def extreme(self) -> tuple[float, float]:
        """(angle, factor) of the factor of largest magnitude."""
        curves = (self.lowest, self.highest)
        curve = max(curves, key=lambda c: float(np.max(np.abs(c))))
        place = int(np.argmax(np.abs(curve)))
        return float(ANGLES[place]), float(curve[place])


def damping(scene: Scene) -> tuple[Bounds, str]:
    """The interval of beta, -r(u)/u for l2 stability and else -r'(u); and why it is left out, if it is."""
    facts = scene.facts
    own = scene.stability.name == "l2_stability" and facts.damping is not None
    found = facts.damping if own else facts.rate
    if found is None:
        return Bounds(sp.S.Zero, sp.S.Zero), f"The reaction is left out: {facts.why.get('rate')}."
    return found, ""


def factors(scene: Scene, axes: tuple[int, ...]) -> Factors | None:
    """Factors along the diagonal of `axes`; None where no diffusivity has a proved range."""
    amplified = scene.amplification
    if scene.facts.weights is None or not scene.case.plain or amplified is None:
        return None
    beta, _ = damping(scene)
    low = np.full(ANGLES.shape, scene.number(beta.lower))
    high = np.full(ANGLES.shape, scene.number(beta.upper))
    for bounds, symbol in _weighted_symbols(scene, axes):
        seen = symbol > ZERO
        low[seen] += scene.number(bounds.lower) * symbol[seen]
        high[seen] += scene.number(bounds.upper) * symbol[seen]
    if amplified.linear:
        return Factors(axes, amplified.of(scene.step * high), amplified.of(scene.step * low))
    if not np.isfinite(high).all():
        return None
    between = np.linspace(low, high, 101)
    found = amplified.of(scene.step * between)
    return Factors(axes, found.min(axis=0), found.max(axis=0))


def worst(scene: Scene) -> Factors | None:
    """Along the diagonal of all axes, or of those on which the step comes nearest to its limit."""
    dimension = len(scene.semi.spacing)
    sizes = range(dimension, 0, -1)
    choices = [c for size in sizes for c in itertools.combinations(range(dimension), size)]
    found = [f for f in (factors(scene, c) for c in choices) if f is not None]
    return min(found, key=lambda f: round(float(f.lowest.min()), 9)) if found else None


def _weighted_symbols(scene: Scene, axes: tuple[int, ...]) -> Iterator[tuple[Bounds, Array]]:
    """(interval of the weight, |K^(theta)|²) of every term and axis that differentiates along `axes`."""
    for operators, row in zip(scene.semi.operators, scene.facts.weights or (), strict=True):
        for operator, bounds in zip(operators, row, strict=True):
            assert isinstance(operator, Bank)  # `save` refuses figures of others
            yield bounds, _squared(scene, operator, axes)


def _squared(scene: Scene, bank: Bank, axes: tuple[int, ...]) -> Array:
    """The sum of |K^(theta)|² over all entries, of what differentiates along `axes` alone."""
    total = np.zeros(ANGLES.shape)
    for count, row in zip(bank.entries, bank.operations, strict=True):
        parts = [(w, along_axes(k)) for w, k in row if all(d.axis in axes for d in along_axes(k))]
        waves = [scene.number(w) * np.prod([_symbol(scene, d) for d in ds], axis=0) for w, ds in parts]
        total += count * np.abs(np.sum(waves, axis=0)) ** 2
    return total


def _symbol(scene: Scene, difference: Difference) -> NDArray[np.complex128]:
    """sum_k w_k exp(i k theta) / h^m of a stencil."""
    stencil = difference.stencil
    waves = np.exp(1j * np.outer(stencil.offsets, ANGLES))
    weights = np.array([float(w) for w in stencil.weights])
    return np.asarray(scene.number(difference.scale) * (weights @ waves))


def draw_amplification(axes: Axes, scene: Scene) -> None:
    """1 - tau (g |K^(theta)|² + beta) over theta, between the curves of sup g and inf g.

    Along the diagonal of the axes, and dashed along the first axis; [-1, 1] is shaded, and what of
    the band lies outside is hatched.
    """
    amplified = scene.amplification
    title = f"Amplification factor of one {amplified.unit if amplified else 'step'}, coefficients frozen"
    found = worst(scene)
    if amplified is None:
        empty(axes, title, f"the factors of {scene.plan.scheme.label} schemes are not drawn")
        return
    if found is None:
        reason = "" if scene.case.plain else prefactor_reason(scene.case)
        empty(axes, title, reason or scene.facts.why.get("weights", "the diffusivity has no proved range"))
        return
    _band(axes, scene, found)
    single = factors(scene, (0,))
    if single is not None and found.axes != (0,) and amplified.linear:
        name = scene.semi.form.space[0]
        label = f"sup g, along {name} only" if np.isfinite(single.lowest).all() else ""
        if label:
            axes.plot(ANGLES, single.lowest, "--", color=BLUE, linewidth=1.3, label=literal(label))
    note, colour = _outside(axes, scene, found)
    heading(axes, title, note, colour)
    axes.set_xticks(np.pi * np.arange(5) / 4, ["0", "π/4", "π/2", "3π/4", "π"])
    axes.set_xlim(0, np.pi)
    beta = damping(scene)[0]
    argument = "g |K̂(θ)|²" if beta.upper == beta.lower == 0 else "(g |K̂(θ)|² + β)"
    finish(axes, _frequency(scene, found.axes), amplified.axis.format(argument))


def _frequency(scene: Scene, axes: tuple[int, ...]) -> str:
    names = [f"θ_{scene.semi.form.space[a]}" for a in axes]
    if len(scene.semi.spacing) == 1:
        return "frequency θ"
    return literal(f"frequency θ = {' = '.join(names)}" + ("" if len(axes) > 1 else ", 0 along the others"))


def _band(axes: Axes, scene: Scene, found: Factors) -> None:
    """The admissible strip, the band between inf g and sup g, its two curves, and the limits of the axis."""
    finite = np.concatenate([c[np.isfinite(c)] for c in (found.lowest, found.highest)])
    low, high = min(-1.0, float(finite.min())), max(1.0, float(finite.max()))
    bottom, top = low - 0.12 * (high - low), high + 0.12 * (high - low)
    if not np.isfinite(found.lowest).all():
        bottom = -3.0
    axes.set_ylim(bottom, top)
    axes.axhspan(-1, 1, color=GREEN, alpha=0.13, linewidth=0, label=literal("admissible: [-1, 1]"))
    floor = np.maximum(found.lowest, bottom)
    axes.fill_between(ANGLES, floor, found.highest, color=SKY, alpha=0.4, linewidth=0)
    for bad, edge, sign in ((floor < -1 - 1e-9, -1, -1), (found.highest > 1 + 1e-9, 1, 1)):
        if bad.any():
            outer = np.minimum(floor, edge) if sign < 0 else np.maximum(found.highest, edge)
            axes.fill_between(
                ANGLES, outer, edge, where=bad, facecolor="none", hatch="////", edgecolor=RED, linewidth=0
            )
    for edge, end in ((-1, bottom), (1, top)):
        axes.axhline(edge, color=GREEN, linewidth=1.2)
        axes.axhspan(edge, end, color=RED, alpha=0.08, linewidth=0)
    for curve in (found.lowest, found.highest):
        beyond = np.where(np.isfinite(curve) & (np.abs(curve) > 1 + 1e-9), curve, np.nan)
        if np.isfinite(beyond).any():
            axes.plot(ANGLES, beyond, color=RED, linewidth=6, alpha=0.6, solid_capstyle="butt")
    lower, upper = _extremes(scene)
    beta = damping(scene)[0]
    varies = beta.lower != beta.upper
    if scene.amplification is not None and not scene.amplification.linear:
        axes.plot(ANGLES, found.lowest, color=BLUE, linewidth=2.2, label="lowest over all g")
        axes.plot(ANGLES, found.highest, color=ORANGE, linewidth=2.2, label="highest over all g")
        return
    if np.array_equal(found.lowest, found.highest):
        label = f"g = {upper}" if upper else "g constant"
        axes.plot(ANGLES, found.lowest, color=BLUE, linewidth=2.2, label=label)
        return
    if np.isfinite(found.lowest).all():
        label = (f"g = sup g = {upper}" if upper else "every g at its sup") + ", β at its sup" * varies
        axes.plot(ANGLES, found.lowest, color=BLUE, linewidth=2.2, label=label)
    label = (f"g = inf g = {lower}" if lower else "every g at its inf") + ", β at its inf" * varies
    axes.plot(ANGLES, found.highest, color=ORANGE, linewidth=2.2, label=label)


def _extremes(scene: Scene) -> tuple[str, str]:
    """inf g and sup g as formulas if all weights have the same, else empty."""
    bounds = {b for row in scene.facts.weights or () for b in row}
    if len(bounds) != 1:
        return "", ""
    only = bounds.pop()
    return formula(only.lower), formula(only.upper)


def _outside(axes: Axes, scene: Scene, found: Factors) -> tuple[str, str]:
    """Mark the factor of largest magnitude if it is not admissible; what is to be said, and its colour."""
    angle, factor = found.extreme
    missing = damping(scene)[1]
    if not np.isfinite(factor):
        return f"sup g = ∞: the factor has no lower bound, whatever the step. {missing}", RED
    if abs(factor) <= 1 + 1e-9:
        low, high = float(found.lowest.min()), float(found.highest.max())
        said = f"The factors range from {low:.4g} to {high:.4g}: no mode grows."
        return f"{said} {missing}", GREY
    label = literal("outside [-1, 1]")
    axes.plot([angle], [factor], "X", color=RED, label=label, **MARK)
    frame(axes)
    place = {0.0: "0", 1.0: "π"}.get(angle / np.pi, f"{angle / np.pi:.3g}π")
    said = f"Reaches {factor:.4g} at θ = {place}: outside of [-1, 1], such a mode grows."
    return f"{said} {missing}", RED

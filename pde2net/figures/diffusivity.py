"""The panels of a diffusivity, the slope of its flux, and the flux."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from pde2net.figures.factors import Array
from pde2net.figures.scene import Scene, sample
from pde2net.figures.style import BLUE, GREEN, GREY, ORANGE, RED, SMALL, finish, formula, heading, literal
from pde2net.language.arrays import Array as Exact
from pde2net.language.spline import SplineDiffusivity, falling
from pde2net.language.symbols import per_filter
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED, Term
from pde2net.verify.bounds import Bounds
from pde2net.verify.ranges.record import positive_symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ZERO = 1e-12
MOST_FILTERS = 6  # whose own fluxes are drawn


@dataclass(frozen=True)
class Profile:
    """One diffusivity g(s2) with what is proved of it; `argument` says what s is."""

    diffusivity: sp.Expr
    argument: str
    weights: Bounds | None
    slopes: Bounds | None


def profiles(scene: Scene) -> list[Profile]:
    """The distinct diffusivities, with constant weights and coefficients multiplied in."""
    found: dict[Any, Profile] = {}
    for index, term in enumerate(scene.semi.form.terms):
        for axis, diffusivity, argument, whole in _rows(scene.semi.form, term):
            bounds = [
                proved[index][axis] if proved is not None and whole else None
                for proved in (scene.facts.weights, scene.facts.slopes)
            ]
            found.setdefault((diffusivity, *bounds), Profile(diffusivity, argument, *bounds))
    return list(found.values())


def _rows(form: DivergenceForm, term: Term) -> Iterator[tuple[int, sp.Expr, str, bool]]:
    """(axis, g, argument, whether g is the whole weight of that axis)."""
    for axis in range(len(term.labels(form.space))):
        sums: dict[tuple[int, ...], sp.Expr] = {}
        for part in term.parts:
            for group in part.groups or ():
                if axis in group.axes:
                    weight = part.coefficient * group.weights[group.axes.index(axis)]
                    sums[group.axes] = sums.get(group.axes, sp.S.Zero) + weight * group.diffusivity
        for axes, g in sums.items():
            seen = axes if SQUARED in g.free_symbols else (axis,)
            yield axis, g, term.magnitude(form, seen), len(sums) == 1


@dataclass(frozen=True)
class Curves:
    """g(s²), Phi(s) = g(s²) s and Phi'(s) = g + 2 s² g' over s, `peak` being where Phi is largest."""

    s: Array
    g: Array
    flux: Array
    slope: Array
    peak: float | None


def variants(scene: Scene, profile: Profile) -> list[sp.Expr]:
    """g in numbers, parameters without a value 1; of the first filters each, if they have their own."""
    problem = scene.semi.form.problem
    g = profile.diffusivity.subs(problem.parameters)
    parts = sorted(g.atoms(SplineDiffusivity), key=str)
    own = sorted(per_filter(g), key=str)
    rows = [problem.arrays[s.name].shape[0] for s in own if s.name in problem.arrays]
    count = min(MOST_FILTERS, max([1, *rows, *(part.rows for part in parts)]))
    found = []
    for k in range(count):
        filters = {s: problem.arrays[s.name].entries[k] for s in own if s.name in problem.arrays}
        splines = {part: _pieces(part, problem.arrays.get(part.name) or falling(part), k) for part in parts}
        plain = g.xreplace({**filters, **splines})
        found.append(plain.subs(dict.fromkeys(plain.free_symbols - {SQUARED}, 1)))
    return list(dict.fromkeys(found))


def _pieces(part: SplineDiffusivity, slopes: Exact, row: int) -> sp.Expr:
    """phi(s)/s of one filter as a function of s²: slope + offset/s on each piece."""
    own, s, h = slopes.nested()[row % slopes.shape[0]], sp.sqrt(SQUARED), part.width
    height, cases = sp.S.Zero, []
    for j, slope in enumerate(own):
        value = slope + (height - slope * j * h) / s if j else slope
        cases.append((value, ((j + 1) * h) ** 2 > SQUARED if j < part.pieces else True))
        height += slope * h
    return sp.Piecewise(*cases)


def curves(g: sp.Expr, shown: Array | None = None) -> Curves:
    """Over `shown`, or 4 times the place where Phi turns, or 3 times that where g has lost half its range."""
    slope = g + 2 * SQUARED * sp.diff(g, SQUARED)
    scan: Array = np.logspace(-4, 4, 161)
    peak = _turn(slope, scan)
    end = 4 * peak if peak else _extent(sample(g, SQUARED, scan**2), scan)
    s: Array = np.linspace(0.0, end, 401) if shown is None else shown
    height = sample(g, SQUARED, s**2)
    return Curves(s, height, height * s, sample(slope, SQUARED, s**2), peak)


def _turn(slope: sp.Expr, scan: Array) -> float | None:
    """Where Phi' first becomes negative, by bisection between two points of `scan`."""
    values = sample(slope, SQUARED, scan**2)
    scan, values = scan[np.abs(values) > ZERO], values[np.abs(values) > ZERO]
    falls = np.flatnonzero((values[:-1] > 0) & (values[1:] < 0))
    if not falls.size:
        return None
    low, high = scan[falls[0]], scan[falls[0] + 1]
    for _ in range(50):
        middle = (low + high) / 2
        if sample(slope, SQUARED, np.array([middle**2]))[0] > 0:
            low = middle
        else:
            high = middle
    return float(low + high) / 2


def _extent(g: Array, scan: Array) -> float:
    """Functions without a scale, constants and powers, are shown over [0, 2]."""
    middle = (g[0] + g[-1]) / 2
    lost = np.flatnonzero(np.abs(g - g[0]) >= abs(middle - g[0]))
    scaled = lost.size and abs(g[0] - g[8]) < 0.1 * abs(g[0] - g[-1])
    return 3 * float(scan[lost[0]]) if scaled else 2.0


def draw_diffusivity(left: Axes, right: Axes, scene: Scene, profile: Profile) -> None:
    """Left g(s²) and Phi' = g + 2 s² g' with their proved bounds dashed; right Phi(s) = g(s²) s.

    Where Phi does not grow, forward-backward diffusion, the right panel is hatched.
    """
    first, *rest = variants(scene, profile)
    found = curves(first)
    others = [curves(g, found.s) for g in rest]
    heading(left, "Diffusivity g and slope of the flux Φ'", *_unproved(scene, profile))
    written = formula(profile.diffusivity.subs(SQUARED, positive_symbol(profile.diffusivity) ** 2))
    known = written.startswith("$") and len(written) < 70 and not profile.diffusivity.has(SplineDiffusivity)
    label = f"g = {written}" if known else "g(s²)"
    for other in others:
        left.plot(other.s, other.g, color=BLUE, linewidth=0.9, alpha=0.5)
        left.plot(other.s, other.slope, color=ORANGE, linewidth=0.9, alpha=0.5, linestyle="-.")
    left.plot(found.s, found.g, color=BLUE, linewidth=2.2, label=label)
    left.plot(found.s, found.slope, color=ORANGE, linewidth=2.2, linestyle="-.", label="Φ'(s) = g + 2s²g'")
    _limits(left, np.concatenate([found.g[20:], found.slope[20:]]), np.concatenate([found.g, found.slope]))
    _bounds(left, scene, profile)
    argument = literal(profile.argument)
    finish(left, f"s = {argument}", "g, Φ'")
    _draw_flux(right, found, argument)
    for other in others:
        right.plot(other.s, other.flux, color=BLUE, linewidth=0.9, alpha=0.5)
    fluxes = np.concatenate([c.flux for c in (found, *others)])
    _limits(right, fluxes, fluxes)
    for axes in (left, right):
        axes.set_xlim(0, float(found.s[-1]))


def _draw_flux(right: Axes, found: Curves, argument: str) -> None:
    """Phi(s), with the background telling where it grows and where it falls."""
    falling = found.slope < -ZERO
    falls = falling | np.append(falling[1:], False)  # from the last sample that does not fall
    shade: Any = {"transform": right.get_xaxis_transform(), "alpha": 0.16, "linewidth": 0}
    for where, colour, hatch, label in (
        (~falling, GREEN, None, "Φ does not fall: forward diffusion"),
        (falls, RED, "//", "Φ falls: backward diffusion"),
    ):
        if where.any():
            right.fill_between(found.s, 0, 1, where=where, color=colour, hatch=hatch, label=label, **shade)
    right.plot(found.s, found.flux, color=BLUE, linewidth=2.2, label="Φ(s) = g(s²) s")
    note = ""
    if found.peak is not None:
        note = f"Φ is largest at s = {found.peak:.4g} and falls beyond: the flux is not monotone."
    heading(right, "Flux Φ", note)
    _limits(right, found.flux, found.flux)
    finish(right, f"s = {argument}", "Φ")


def _unproved(scene: Scene, profile: Profile) -> tuple[str, str]:
    """Which bounds are missing, and why."""
    why, unbounded = scene.facts.why, profile.weights is not None and profile.weights.upper == sp.oo
    said = []
    if unbounded or (profile.weights is None and scene.facts.weights is None):
        said.append(f"g: {why.get('weights', 'no proved bound')}.")
    if profile.slopes is None and scene.facts.slopes is None:
        said.append(f"Φ': {why.get('slopes', 'no proved bound')}.")
    if profile.weights is None and scene.facts.weights is not None:
        said.append("One of several summands; bounds are proved for their sum.")
    return (f"Not proved. {' '.join(said)}" if said else ""), RED


def _limits(axes: Axes, tame: Array, whole: Array) -> None:
    """Room for the curves; for those with a pole at 0, room for what is off the pole."""
    finite = whole[np.isfinite(whole)]
    shown = finite if finite.size == whole.size else tame[np.isfinite(tame)]
    low, high = min(0.0, float(shown.min(initial=0))), max(0.0, float(shown.max(initial=0)))
    margin = 0.08 * ((high - low) or 1.0)
    axes.set_ylim(low - margin, high + margin)


def _bounds(axes: Axes, scene: Scene, profile: Profile) -> None:
    """Dashed lines at the proved extremes of g and Phi', labelled at the right; equal ones share a label."""
    named: dict[float, tuple[list[str], sp.Expr]] = {}
    for bounds, name in ((profile.weights, "g"), (profile.slopes, "Φ'")):
        for label, value in _named(bounds, name):
            height = round(scene.number(value), 9)
            if np.isfinite(height):
                named.setdefault(height, ([], value))[0].append(label)
    low, high = axes.get_ylim()
    margin = 0.05 * (max([high, *named]) - min([low, *named]))
    low, high = min([low, *(v - margin for v in named)]), max([high, *(v + margin for v in named)])
    axes.set_ylim(low, high)
    last = -1.0
    for height, (names, value) in sorted(named.items()):
        axes.axhline(height, color=GREY, linestyle="--", linewidth=1.1)
        text = (" =\n" if " " in names[0] else " = ").join(names)
        if value.is_Rational or value.free_symbols:
            text += f" = {formula(value)}"
        else:
            text += literal(f" ≈ {height:.4g}\n= {sp.sstr(value)}")
        last = max(last + 0.09 * (1 + text.count("\n")), (height - low) / (high - low))
        axes.text(
            1.015,
            last,
            text,
            transform=axes.transAxes,
            va="center",
            fontsize=SMALL,
            color=GREY,
        )


def _named(bounds: Bounds | None, name: str) -> list[tuple[str, sp.Expr]]:
    """(label, value) of the two ends of an interval, or of the one value that it holds."""
    if bounds is None:
        return []
    if bounds.lower == bounds.upper:
        return [(name, bounds.upper)]
    return [(f"sup {name}", bounds.upper), (f"inf {name}", bounds.lower)]

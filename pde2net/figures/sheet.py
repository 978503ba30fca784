"""The figure of a certificate: factors of a step, region of stability, diffusivities. Needs matplotlib."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.figures.amplification import draw_amplification
from pde2net.figures.diffusivity import Profile, draw_diffusivity, profiles
from pde2net.figures.region import draw_region
from pde2net.figures.scene import Scene
from pde2net.figures.style import BLUE, GREY, RED, literal
from pde2net.language.schemes import Explicit, Scheme
from pde2net.language.stored import options_text
from pde2net.language.text.printer import equation_line
from pde2net.normalise.terms import SQUARED
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.facts import Facts
from pde2net.verify.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 3
# Text, colour, size and weight.
Line: TypeAlias = tuple[str, str, float, str]
_WIDTH, _PANEL, _LINE = 12.0, 4.1, 0.28
_CHARACTERS = 132


def figure(plan: Plan, facts: Facts, claims: Mapping[str, Claim]) -> Figure:
    """A figure 1200 pixels wide that shows what a certificate says.

    top left     the factor of a step or cycle over the frequency, between sup g and inf g
    top right    the region of (parameter, tau) in which stability is proved, and the step
    each row     g(s²), Phi'(s) and Phi(s) = g(s²) s of a diffusivity with the proved bounds; at
                 most 3 diffusivities

    Of learned operators the rows alone, with a curve for each of the first filters that have parameters or
    splines of their own. Where nothing is proved a panel says why. Symbols without a value are 1, a step
    with symbols of its own is its limit; the caption says so. No window is opened and no global state is
    touched.
    Raises DeclarationError if matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise DeclarationError('A figure needs matplotlib: pip install "pde2net[plot]".') from error
    scene = Scene(plan, facts, claims)
    rows = profiles(scene)
    head, foot = _head(scene), _foot(scene, rows)
    shown = rows[:MOST_ROWS]
    frequencies = not scene.semi.form.learned  # of filters, they depend on the weights
    panels = len(shown) + frequencies
    heights = [_LINE * len(head), *[_PANEL] * panels, *[_LINE * len(foot)] * bool(foot)]
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, hspace=0.02, wspace=0.03)
    drawn = Figure(figsize=(_WIDTH, sum(heights) + 0.5), dpi=100, layout=layout)
    FigureCanvasAgg(drawn)
    grid = drawn.add_gridspec(len(heights), 2, height_ratios=heights)
    _text(drawn.add_subplot(grid[0, :]), head)
    if frequencies:
        draw_amplification(drawn.add_subplot(grid[1, 0]), scene)
        draw_region(drawn.add_subplot(grid[1, 1]), scene)
    for row, profile in enumerate(shown, start=1 + frequencies):
        left, right = (drawn.add_subplot(grid[row, column]) for column in (0, 1))
        draw_diffusivity(left, right, scene, profile)
    if foot:
        _text(drawn.add_subplot(grid[-1, :]), foot)
    return drawn


def _text(axes: Axes, lines: list[Line]) -> None:
    """Lines of text one below the other, without a frame."""
    axes.axis("off")
    for index, (text, colour, size, weight) in enumerate(lines):
        axes.text(
            0,
            1 - (index + 0.5) / len(lines),
            literal(text),
            transform=axes.transAxes,
            va="center",
            color=colour,
            fontsize=size,
            fontweight=weight,
        )


def _wrapped(text: str, colour: str, size: float, weight: str = "normal", most: int = 2) -> list[Line]:
    width = round(_CHARACTERS * 10 / size)
    lines = textwrap.wrap(text, width, max_lines=most, placeholder=" …", break_on_hyphens=False)
    return [(line, colour, size, weight) for line in lines]


def _head(scene: Scene) -> list[Line]:
    """The equation, the scheme on its grid, and the verdict."""
    semi = scene.semi
    kinds, spacings = list(dict.fromkeys(semi.boundary)), list(dict.fromkeys(semi.spacing))
    scheme = (
        f"{_scheme(scene.plan.scheme)} τ = {_plain(scene.plan.tau)} on a grid of spacing "
        f"{', '.join(map(str, spacings))}; "
        f"{semi.grid.gradient} differences of order {semi.grid.order}; {', '.join(kinds)} border"
    )
    said, colour = _verdict(scene.verdict)
    return [
        *_wrapped(equation_line(semi.form.problem), "black", 13, "bold"),
        *_wrapped(scheme, GREY, 10),
        *_wrapped(said, colour, 11, "bold"),
    ]


def _scheme(scheme: Scheme) -> str:
    if isinstance(scheme, Explicit):
        return "Explicit step" + (", fidelity at its end," if scheme.fidelity == "implicit" else "")
    options = options_text(scheme)
    return f"{scheme.label[:1].upper()}{scheme.label[1:]}{', ' if options else ''}{_tau(options)}, step"


def _verdict(claim: Claim) -> tuple[str, str]:
    good = claim.status in (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
    said = f"{claim.name.replace('_', ' ')} {claim.status}"
    if claim.status == Status.PROVED_IF:
        said += f" {_plain(claim.condition)}"
    elif claim.status == Status.PROVED and claim.limit is not None:
        said += " for every τ" if claim.limit == sp.oo else f" for τ ≤ {_plain(claim.limit)}"
    elif claim.reason:
        said += "" if claim.factor is None else f", factor {_plain(claim.factor)}"
        said += f": {_tau(claim.reason)}"
    return said, BLUE if good else RED


def _plain(expression: sp.Basic | None) -> str:
    return _tau(str(sp.sstr(expression)).replace("**", "^").replace("<=", "≤"))


def _tau(text: str) -> str:
    return re.sub(r"\btau\b", "τ", text)


def _foot(scene: Scene, rows: list[Profile]) -> list[Line]:
    """The values at which the figure is drawn, and what is left out."""
    form = scene.semi.form
    used = {s for row in rows for s in row.diffusivity.free_symbols}
    used |= {*form.problem.symbols, *(s for h in scene.semi.spacing for s in h.free_symbols)}
    at_limit = scene.open and scene.limit is not None
    if not at_limit:
        used |= scene.plan.tau.free_symbols
    bare = sorted(str(s) for s in used - {*scene.values, SQUARED})
    said = []
    if scene.values:
        said.append("Drawn at the given " + ", ".join(f"{s} = {v}" for s, v in scene.values.items()) + ".")
    if bare:
        said.append(f"Without a value, drawn at 1: {', '.join(bare)}.")
    if at_limit:
        said.append("The step is left open; the factors are those of its limit.")
    if any(not t.parts or any(part.groups is None for part in t.parts) for t in form.terms):
        said.append("Fluxes that are not g(s²) times the slope are not drawn.")
    if len(rows) > MOST_ROWS:
        said.append(f"{len(rows) - MOST_ROWS} more diffusivities are not shown.")
    return _wrapped(" ".join(said), GREY, 9, most=3)

"""How every panel looks. The colours are those of Okabe and Ito, which everybody can tell apart."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import sympy as sp

from pde2net.verify.case import sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, SKY, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#555555"
SMALL, LARGE = 9, 10.5
MARK: dict[str, Any] = {"markersize": 11, "clip_on": False, "zorder": 5}  # of the point that a panel is about
_WIDTH = 76


def formula(expression: sp.Expr) -> str:
    """`expression` typeset if it is short, otherwise (or if it cannot be) as plain text."""
    from matplotlib.mathtext import MathTextParser

    text = f"${sp.latex(expression, fold_short_frac=True)}$".replace(r"\frac", r"\dfrac")
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        text = ""
    if text and len(text) < 90:
        return text
    return literal("\n".join(textwrap.wrap(sp.sstr(expression), 50, max_lines=3, placeholder=" …")))


def literal(text: str) -> str:
    """Text in which no character stands for mathematics, with minus signs before numbers."""
    return re.sub(r"(?<!\w)-(?=[\d\s])", "\N{MINUS SIGN}", text).replace("**", "^").replace("$", r"\$")


def heading(axes: Axes, title: str, note: str = "", colour: str = GREY) -> None:
    """The title of a panel, and below it a note of at most three lines."""
    lines = textwrap.wrap(note, _WIDTH, max_lines=3, placeholder=" …")
    axes.set_title(title, loc="left", fontsize=LARGE, fontweight="bold", pad=6 + 12.5 * len(lines))
    if lines:
        axes.annotate(
            literal("\n".join(lines)),
            (0, 1),
            xytext=(0, 5),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            color=colour,
            fontsize=SMALL,
        )


def empty(axes: Axes, title: str, reason: str) -> None:
    """A frame with the reason why nothing is drawn."""
    heading(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("#f5f5f5")
    lines = "\n".join(textwrap.wrap(f"Not drawn. {sentence(reason)}", 58))
    axes.text(0.5, 0.5, literal(lines), ha="center", va="center", fontsize=SMALL + 1, color=GREY)


def frame(axes: Axes) -> None:
    """A red frame: the step is beyond what is admissible."""
    for spine in axes.spines.values():
        spine.set(color=RED, linewidth=2)


def finish(axes: Axes, x: str, y: str) -> None:
    """Labels of the axes, and the legend below."""
    axes.set_xlabel(x, fontsize=SMALL)
    axes.set_ylabel(literal(y), fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=SMALL, frameon=False)

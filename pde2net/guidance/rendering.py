"""Advice for people: text, a table for the terminal, HTML for notebooks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from pde2net.guidance.advice import Advice, Row
from pde2net.guidance.notation import notation
from pde2net.language.expressions import to_text

WIDTH = 100
SHORT = {
    "l2_stability": "l2",
    "frozen_stability": "frozen",
    "nonexpansive": "nonexpansive",
    "maximum_principle": "maximum",
    "energy_decay": "energy",
    "mean_preservation": "mean",
    "solver_convergence": "solver",
    "bounded_by_data": "bounded",
    "lipschitz_in_data": "Lipschitz",
    "averaged": "averaged",
}
IMPLIED = {
    "frozen_stability": "l2_stability",
    "bounded_by_data": "l2_stability",
    "lipschitz_in_data": "nonexpansive",
}
NUMBERS = ("steps", "work", "cost", "seconds")
GAP, ERROR_WIDTH, SOLVER_WIDTH = 2, 11, 28
LEAST = {"scheme": 22, "proved": 13}  # room for one option or claim to a line


def heading(advice: Advice) -> str:
    limit = "" if advice.limit is None else f"; the largest explicit step is {to_text(advice.limit)}"
    return f"Schemes that reach time {to_text(advice.time)} for {advice.equation}{limit}"


def entries(advice: Advice, row: Row) -> dict[str, str]:
    """What a table shows of a row, by the name of the column."""
    found = {
        "scheme": notation(row.scheme),
        "steps": str(row.steps),
        "work": f"{row.work:.0f}",
        "cost": "" if row.cost is None else f"{row.cost:.2g}",
    }
    if advice.shape is not None:
        found["seconds"] = "" if row.seconds is None else f"{row.seconds:.2g}"
    return found | {"error": row.order.replace("**", "^"), "proved": claims(row)}


def claims(row: Row) -> str:
    """The names of the claims, those that are linearised with a star; not what others imply."""
    shown = [n for n in SHORT if IMPLIED.get(n) not in row.proved]
    names = [SHORT[n] for n in shown if n in row.proved]
    return ", ".join([*names, *(f"{SHORT[n]}*" for n in shown if n in row.linearised)])


def notes(advice: Advice) -> Iterator[str]:
    """What stands below the table."""
    if advice.rows:
        image = (
            "" if advice.shape is None else f"; seconds for {' x '.join(map(str, advice.shape))} in float32"
        )
        yield (
            "steps: or cycles; work: modelled evaluations of one block; cost: relative to the explicit "
            f"scheme{image}; error: order of consistency; *: linearised, with frozen coefficients only. "
            "Few long steps or cycles are cheap, more are more accurate."
        )
    if advice.rows and advice.rows[0].stable == "proved":
        first = "Cheapest" if advice.shape is None else "Fastest"
        yield f"{first} that is proved: scheme = {advice.best.call}"
    else:
        yield "No scheme is proved to be stable."


def remarks(advice: Advice) -> dict[str, list[tuple[str, str]]]:
    """What is to be said of single schemes, by heading; schemes with the same reason together."""
    together: dict[str, list[str]] = {}
    for entry in advice.left_out:
        name = entry.scheme if isinstance(entry.scheme, str) else notation(entry.scheme)
        together.setdefault(entry.reason, []).append(name)
    found = {
        "Measured": [(notation(r.scheme), r.note) for r in advice.rows if r.note],
        "Left out": [("; ".join(names), reason) for reason, names in together.items()],
    }
    return {title: entries for title, entries in found.items() if entries}


def advice_text(advice: Advice) -> str:
    """Aligned columns, then notes, then what was left out."""
    lines = [*textwrap.wrap(heading(advice), WIDTH), ""]
    table = [entries(advice, r) for r in advice.rows]
    if table:
        widths = natural_widths(table)
        for entry in ({k: k for k in table[0]}, *table):
            cells = (v.rjust(widths[k]) if k in NUMBERS else v.ljust(widths[k]) for k, v in entry.items())
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    for note in notes(advice):
        lines += textwrap.wrap(note, WIDTH)
    for title, entries_ in remarks(advice).items():
        lines += ["", title]
        for name, reason in entries_:
            lines += textwrap.wrap(f"{name}: {reason}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def natural_widths(table: list[dict[str, str]]) -> dict[str, int]:
    """The length of the longest entry of each column, its name included."""
    return {k: max(len(k), *(len(e[k]) for e in table)) for k in table[0]}


def fitted_widths(table: list[dict[str, str]], room: int) -> dict[str, int]:
    """The widths for a terminal: schemes, orders and claims wrap if they must."""
    widths = natural_widths(table)
    widths["error"] = min(widths["error"], ERROR_WIDTH)
    left = room - GAP * (len(widths) - 1) - sum(w for k, w in widths.items() if k not in LEAST)
    spare = min(SOLVER_WIDTH, left - LEAST["proved"])
    scheme = min(widths["scheme"], max(LEAST["scheme"], spare, left - widths["proved"]))
    return widths | {"scheme": scheme, "proved": min(widths["proved"], max(LEAST["proved"], left - scheme))}


@dataclass(frozen=True)
class Shown:
    """Advice for a terminal of any width."""

    advice: Advice

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich import box
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        advice = self.advice
        yield Text(heading(advice) + "\n")
        table = [entries(advice, r) for r in advice.rows]
        if table:
            shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
            for name, width in fitted_widths(table, options.max_width).items():
                justify: Any = "right" if name in NUMBERS else "left"
                shown.add_column(name, justify=justify, overflow="fold", width=width)
            for row, entry in zip(advice.rows, table, strict=True):
                cells = [Text(v) for v in entry.values()]
                cells[0].stylize("green" if row.stable == "proved" else "yellow")
                shown.add_row(*cells)
            yield shown
            yield Text()
        for note in notes(advice):
            yield Text(note)
        for title, entries_ in remarks(advice).items():
            yield Text("\n" + title, "bold")
            yield from (Padding(Text(f"{name}: {reason}"), (0, 0, 0, 2)) for name, reason in entries_)


def advice_table(advice: Advice) -> Shown:
    """A table for the terminal."""
    return Shown(advice)


def advice_html(advice: Advice) -> str:
    """A table with a caption and, below, lists of what is to be said of single schemes."""
    table = [entries(advice, r) for r in advice.rows]
    head = "".join(f"<th>{k}</th>" for k in (table[0] if table else ()))
    parts = [f"<table><caption>{escape(heading(advice))}</caption><tr>{head}</tr>"]
    for entry in table:
        parts.append("<tr>" + "".join(f"<td>{escape(v)}</td>" for v in entry.values()) + "</tr>")
    parts.append("</table>")
    parts += [f"<p>{escape(note)}</p>" for note in notes(advice)]
    for title, entries_ in remarks(advice).items():
        items = "".join(f"<li><code>{escape(n)}</code>: {escape(r)}</li>" for n, r in entries_)
        parts.append(f"<p>{title}</p><ul>{items}</ul>")
    return "".join(parts)

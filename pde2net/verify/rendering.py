"""Certificates for people: text that reads like a short proof, LaTeX, and a table for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from html import escape
from typing import Any

import sympy as sp

from pde2net.language.expressions import shown
from pde2net.verify.certificate import Certificate, Claim, Status

WIDTH = 100
CELL = "text-align:left;vertical-align:top"
COLOURS = {"proved": "#15803d", "proved if": "#15803d", "refuted": "#b91c1c", "unknown": "#a16207"}
STYLES = {"proved": "green", "proved if": "green", "refuted": "bold red", "unknown": "yellow"}


def certificate_text(certificate: Certificate) -> str:
    """The declaration, then one proof or refutation per claim."""
    head = [f"{key}: {value}" for key, value in certificate.subject.items() if value]
    return "\n".join([*head, "", *(claim_text(c) for c in certificate.claims.values())])


def claim_text(claim: Claim) -> str:
    """Theorem, hypotheses with how each was discharged, conclusion."""
    lines = [f"{claim.name.replace('_', ' ')}: {claim.status}"]
    if claim.theorem:
        lines.append(f"  Theorem. {claim.theorem}.")
    for number, hypothesis in enumerate(claim.hypotheses, 1):
        lines += _wrapped(f"({number}) {hypothesis}", "    ")
    conclusion = _conclusion(claim)
    if conclusion:
        lines += _wrapped(conclusion, "  ")
    if claim.witness is not None:
        lines += _wrapped(f"Counterexample: {claim.witness.get('description', 'see the JSON')}.", "  ")
    return "\n".join(lines)


def _conclusion(claim: Claim) -> str:
    limited = claim.limit is not None and claim.limit.is_finite
    parts = []
    if claim.status in (Status.PROVED, Status.PROVED_IF, Status.LINEARISED):
        parts.append(f"Hence: {claim.reason}")
        if limited and claim.condition is not None:
            parts.append(f"This needs tau {claim.relation} {shown(claim.limit)}.")
        if claim.status == Status.PROVED_IF and claim.condition is not None:
            parts.append(f"So it holds if {shown(claim.condition)}.")
        if claim.factor is not None:
            parts.append(f"Factor: {shown(claim.factor)}.")
        return " ".join(parts) + (" ∎" if claim.status == Status.PROVED else "")
    parts.append(claim.reason)
    if limited:
        parts.append(f"Largest tau: {shown(claim.limit)}.")
    return " ".join(p for p in parts if p)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def certificate_latex(certificate: Certificate) -> str:
    """An array of claim, status, condition or limit, and theorem."""
    rows = []
    for claim in certificate.claims.values():
        condition = claim.condition
        shown = "" if condition is None or condition in (sp.true, sp.false) else sp.latex(condition)
        if not shown and claim.limit is not None:
            below = r"\le" if claim.relation == "<=" else "<"
            shown = rf"\tau {below} " + sp.latex(claim.limit)
        theorem = re.sub(r"[&%$#_{}]", r"\\\g<0>", claim.theorem)
        name = claim.name.replace("_", " ")
        rows.append(rf"\text{{{name}}} & \text{{{claim.status}}} & {shown} & \text{{{theorem}}}")
    return "$\\begin{array}{llll}" + r" \\ ".join(rows) + "\\end{array}$"


def rows(certificate: Certificate) -> Iterator[tuple[str, str, str, str]]:
    """Of each claim the name, the status, the largest step, and why."""
    for claim in certificate.claims.values():
        limit = "" if claim.limit is None else shown(claim.limit)
        why = f"{claim.theorem}." if claim.theorem and claim.status != Status.UNKNOWN else claim.reason
        if claim.status in (Status.REFUTED, Status.LINEARISED):
            why = claim.reason
        if claim.name == "consistency":
            why = claim.reason
        if claim.status == Status.PROVED_IF and claim.condition is not None:
            why = f"if {shown(claim.condition)}. {why}"
        if claim.factor is not None and claim.factor != 1:
            why += f" Factor {shown(claim.factor)}."
        yield claim.name.replace("_", " "), str(claim.status), limit, why


COLUMNS = ("claim", "status", "largest tau", "why")


def certificate_table(certificate: Certificate) -> Any:
    """A rich table (rich is imported here only)."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Certificate", title_justify="left", show_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for name, status, limit, why in rows(certificate):
        table.add_row(name, Text(status, STYLES.get(status, "dim")), Text(limit), Text(why))
    return table


def certificate_html(certificate: Certificate) -> str:
    """For notebooks: what was declared, and a row for each claim, which opens to its proof."""
    head = "".join(
        f"<div><b>{escape(key)}</b> {escape(value)}</div>"
        for key, value in certificate.subject.items()
        if value
    )
    body = []
    for claim, (name, status, limit, why) in zip(certificate.claims.values(), rows(certificate), strict=True):
        cells = (
            name,
            _badge(status),
            escape(limit),
            f"<details><summary>{escape(why)}</summary>{_proof(claim)}</details>",
        )
        body.append("".join(f'<td style="{CELL}">{cell}</td>' for cell in cells))
    columns = "".join(f'<th style="{CELL}">{column}</th>' for column in COLUMNS)
    table = "".join(f"<tr>{row}</tr>" for row in (columns, *body))
    return f"<div>{head}<table>{table}</table></div>"


def claim_html(claim: Claim) -> str:
    """For notebooks: the status and the proof."""
    return f"<div><b>{claim.name.replace('_', ' ')}</b> {_badge(str(claim.status))}{_proof(claim)}</div>"


def _badge(status: str) -> str:
    style = f"color:white;background:{COLOURS.get(status, '#6b7280')};border-radius:4px;padding:0 6px"
    return f'<span style="{style}">{escape(status)}</span>'


def _proof(claim: Claim) -> str:
    return f'<pre style="white-space:pre-wrap;text-align:left">{escape(claim_text(claim))}</pre>'

"""Each row of docs/claims.md: the claim as it stands, and with the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pde2net as p2n
from pde2net.verify.certificate import CLAIMS, Status

PAGE = (Path(__file__).parent.parent / "docs" / "claims.md").read_text(encoding="utf-8")
STEPS = "scheme explicit(tau = 1/10, steps = 5)"
FIDELITY = "field f(x, y)\nequation u_t = laplacian(u) + beta*(f - u)"
U, RANGE, UNIT = (f"unknown u(x, y, t){r}\n" for r in ("", " in [-1, 1]", " in [0, 1]"))
HEAT = "equation u_t = laplacian(u)\n"
ROWS = [
    (U + HEAT + STEPS.replace("1/10", "3/10"), U + HEAT + STEPS.replace("1/10", "largest")),
    (
        "parameter beta > 0 = 0.1\n" + U + FIDELITY + "\n" + STEPS.replace("1/10", "largest"),
        "parameter beta > 0 = 0.1\n" + U + FIDELITY + "\n" + STEPS.replace("1/10", "10/41"),
    ),
    tuple(u + "equation u_t = laplacian(u) + u - u^3\n" + STEPS for u in (U, RANGE)),
    tuple(u + "equation u_t = div(|grad u|^2 * grad u)\n" + STEPS for u in (U, UNIT)),
    tuple(U + f"field D(x, y){r}\nequation u_t = div(D * grad u)\n" + STEPS for r in ("", " in [0, 2]")),
    tuple(f"parameter beta{s} = 0.1\n" + U + FIDELITY + "\n" + STEPS for s in ("", " > 0")),
    tuple(u + "equation u_t = div(grad u/(1 + |grad smooth(u, 1)|^2))\n" + STEPS for u in (U, UNIT)),
    tuple(
        U + f"field a(x, y) in [1, 2]\nequation u_t = {e}\n" + STEPS
        for e in ("a*laplacian(u)", "div(a * grad u)")
    ),
    tuple(U + HEAT + f"scheme {s}" for s in ("fsi(tau = largest, cycle_length = 5)", STEPS[7:])),
    tuple(
        U + f"equation u_t = div(grad u/sqrt(1 + |grad u|^2))\nscheme {s}(tau = 2, steps = 2)"
        for s in ("multigrid", "implicit")
    ),
    tuple(
        U + f"equation u_t = div(grad u/{g})\n" + STEPS for g in ("(1 + |grad u|^2)", "sqrt(1 + |grad u|^2)")
    ),
]


def table() -> list[list[str]]:
    rows = PAGE.partition("| the reason says")[2].splitlines()[2:]
    cells = (re.split(r"(?<!\\)\|", line) for line in rows if line.startswith("|"))
    return [[c.strip().replace("\\|", "|") for c in row[1:-1]] for row in cells]


@pytest.mark.parametrize("number", range(11))
def test_the_remedy_helps(number: int) -> None:
    (said, name, _, _), (before, after) = table()[number], ROWS[number]
    first, then = (
        p2n.verify(d.problem, d.scheme, d.grid).claims[name.replace(" ", "_")]
        for d in map(p2n.parse, (before, after))
    )
    assert first.status in (Status.UNKNOWN, Status.REFUTED) and said.lower() in first.reason.lower()
    assert then.status == Status.PROVED


def test_rows_are_as_many_as_tried() -> None:
    assert len(table()) == len(ROWS)


def test_all_claims_and_statuses_are_explained() -> None:
    for name in (*CLAIMS, *(s.value for s in Status)):
        assert name.replace("_", " ") in PAGE

"""Advice: a table of schemes that reach a time, and of those that do not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.errors import StabilityError
from pde2net.guidance.notation import call
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.stored import scheme_to_data
from pde2net.later import later


@dataclass(frozen=True)
class Row:
    """A scheme that reaches the time.

    scheme      ready for `compile`
    stable      "proved", or "linearised" if stability is known for frozen coefficients only
    steps       time steps, or cycles of FSI and FED
    work        modelled, in evaluations of one block F(u) on the full grid
    cost        work relative to that of the explicit scheme; None where that is not stable
    proved      names of the claims that are proved
    linearised  names of the claims that hold with frozen coefficients
    order       of consistency, such as "tau + h**2"; "" where it is not known
    seconds     measured for one image; None if it was not
    note        why it was not measured, or what the network warned about
    """

    scheme: Scheme
    stable: str
    steps: int
    work: float
    cost: float | None
    proved: tuple[str, ...]
    linearised: tuple[str, ...]
    order: str
    seconds: float | None = None
    note: str = ""

    @property
    def call(self) -> str:
        """Python that makes the scheme."""
        return call(self.scheme)


@dataclass(frozen=True)
class LeftOut:
    """A scheme that is not stable as far as is known, or does not fit the problem, and why."""

    scheme: Scheme | str
    reason: str


@dataclass(frozen=True)
class Advice:
    """Schemes that reach `time`: those proved to be stable first, then those that are with frozen
    coefficients, each group by measured seconds or, without, by modelled cost.

    limit  the largest proved explicit step, None if there is none
    shape  of the image that the seconds are for, None if nothing was measured
    """

    problem: Problem
    grid: Grid
    equation: str
    time: sp.Expr
    limit: sp.Expr | None
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    shape: tuple[int, ...] | None = None

    @property
    def best(self) -> Row:
        """The cheapest scheme whose stability is proved. Raises StabilityError if there is none."""
        if not self.rows or self.rows[0].stable != "proved":
            raise StabilityError(f"No scheme that reaches time {self.time} is proved to be stable.")
        return self.rows[0]

    def to_json(self) -> str:
        """JSON with expressions as text."""
        return json.dumps(_data(self), indent=1)

    def __str__(self) -> str:
        return str(later("advice_text")(self))

    def __repr__(self) -> str:
        return f"Advice({self.equation}, time {self.time}: {len(self.rows)} schemes)"

    def __rich__(self) -> Any:
        """A table for the terminal."""
        return later("advice_table")(self)

    def _repr_html_(self) -> str:
        return str(later("advice_html")(self))


def _data(advice: Advice) -> dict[str, Any]:
    def scheme(entry: Row | LeftOut) -> dict[str, Any]:
        made = entry.scheme
        return {"scheme": made if isinstance(made, str) else scheme_to_data(made)}

    rows = [{**scheme(r), "call": r.call, **vars(r), **scheme(r)} for r in advice.rows]
    left_out = [vars(entry) | scheme(entry) for entry in advice.left_out]
    return {
        "format": "pde2net-advice-1",
        "equation": advice.equation,
        "time": str(advice.time),
        "limit": None if advice.limit is None else str(advice.limit),
        "shape": None if advice.shape is None else list(advice.shape),
        "rows": rows,
        "left_out": left_out,
    }

"""`advise`: which schemes reach a stopping time stably, what each costs, and what is proved about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, Pde2NetError, StabilityError, known_options
from pde2net.guidance.advice import Advice, LeftOut, Row
from pde2net.guidance.candidates import LIMITED, Request, limited, unlimited
from pde2net.guidance.limit import Prepared, prepared
from pde2net.guidance.trial import Trial, deciding, trial
from pde2net.guidance.work import work
from pde2net.language.exact import count, positive
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.stopping import fewest, stopping_time
from pde2net.language.symbols import Input
from pde2net.language.text.printer import equation_line
from pde2net.verify.certificate import Claim, Status

TOLERANCE = sp.Rational(1, 100)


@known_options
def advise(
    problem: Problem,
    time: Any,
    grid: Grid | None = None,
    cycles: int | Sequence[int] = (1, 3, 10),
    steps: int = 10,
    tolerance: Any = TOLERANCE,
    measure: Sequence[int] | None = None,
) -> Advice:
    """Schemes that reach `time` exactly and stably, the cheapest first.

    cycles     numbers of cycles that FSI and FED are tried with
    steps      number of steps of RKL, RKC and of the schemes that solve equations; more are more accurate
    tolerance  relative residual to which equations are solved
    measure    the shape of an image: each network runs on one, in float32 on the CPU (imports torch)

    Work and cost are modelled (guidance/work.py) and stability is what the certificate says, so no
    network is built or run unless it is measured. Raises as `verify` does for problem and grid, and
    DeclarationError for a time that is no positive number, or a spacing without a value.
    """
    request = Request(
        stopping_time(time),
        tuple(
            count(c, "The number of cycles") for c in (cycles if isinstance(cycles, Iterable) else (cycles,))
        ),
        count(steps, "The number of steps"),
        positive(tolerance, "The tolerance"),
    )
    ready = prepared(problem, grid)
    shape = None if measure is None else _shape(measure, ready)
    limit, left_out = _limit(ready)
    schemes = [*(() if limit is None else limited(request, limit))]
    schemes += unlimited(request, limit, len(ready.semi.spacing))
    found = [_row(ready, scheme, limit, request.time) for scheme in schemes]
    left_out += [entry for entry in found if isinstance(entry, LeftOut)]
    trials = [entry for entry in found if not isinstance(entry, LeftOut)]
    rows = [row for _, row in trials] if shape is None else [_measured(t, row, shape) for t, row in trials]
    rows.sort(key=_rank)
    equation = equation_line(ready.semi.form.problem)
    return Advice(problem, ready.grid, equation, request.time, limit, tuple(rows), tuple(left_out), shape)


def _limit(ready: Prepared) -> tuple[sp.Expr | None, list[LeftOut]]:
    """The largest explicit step, or why no scheme of that kind is stable."""
    try:
        limit = ready.limit()
    except (StabilityError, DeclarationError) as error:
        return None, [LeftOut(", ".join(kind.__name__ for kind in LIMITED), str(error))]
    if ready.semi.form.learned:
        raise DeclarationError(
            f"The largest explicit step is {limit}; advice needs numbers, but the norms of learned operators "
            "depend on their weights."
        )
    if limit.free_symbols:
        names = ", ".join(sorted(map(str, limit.free_symbols)))
        what = "declare {} as a parameter with a value" if limit.atoms(Input) else "give {} a value"
        raise DeclarationError(
            f"The largest explicit step is {limit}; advice needs numbers, so {what.format(names)}."
        )
    return limit, []


def _row(
    ready: Prepared, scheme: Scheme, limit: sp.Expr | None, time: sp.Expr
) -> tuple[Trial, Row] | LeftOut:
    try:
        tried = trial(ready, scheme)
    except Pde2NetError as error:
        return LeftOut(scheme, str(error))
    except TypeError as error:
        return LeftOut(scheme, f"It cannot be compiled yet ({error}).")
    stable = tried.stable
    if stable is None:
        claim = deciding(tried.claims)
        return LeftOut(scheme, f"{claim.name.replace('_', ' ')}: {claim.status}. {claim.reason}".strip())
    evaluations = work(scheme, ready)
    cost = None if limit is None else evaluations / fewest(time, limit)
    proved, linearised = tried.named(Status.PROVED), tried.named(Status.LINEARISED)
    order = _order(tried.claims["consistency"])
    return tried, Row(scheme, str(stable), scheme.repeats, evaluations, cost, proved, linearised, order)


def _order(claim: Claim) -> str:
    """tau**2 + h + tau**2/h**2, the O(...) that the claim states."""
    if claim.status not in (Status.PROVED, Status.LINEARISED):
        return ""
    return next((b.figures["order"] for b in claim.because if "order" in b.figures), "")


def _measured(tried: Trial, row: Row, shape: tuple[int, ...]) -> Row:
    from pde2net.guidance.measure import seconds

    try:
        taken, said = seconds(tried.network, shape)
    except (Pde2NetError, ValueError, RuntimeError) as error:
        return replace(row, note=" ".join(f"Not measured: {error}".split()))
    return replace(row, seconds=taken, note=said)


def _shape(measure: Sequence[int], ready: Prepared) -> tuple[int, ...]:
    space = ready.semi.form.space
    if isinstance(measure, str) or not isinstance(measure, Sequence) or len(measure) != len(space):
        axes = ", ".join(a.name for a in space)
        raise DeclarationError(f"measure must be a shape with one size per axis ({axes}), not {measure!r}.")
    return tuple(count(n, "A size of the image") for n in measure)


def _rank(row: Row) -> tuple[bool, bool, float, float]:
    return row.stable != "proved", row.seconds is None, row.seconds or 0.0, row.work

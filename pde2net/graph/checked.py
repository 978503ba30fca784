"""Checks of values that are read from text: their types, their ranges, the words that a field may hold."""

from __future__ import annotations

import dataclasses
import functools
import typing
from typing import Any

from pde2net.discretise.filters import CONTINUED
from pde2net.discretise.stencils import Stencil
from pde2net.language.borders import BORDERS
from pde2net.language.schemes import SMOOTHERS
from pde2net.language.solvers import MOMENTUM, ON_FAILURE, PRECONDITIONERS, SOLVERS

# (record, field) -> the values that it may have
CHOICES = {
    ("Difference", "closure"): tuple(b.closure for b in BORDERS.values()),
    ("Field", "role"): ("known field", "input", "border cells"),
    ("Filter", "boundary"): (*BORDERS, CONTINUED),
    ("Filter", "parity"): (1, -1),
    ("Filter", "inner"): (1, -1),
    ("TransposedFilter", "boundary"): (*BORDERS, CONTINUED),
    ("TransposedFilter", "parity"): (1, -1),
    ("TransposedFilter", "inner"): (1, -1),
    ("EdgeMean", "closure"): tuple(b.closure for b in BORDERS.values() if b.keeps_constants),
    ("Gaussian", "boundary"): tuple(BORDERS),
    ("Pad", "mode"): ("zero", "replicate"),
    ("Iterate", "method"): (*SOLVERS, "multigrid"),
    ("Iterate", "gradients"): ("unrolled", "implicit"),
    ("Iterate", "on_failure"): ON_FAILURE,
    ("Iterate", "weights"): MOMENTUM,
    ("LinearSolve", "method"): ("cg", "bicgstab"),
    ("LinearSolve", "preconditioner"): PRECONDITIONERS,
    ("Tridiagonal", "closure"): tuple(BORDERS),
    ("Operator", "boundary"): tuple(BORDERS),
    ("Smooth", "kind"): SMOOTHERS,
    ("Restriction", "kind"): ("solution", "residual"),
}
COUNTS = (
    *("iterations", "most", "anderson", "levels", "sweeps", "rounds", "repeat", "count", "index"),
    *("channels", "pieces", "rows", "scale"),
)


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """The annotations of the fields of a record."""
    found = typing.get_type_hints(kind)
    return {field.name: found[field.name] for field in dataclasses.fields(kind)}


def checked(value: Any, kind: type) -> Any:
    """`value` if it is of exactly the type `kind`: True is no integer here."""
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def natural(value: Any) -> int:
    """`value` if it is an integer and not negative."""
    if checked(value, int) < 0:
        raise ValueError(f"{value} is negative")
    return int(value)


def at(entries: list[Any], index: Any) -> Any:
    """The entry of that number, counted from 0."""
    return entries[natural(index)]


def check_stencil(stencil: Stencil) -> None:
    """Raises ValueError for offsets, weights or a derivative that no difference has."""
    ordered = all(a < b for a, b in zip(stencil.offsets, stencil.offsets[1:], strict=False))
    if not stencil.offsets or not ordered or len(stencil.offsets) != len(stencil.weights):
        raise ValueError("a stencil has one weight for each of its ascending offsets")
    if stencil.derivative < 1:
        raise ValueError("a stencil of a difference has a derivative of at least 1")

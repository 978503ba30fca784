"""Schemes as the calls that make them."""

from __future__ import annotations

import inspect
from typing import Any

import sympy as sp

from pde2net.language.schemes import Scheme
from pde2net.language.solvers import Solver


def call(scheme: Scheme | Solver) -> str:
    """Python that makes the scheme: p2n.FSI(tau=sp.Rational(5, 21), cycle_length=20, cycles=3)."""
    return "p2n." + _made(scheme, _python)


def notation(scheme: Scheme | Solver) -> str:
    """The same for reading: FSI(tau=5/21, cycle_length=20, cycles=3)."""
    return _made(scheme, _plain)


def _made(made: Scheme | Solver, text: Any) -> str:
    """The call without the options that have their defaults."""
    given = {n: getattr(made, n) for n, default in _defaults(made).items() if getattr(made, n) != default}
    entries = [f"{name}={text(value)}" for name, value in given.items()]
    return f"{type(made).__name__}({', '.join(entries)})"


def _defaults(made: Scheme | Solver) -> dict[str, Any]:
    """The options and the values that they have if they are not given; of some, those follow from others."""
    kind: Any = type(made)
    options = {n: p.default for n, p in inspect.signature(kind).parameters.items()}
    if isinstance(made, Solver):
        given = {n: getattr(made, n) for n in ("iterations", "tol") if getattr(made, n) is not None}
        least = kind(**given)
        derived = {n: getattr(least, n) for n in options if n not in ("iterations", "tol")}
        return {"iterations": None, "tol": None} | derived
    if "solver" in options:
        options["solver"] = kind(tau=1).solver
    return options


def _plain(value: Any) -> str:
    return notation(value) if isinstance(value, Solver) else repr(value)


def _python(value: Any) -> str:
    if isinstance(value, Solver):
        return call(value)
    if isinstance(value, sp.Rational) and not isinstance(value, sp.Integer):
        return f"sp.Rational({value.p}, {value.q})"
    if isinstance(value, sp.Expr) and not isinstance(value, sp.Integer):
        return "sp.oo" if value == sp.oo else f'sp.sympify("{value}")'
    return repr(value)

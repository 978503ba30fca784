"""Orders of consistency, measured: at a point of a smooth function, and against solutions in time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from pde2net.audit.exactly import NoOpinionError
from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.graph.build import explicit_steps
from pde2net.graph.interpret import Interpreter
from pde2net.language.grid import Grid
from pde2net.verify.ranges import UndecidedError, within
from pde2net.verify.ranges.pieces import KINKS

CELLS = 20  # per axis; no stencil reaches from the middle to the border
HALVINGS = 14
POINTS = 6  # of an extrapolation
SECONDS = 8.0
SEEDS = (0, 1, 2)
# Functions ten and a hundred times as large too: at small ones a flux may be nearly linear.
STEEP = (3, 4)
NEAR = 0.2  # of a measured slope to a whole number
ROUNDING = 5e-14  # of the step, relative to sup|u|/h^m
_FREE = sp.Rational(7, 10)  # for symbols without a value

Values = dict[sp.Symbol, sp.Expr]
Rate = Callable[[Array], Array]


@dataclass(frozen=True)
class Setting:
    """Where errors in time are measured."""

    semi: Semidiscrete
    values: Values
    fields: dict[str, Array]


StepError = Callable[[Rate, Array, Setting], Callable[[float], float]]


@dataclass(frozen=True)
class Measured:
    """Errors at smooth functions, one list for each seed.

    in_time  (rate, u, tau) to the error in time of the scheme: how that falls with tau is its order
    exact    the order that is reported where no error is seen

    All spacings are refined together, the value of a symbol is a number of its sign.
    """

    semi: Semidiscrete
    in_time: StepError
    exact: int = 1

    @cached_property
    def in_h(self) -> list[list[float]]:
        """For SEEDS, and for STEEP if the equation is not linear."""
        seeds, values = SEEDS if self.semi.form.is_linear else SEEDS + STEEP, numbers_for(self.semi)
        try:
            return within(SECONDS, "measuring", lambda: [errors_in_h(self.semi, values, s) for s in seeds])
        except UndecidedError as error:  # SymPy's derivatives of nested pieces
            raise NoOpinionError(f"the order of consistency cannot be measured: {error}") from error

    @cached_property
    def orders(self) -> tuple[int | None, int | None]:
        """(order in tau, order in h); None for h if there are no derivatives.

        None too if there are kinks, and no error falls with a power at the functions that are tried. Raises
        NoOpinionError if the errors do not fall with a whole power.
        """
        values = numbers_for(self.semi)
        in_tau = self.order(lambda: [self.errors_in_tau(values, seed) for seed in SEEDS], self.exact)
        if not self.semi.form.terms:
            return in_tau, None
        return in_tau, self.order(lambda: self.in_h, self.semi.grid.order)

    def shows(self, order: int) -> bool:
        """Whether h^order is seen in the errors: its coefficient, extrapolated to h = 0, is no rounding."""
        return any(_coefficient_is_seen(errors[:POINTS], order) for errors in self.in_h)

    def errors_in_tau(self, values: Values, seed: int) -> list[float]:
        """On a small grid, for tau, tau/2, tau/4, ..."""
        semi, h = self.semi, sp.Rational(1, 50)
        cells = 8 if len(semi.spacing) > 1 else CELLS
        arrays = _arrays(_compiled(semi, seed), (cells,) * len(semi.spacing), h)
        u = arrays.pop(semi.form.state.name)
        rate = _rate(semi, h, values, arrays)
        first = rate(u)
        moved = float(abs(rate(u + 1e-5 * np.sin(np.arange(u.size)).reshape(u.shape)) - first).max()) / 1e-5
        tau = 1e-3 / max(moved, float(abs(first).max()), 1e-3)
        made = self.in_time(rate, u, Setting(sampled(semi, h), values, arrays))
        errors = [made(tau / 2**k) for k in range(5)]
        return [e for e in errors if e > 1e-11 * float(abs(first).max())]

    def order(self, errors: Callable[[], list[list[float]]], exact: int) -> int | None:
        try:
            return _order(errors(), exact)
        except NoOpinionError:
            if self.semi.form.problem.rhs.has(*KINKS):
                return None
            raise


def numbers_for(semi: Semidiscrete) -> Values:
    known = semi.form.problem.parameters
    return {s: known.get(s, _number(s)) for s in semi.form.problem.symbols}


def _number(symbol: sp.Symbol) -> sp.Expr:
    value = sp.S.One if symbol.is_integer else _FREE
    return -value if symbol.is_nonpositive else value


def _rate(semi: Semidiscrete, h: sp.Rational, values: Values, fields: dict[str, Array]) -> Rate:
    """A_h(u) with the spacing h, and the point 1/3 in the middle: from the step, which is affine in tau."""
    step = Interpreter(explicit_steps(sampled(semi, h), sp.S.One, 1), values)
    return lambda u: np.asarray(step(u, fields) - u)


def sampled(semi: Semidiscrete, h: sp.Rational) -> Semidiscrete:
    grid = Grid(h, semi.grid.order, semi.grid.gradient, origin=sp.Rational(1, 3) - CELLS // 2 * h)
    return semidiscretise(semi.form, grid)


def _smooth(space: Sequence[sp.Symbol], seed: int) -> sp.Expr:
    """A positive function without symmetries at the point 1/3."""
    waves = [sp.sin((2 + i) * x + sp.Rational(3 * seed + 5 * i, 7)) for i, x in enumerate(space)]
    mixed = sp.cos(sum((3 - i) * x for i, x in enumerate(space)) - sp.Rational(2 + 3 * seed, 5))
    moving = sum(waves) / 2 + mixed / 3 + sp.prod(space) * sp.Rational(2 + seed, 3)
    return 3 + moving * 10 ** max(0, seed - SEEDS[-1]) / 3


def functions(semi: Semidiscrete, seed: int) -> dict[sp.Expr, sp.Expr]:
    problem = semi.form.problem
    return {f: _smooth(problem.space, k + seed) for k, f in enumerate((problem.unknown, *problem.fields))}


def _compiled(semi: Semidiscrete, seed: int) -> dict[str, Callable[..., Array]]:
    space = semi.form.space
    return {str(f.func): sp.lambdify(space, e, "numpy") for f, e in functions(semi, seed).items()}


def _arrays(
    smooth: Mapping[str, Callable[..., Array]], cells: Sequence[int], h: sp.Rational
) -> dict[str, Array]:
    """The smooth functions on a grid around the point 1/3, by name."""
    lines = [1 / 3 + (np.arange(n) - n // 2) * float(h) for n in cells]
    places = np.meshgrid(*lines, indexing="ij")
    return {name: e(*places) + 0 * places[0] for name, e in smooth.items()}


def errors_in_h(semi: Semidiscrete, values: Values, seed: int) -> list[float]:
    """A_h(u) - A(u) at the point 1/3, as far as it is above rounding: for h = 1/10, 1/20, 1/40, ..."""
    problem = semi.form.problem
    space = problem.space
    exact = problem.rhs.subs(functions(semi, seed)).doit().subs(values)
    smooth = exact.replace(sp.DiracDelta, lambda *_: sp.S.Zero)  # the point is no kink
    modules = [{"erf": math.erf}, "numpy"]
    expected = float(sp.lambdify(space, smooth, modules)(*[1 / 3] * len(space)))
    derivatives = 4 if semi.second else 2
    middle = (CELLS // 2,) * len(space)
    compiled = _compiled(semi, seed)
    errors = []
    for k in range(HALVINGS):
        h = sp.Rational(1, 10 * 2**k)
        arrays = _arrays(compiled, (CELLS,) * len(space), h)
        u = arrays.pop(semi.form.state.name)
        error = float(_rate(semi, h, values, arrays)(u)[middle]) - expected
        if abs(error) <= ROUNDING * max(abs(expected), 1.0) / float(h) ** derivatives:
            break
        errors.append(error)
    return errors


def _coefficient_is_seen(errors: Sequence[float], order: int) -> bool:
    """Neville's extrapolation of error/h^order for h = 1/10, 1/20, ..."""
    row: list[float] = []
    before: list[float] = []
    for k, error in enumerate(errors):
        before, row = row, [error * (10.0 * 2**k) ** order]
        for j, old in enumerate(before, 1):
            row.append(row[-1] + (row[-1] - old) / (2**j - 1))
    if len(row) < 3:
        return False
    doubt = max(abs(row[-1] - row[-2]), abs(row[-1] - before[-1]))
    return abs(row[-1]) > 20 * doubt


def _order(measured: Sequence[Sequence[float]], exact: int) -> int:
    """The lowest whole power with which errors fall when the step is halved; `exact` if none is seen.

    A leading coefficient that is small at one function hides behind higher powers; so there are several.
    """
    if not any(measured):
        return exact
    found = []
    for errors in measured:
        slopes = [math.log2(abs(a / b)) for a, b in itertools.pairwise(errors)][-2:]
        whole = round(slopes[-1]) if slopes else 0
        if len(slopes) == 2 and whole >= 1 and all(abs(s - whole) < NEAR for s in slopes):
            found.append(whole)
    if not found:
        raise NoOpinionError("the order of consistency cannot be measured: errors do not fall with a power")
    return min(found)

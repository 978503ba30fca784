"""Steps and counts that reach a stopping time T exactly: `for_time` of the schemes.

With limit = 2/(L ‖K‖²), the largest proved explicit step (docs/theory.md, 4.1), and c cycles or steps,

    explicit         n tau = T               n = ceil(T/limit)
    Du Fort-Frankel  n tau = T               n = ceil(2 alpha T); 1/(2 alpha) = limit for the smallest alpha
    FSI, FED         c tau n (n + 1)/3 = T   n the smallest with tau <= limit (Hafner et al. 2016)
    RKL, order 1     c tau = T               s the smallest with tau <= limit (s^2 + s)/2
    RKL, order 2     c tau = T               s the smallest with tau <= limit (s^2 + s - 2)/4
                                             (Meyer, Balsara, Aslam, J. Comput. Phys. 257, 2014)
    RKC              c tau = T               s the smallest with tau <= limit w_0/w_1 (scheme.rkc)
    all others       n tau = T               n is chosen by the user

All of it is exact: T, limit and tau are rationals, or algebraic numbers where the limit is one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.exact import count, positive
from pde2net.later import later


class Stopping:
    """How long a scheme runs."""

    tau: Any
    repeated: ClassVar[str] = "steps"  # the field that counts what a network repeats

    @property
    def repeats(self) -> int:
        """The number of steps, or of cycles."""
        number: int = getattr(self, self.repeated)
        return number

    @property
    def span(self) -> sp.Expr:
        """The time that a step or a cycle covers, in units of tau."""
        return sp.S.One

    def duration(self, tau: sp.Expr) -> sp.Expr:
        """The time that the network covers with the step `tau`."""
        return self.repeats * self.span * tau

    def lasting(self, time: sp.Expr, tau: sp.Expr) -> Self:
        """This scheme with the fewest equal steps, or cycles, of at most `tau` that last for `time`."""
        repeats = fewest(time, self.span * tau)
        changes = {"tau": time / (repeats * self.span), self.repeated: repeats}
        changed: Self = replace(self, **changes)  # type: ignore[type-var]  # schemes are dataclasses
        return changed

    @classmethod
    def _chosen(cls, options: dict[str, Any], **chosen: Any) -> Self:
        """A scheme from the options that a user gave and those that `for_time` chose."""
        for name in chosen:
            if name in options:
                raise DeclarationError(f"{cls.__name__}.for_time chooses {name}; leave it out.")
        make: Any = cls
        scheme: Self = make(**chosen, **options)
        return scheme

    @classmethod
    def _limit(cls, limit: Any, problem: Any, grid: Any, fidelity: str = "explicit") -> sp.Expr:
        """The largest explicit step, given or derived. Raises DeclarationError if it is no number."""
        if (limit is None) == (problem is None):
            raise DeclarationError(
                f"{cls.__name__}.for_time needs the largest stable explicit step: give either problem and "
                "grid, from which it follows, or limit."
            )
        if limit is not None:
            return _number(limit, "The limit of the step")
        found: sp.Expr = later("explicit_limit")(problem, grid, fidelity)
        if found.free_symbols:
            raise DeclarationError(
                f"The largest stable step is {found}, and a count of steps needs a number: give "
                f"{_names(found)} a value (spacing, parameters), or pass limit."
            )
        return found


class ExplicitTime(Stopping):
    @classmethod
    def for_time(
        cls, time: Any, problem: Any = None, grid: Any = None, *, limit: Any = None, **options: Any
    ) -> Self:
        """The fewest equal steps that reach `time`: ceil(T/limit).

        limit is that of the explicit step; without it, it is derived from problem and grid.
        """
        total = stopping_time(time)
        cls._chosen(options, tau=total, steps=1)  # refuses what is no option
        steps = fewest(total, cls._limit(limit, problem, grid, **options))
        return cls._chosen(options, tau=total / steps, steps=steps)


class DampedTime(Stopping):
    @classmethod
    def for_time(
        cls,
        time: Any,
        problem: Any = None,
        grid: Any = None,
        *,
        limit: Any = None,
        steps: int | None = None,
        alpha: Any = None,
        **options: Any,
    ) -> Self:
        """The fewest equal steps for which the nonlinear scheme is proved: tau <= 1/(2 alpha).

        `steps` asks for fewer: with frozen coefficients they are stable, with moving ones they may grow.
        With it, or with alpha alone, no limit is needed.
        """
        total = stopping_time(time)
        if steps is None:
            steps = fewest(total, cls._proved(limit, problem, grid, alpha))
        else:
            steps = count(steps, "The number of steps")
        return cls._chosen(options, tau=total / steps, steps=steps, alpha=alpha)

    @classmethod
    def _proved(cls, limit: Any, problem: Any, grid: Any, alpha: Any) -> sp.Expr:
        if alpha is None:
            return cls._limit(limit, problem, grid)
        step = 1 / (2 * _number(alpha, "alpha"))
        if limit is None and problem is None:
            return step
        largest = cls._limit(limit, problem, grid)
        if step > largest:
            raise DeclarationError(
                f"alpha = {alpha} is too small, no step is stable: it must be at least {1 / (2 * largest)}."
            )
        return step


class CyclicTime(Stopping):
    repeated = "cycles"
    cycle_length: int

    @property
    def span(self) -> sp.Expr:
        return sp.Rational(self.cycle_length * (self.cycle_length + 1), 3)

    @classmethod
    def for_time(
        cls,
        time: Any,
        problem: Any = None,
        grid: Any = None,
        *,
        limit: Any = None,
        cycles: int = 1,
        **options: Any,
    ) -> Self:
        """The shortest cycles, `cycles` of them, that reach `time`: tau n (n + 1)/3 = T/cycles.

        limit is that of the explicit step; without it, it is derived from problem and grid. More cycles
        are more accurate for nonlinear equations, as diffusivities are updated at the start of each.
        """
        total, number = stopping_time(time), count(cycles, "The number of cycles")
        bound = 3 * total / (number * cls._limit(limit, problem, grid))
        n = smallest(bound)
        tau = 3 * total / (number * n * (n + 1))
        return cls._chosen(options, tau=tau, cycle_length=n, cycles=number)


class StagedTime(Stopping):
    @classmethod
    def for_time(
        cls,
        time: Any,
        problem: Any = None,
        grid: Any = None,
        *,
        limit: Any = None,
        order: int = 1,
        steps: int = 1,
        **options: Any,
    ) -> Self:
        """The fewest stages with which `steps` steps reach `time`.

        limit is that of the explicit step; without it, it is derived from problem and grid.
        """
        total, number = stopping_time(time), count(steps, "The number of steps")
        cls._chosen(options, tau=total, order=order, stages=3, steps=number)  # refuses what is no option
        ratio = total / (number * cls._limit(limit, problem, grid))
        stages = cls.fewest_stages(ratio, order=order, **options)
        return cls._chosen(options, tau=total / number, order=order, stages=stages, steps=number)

    @classmethod
    def fewest_stages(cls, ratio: sp.Expr, order: int, **options: Any) -> int:
        """Those of a step as long as `ratio` explicit ones: s (s + 1)/2, or (s^2 + s - 2)/4 of them."""
        return smallest(2 * ratio) if order == 1 else max(3, smallest(4 * ratio + 2))


class ChosenSteps(Stopping):
    @classmethod
    def for_time(
        cls, time: Any, problem: Any = None, grid: Any = None, *, steps: int = 1, **options: Any
    ) -> Self:
        """`steps` equal steps that cover the time; nothing is derived from a limit, so their number is yours.

        problem and grid, which other schemes derive their limit from, say nothing here.
        """
        if isinstance(problem, int):
            raise DeclarationError(
                f"Name the number of steps: {cls.__name__}.for_time({time}, steps={problem})."
            )
        total, number = stopping_time(time), count(steps, "The number of steps")
        found = cls._chosen(options, tau=total / number, steps=number)
        return replace(found, tau=total / (number * found.span))  # type: ignore[type-var]


def stopping_time(time: Any) -> sp.Expr:
    """Raises DeclarationError if it is no positive number."""
    return _number(time, "The stopping time")


def fewest(time: sp.Expr, step: sp.Expr) -> int:
    """The least n with n step >= time."""
    return int(sp.ceiling(time / step))


def smallest(bound: sp.Expr) -> int:
    """The least n >= 1 with n (n + 1) >= bound."""
    n = max(1, int(sp.floor((sp.sqrt(1 + 4 * bound) - 1) / 2)))
    while n * (n + 1) < bound:
        n += 1
    return n


def _number(value: Any, what: str) -> sp.Expr:
    number = positive(value, what)
    if number.free_symbols:
        raise DeclarationError(f"{what} must be a number, not {number}: give {_names(number)} a value.")
    return number


def _names(expression: sp.Expr) -> str:
    return ", ".join(sorted(str(s) for s in expression.free_symbols))

"""The time discretisations as typed choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.errors import known_options
from pde2net.language.exact import count, positive


@dataclass(frozen=True)
class Explicit:
    """The explicit (forward Euler) scheme u+ = u + tau F(u).

    tau    the time step: a positive number, expression or symbol; None asks for the largest one
           that the certificate proves to be stable
    steps  the number of steps, at least 1

    Raises DeclarationError for a step that is not known to be positive or a bad number of steps.
    """

    tau: Any
    steps: int = 1

    @known_options
    def __init__(self, tau: Any, steps: int = 1) -> None:
        step: sp.Expr | None = None if tau is None else positive(tau, "The time step tau")
        object.__setattr__(self, "tau", step)
        object.__setattr__(self, "steps", count(steps, "The number of steps"))

"""What there is to know about a scheme, in one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.language.schemes import Scheme
from pde2net.scheme.cell import Cell
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.stack import Stack
from pde2net.scheme.unet import UNet

Update = Stack | Cell | UNet


@dataclass(frozen=True)
class Method:
    """A scheme: the choice that a user makes, and what it means.

    choice      the class of its options
    update      what its network computes; handed the choice, and what it takes from the equation:
                alpha of Du Fort-Frankel, b of an implicit fidelity
    words       one line for certificates; handed the choice, the update, tau, and whether there is a reaction
    polynomial  that of a cycle, for stacks that repeat cycles of stages
    """

    choice: type[Scheme]
    update: Callable[[Any, sp.Expr | None], Update]
    words: Callable[[Any, Any, sp.Expr, bool], str] | None = None
    polynomial: Callable[[Any], Polynomial] | None = None


def counted(number: int, what: str = "step") -> str:
    """1 step, 2 steps."""
    return f"{number} {what}{'s' if number > 1 else ''}"


def staged(scheme: Scheme, tau: sp.Expr, text: str, reaction: bool) -> str:
    """The line of a scheme that is described by what it does with F."""
    rate = "F(u) = -K^T Phi(K u)" + (" + r(u)" if reaction else "")
    return f"{scheme.label}, tau = {tau}, {text}; {rate}"

"""Functions of later stages that records of earlier ones offer as methods, such as `problem.energy`.

A record knows nothing of the stages after it: it asks for a function by name, and `pde2net.offered`, which
comes after all of them, has handed it in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_FUNCTIONS: dict[str, Callable[..., Any]] = {}


def offer(name: str, function: Callable[..., Any]) -> None:
    """Hand in a function; each name once."""
    if name in _FUNCTIONS:
        raise ValueError(f"{name} has been handed in before")
    _FUNCTIONS[name] = function


def later(name: str) -> Callable[..., Any]:
    """The function of this name."""
    return _FUNCTIONS[name]

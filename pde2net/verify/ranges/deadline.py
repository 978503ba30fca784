"""Questions that are given up after a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pde2net import deadline
from pde2net.verify.ranges.record import UndecidedError

T = TypeVar("T")


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """work(), or UndecidedError after `seconds` of processor time."""
    return deadline.within(seconds, what, work, UndecidedError)

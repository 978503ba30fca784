"""Certified ranges of functions over the half-line [0, oo)."""

from pde2net.verify.ranges.continuity import require_continuous, require_continuous_on
from pde2net.verify.ranges.half_line import flux_slope, half_line
from pde2net.verify.ranges.record import Method, Range, UndecidedError, given_up, within

__all__ = [
    "Method",
    "Range",
    "UndecidedError",
    "flux_slope",
    "given_up",
    "half_line",
    "require_continuous",
    "require_continuous_on",
    "within",
]

"""Schemes and diffusivities of your own, without a fork (docs/extending.md).

A scheme is a frozen dataclass that inherits from OwnScheme, and a Method that says what it computes: a Stack,
whose stages combine the state U, the one before it, PREVIOUS, that at the START of the step, F at the state,
RATE, and at the start, START_RATE. What is claimed of it is derived from these weights.
"""

from pde2net.language.diffusivities import register as register_diffusivity
from pde2net.language.schemes import OwnScheme
from pde2net.scheme.method import Method
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.registry import register_scheme
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U, Z

__all__ = [
    "PREVIOUS",
    "RATE",
    "START",
    "START_RATE",
    "STEP",
    "TAU",
    "Method",
    "OwnScheme",
    "Polynomial",
    "Stack",
    "U",
    "Z",
    "register_diffusivity",
    "register_scheme",
]

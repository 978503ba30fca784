"""Options of `fit`: what each has to be, in words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pde2net.errors import DeclarationError

Rule = tuple[Callable[[Any], bool], str]


def whole(least: int) -> Rule:
    return (
        lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v < 2**32,
        f"a whole number from {least} to 2^32",
    )


def number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def optional(rule: Rule) -> Rule:
    return lambda v: v is None or rule[0](v), f"{rule[1]}, or None"


BOOLEAN: Rule = (lambda v: isinstance(v, bool), "True or False")
NAMED: Rule = (lambda v: isinstance(v, str) or callable(v), "a name or a function")
FOLDER: Rule = (lambda v: isinstance(v, str | Path) and str(v) != "", "the path of a folder")
RULES: Mapping[str, Rule] = {
    "epochs": whole(1),
    "batch": whole(1),
    "patches": whole(1),
    "patch": optional(whole(1)),
    "greedy": whole(0),
    "seed": whole(0),
    "patience": optional(whole(1)),
    "clip": optional((lambda v: number(v) and v > 0, "a positive number")),
    "lr": (
        lambda v: number(v) or (isinstance(v, Mapping) and all(isinstance(k, str) for k in v)),
        "a number, or one for each kind of parameter",
    ),
    "flips": BOOLEAN,
    "resume": BOOLEAN,
    "progress": BOOLEAN,
    "loss": NAMED,
    "optimizer": NAMED,
    "scheduler": optional(NAMED),
    "checkpoint": optional(FOLDER),
    "log": optional(FOLDER),
    "fields": optional((lambda v: isinstance(v, Mapping), "a mapping of names")),
}


def warn_of_units(sigma: float, spread: float) -> None:
    """Warn of noise that hides all there is to see in values that span `spread`."""
    if 0 < spread < sigma:
        warnings.warn(
            f"Noise of {sigma:g} on images whose values span {spread:g}: sigma is in units of these values, "
            "25/255 for grey values from 0 to 1.",
            stacklevel=4,
        )


def require(options: Mapping[str, Any]) -> None:
    """Raises DeclarationError for the first option that is not what it has to be."""
    for name, value in options.items():
        holds, what = RULES[name]
        if not holds(value):
            raise DeclarationError(f"{name} is {what}, not {value!r:.60}.")

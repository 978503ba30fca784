"""What a scheme of one's own has to be, so that what is derived of stacks holds for it: it is decided."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.schemes import OwnScheme
from pde2net.scheme.stack import PREVIOUS, START, STEP, TAU, Stack, U, weighted

# One letter, with digits, or the name of a Greek one: no other word of an emitted module.
_WEIGHT = re.compile(
    r"_([a-tv-z]\d*|beta|gamma|delta|zeta|eta|theta|kappa|mu|nu|xi|rho|sigma|phi|chi|psi|omega)"
)


def require_choice(choice: Any) -> None:
    """Raise DeclarationError for options that are compared, stored or passed on as something else."""
    own = isinstance(choice, type) and issubclass(choice, OwnScheme) and choice is not OwnScheme
    if not own or not getattr(vars(choice).get("__dataclass_params__"), "frozen", False):
        raise DeclarationError(f"{choice!r} must be a frozen dataclass that inherits from OwnScheme.")
    label = getattr(choice, "label", None)
    if not isinstance(label, str) or not re.fullmatch(r"[A-Za-z][\w -]*", label, re.ASCII):
        raise DeclarationError(f'{choice.__name__} needs a label in letters: label: ClassVar[str] = "...".')
    if not all(field.compare and field.init for field in fields(choice)):
        raise DeclarationError(f"All options of {choice.__name__} must be passed and compared.")


def require_options(scheme: OwnScheme) -> None:
    """Raise DeclarationError for values that certificates do not store as they are."""
    hint = "let __post_init__ begin with super().__post_init__()"
    for field in fields(scheme):
        value = getattr(scheme, field.name)
        exact = isinstance(value, sp.Expr) and not value.has(sp.Float)
        if not exact and not isinstance(value, bool | int | str | None):
            raise DeclarationError(
                f"{field.name} = {value!r}: options are exact numbers, words or None; {hint}."
            )
    if scheme.tau is not None and not getattr(scheme.tau, "is_positive", False):
        raise DeclarationError(f"tau is positive, or None, not {scheme.tau}; {hint}.")


def require_stack(update: Any, label: str) -> Stack:
    """The stack of a scheme. Raises DeclarationError unless it is one of which something can be derived.

    Weights are rational; those of the states of a stage sum to 1, so that constants are kept as F keeps them,
    a target of a data term is a fixed point, and F is evaluated at states; a cycle goes forward in time.
    """
    if not isinstance(update, Stack) or update.values or update.product is not None:
        raise DeclarationError(
            f"The update of {label} must be a Stack without values and without a product, which is derived "
            "from its stages."
        )
    for symbol in update.stages[0]:
        if not _WEIGHT.fullmatch(symbol.name):
            raise DeclarationError(
                f'The weight "{symbol}" of {label} must be called "_" and a letter: _b, _b2, _mu.'
            )
    values = [sp.sympify(v) for stage in update.stages for v in stage.values()]
    if not all(v.is_Rational for v in values):
        raise DeclarationError(f"The weights of {label} must be rational numbers.")
    span = sp.sympify(update.time) / TAU
    if not span.is_Rational or span <= 0:
        raise DeclarationError(f"A cycle of {label} covers a positive multiple of TAU, not {update.time}.")
    if update.repeated and span != len(update.stages):
        raise DeclarationError(f"Stages of {label} that are the steps of the network cover TAU each.")
    whole = update.skip.subs(STEP, update.step)
    if any(sum(weighted(whole, stage)[s] for s in (U, PREVIOUS, START)) != 1 for stage in update.stages):
        raise DeclarationError(f"The weights of the states must sum to 1 in each stage of {label}.")
    if whole.has(sp.Float) or not (-update.amplification().nth(1)).is_positive:
        raise DeclarationError(f"The stages of {label} must go forward in time, with exact weights.")
    return update

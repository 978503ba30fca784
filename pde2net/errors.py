"""What pde2net raises: every error says what is wrong, where, why, and what to write instead."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec, Self, TypeVar, dataclass_transform

P = ParamSpec("P")
R = TypeVar("R")


class _Said:
    """What is said to the author of a declaration: names Python, unless it is told how texts spell it.

    in_texts  the same message for the author of a .pde text, where it differs
    """

    in_texts: str | None = None

    def spelt(self, in_texts: str) -> Self:
        """This, with a message for the author of a text."""
        self.in_texts = in_texts
        return self

    @property
    def to_author_of_text(self) -> str:
        return self.in_texts or str(self)


class Pde2NetError(_Said, Exception):
    """Base of all errors raised on purpose."""


class DeclarationError(Pde2NetError, ValueError):
    """A choice in a declaration (problem, grid, scheme, option) is not valid."""


class EquationError(Pde2NetError, ValueError):
    """The equation is not a diffusion PDE that this compiler understands."""


class StabilityError(Pde2NetError):
    """The network is refuted to be stable and `on_unstable` is "error"."""


class RecheckError(Pde2NetError):
    """A certificate does not hold, or was edited."""


class CertificateError(Pde2NetError):
    """What is stated to be proved of a network does not hold for its weights as they are."""


class TrainingError(Pde2NetError):
    """A training stopped: a loss or a parameter is not finite."""


class EmissionError(Pde2NetError):
    """The graph cannot be rendered, for example because a symbol has no value."""


class FileError(Pde2NetError, OSError):
    """A file cannot be read or written, or holds something else than expected."""


class TextError(Pde2NetError):
    """A text in the .pde language is not valid; the message has its line, with a caret."""


class ConvergenceError(Pde2NetError):
    """A solver did not reach its tolerance and on_failure is "error"."""


class ConvergenceWarning(UserWarning):
    """A solver did not reach its tolerance; the message has the residual that it reached."""


class GridWarning(UserWarning):
    """Multigrid has fewer grids than it was asked for: the image or the differences allow no more."""


class StabilityWarning(_Said, UserWarning):
    """The network is refuted to be stable and was built because `on_unstable` is "warn"."""


def suggestion(name: str, choices: Iterable[str]) -> str:
    """' Did you mean "...".' for the nearest of `choices`, or the list of all of them."""
    options = sorted(choices)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if near:
        return f' Did you mean "{near[0]}"?'
    return f" Choose one of: {', '.join(options)}." if options else ""


def known_options(function: Callable[P, R]) -> Callable[P, R]:
    """Turn an unknown keyword of `function` into an error that names the nearest valid one."""
    signature = inspect.signature(function)
    options = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self"
    ]

    def owner_of(args: tuple[object, ...]) -> str:
        """The class that is made, which may inherit its options, or the function."""
        made = function.__name__ == "__init__" and args
        return type(args[0]).__name__ if made else function.__qualname__

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in options:
                owner = owner_of(args)
                raise DeclarationError(f'{owner} has no option "{name}".{suggestion(name, options)}')
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise DeclarationError(f"{owner_of(args)}: {error}.") from None
        return function(*args, **kwargs)

    return checked


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def options(kind: type[R]) -> type[R]:
    """Make a class a frozen dataclass whose fields are `known_options`."""
    made = dataclass(frozen=True)(kind)
    made.__init__ = known_options(made.__init__)  # type: ignore[method-assign]
    return made

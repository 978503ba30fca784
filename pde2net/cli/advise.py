"""`pde2net advise`."""

from __future__ import annotations

from typing import Any

import sympy as sp
import typer

from pde2net.cli.inputs import Given, in_its_words, parts
from pde2net.cli.say import Say
from pde2net.compiler import verify
from pde2net.errors import DeclarationError, StabilityError
from pde2net.guidance.advise import advise
from pde2net.language.declaration import Declaration
from pde2net.language.text.statements import scheme_text
from pde2net.load import is_text


@in_its_words
def advise_file(given: Given, time: float | None, measure: int | None, say: Say) -> None:
    """Print the table for the equation and the grid of the file."""
    problem, scheme, grid = parts(given)
    until: Any = time
    if time is None:
        if scheme is None:
            raise DeclarationError(f"{given.name} defines no scheme whose time could be taken; add --time T.")
        until = time_of(Declaration(problem, scheme, grid))
    shape = None if measure is None else (measure,) * len(problem.space)
    advice = advise(problem, until, grid, measure=shape)
    if say.as_json:
        typer.echo(advice.to_json())
    say.answer(advice)
    if advice.rows and (given.piped or is_text(given.file)):
        say.answer(f"In a text: scheme {scheme_text(advice.best.scheme, problem.space)}")


def time_of(declared: Declaration) -> Any:
    """The time that the declared scheme reaches. Raises DeclarationError if that is no number."""
    scheme, tau = declared.scheme, declared.scheme.tau
    if tau is None:
        try:
            tau = verify(declared.problem, scheme, declared.grid).tau
        except (StabilityError, DeclarationError, TypeError) as error:
            raise DeclarationError(
                f"The scheme has no step of its own, so add --time T. ({error})"
            ) from error
    time: sp.Expr = scheme.duration(tau).subs(declared.problem.parameters)
    if time.free_symbols or not time.is_finite:
        raise DeclarationError(f"The scheme runs to time {time}, which is no number; add --time T.")
    return time

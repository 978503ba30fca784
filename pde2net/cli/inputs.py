"""What every command does with its FILE."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import typer

from pde2net import compiler
from pde2net.errors import Pde2NetError, StabilityWarning
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.load import is_text, load_parts, load_whole
from pde2net.network import Network

P = ParamSpec("P")
R = TypeVar("R")


def declaration(file: Path) -> Declaration:
    """`load_whole(file)`; what the file prints goes to stderr, so that stdout is the command's own."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_whole(file)


def parts(file: Path) -> tuple[Problem, Scheme | None, Grid]:
    """`load_parts(file)`, likewise."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_parts(file)


def in_its_words(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose first argument is a file: its errors are in the language of that, Python or texts."""

    @functools.wraps(command)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Pde2NetError as error:
            error.args = (_words(error, Path(str(args[0]))),)
            raise

    return spoken


def _words(said: Pde2NetError | StabilityWarning, file: Path) -> str:
    return said.to_author_of_text if is_text(file) else str(said)


def compiled(file: Path, declared: Declaration, on_unstable: str) -> Network:
    """Compile what was declared in `file`, with warnings as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StabilityWarning)
        network = compiler.compile(declared.problem, declared.scheme, declared.grid, on_unstable=on_unstable)
    for warning in caught:
        said = warning.message
        warn(_words(said, file) if isinstance(said, StabilityWarning) else str(said))
    return network


def warn(message: str) -> None:
    """One line on stderr."""
    typer.echo(f"pde2net: warning: {message}", err=True)

"""What every command does with its FILE."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

import typer

from pde2net import compiler
from pde2net.errors import StabilityWarning
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.load import load, load_parts
from pde2net.network import Network


def declaration(file: Path) -> Declaration:
    """`load(file)`; what the file prints goes to stderr, so that stdout is the command's own."""
    with contextlib.redirect_stdout(sys.stderr):
        return load(file)


def parts(file: Path) -> tuple[Problem, Scheme | None, Grid]:
    """`load_parts(file)`, likewise."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_parts(file)


def compiled(declared: Declaration, on_unstable: str) -> Network:
    """Compile, with warnings as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StabilityWarning)
        network = compiler.compile(declared.problem, declared.scheme, declared.grid, on_unstable=on_unstable)
    for warning in caught:
        warn(str(warning.message))
    return network


def warn(message: str) -> None:
    """One line on stderr."""
    typer.echo(f"pde2net: warning: {message}", err=True)

"""What every command does with its FILE, and with the options that change what it declares."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sympy as sp

from pde2net import compiler
from pde2net.cli.say import Say
from pde2net.errors import DeclarationError, FileError, Pde2NetError, StabilityWarning, suggestion
from pde2net.language.assumptions import check_value
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.solvers import Solver
from pde2net.language.stored import scheme_expressions
from pde2net.load import MOST_CHARACTERS, is_text, load, load_parts, parse, with_scheme
from pde2net.network import Network

P = ParamSpec("P")
R = TypeVar("R")

PIPE = "-"
_NUMBER = re.compile(r"([+-]?)(\d{1,100}(?:\.\d{0,100})?|\.\d{1,100})(?:[eE]([+-]?\d{1,3}))?")


@dataclass(frozen=True)
class Given:
    """FILE, "-" for a text on stdin, and what is changed of its declaration.

    values  entries NAME=NUMBER for parameters
    tau     a number, or "largest"; None as declared
    steps   or cycles; None as declared
    """

    file: Path
    values: Sequence[str] = ()
    tau: str | None = None
    steps: int | None = None

    @property
    def options(self) -> list[str]:
        """Those that change the declaration."""
        given = {"--set": self.values, "--tau": self.tau is not None, "--steps": self.steps is not None}
        return [name for name, there in given.items() if there]

    @property
    def piped(self) -> bool:
        return str(self.file) == PIPE

    @property
    def name(self) -> str:
        """What messages call the file."""
        return "<stdin>" if self.piped else str(self.file)

    def words(self, said: Pde2NetError | StabilityWarning) -> str:
        """A message in the language of the file, Python or texts."""
        return said.to_author_of_text if self.piped or is_text(self.file) else str(said)


def in_its_words(
    command: Callable[Concatenate[Given, P], R],
) -> Callable[Concatenate[Given, P], R]:
    """A command whose errors are in the language of its file."""

    @functools.wraps(command)
    def spoken(given: Given, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(given, *args, **kwargs)
        except Pde2NetError as error:
            error.args = (given.words(error),)
            raise

    return spoken


def declaration(given: Given) -> Declaration:
    """What is declared, with a scheme, as it is changed by the options."""
    return changed(with_scheme(_read(given, load), given.name), given)


def parts(given: Given) -> tuple[Problem, Scheme | None, Grid]:
    """The same where no scheme is needed: None if there is none."""
    declared = changed(_read(given, lambda file: Declaration(*load_parts(file))), given)
    return declared.problem, declared.given, declared.grid


def _read(given: Given, read: Callable[[Path], Declaration]) -> Declaration:
    # What a file prints goes to stderr, so that stdout is the command's own.
    with contextlib.redirect_stdout(sys.stderr):
        if given.piped:
            return parse(sys.stdin.read(MOST_CHARACTERS), given.name)
        return read(given.file)


def changed(declared: Declaration, given: Given) -> Declaration:
    """The declaration with other values, another step, another number of steps.

    Raises DeclarationError for names that it has not, and for a step where there is no scheme.
    """
    problem, scheme, grid = _valued(declared, given.values)
    if scheme is None and (given.tau is not None or given.steps is not None):
        raise DeclarationError(f"{given.name} has no scheme, whose --tau and --steps could be changed.")
    if scheme is not None and given.tau is not None:
        scheme = replace(scheme, tau=_step(given.tau))
    if scheme is not None and given.steps is not None:
        changes: dict[str, Any] = {scheme.repeated: given.steps}
        scheme = replace(scheme, **changes)
    return Declaration(problem, scheme, grid)


def _step(text: str) -> sp.Expr | None:
    """The tau that a text asks for: None for the largest one."""
    words = {"largest": None, "oo": sp.oo}
    return words[text] if text in words else number(text, "--tau", words)


def number(text: str, what: str, words: Sequence[str] | dict[str, Any] = ()) -> sp.Rational:
    """A decimal, or a quotient of two, as in texts: exact. Raises DeclarationError for anything else."""
    found = [_NUMBER.fullmatch(part.strip()) for part in text.split("/")]
    if len(found) > 2 or not all(found):
        others = "".join(f", {word}" for word in words)
        raise DeclarationError(f'{what} is a number, 0.05 or 1/20{others}, not "{text}".')
    values = [
        sp.Rational(f"{m[1]}{m[2].rstrip('.')}") * sp.Rational(10) ** int(m[3] or 0) for m in found if m
    ]
    if len(values) == 2 and values[1] == 0:
        raise DeclarationError(f'{what} is no quotient by 0: "{text}".')
    return values[0] if len(values) == 1 else values[0] / values[1]


def entry(text: str, option: str, value: str) -> tuple[str, str]:
    """NAME and VALUE of what an option is given."""
    name, _, found = text.partition("=")
    if not name or not found:
        raise DeclarationError(f'{option} takes NAME={value}, not "{text}".')
    return name.strip(), found.strip()


def _valued(declared: Declaration, entries: Sequence[str]) -> tuple[Problem, Scheme | None, Grid]:
    """Problem, scheme and grid at the values of `entries`; symbols of scheme and grid alone have them too."""
    problem, scheme, grid = declared.problem, declared.given, declared.grid
    used = [*grid.spacings(problem.space), *grid.origins(problem.space)]
    used += [] if scheme is None else scheme_expressions(scheme)
    symbols = {s for e in used for s in e.free_symbols} - {*problem.space, *problem.symbols}
    known: dict[str, sp.Symbol] = {s.name: s for s in (*problem.scalars, *symbols)}
    values: dict[sp.Symbol, sp.Expr] = {}
    for text in entries:
        name, wanted = entry(text, "--set", "NUMBER")
        if name in [s.name for s in problem.inputs]:
            raise DeclarationError(f'"{name}" is an input of the equation: --input {name}={wanted}.')
        if name not in known:
            hint = suggestion(name, known) or " It has none."
            raise DeclarationError(f'The declaration has no parameter "{name}".{hint}')
        if known[name] in values:
            raise DeclarationError(f'The parameter "{name}" is given twice.')
        values[known[name]] = number(wanted, f"The parameter {name}")
        check_value(known[name], values[known[name]])
    own = {s: v for s, v in values.items() if s in problem.scalars}
    rest = {s: v for s, v in values.items() if s in symbols}
    if own:
        problem = problem.valued(own)
    if rest:
        scheme = None if scheme is None else _at(scheme, rest)
        grid = replace(grid, spacing=_entries(grid.spacing, rest), origin=_entries(grid.origin, rest))
    return problem, scheme, grid


def _entries(value: Any, values: dict[sp.Symbol, sp.Expr]) -> Any:
    if isinstance(value, Mapping):
        return {axis: e.xreplace(values) for axis, e in value.items()}
    return value.xreplace(values)


S = TypeVar("S", bound=Scheme | Solver)


def _at(choice: S, values: dict[sp.Symbol, sp.Expr]) -> S:
    """A scheme or a solver with values for symbols in its options."""
    changes: dict[str, Any] = {}
    for option in fields(choice):
        value = getattr(choice, option.name)
        if isinstance(value, Solver):
            changes[option.name] = _at(value, values)
        elif isinstance(value, sp.Basic):
            changes[option.name] = value.xreplace(values)
    return replace(choice, **changes)


def compiled(given: Given, declared: Declaration, on_unstable: str, say: Say) -> Network:
    """Compile what was declared, with warnings as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StabilityWarning)
        network = compiler.compile(declared.problem, declared.scheme, declared.grid, on_unstable=on_unstable)
    for warning in caught:
        said = warning.message
        say.warn(given.words(said) if isinstance(said, StabilityWarning) else str(said))
    return network


def along_axes(size: Sequence[int], dimension: int) -> tuple[int, ...] | None:
    """The cells along each axis that --size gives, once for all or for each; None without."""
    if not size:
        return None
    if len(size) not in (1, dimension) or min(size) < 1:
        raise DeclarationError(f"--size is one number of cells, or {dimension}, one for each axis.")
    return tuple(size) * (dimension if len(size) == 1 else 1)


def refuse_changes(given: Given, file: Path) -> None:
    """Raise DeclarationError for options that would change what trained weights have of their own."""
    if given.options:
        raise DeclarationError(
            f"{given.options[0]} goes with declarations: the values and steps of the trained weights "
            f"{file} are their own."
        )


def no_pipe(given: Given, other: str, what: str) -> None:
    """Raise FileError if both FILE and another input are read from stdin."""
    if given.piped and other == PIPE:
        raise FileError(f"FILE and {what} are both -, and stdin has one of them.")

"""Reads a declaration from a file."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pde2net.errors import FileError, Pde2NetError
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Explicit


@dataclass(frozen=True)
class Declaration:
    """A problem with its scheme and grid."""

    problem: Problem
    scheme: Explicit
    grid: Grid


def load(path: str | Path) -> Declaration:
    """The declaration in a Python file that defines `problem`, `scheme` and, if not unit, `grid`.

    The file is executed, so it must be one that you trust. Raises FileError if it is missing, fails
    or lacks a name, and the error of the declaration itself if that is not valid.
    """
    file = Path(path)
    if not file.is_file():
        raise FileError(f"There is no file {file}." if not file.exists() else f"{file} is not a file.")
    if file.suffix == ".pde":
        raise FileError(
            f"{file}: the .pde text language is not available yet; write a Python file that defines "
            "problem, scheme and grid."
        )
    try:
        names = runpy.run_path(str(file), run_name="pde2net_declaration")
    except SyntaxError as error:
        raise FileError(f"{file} is not a Python file: {error.msg} (line {error.lineno}).") from error
    except Pde2NetError as error:
        raise type(error)(f"{file}, line {_line(error, file)}: {error}") from error
    except Exception as error:
        raise FileError(f"{file}, line {_line(error, file)}: {type(error).__name__}: {error}") from error
    return Declaration(
        _named(names, "problem", Problem, file),
        _named(names, "scheme", Explicit, file),
        _named({"grid": Grid(), **names}, "grid", Grid, file),
    )


def _line(error: BaseException, file: Path) -> str:
    """The last line of `file` that the traceback passes through."""
    line, step = "?", error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file):
            line = str(step.tb_lineno)
        step = step.tb_next
    return line


def _named(names: dict[str, Any], name: str, kind: type, file: Path) -> Any:
    if name not in names:
        raise FileError(f"{file} does not define {name} (a pde2net.{kind.__name__}).")
    value = names[name]
    if not isinstance(value, kind):
        raise FileError(
            f"{file} defines {name} as a {type(value).__name__}; it must be a pde2net.{kind.__name__}."
        )
    return value

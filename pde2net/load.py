"""Reads a declaration from a file: a .pde text, or Python."""

from __future__ import annotations

import runpy
import tokenize
from pathlib import Path
from typing import Any

from pde2net.errors import FileError, Pde2NetError
from pde2net.files import require_no_name
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme

MOST_CHARACTERS = 100_000  # of a text that is read at all


def load(path: str | Path) -> Declaration:
    """The declaration in a .pde text, or in a Python file that defines `problem`, `scheme` and `grid`.

    A text without a scheme is a problem on a grid: `load(path).problem` is there, and whatever asks for the
    scheme of such a declaration raises a DeclarationError that says so.

    A text, whose name ends in .pde, may come from anybody: nothing in it is executed. A Python file, whose
    name ends in .py, is executed, so it must be one that you trust; its __name__ is not "__main__". `grid`
    may be left out. Raises FileError if the file is missing, fails, has another suffix or lacks a name,
    TextError where a text is not valid, and the error of the declaration itself, with file and line.
    """
    problem, scheme, grid = load_parts(path)
    if scheme is None and not is_text(path):
        raise _undefined("scheme", Path(path))
    return Declaration(problem, scheme, grid)


def parse(text: str, name: str = "<text>") -> Declaration:
    """The declaration in a text of the .pde language (grammar/README.md); nothing in it is executed.

    A text without a scheme is a problem on a grid: `parse(text).problem` is there, and whatever asks for the
    scheme of such a declaration raises a DeclarationError that says so.

    name  what messages call the text

    Raises TextError, with line, column and what was expected there, where the text is not valid.
    """
    from pde2net.language.text.build import read

    if not isinstance(text, str):
        raise FileError(f"parse takes a text, not {type(text).__name__}: p2n.load(path) reads a file.")
    require_no_name(text, "The text of a declaration")
    return Declaration(*read(text, name))


def load_whole(path: str | Path) -> Declaration:
    """The same with a scheme. Raises FileError if there is none."""
    return with_scheme(load(path), str(path))


def with_scheme(declared: Declaration, name: str) -> Declaration:
    """A declaration that messages call `name`. Raises FileError if it has no scheme."""
    if not declared.has_scheme:
        raise FileError(f'{name} has no scheme: add one, "scheme explicit(tau = largest, steps = 10)".')
    return declared


def load_parts(path: str | Path) -> tuple[Problem, Scheme | None, Grid]:
    """The same where no scheme is needed: None if the file defines none."""
    file = Path(path)
    if not file.is_file():
        raise FileError(f"There is no file {file}." if not file.exists() else f"{file} is not a file.")
    if is_text(file):
        return _read_text(file)
    names = _execute(file)
    return (
        _named(names, "problem", Problem, file),
        _named(names, "scheme", Scheme, file) if "scheme" in names else None,
        _named({"grid": Grid(), **names}, "grid", Grid, file),
    )


def is_text(path: str | Path) -> bool:
    """Whether the file is one of the text language, by its name."""
    return Path(path).suffix.lower() == ".pde"


def _read_text(file: Path) -> tuple[Problem, Scheme | None, Grid]:
    """A file in the text language, which is not executed."""
    from pde2net.language.text.build import read

    try:
        with file.open(encoding="utf-8-sig") as stream:
            text = stream.read(MOST_CHARACTERS)
    except UnicodeDecodeError as error:
        raise FileError(f"{file} is not a text in UTF-8: {error}.") from None
    return read(text, str(file))


def _execute(file: Path) -> dict[str, Any]:
    """What `file` defines; its errors name the file and the line."""
    _check_python(file)
    try:
        return runpy.run_path(str(file), run_name="pde2net_declaration")
    except Pde2NetError as error:
        # In place, since a subclass may be built from other arguments than a message.
        error.args = (f"{_place(error, file)}: {error}",)
        raise
    except SystemExit as error:
        raise FileError(
            f"{_place(error, file)} ends the program; a declaration only defines problem, scheme and grid "
            '(what is for running the file goes under if __name__ == "__main__").'
        ) from error
    except Exception as error:
        if isinstance(error, SyntaxError) and error.filename == str(file):
            line = f", line {error.lineno}" if error.lineno else ""
            raise FileError(f"{file}{line}: not valid Python: {error.msg}.") from error
        message = " ".join(str(error).split())
        raise FileError(f"{_place(error, file)}: {type(error).__name__}: {message}") from error


def _check_python(file: Path) -> None:
    """Refuse what has no name of Python, and what runpy runs although it is no text: bytecode, archives."""
    if file.suffix.lower() == ".safetensors":
        raise FileError(
            f"{file} holds trained weights, which verify, run and export take; what is asked for here is the "
            "declaration that was trained."
        )
    if file.suffix.lower() != ".py":
        raise FileError(
            f"{file} is no declaration: that is a text, whose name ends in .pde, or Python, which is "
            "executed and whose name ends in .py."
        )
    try:
        with tokenize.open(file) as stream:
            text = stream.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise FileError(f"{file} is not a text of Python: {error}.") from error
    if "\0" in text:
        raise FileError(f"{file} is not a text of Python: it holds null bytes.")


def _place(error: BaseException, file: Path) -> str:
    """The file with the last of its lines that the traceback passes through."""
    line, step = "", error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file):
            line = f", line {step.tb_lineno}"
        step = step.tb_next
    return f"{file}{line}"


def _undefined(name: str, file: Path) -> FileError:
    made = {"problem": "p2n.Problem(sp.Eq(u.diff(t), ...))", "scheme": "p2n.Explicit(tau=..., steps=...)"}
    return FileError(
        f"{file} does not define {name} (a pde2net.{name.capitalize()}): give it that name, "
        f"{name} = {made[name]}."
    )


def _named(names: dict[str, Any], name: str, kind: type, file: Path) -> Any:
    if name not in names:
        raise _undefined(name, file)
    value = names[name]
    if not isinstance(value, kind):
        raise FileError(
            f"{file} defines {name} as an object of type {type(value).__name__}; it must be a "
            f"pde2net.{kind.__name__}."
        )
    return value

"""What commands say: lines for people, or one JSON object for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console


@dataclass(frozen=True)
class Say:
    """How a command speaks.

    quiet    nothing but what was asked for
    as_json  its result is one JSON object; errors and warnings are objects as well, one a line, on stderr
    aside    on stderr, since a result of another kind takes stdout
    """

    quiet: bool = False
    as_json: bool = False
    aside: bool = False

    @property
    def remarks(self) -> bool:
        """Whether lines that nobody asked for are printed."""
        return not (self.quiet or self.as_json)

    def remark(self, *things: Any) -> None:
        """Print what nobody asked for: texts, or tables of rich."""
        if self.remarks:
            self._print(things)

    def answer(self, *things: Any) -> None:
        """Print what was asked for, unless that is JSON."""
        if not self.as_json:
            self._print(things)

    def data(self, **fields: Any) -> None:
        """Print the result as JSON, if that was asked for."""
        if self.as_json:
            typer.echo(json.dumps(fields, ensure_ascii=False), err=self.aside)

    def warn(self, message: str) -> None:
        """One line on stderr."""
        typer.echo(
            json.dumps({"warning": message}) if self.as_json else f"pde2net: warning: {message}", err=True
        )

    def error(self, message: str, kind: str) -> None:
        """One line on stderr; `kind` is the name of the error's class."""
        typer.echo(
            json.dumps({"error": message, "kind": kind}) if self.as_json else f"pde2net: {message}", err=True
        )

    def _print(self, things: tuple[Any, ...]) -> None:
        for thing in things:
            if isinstance(thing, str):
                typer.echo(thing, err=self.aside)
            else:
                Console(file=sys.stderr if self.aside else sys.stdout).print(thing)

"""Errors that show the line of a text with a caret."""

from __future__ import annotations

from dataclasses import dataclass

from lark import Token, Tree

from pde2net.errors import TextError


@dataclass(frozen=True)
class Source:
    """A text and the name that errors call it by."""

    name: str
    text: str

    def error(self, message: str, line: int, column: int) -> TextError:
        """`message`, with the line and a caret at the column, both counted from 1."""
        lines = self.text.splitlines() or [""]
        shown = lines[min(line, len(lines)) - 1].expandtabs(1)
        start = max(0, min(column - 60, len(shown) - 100))  # long lines are cut around the caret
        cut = shown[start : start + 100]
        where = f"{self.name}, line {line}, column {column}"
        return TextError(f"{where}: {message}\n    {cut.rstrip()}\n    {' ' * (column - 1 - start)}^")

    def at(self, node: Tree[Token] | Token, message: str) -> TextError:
        """The same at a node of the parse tree."""
        place = node.meta if isinstance(node, Tree) else node
        return self.error(message, getattr(place, "line", None) or 1, getattr(place, "column", None) or 1)

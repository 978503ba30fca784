"""Text to a parse tree by grammar/pde.lark, with limits that no text can exceed."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from pde2net.errors import TextError, suggestion
from pde2net.language.text.place import Source

LONGEST = 20_000  # characters of a text
DEEPEST = 50  # nested brackets
MOST_DIGITS = 60  # of a number

_WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "RELATION": "a comparison",
    "_NEWLINE": "the end of the line",
    "EQUAL": '"="',
    "COLON": '":"',
    "COMMA": '","',
    "LPAR": '"("',
    "RPAR": '")"',
    "LSQB": '"["',
    "RSQB": '"]"',
    "VBAR": '"|"',
}
_COSTLY = re.compile(rf"[()\[\]]|\d[\d.]{{{MOST_DIGITS},}}|[-|]{{{DEEPEST},}}")
_SKETCH = re.compile(r"^[ \t]*(void\s+(setup|draw)\s*\(|import\s+processing\.)", re.M)
_OPERAND, _OPERATION = "NUMBER", {"PLUS", "STAR", "SLASH", "CIRCUMFLEX"}


@functools.cache
def grammar() -> Lark:
    """The parser, from the file in the repository or in the installed package."""
    package = Path(__file__).parents[2]
    for folder in (package / "grammar", package.parent / "grammar"):
        if (file := folder / "pde.lark").is_file():
            return Lark(file.read_text(encoding="utf-8"), parser="lalr", propagate_positions=True)
    raise FileNotFoundError("the grammar pde.lark is missing from the installation")


@functools.cache
def statements() -> tuple[str, ...]:
    """The words that lines begin with: in the grammar each statement is called by its word."""
    return tuple(str(r.expansion[0].name) for r in grammar().rules if r.origin.name == "statement")


def parse(source: Source) -> list[Tree[Token]]:
    """The statements of a text. Raises TextError."""
    _check(source)
    try:
        tree = grammar().parse(source.text)
    except UnexpectedInput as error:
        raise _explained(source, error) from None
    found = [s for s in tree.children if isinstance(s, Tree)]
    if not found:
        raise TextError(f"{source.name} is empty: it needs an unknown and an equation (grammar/README.md).")
    return found


def _check(source: Source) -> None:
    """Refuse texts that would take long, before anything is built of them."""
    text = source.text
    if _SKETCH.search(text):
        raise TextError(
            f"{source.name} is a sketch of Processing, whose files end in .pde too. A text of pde2net "
            "declares a diffusion equation: it begins with unknown u(x, y, t), say (grammar/README.md)."
        )
    if len(text) > LONGEST:
        raise TextError(f"{source.name} is longer than {LONGEST} characters.")
    opened: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.partition("#")[0]
        for found in _COSTLY.finditer(code):
            token, column = found.group(), found.start() + 1
            if len(token) > 1:
                message = (
                    f"this is too long: up to {MOST_DIGITS} digits or {DEEPEST} signs may follow each other."
                )
                raise source.error(message, number, column)
            if token in "([":
                opened.append(token)
                if len(opened) > DEEPEST:
                    raise source.error(f"more than {DEEPEST} brackets are open here.", number, column)
            elif opened:
                opened.pop()


def _explained(source: Source, error: UnexpectedInput) -> TextError:
    line, column = error.line, error.column
    if isinstance(error, UnexpectedCharacters):
        expected, found = set(error.allowed or ()), f'"{error.char}"'
    elif isinstance(error, UnexpectedToken):
        expected, token = set(error.accepts or error.expected), error.token
        found = f'"{token}"'
        if token.type in ("$END", "_NEWLINE"):
            found = "the end of the line"
            line, column = _end_before(source, token)
        if "UNKNOWN" in expected and token.type not in ("$END", "_NEWLINE"):
            hint = suggestion(str(token), statements())
            return source.error(f'a line cannot begin with "{token}".{hint}', line, column)
    else:
        expected, found = set(), "this"
    hint = ""
    if re.match(r"\s*grid\b.*=\s*\(", source.text.splitlines()[line - 1]) and found == '","':
        hint = " Each axis has a name: h_x = 1, h_y = 2."
    before = source.text.splitlines()[line - 1][: column - 1]
    if found == '"*"' and before.rstrip().endswith("*"):
        hint = " Powers are written u^2."
    if found in ('"∇"', '"Δ"', '"∂"'):
        hint = " Derivatives are words: grad u, div(...), laplacian(u), u_t."
    return source.error(f"{found} is not expected here, but {_list(expected)}.{hint}", line, column)


def _end_before(source: Source, token: Token) -> tuple[int, int]:
    """Where the line ends that the token follows."""
    end = token.start_pos if token.type == "_NEWLINE" and token.start_pos is not None else len(source.text)
    before = source.text[:end].rstrip()
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _list(expected: Iterable[str]) -> str:
    names, words = set(expected), []
    if _OPERAND in names:
        words.append("an expression")
        names -= {"NUMBER", "NAME", "LPAR", "LSQB", "VBAR", "MINUS", "OPERATOR"}
    if names >= _OPERATION:
        words.append("an operation such as + or *")
        names -= _OPERATION | {"MINUS", "IF"}
    words += [_WORDS[n] for n in sorted(names) if n in _WORDS]
    words += [f'"{n.lower()}"' for n in sorted(names) if n not in _WORDS and n != "$END"]
    return " or ".join(words) if words else "the end of the text"

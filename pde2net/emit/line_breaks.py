"""Breaks long statements over several lines, the way common formatters do."""

from __future__ import annotations

import re
from collections.abc import Sequence

WIDTH, INDENT = 100, "    "
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def broken(statement: str, indent: str) -> list[str]:
    """Lines of `statement`, indented, each at most WIDTH wide where its structure allows."""
    if len(indent) + len(statement) <= WIDTH:
        return [indent + statement]
    found = re.match(r"return |[\w, ()]+? = |raise ", statement)
    prefix = found.group() if found else ""
    return _expression(prefix, statement[len(prefix) :], "", indent)


def _expression(prefix: str, text: str, suffix: str, indent: str) -> list[str]:
    """prefix + text + suffix, broken at its loosest operators or at the arguments of a call."""
    if len(indent) + len(prefix) + len(text) + len(suffix) <= WIDTH:
        return [indent + prefix + text + suffix]
    for operators in ((" + ", " - "), (" * ", " / ")):
        parts = split(text, operators)
        if len(parts) > 1:
            lines = [line for p in parts for line in _expression("", p, "", indent + INDENT)]
            bare = prefix == "" and suffix == ""
            return lines if bare else [f"{indent}{prefix}(", *lines, f"{indent}){suffix}"]
    opening = text.find("(")
    if opening < 0 or not text.endswith(")") or _closing(text, opening) != len(text) - 1:
        return [indent + prefix + text + suffix]
    inside, inner = text[opening + 1 : -1], indent + INDENT
    head, tail = f"{indent}{prefix}{text[: opening + 1]}", f"{indent}){suffix}"
    if len(inner) + len(inside) <= WIDTH or inside.startswith(('"', 'f"')):
        return [head, inner + inside, tail]
    arguments = split(inside, (", ",))
    # A comma after the only entry of brackets that call nothing would make them a tuple.
    comma = "," if len(arguments) > 1 or text[:opening][-1:].isidentifier() else ""
    lines = [line for a in arguments for line in _expression("", a.strip(", "), comma, inner)]
    return [head, *lines, tail]


def split(text: str, separators: Sequence[str]) -> list[str]:
    """`text` before each separator outside of brackets; a part starts with its operator."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(text):
        depth += _BRACKETS.get(text[i], 0)
        separator = next((s for s in separators if text.startswith(s, i)), None)
        if depth == 0 and separator is not None:
            parts.append(text[start:i])
            start = i + 1
            i += len(separator) - 1
        i += 1
    return [*parts, text[start:]]


def _closing(text: str, opening: int) -> int:
    """The position of the bracket that closes the one at `opening`."""
    depth = 0
    for i in range(opening, len(text)):
        depth += _BRACKETS.get(text[i], 0)
        if depth == 0:
            return i
    return -1

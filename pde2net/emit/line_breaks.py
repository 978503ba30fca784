"""Breaks long statements over several lines, the way common formatters do."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

WIDTH, INDENT = 100, "    "
SHORT = 30  # entries of lists that share lines
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def broken(statement: str, indent: str) -> list[str]:
    """Lines of `statement`, indented, each at most WIDTH wide where its structure allows."""
    if len(indent) + len(statement) <= WIDTH:
        return [indent + statement]
    header = re.fullmatch(r"((?:if|elif|while|for [\w, ()]+? in) )(.*)(:)", statement)
    if header:
        return _expression(header[1], header[2], header[3], indent)
    prefix = _before_value(statement)
    return _expression(prefix, statement[len(prefix) :], "", indent)


def _before_value(statement: str) -> str:
    """What a statement begins with before the expression that can be put in brackets."""
    depths = _depths(statement)
    ends = [m.end() for m in re.finditer(r" [-+*/]?= ", statement) if depths[m.start()] == 0]
    word = re.match(r"return |raise ", statement)
    return word.group() if word else statement[: min(ends, default=0)]


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
    opening = min((i for i in map(text.find, "([{") if i >= 0), default=-1)
    if opening < 0 or _closing(text, opening) != len(text) - 1:
        return [indent + prefix + text + suffix]
    inside, inner = text[opening + 1 : -1], indent + INDENT
    head, tail = f"{indent}{prefix}{text[: opening + 1]}", f"{indent}{text[-1]}{suffix}"
    element, *clauses = split(inside, (" for ",))
    if clauses:  # a comprehension, whose commas may be those of its targets
        own = [line for c in clauses for line in _expression("for ", c.removeprefix("for "), "", inner)]
        return [head, *_expression("", element, "", inner), *own, tail]
    arguments = split(inside, (", ",))
    text_alone = len(arguments) == 1 and inside.startswith(('"', 'f"'))
    if len(inner) + len(inside) <= WIDTH or text_alone:
        return [head, inner + inside, tail]
    if text[opening] != "(" and max(map(len, arguments)) < SHORT:
        return [head, *_filled(arguments, inner), tail]
    # A comma after the only entry of brackets that call nothing would make them a tuple.
    comma = "," if len(arguments) > 1 or text[:opening][-1:].isidentifier() else ""
    if not comma:  # what is broken at operators is indented by itself
        inner = indent
    lines = [line for a in arguments for line in _expression("", a.strip(", "), comma, inner)]
    return [head, *lines, tail]


def _filled(entries: Sequence[str], indent: str) -> list[str]:
    """Entries of a list, as many on a line as it takes."""
    lines: list[str] = []
    for entry in (f"{e.strip(', ')}," for e in entries):
        if lines and len(lines[-1]) + 1 + len(entry) <= WIDTH:
            lines[-1] += f" {entry}"
        else:
            lines.append(indent + entry)
    return lines


def split(text: str, separators: Sequence[str]) -> list[str]:
    """`text` before each separator outside of brackets and quotes; a part starts with its operator."""
    parts, start, i, depths = [], 0, 0, _depths(text)
    while i < len(text):
        separator = next((s for s in separators if text.startswith(s, i)), None)
        if depths[i] == 0 and separator is not None:
            parts.append(text[start:i])
            start = i + 1
            i += len(separator) - 1
        i += 1
    return [*parts, text[start:]]


def _depths(text: str) -> list[float]:
    """How many brackets are open after each character; infinitely many within quotes."""
    depth, quoted, found = 0, False, []
    for character in text:
        quoted ^= character == '"'
        depth += 0 if quoted else _BRACKETS.get(character, 0)
        found.append(math.inf if quoted else depth)
    return found


def _closing(text: str, opening: int) -> int:
    """The position of the bracket that closes the one at `opening`."""
    depths = _depths(text)
    return next((i for i in range(opening + 1, len(text)) if depths[i] < depths[opening]), -1)

"""Definitions of emitted source, read from text as it is emitted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Template
from textwrap import dedent

from pde2net.emit.line_breaks import split
from pde2net.emit.tree import Class, Definition, Function

Given = bool | str | Sequence[str]
_CONDITION = re.compile(r"(.*)  # (if|unless) (\w+)")
_LINES = re.compile(r"( *)\$(\w+)")
_DEFINITION = re.compile(
    r"((?:@.+\n)*)"
    r"(?:class (\w+)(?:\((.*)\))?|def (\w+)\(\s*([\s\S]*?)\s*\) -> (.+)):\n"
    r'(?: +"""([\s\S]*?)"""\n)?'
    r"((?: .*\n|\n)*)"
)


def parse(text: str, **given: Given) -> list[Definition]:
    """The functions and classes of a text.

    "$name" stands for a word that is given, or as a line of its own for lines. A line that ends in
    "# if name", or "# unless name", is there if that holds, with the lines indented below it.
    """
    words = {name: v if isinstance(v, str) else f"${name}" for name, v in given.items()}
    lines = _chosen(Template(dedent(text)).substitute(words).splitlines(), given)
    return [_definition(match) for match in _DEFINITION.finditer("\n".join(lines) + "\n")]


def _chosen(lines: Sequence[str], given: Mapping[str, Given]) -> Iterator[str]:
    left_out = ""  # how lines below one that is left out begin
    for line in lines:
        if left_out and (not line or line.startswith(left_out)):
            continue
        left_out = ""
        if condition := _CONDITION.fullmatch(line):
            line, sense, name = condition.groups()
            if bool(given[name]) != (sense == "if"):
                left_out = line[: len(line) - len(line.lstrip())] + " "
                continue
        if found := _LINES.fullmatch(line):
            yield from (found[1] + entry for entry in given[found[2]])  # type: ignore[union-attr]
        else:
            yield line


def _definition(match: re.Match[str]) -> Definition:
    kind, base, doc, rest = match.group(2, 3, 7, 8)
    if kind is None:
        return _function(match)
    members = [_function(m) for m in _DEFINITION.finditer(dedent(rest))]
    return Class(kind, base or "", _flush(doc), members, re.findall(r"^    (\w+ = .*)", rest, re.MULTILINE))


def _function(match: re.Match[str]) -> Function:
    decorators, _, _, name, arguments, returns, doc, body = match.groups()
    passed = [a.strip(", ") for a in split(" ".join(arguments.split()), (", ",))]
    lines = dedent(body).strip("\n").splitlines()
    return Function(name, passed, returns, _flush(doc), lines, decorators.splitlines())


def _flush(doc: str | None) -> str:
    return dedent(f"    {doc or ''}")

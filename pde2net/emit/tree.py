"""A small syntax tree of Python source, rendered last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pde2net.emit.line_breaks import INDENT, WIDTH, broken


@dataclass(frozen=True)
class Function:
    """A function; `body` holds complete statements, indented relative to the body."""

    name: str
    arguments: Sequence[str]
    returns: str
    doc: str
    body: Sequence[str]
    decorators: Sequence[str] = ()


@dataclass(frozen=True)
class Class:
    """A class with attributes and methods."""

    name: str
    base: str
    doc: str
    members: Sequence[Function]
    attributes: Sequence[str] = ()


Definition = Function | Class


@dataclass(frozen=True)
class Source:
    """A module: docstring, imports, constants, then definitions in order."""

    doc: str
    imports: Sequence[str]
    constants: Sequence[str]
    definitions: Sequence[Definition]


def render(source: Source) -> str:
    """The text of a module, two blank lines between definitions."""
    head = [docstring(source.doc, ""), "", *source.imports, "", *source.constants]
    text = "\n".join(head)
    for definition in source.definitions:
        lines = function(definition, "") if isinstance(definition, Function) else klass(definition)
        text += "\n\n\n" + "\n".join(lines)
    return text + "\n"


def klass(node: Class) -> list[str]:
    base = f"({node.base})" if node.base else ""
    lines = [f"class {node.name}{base}:", docstring(node.doc, INDENT)]
    if node.attributes:
        lines += ["", *(INDENT + a for a in node.attributes)]
    for member in node.members:
        lines += ["", *function(member, INDENT)]
    return lines


def function(node: Function, indent: str) -> list[str]:
    lines = [indent + d for d in node.decorators]
    signature = f"{indent}def {node.name}({', '.join(node.arguments)}) -> {node.returns}:"
    if len(signature) > WIDTH:
        inner = ", ".join(node.arguments)
        if len(indent) + len(INDENT) + len(inner) > WIDTH:
            inner = f",\n{indent}{INDENT}".join(node.arguments) + ","
        signature = f"{indent}def {node.name}(\n{indent}{INDENT}{inner}\n{indent}) -> {node.returns}:"
    lines.append(signature)
    if node.doc:
        lines.append(docstring(node.doc, indent + INDENT))
    for statement in node.body:
        if not statement:
            lines.append("")
            continue
        depth = len(statement) - len(statement.lstrip())
        lines += broken(statement.lstrip(), indent + INDENT + " " * depth)
    return lines


def docstring(text: str, indent: str) -> str:
    lines = text.strip("\n").replace("\\", "\\\\").replace('"""', "'''").split("\n")
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    body = "\n".join((indent + line).rstrip() for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{body}\n{indent}"""'

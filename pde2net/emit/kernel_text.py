"""Takes what numba compiles out of an emitted source, so that sources which differ in numbers share it."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

FORGETS = "forget"  # deletes what is kept beside the file that it is in
OF_NUMBA = {"compiled", "intrinsic", "overload"}


@dataclass(frozen=True)
class Separated:
    """Two parts of a source.

    kernels  the text of all functions that are compiled, and of what they read
    names    that it defines
    rest     the source without them, every node at its line
    """

    kernels: str
    names: tuple[str, ...]
    rest: ast.Module


@lru_cache(maxsize=64)
def separated(source: str) -> Separated:
    """The kernels of a source are the functions that numba's decorators, or ours of these, stand before."""
    tree, lines = ast.parse(source), source.splitlines()
    known = {name: node for node in tree.body for name in _defines(node)}
    reads = {name: found & known.keys() for name, found in _globals(tree, source).items()}
    marks = set(OF_NUMBA)
    while more := {n for n, of in reads.items() if of & marks and _is_decorator(known[n])} - marks:
        marks |= more
    seeds = {name for name, node in known.items() if _names(getattr(node, "decorator_list", [])) & marks}
    taken = _closed(seeds | ({FORGETS} & known.keys()), reads)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    nodes = [node for node in tree.body if set(_defines(node)) & taken]
    text = "\n\n".join(_text(lines, node) for node in (*imports, *nodes))
    rest = ast.Module([n for n in tree.body if n not in nodes], tree.type_ignores)
    return Separated(text + "\n", tuple(sorted(taken)), rest)


def _is_decorator(node: ast.stmt) -> bool:
    """Whether its first argument is a function."""
    arguments = node.args.args if isinstance(node, ast.FunctionDef) else []
    return bool(arguments) and arguments[0].arg == "function"


def _globals(tree: ast.Module, source: str) -> dict[str, set[str]]:
    """What each function or class of a module, or what it assigns, reads of the module."""
    scopes = symtable.symtable(source, "<source>", "exec").get_children()
    inside = {table.get_name(): _of_scope(table) for table in scopes}
    found: dict[str, set[str]] = {}
    for node in tree.body:
        around = [node] if isinstance(node, ast.Assign) else getattr(node, "decorator_list", [])
        for name in _defines(node):
            found[name] = inside.get(name, set()) | _names(around)
    return found


def _of_scope(table: symtable.SymbolTable) -> set[str]:
    own = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return own.union(*(_of_scope(inner) for inner in table.get_children()))


def _closed(seeds: Iterable[str], reads: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(seeds)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += reads[name]
    return found


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


def _text(lines: list[str], node: ast.stmt) -> str:
    marks = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(mark.lineno for mark in marks)])
    return "\n".join(lines[first - 1 : node.end_lineno])

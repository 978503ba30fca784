"""The words that definitions of a module use, before they are rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pde2net.emit.tree import Class, Function
from pde2net.program.names import MARK, Namer

# Strings, which are passed over, and words; neither attributes nor the names of arguments that are passed.
_WORD = re.compile(r'f?"(?:[^"\\]|\\.)*"|(?<![\w.])([^\W\d]\w*)(?!\w|=[^=])')
_OWN = re.compile(r"\bself\.(\w+)")
MODULES = ("ctypes", "math", "os", "pickle", "warnings", "weakref")
_MODULE = re.compile(rf"(?<![\w.])(F|{'|'.join(MODULES)})\.")
ALWAYS = ("Tensor", "annotations", "nn", "torch")  # which every module imports
ABSTRACT = ("Callable", "Collection", "Iterable", "Sequence")  # where they are used
TOOLS = ("lru_cache", "partial")
TYPES = (*ABSTRACT, *TOOLS, "Any", "Path", "ThreadPoolExecutor")


def words(lines: Iterable[str]) -> list[str]:
    """Those of statements, in order."""
    return [word for line in lines for word in _WORD.findall(line) if word]


def lines(definition: Function | Class) -> Iterator[str]:
    """The statements, arguments and types of a definition."""
    if isinstance(definition, Function):
        yield from (*definition.decorators, *definition.arguments, definition.returns, *definition.body)
        return
    yield from (definition.base, *definition.attributes)
    for member in definition.members:
        yield from lines(member)


def calls(name: str, definition: Function | Class) -> bool:
    """Whether a definition calls the function `name`."""
    return any(re.search(rf"(?<![\w.]){name}\(", line) for line in lines(definition))


def imported(definitions: Sequence[Function | Class]) -> set[str]:
    """What a module of these definitions imports."""
    every = [line for definition in definitions for line in lines(definition)]
    modules = (name for line in every for name in _MODULE.findall(line))
    return {*ALWAYS, *modules, *set(words(every)).intersection(TYPES)}


def namer(draft: Sequence[Function | Class]) -> Namer:
    """What makes the identifiers of a module, from the draft of its definitions.

    Functions without marks have variables of their own alone, which nothing can be confused with.
    """
    own, attributes = imported(draft), set[str]()
    for definition in draft:
        own.add(definition.name)
        members = [definition] if isinstance(definition, Function) else definition.members
        if isinstance(definition, Class):
            attributes |= {member.name for member in members}
            attributes.update(word for line in lines(definition) for word in _OWN.findall(line))
        for variables in (words(lines(member)) for member in members):
            own |= set(variables) if any(v.endswith(MARK) for v in variables) else set()
    return Namer(_unmarked(own), _unmarked(attributes))


def _unmarked(found: set[str]) -> frozenset[str]:
    return frozenset(word for word in found if not word.endswith(MARK))

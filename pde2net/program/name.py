"""Identifiers of Python for the values of a function."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from pde2net.program.names import Namer
from pde2net.program.records import Function


def name(
    function: Function, namer: Namer, known: Mapping[str, str], reserved: Collection[str] = ()
) -> Function:
    """The function with identifiers in place of values; `known` are those of values that have some.

    No other value is called as what is `reserved`.

    Parts of expressions are numbered, g, g2, g3, ..., where others are called so. Raises KeyError if the
    function takes a value that it is not handed.
    """
    names = dict(known)
    whole = (zip(let.outputs, let.wanted, strict=True) for let in function.body if not let.passing)
    for value, wanted in itertools.chain(function.parameters, *whole):
        if value not in names:
            names[value] = namer.identifier(wanted, [*names.values(), *reserved])
    for let in function.body:
        if let.passing:
            names[let.outputs[0]] = _numbered(let.wanted[0], namer, [*names.values(), *reserved])
    return replace(
        function,
        parameters=tuple((names[value], wanted) for value, wanted in function.parameters),
        body=tuple(let.renamed(names) for let in function.body),
        results=tuple(names[value] for value in function.results),
    )


def _numbered(wanted: str, namer: Namer, taken: Iterable[str]) -> str:
    """The first of g, g2, g3, ... that is free."""
    others = set(taken)
    numbers = (f"{wanted}{'_' * wanted[-1].isdigit()}{k}" for k in itertools.count(2))
    words = map(namer.identifier, itertools.chain([wanted], numbers))
    return next(word for word in words if word not in others)

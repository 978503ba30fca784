"""Identifiers of Python for the values of a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pde2net.program.names import Namer
from pde2net.program.records import Function, Let


def name(function: Function, namer: Namer, known: Mapping[str, str]) -> Function:
    """The function with identifiers in place of values; `known` are those of values that have some.

    Raises KeyError if it takes a value that it is not handed.
    """
    names = dict(known)
    passing: dict[str, str] = {}

    def found(value: str) -> str:
        return passing[value] if value in passing else names[value]

    parameters = []
    for value, wanted in function.parameters:
        if value not in names:
            names[value] = namer.identifier(wanted, names.values())
        parameters.append((names[value], wanted))
    body: list[Let] = []
    for let in function.body:
        inputs = tuple((slot, found(value)) for slot, value in let.inputs)
        for value, wanted in zip(let.outputs, let.wanted, strict=True):
            if let.passing:
                passing[value] = namer.identifier(wanted, names.values())
            elif value not in names:
                names[value] = namer.identifier(wanted, names.values())
        body.append(replace(let, outputs=tuple(map(found, let.outputs)), inputs=inputs))
    return replace(
        function,
        parameters=tuple(parameters),
        body=tuple(body),
        results=tuple(map(found, function.results)),
    )

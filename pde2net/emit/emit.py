"""From a request to source: one emitter per architecture."""

from __future__ import annotations

import ast
from dataclasses import replace

from pde2net.emit.base import NETWORK, Emitter, Request
from pde2net.emit.cell import CellEmitter
from pde2net.emit.stack import StackEmitter
from pde2net.emit.unet import UNetEmitter
from pde2net.errors import DeclarationError
from pde2net.graph.network import fields
from pde2net.program.lower import lower
from pde2net.program.names import MARK, Namer, read

EMITTERS: dict[str, type[Emitter]] = {
    "residual stack": StackEmitter,
    "recurrent cell": CellEmitter,
    "u-net": UNetEmitter,
}


def emit(request: Request) -> str:
    """The source of a standalone module; the same text for the same request.

    Raises EmissionError if a symbol has no value, and DeclarationError if a known field is called what the
    methods that take it need for themselves.
    """
    emitter = EMITTERS[request.graph.graph["architecture"]]
    chosen = (request.trainable, request.shared, request.kept)
    program = lower(request.graph, request.axes, request.update, *chosen)
    draft = emitter(replace(request, namer=Namer(mark=MARK)), program).code()
    made = emitter(replace(request, namer=read(draft)), program)
    text = made.text()
    for field in fields(request.graph):
        if made.names[field.name] != field.name:
            _check_free(field.name, text)
    return text


def _check_free(argument: str, text: str) -> None:
    """The methods of the network that take known fields give `argument` another name at once."""
    network = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == NETWORK)
    for method in (m for m in network.body if isinstance(m, ast.FunctionDef)):
        if argument in (a.arg for a in method.args.kwonlyargs):
            used = [n for line in method.body for n in ast.walk(line) if isinstance(n, ast.Name)]
            if argument in (a.arg for a in method.args.args) or [n.id for n in used].count(argument) > 1:
                raise DeclarationError(
                    f'The known field "{argument}" cannot be passed to the module by that name, which the '
                    "module needs itself; rename it."
                )

"""From a request to source: one emitter per architecture."""

from __future__ import annotations

from pde2net.emit.base import Emitter, Request
from pde2net.emit.cell import CellEmitter
from pde2net.emit.stack import StackEmitter
from pde2net.emit.unet import UNetEmitter

EMITTERS: dict[str, type[Emitter]] = {
    "residual stack": StackEmitter,
    "recurrent cell": CellEmitter,
    "u-net": UNetEmitter,
}


def emit(request: Request) -> str:
    """The source of a standalone module; the same text for the same request.

    Raises EmissionError if a symbol has no value.
    """
    return EMITTERS[request.graph.graph["architecture"]](request).text()

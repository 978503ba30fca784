"""From a request to source: one emitter per architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pde2net.emit.base import NETWORK, Emitter, Request
from pde2net.emit.cell import CellEmitter
from pde2net.emit.filters import filters_of
from pde2net.emit.stack import StackEmitter
from pde2net.emit.tree import Class
from pde2net.emit.unet import UNetEmitter
from pde2net.emit.words import namer, words
from pde2net.errors import DeclarationError, EmissionError
from pde2net.graph.network import fields
from pde2net.language.symbols import Edge
from pde2net.program.lower import lower
from pde2net.program.names import MARK, Namer
from pde2net.program.passes import Journey
from pde2net.program.records import Program

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
    program = program_of(request)
    emitter = _emitter(request)
    draft = emitter(replace(request, namer=Namer(mark=MARK)), program)
    made = emitter(replace(request, namer=namer(draft.definitions())), program)
    definitions = made.definitions()
    network = next(d for d in definitions if isinstance(d, Class) and d.name == NETWORK)
    for field in (s for s in fields(request.graph) if not isinstance(s, Edge)):
        if made.names[field.name] != field.name:
            _check_free(field.name, network)
    return made.text(definitions)


def program_of(request: Request, activations: bool = False) -> Program:
    """What backends print."""
    chosen = (request.trainable, request.shared, request.kept)
    return lower(request.graph, request.axes, request.update, *chosen, activations)


def passes_of(request: Request) -> Journey:
    """The passes over memory of a residual stack. Raises EmissionError for others, and if it has none."""
    architecture: str = request.graph.graph["architecture"]
    if architecture != "residual stack":
        raise EmissionError(f"A {architecture} has no passes of several steps.")
    from pde2net.emit.kernels.stack import planned

    return planned(request, program_of(request), request.backend != "triton")


def _emitter(request: Request) -> Callable[[Request, Program], Emitter]:
    architecture: str = request.graph.graph["architecture"]
    if request.backend == "torch":
        return EMITTERS[architecture]
    if request.backend == "triton" and (filters_of(request.graph) or architecture != "residual stack"):
        what = "learned filters" if filters_of(request.graph) else f"a {architecture}"
        raise EmissionError(f"There are no kernels of Triton for {what} yet.")
    if request.backend == "triton":
        from pde2net.emit.triton.stack import TritonEmitter

        return partial(TritonEmitter, journey=passes_of(request))
    if filters_of(request.graph) and architecture != "u-net":
        from pde2net.emit.kernels.learned import ActivatedCell, ActivatedStack, Activations

        activations = Activations(program_of(request, activations=True))
        learned = ActivatedStack if architecture == "residual stack" else ActivatedCell
        return partial(learned, activations=activations)
    if architecture == "residual stack":
        from pde2net.emit.kernels.stack import KernelEmitter

        return partial(KernelEmitter, journey=passes_of(request))
    from pde2net.emit.kernels.methods import KernelCell, KernelUNet, Methods

    methods = Methods(request, program_of(request))
    return partial(KernelCell if architecture == "recurrent cell" else KernelUNet, methods=methods)


def _check_free(argument: str, network: Class) -> None:
    """The methods of the network that take known fields give `argument` another name at once."""
    for method in (m for m in network.members if "*" in m.arguments):
        first = method.arguments.index("*")
        positional, others = words(method.arguments[:first]), words(method.arguments[first:])
        if argument in others and (argument in positional or words(method.body).count(argument) > 1):
            raise DeclarationError(
                f'The known field "{argument}" cannot be passed to the module by that name, which the '
                "module needs itself; rename it."
            )

"""What of a network goes into a file of torch.export or ONNX: refused before it is tried, with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pde2net.emit.base import Request
from pde2net.errors import DeclarationError, EmissionError
from pde2net.files import check_output
from pde2net.graph.network import block, depth, node_of
from pde2net.graph.nodes import Iterate, LinearSolve
from pde2net.scheme.stack import Stack

FORMATS = (".onnx", ".pt2")
DTYPES = ("float32", "float64")
TRACED = 16  # cells along an axis whose size is left open, or more if the stencil needs them
BLOCKS = 300  # of a file that are written one after the other
PRODUCTS = 500  # of linear systems in a step; one with a multigrid cycle counts CYCLE times
CYCLE = 10
SAID = ("equation", "boundary", "parameters", "scheme", "grid")  # of the subject of a certificate


@dataclass(frozen=True)
class Options:
    """What a file is for. `size` and `batch` are None where it takes any."""

    path: Path
    size: tuple[int, ...] | None
    batch: int | None
    dtype: str


@dataclass(frozen=True)
class Exported:
    """What was written.

    path      the file
    inputs    (name, shape) in order; an axis of any size has a name in place of a number
    output    the name of the result, whose shape is that of u
    compared  whether the file was run and gave what the module gives
    """

    path: Path
    inputs: tuple[tuple[str, tuple[int | str, ...]], ...]
    output: str
    compared: bool

    def __str__(self) -> str:
        """The shapes, as a line."""
        shapes = [f"{name} ({', '.join(map(str, shape))})" for name, shape in self.inputs]
        how = "run and compared" if self.compared else "not compared: onnxruntime is missing"
        return f"{self.path}: {', '.join(shapes)} -> {self.output} ({how})"


def checked(request: Request, path: str | Path, size: Any, batch: Any, dtype: str) -> Options:
    """The options of an export.

    Raises FileError for another suffix, DeclarationError for options that do not fit, and EmissionError for
    a network of which there is no such file.
    """
    check_output(path, FORMATS)
    if dtype not in DTYPES:
        raise DeclarationError(f'dtype is "float32" or "float64", not {dtype!r}.')
    if batch is not None and (type(batch) is not int or batch < 1):
        raise DeclarationError(f"batch is a number of images, or None for any, not {batch!r}.")
    options = Options(Path(path), _size(request, size), batch, dtype)
    require_exportable(request)
    loop = _loop(request)
    if options.path.suffix.lower() == ".onnx" and loop is not None and loop.anderson:
        said = (
            "Anderson acceleration solves small systems, for which ONNX has no operator: write .pt2, or take"
        )
        raise EmissionError(f"{said} p2n.FixedPoint without anderson.").spelt(
            f"{said} fixed_point without anderson."
        )
    if options.size is None and has_grids(request):
        said = "Coarser grids follow from the size of the image, so the file is for one size:"
        example = (256,) * len(request.axes)
        raise EmissionError(
            f"{said} export(path, size={example}). With another solver or "
            'p2n.Kacanov(preconditioner="diagonal") it is for all.'
        ).spelt(
            f"{said} --size 256. With another scheme, or kacanov(preconditioner = diagonal), it is for all."
        )
    return options


def _size(request: Request, size: Any) -> tuple[int, ...] | None:
    if size is None:
        return None
    axes = ", ".join(request.axes)
    if not isinstance(size, Sequence) or not all(type(n) is int for n in size):
        raise DeclarationError(f"size is a number of cells along each of {axes}, or None, not {size!r}.")
    if len(size) != len(request.axes):
        raise DeclarationError(f"size has a number of cells for each of {axes}: {len(size)} were given.")
    for axis, n, least in zip(request.axes, size, request.smallest, strict=True):
        if n < least or n % request.multiple:
            whole = f", and a multiple of {request.multiple}" if request.multiple > 1 else ""
            raise DeclarationError(f"The size along {axis} is at least {least}{whole}, not {n}.")
    return tuple(size)


def traced(request: Request, options: Options) -> tuple[int, ...]:
    """The size of the image that a network is traced with."""
    if options.size is not None:
        return options.size
    least = (max(TRACED, 2 * n) for n in request.smallest)
    return tuple(-(-n // request.multiple) * request.multiple for n in least)


def has_grids(request: Request) -> bool:
    """Whether the network makes coarser grids of the image."""
    return request.graph.graph["architecture"] == "u-net" or any(
        s.preconditioner == "multigrid" for s in _systems(request)
    )


def _loop(request: Request) -> Iterate | None:
    """The iteration of a step."""
    nodes = (node_of(request.graph, name) for name in block(request.graph))
    return next((n for n in nodes if isinstance(n, Iterate)), None)


def _systems(request: Request) -> list[LinearSolve]:
    nodes = (node_of(request.graph, name) for name in request.graph)
    return [n for n in nodes if isinstance(n, LinearSolve)]


def require_exportable(request: Request) -> None:
    """Raise EmissionError if the number of iterations is open, or too large to be written out."""
    loop = _loop(request)
    if loop is not None and loop.tol != 0:
        cycles = loop.method == "multigrid"
        option = "cycles" if cycles else "iterations"
        said = f"Up to tol, the number of {option} depends on the image, and that in a file is fixed:"
        example = "Multigrid(..., cycles=4)" if cycles else "Kacanov(iterations=5, linear_iterations=10)"
        raise EmissionError(
            f"{said} give {option}=... without tol, such as p2n.{example}; module.residuals(u) tells what "
            "they leave."
        ).spelt(f"{said} write {option} = ... in place of tol.")
    rounds = 1 if loop is None else loop.iterations
    works = (s.most * (CYCLE if s.preconditioner == "multigrid" else 1) for s in _systems(request))
    products = rounds * max(works, default=0)
    if products > PRODUCTS:
        said = (
            f"In a file linear systems run to their end and are written out, {products} products one "
            f"after the other, of which a multigrid cycle counts {CYCLE}; {PRODUCTS} at most:"
        )
        raise EmissionError(f"{said} give linear_iterations=..., such as 10.").spelt(
            f"{said} write linear_iterations = 10."
        )


def require_short(request: Request) -> None:
    """Raise EmissionError if blocks that differ are too many to be written out."""
    count = depth(request.graph) if isinstance(request.update, Stack) else request.update.steps
    if count > BLOCKS:
        raise EmissionError(
            f"{count} blocks that differ in time, in weights or in how they start are written out one after "
            f"the other; {BLOCKS} at most: take shorter cycles, or a scheme of fewer steps, FSI or RKL."
        )


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """A name of the result that no input has."""
    return wanted if wanted not in taken else free_name(f"{wanted}_", taken)


def metadata(request: Request, source: str, untouched: bool) -> dict[str, str]:
    """What the file says of itself.

    source     the digest of the source of the network
    untouched  whether the certificate is about the weights in the file
    """
    certificate = request.certificate
    found = {"generator": "pde2net"}
    found |= {k: certificate.subject[k] for k in SAID if certificate.subject.get(k)}
    found["source_sha256"] = source
    if untouched:
        found["certificate"] = certificate.to_json()
    else:
        found["note"] = "No certificate: weights were trained without keep_stable (p2n.learn.certify)."
    return found

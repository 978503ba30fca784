"""Writes a module as a program of torch.export (.pt2) or as ONNX, and runs the file to compare.

Steps that are all alike are the body of a loop in the file, so 4000 cost what one does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pde2net.emit.base import Request
from pde2net.emit.emit import emit
from pde2net.emit.execute import execute
from pde2net.emit.exportable import Exported, Options, free_name, require_short, traced
from pde2net.emit.noise import noise
from pde2net.errors import EmissionError
from pde2net.files import write_with

Data = dict[str, Tensor]
LEAST = 3  # cells along an axis of any size: 1 is a size of its own for torch, of differences too
MISSING = 'ONNX needs onnx and onnxscript: pip install "pde2net[onnx]".'


class Repeated(nn.Module):
    """A module again and again, in a loop that is traced once; it is called like the module."""

    def __init__(self, part: nn.Module, count: int) -> None:
        super().__init__()
        self.part, self.count = part, count

        def forward(u: Tensor, **data: Tensor) -> Tensor:
            return self.loop(u, data)

        forward.__signature__ = inspect.signature(part.forward)  # type: ignore[attr-defined]
        self.forward = forward

    def loop(self, u: Tensor, data: Data) -> Tensor:
        weights = dict(self.part.named_parameters())
        # What the body takes has to be handed to it.
        rest = (*weights.values(), *data.values())

        def ahead(k: Tensor, v: Tensor, *_: Tensor) -> Tensor:
            return k < self.count

        def body(k: Tensor, v: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
            own = dict(zip(weights, rest, strict=False))
            known = dict(zip(data, rest[len(weights) :], strict=True))
            return k + 1, torch.func.functional_call(self.part, own, (v,), known)

        start = torch.zeros((), dtype=torch.int64, device=u.device)
        found: tuple[Tensor, Tensor] = torch.ops.higher_order.while_loop(ahead, body, (start, u), rest)
        return found[1]


def export(
    request: Request,
    part: Request | None,
    options: Options,
    load: Callable[[nn.Module], None],
    described: Mapping[str, str],
) -> Exported:
    """Write the network of `request`, which is that of `part` again and again if there is one.

    load       sets the weights of a module
    described  what the file says of itself

    Raises EmissionError if onnx is missing, if torch cannot export the network, and if the file does not give
    what the module gives; nothing is written then.
    """
    onnx = options.path.suffix.lower() == ".onnx"
    if onnx:
        require_onnx()
    require_short(part or request)
    dtype = getattr(torch, options.dtype)
    # Without checks of values, which files have not.
    whole, made = (_module(r, load, dtype) for r in (request, part or request))
    count = 1 if part is None else _count(request)
    example = given(request, options.batch or 2, traced(request, options), dtype)
    dims = _dims(request, options, example)
    names = list(example)
    shapes = {n: tuple(_said(dims[n].get(i, k)) for i, k in enumerate(a.shape)) for n, a in example.items()}
    output = free_name("result", names)
    with _quiet(), torch.no_grad():
        program = _tried(
            torch.export.export,
            Repeated(made, count) if count > 1 else made,
            (example["u"],),
            {n: a for n, a in example.items() if n != "u"},
            dynamic_shapes=dims,
        )
        if onnx:
            found = _tried(
                torch.onnx.export,
                program,
                input_names=names,
                output_names=[output],
                dynamo=True,
                optimize=False,
                verbose=False,
                external_data=False,
            )
            model = found.model_proto
            if dtype == torch.float64:
                _in_double(model, _scalars(program.graph_module))
            data = _stripped(model, described, shapes)
    others = [given(request, batch, size, dtype, 1) for batch, size in _others(request, options)]

    def write(path: Path) -> None:
        if onnx:
            path.write_bytes(data)
        else:
            with _quiet():
                torch.export.save(program, path, extra_files=dict(described))
        for image in (example, *others):
            _compare(path, whole, image)

    write_with(options.path, write)
    return Exported(options.path, tuple(shapes.items()), output, not onnx or _runs())


def given(request: Request, batch: int, size: tuple[int, ...], dtype: Any, seed: int = 0) -> Data:
    """Images u, known fields and numbers of a network, in the order of its arguments."""
    problem = request.certificate.declaration.problem
    u, data = noise(problem, size, dtype)
    domain = "" if problem.domain is None else str(problem.domain.func)
    found = {"u": u.expand(batch, *u.shape[1:])}
    for name, a in data.items():
        if not a.dim():
            found[name] = a.expand(batch)
        else:
            alone = name == domain or bool(request.unknowns)
            found[name] = a.expand(batch, 1 if alone else u.shape[1], *a.shape[2:])
    # Images that differ: what mixes them up is seen.
    steps = torch.linspace(1, 0.9, batch + seed, dtype=dtype)[seed:]
    found["u"] = found["u"] * steps.view(-1, *[1] * (u.dim() - 1))
    return {name: a.clone() for name, a in found.items()}


def require_onnx() -> None:
    """Raises EmissionError without onnx."""
    if not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript")):
        raise EmissionError(MISSING)


def _module(request: Request, load: Callable[[nn.Module], None], dtype: torch.dtype) -> nn.Module:
    made = execute(emit(request))
    load(made)
    return made.to(dtype).eval().requires_grad_(False)


def _count(request: Request) -> int:
    """How often a network repeats its part."""
    return int(request.certificate.declaration.scheme.repeats)


def _dims(request: Request, options: Options, example: Data) -> dict[str, dict[int, Any]]:
    """The axes of each input that have any size."""
    free: dict[int, Any] = {} if options.batch is not None else {0: torch.export.Dim("batch", min=1)}
    if options.size is None:
        for place, (axis, least) in enumerate(zip(request.axes, request.smallest, strict=True), start=2):
            whole = request.multiple
            free[place] = (
                torch.export.Dim(axis, min=max(LEAST, least + 1))
                if whole == 1
                else whole * torch.export.Dim(f"_{axis}", min=max(LEAST, -(-(least + 1) // whole)))
            )
    return {n: {i: d for i, d in free.items() if i < a.dim()} for n, a in example.items()}


def _said(size: Any) -> int | str:
    return size if isinstance(size, int) else str(getattr(size, "__name__", size))


def _others(request: Request, options: Options) -> list[tuple[int, tuple[int, ...]]]:
    """Other batches and sizes for which the file must be right."""
    if options.batch is not None and options.size is not None:
        return []
    size = traced(request, options)
    if options.size is None:
        size = tuple(n + (3 + i) * request.multiple for i, n in enumerate(size))
    return [(options.batch or 1, size)]


def _tried(what: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A call of torch, whose errors end in a sentence."""
    try:
        return what(*args, **kwargs)
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:  # what is above tells how to debug torch
            first = first.__cause__
        said = " ".join(str(first).split())[:300]
        raise EmissionError(
            f"torch {torch.__version__} cannot export this network. {type(first).__name__}: {said}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the messages of the exporters."""
    loggers = [
        logging.getLogger(name)
        for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch._export")
    ]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _scalars(module: torch.fx.GraphModule) -> set[float]:
    """The numbers in a program, those in its loops too."""
    inner = (m for m in module.modules() if isinstance(m, torch.fx.GraphModule))
    found: set[float] = set()

    def see(argument: Any) -> Any:
        if isinstance(argument, float):
            found.add(argument)
        return argument

    for node in (n for m in inner for n in m.graph.nodes):
        torch.fx.node.map_aggregate((node.args, node.kwargs), see)
    return found


def _in_double(model: Any, scalars: Iterable[float]) -> None:
    """Give numbers of single precision, which are cast to double, the digits that they lost."""
    import onnx

    single = onnx.TensorProto.FLOAT
    exact: dict[float, set[float]] = {}
    for value in scalars:
        exact.setdefault(float(np.float32(value)), set()).add(value)
    for graph in _graphs((model.graph, *model.functions)):
        constants = {
            n.output[0]: n for n in graph.node if n.op_type == "Constant" and n.attribute[0].HasField("t")
        }
        for node in (n for n in graph.node if n.op_type == "Cast" and n.input[0] in constants):
            tensor = constants[node.input[0]].attribute[0].t
            if tensor.data_type != single or node.attribute[0].i != onnx.TensorProto.DOUBLE or tensor.dims:
                continue
            near = exact.get(float(onnx.numpy_helper.to_array(tensor)), set())
            if len(near) == 1:
                own = onnx.numpy_helper.from_array(np.float64(near.pop()).reshape(()))
                node.CopyFrom(onnx.helper.make_node("Constant", [], list(node.output), value=own))


def _graphs(graphs: Iterable[Any]) -> Iterator[Any]:
    """With those in their nodes."""
    for graph in graphs:
        yield graph
        yield from _graphs(a.g for n in graph.node for a in n.attribute if a.HasField("g"))


def _stripped(model: Any, described: Mapping[str, str], shapes: Mapping[str, tuple[int | str, ...]]) -> bytes:
    """The bytes of a model with its metadata and named sizes, without notes on where each node is from."""
    import onnx

    # Sizes that are open have names that torch makes up, in all graphs the same.
    names: dict[str, str] = {}
    for value in model.graph.input:
        for place, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            if place.dim_param:
                names[place.dim_param] = str(size)
    for graph in (model.graph, *model.functions):
        _without_notes(graph, names)
    of_u = model.graph.input[0].type.tensor_type.shape
    model.graph.output[0].type.tensor_type.shape.CopyFrom(of_u)
    onnx.helper.set_model_props(model, dict(described))
    return bytes(model.SerializeToString(deterministic=True))


def _without_notes(graph: Any, names: Mapping[str, str]) -> None:
    for notes in ("metadata_props", "value_info"):
        graph.ClearField(notes)
    for value in (*graph.input, *graph.output):
        if isinstance(value, str):  # of a function
            continue
        value.ClearField("metadata_props")
        for place in value.type.tensor_type.shape.dim:
            if place.dim_param in names:
                place.dim_param = names[place.dim_param]
    for node in graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _without_notes(attribute.g, names)


def _runs() -> bool:
    return importlib.util.find_spec("onnxruntime") is not None


def _compare(path: Path, module: nn.Module, image: Data) -> None:
    """Raise EmissionError if the file gives something else than the module."""
    u, data = image["u"], {n: a for n, a in image.items() if n != "u"}
    onnx = path.suffix.lower() == ".onnx"
    if onnx and not _runs():
        return
    with torch.no_grad(), _quiet():
        want = module(u, **data)
        found = _tried(_by_onnxruntime, path, image) if onnx else torch.export.load(path).module()(u, **data)
    eps = torch.finfo(u.dtype).eps
    far = (found - want).abs().max() / want.abs().max().clamp_min(eps)
    if not far <= eps**0.5:
        raise EmissionError(
            f"The file does not give what the module gives: they differ by {far:.2g} of the largest value. "
            "It was not written."
        )


def _by_onnxruntime(path: Path, image: Data) -> Tensor:
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, quiet)
    taken = {i.name for i in session.get_inputs()}
    found = session.run(None, {n: a.numpy() for n, a in image.items() if n in taken})[0]
    return torch.from_numpy(found)

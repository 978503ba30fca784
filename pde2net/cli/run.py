"""`pde2net run`: a network on a picture or an array."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
import typer
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.inputs import compiled, declaration
from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.graph.network import fields as fields_of
from pde2net.language.declaration import Declaration
from pde2net.language.exact import positive
from pde2net.language.expressions import to_text
from pde2net.language.schemes import Explicit
from pde2net.network import Network

if TYPE_CHECKING:
    import torch

MOST_STEPS = 100_000


def run_file(
    file: Path,
    source: Path,
    target: Path,
    stop_at: float | None,
    fields: Sequence[str],
    dtype: str,
    device: str,
    on_unstable: str,
) -> None:
    """Read, check everything, run, write, and report time and range."""
    declared = declaration(file)
    picture = images.read(source)
    check_dimension(picture.channels, source, declared)
    images.check_writable(target, picture)
    data = read_fields(fields, declared, picture.channels.shape[1:])
    network = network_for(declared, stop_at, on_unstable)
    result, seconds = apply(network, picture.channels, data, dtype, device)
    images.write(target, result, picture)
    tau, steps = network.certificate.tau, network.scheme.steps
    typer.echo(
        f"{steps} step{'s' * (steps != 1)} of tau = {to_text(tau)}, to time {to_text(tau * steps)}, "
        f"in {seconds:.2f} s"
    )
    for name, array in (("before", picture.channels), ("after", result)):
        typer.echo(f"{name:<7} min {array.min():.4f}  mean {array.mean():.4f}  max {array.max():.4f}")
    typer.echo(f"{target}")


def check_dimension(channels: NDArray[np.float64], source: Path, declared: Declaration) -> None:
    """Raise FileError if the input has another number of axes than the equation."""
    found, space = channels.ndim - 1, declared.problem.space
    if found != len(space):
        axes = ", ".join(a.name for a in space)
        raise FileError(f"{source} has dimension {found}, the equation {len(space)} (in {axes}).")


def read_fields(
    entries: Sequence[str], declared: Declaration, shape: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    """Known fields by name. Raises DeclarationError for missing or extra ones, FileError for bad files."""
    known = [str(f.func) for f in declared.problem.fields]
    data: dict[str, NDArray[np.float64]] = {}
    for entry in entries:
        name, _, path = entry.partition("=")
        if not name or not path:
            raise DeclarationError(f'--field takes NAME=PATH, not "{entry}".')
        if name not in known:
            hint = suggestion(name, known) or " It has none."
            raise DeclarationError(f'The equation has no known field "{name}".{hint}')
        if name in data:
            raise DeclarationError(f'The known field "{name}" is given twice.')
        values = images.read(path).channels
        if len(values) != 1:
            raise FileError(f"{path} has {len(values)} channels; a known field has one.")
        if values.shape[1:] != shape:
            raise FileError(f"{path} has the shape {values.shape[1:]}, the input {shape}; they must agree.")
        data[name] = values[0]
    missing = [name for name in known if name not in data]
    if missing:
        raise DeclarationError(
            f"The equation needs the known field{'s' * (len(missing) > 1)} {', '.join(missing)}: add "
            + " ".join(f"--field {name}=PATH" for name in missing)
        )
    return data


def network_for(declared: Declaration, stop_at: float | None, on_unstable: str) -> Network:
    """The declared network, or the one that reaches the time `stop_at` in the fewest equal steps."""
    if stop_at is None:
        return compiled(declared, on_unstable)
    total = positive(stop_at, "The stopping time")
    tau = declared.scheme.tau
    if tau is None:
        largest = Declaration(declared.problem, Explicit(None, 1), declared.grid)
        tau = compiled(largest, on_unstable).certificate.tau
    tau = tau.subs(declared.problem.parameters)
    if tau.free_symbols:
        raise DeclarationError(f"--stop-at needs a number for tau, not {to_text(tau)}.")
    steps = int(sp.ceiling(total / tau))
    if steps > MOST_STEPS:
        raise DeclarationError(
            f"--stop-at {stop_at:g} takes {steps} steps of at most tau = {to_text(tau)}, more than "
            f"{MOST_STEPS}: stop earlier or choose a larger tau."
        )
    scheme = Explicit(total / steps, steps)
    return compiled(Declaration(declared.problem, scheme, declared.grid), on_unstable)


def apply(
    network: Network,
    channels: NDArray[np.float64],
    fields: Mapping[str, NDArray[np.float64]],
    dtype: str,
    device: str,
) -> tuple[NDArray[np.float64], float]:
    """The channels, run as a batch, and the seconds that it took; a progress bar on a terminal.

    Raises DeclarationError for a device that does not work, input that the network refuses, and a
    result with NaN or infinite values.
    """
    import torch

    module = network.module()
    # A field may have another name there, since its own may be one that Python or the source uses.
    arguments = inspect.signature(module.forward).parameters.values()
    keywords = [p.name for p in arguments if p.kind is p.KEYWORD_ONLY]
    data = dict(zip(keywords, (fields[s.name] for s in fields_of(network.graph)), strict=True))
    number = getattr(torch, dtype)
    try:
        place = torch.device(device)
        u = torch.from_numpy(channels[:, None]).to(place, number)
        known = {k: torch.from_numpy(v[None, None]).to(place, number) for k, v in data.items()}
        module = module.to(place, number)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise DeclarationError(f'The device "{device}" cannot be used: {_first_line(error)}') from error
    start = time.perf_counter()
    with torch.no_grad(), progress(module, network.scheme.steps):
        try:
            result = module(u, **known)
        except (ValueError, TypeError) as error:
            raise DeclarationError(f"The network refuses the input: {error}.") from error
    values: NDArray[np.float64] = result[:, 0].double().cpu().numpy()
    seconds = time.perf_counter() - start
    if not np.isfinite(values).all():
        raise DeclarationError(
            "The result has NaN or infinite values, so nothing is written; choose a smaller tau."
        )
    return values, seconds


@contextmanager
def progress(module: torch.nn.Module, steps: int) -> Iterator[None]:
    """A bar on stderr, if that is a terminal, that advances whenever the block of `module` has run."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("steps", total=steps)

        def tick(*_: Any) -> None:
            bar.advance(task)

        handle = module.get_submodule("block").register_forward_hook(tick)
        try:
            yield
        finally:
            handle.remove()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

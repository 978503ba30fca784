"""`pde2net run`: a network on a picture or an array."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
import typer
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.compile import compiled
from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.language.exact import exact, positive
from pde2net.language.schemes import Explicit
from pde2net.load import Declaration, load
from pde2net.network import Network

if TYPE_CHECKING:
    import torch


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
    declared = load(file)
    dimension = len(declared.problem.space)
    picture = images.read(source)
    check_dimension(picture.channels, dimension, source, declared)
    images.check_writable(target, picture)
    data = read_fields(fields, declared, picture.channels.shape[1:])
    network = network_for(declared, stop_at, on_unstable)
    start = time.perf_counter()
    result = apply(network, picture.channels, data, dtype, device)
    seconds = time.perf_counter() - start
    images.write(target, result, picture)
    scheme = network.scheme
    typer.echo(f"{scheme.steps} steps of tau = {sp.N(network.certificate.tau, 6)} in {seconds:.2f} s")
    for name, array in (("before", picture.channels), ("after", result)):
        typer.echo(f"{name:<7} min {array.min():.4f}  mean {array.mean():.4f}  max {array.max():.4f}")
    typer.echo(f"{target}")


def check_dimension(
    channels: NDArray[np.float64], dimension: int, source: Path, declared: Declaration
) -> None:
    """Raise FileError if the input has another number of axes than the equation."""
    found = channels.ndim - 1
    if found != dimension:
        axes = ", ".join(a.name for a in declared.problem.space)
        raise FileError(f"{source} has {found} axes; the equation has {dimension} ({axes}).")


def read_fields(
    entries: Sequence[str], declared: Declaration, shape: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    """Known fields by name. Raises DeclarationError for missing or extra ones, FileError for bad files."""
    known = [str(f.func) for f in declared.problem.fields]
    data: dict[str, NDArray[np.float64]] = {}
    for entry in entries:
        name, separator, path = entry.partition("=")
        if not separator or not path:
            raise DeclarationError(f'--field takes NAME=PATH, not "{entry}".')
        if name not in known:
            raise DeclarationError(f'The equation has no known field "{name}".{suggestion(name, known)}')
        values = images.read(path).channels
        if len(values) != 1 or values.shape[1:] != shape:
            raise FileError(f"{path} has the shape {values.shape[1:]}; the input has {shape}.")
        data[name] = values[0]
    missing = [name for name in known if name not in data]
    if missing:
        raise DeclarationError(
            f"The equation needs the known field {', '.join(missing)}: add "
            + " ".join(f"--field {name}=PATH" for name in missing)
        )
    return data


def network_for(declared: Declaration, stop_at: float | None, on_unstable: str) -> Network:
    """The declared network, or the one that reaches the time `stop_at` in the fewest equal steps."""
    if stop_at is None:
        return compiled(declared, on_unstable)
    total = positive(exact(stop_at, "The stopping time"), "The stopping time")
    tau = declared.scheme.tau
    if tau is None:
        largest = compiled(Declaration(declared.problem, Explicit(None, 1), declared.grid), on_unstable)
        tau = largest.certificate.tau
    tau = tau.subs(declared.problem.parameters)
    if tau.free_symbols:
        raise DeclarationError(f"--stop-at needs a number for tau, not {tau}.")
    steps = max(1, int(sp.ceiling(total / tau)))
    scheme = Explicit(total / steps, steps)
    return compiled(Declaration(declared.problem, scheme, declared.grid), on_unstable)


def apply(
    network: Network,
    channels: NDArray[np.float64],
    fields: dict[str, NDArray[np.float64]],
    dtype: str,
    device: str,
) -> NDArray[np.float64]:
    """Run the channels as a batch, with a progress bar over the steps on a terminal."""
    import torch

    number = getattr(torch, dtype)
    try:
        place = torch.device(device)
        module = network.module().to(place)
        u = torch.from_numpy(channels[:, None]).to(place, number)
        data = {k: torch.from_numpy(v[None, None]).to(place, number) for k, v in fields.items()}
    except (RuntimeError, AssertionError) as error:
        raise DeclarationError(f'The device "{device}" cannot be used: {error}') from error
    if dtype == "float64":
        module = module.double()
    with torch.no_grad(), progress(module, network.scheme.steps):
        try:
            result = module(u, **data)
        except (ValueError, TypeError) as error:
            raise DeclarationError(str(error)) from error
    values: NDArray[np.float64] = result[:, 0].double().cpu().numpy()
    return values


@contextmanager
def progress(module: torch.nn.Module, steps: int) -> Iterator[None]:
    """A bar that advances whenever the block of `module` has run."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not _terminal()) as bar:
        task = bar.add_task("steps", total=steps)

        def tick(*_: Any) -> None:
            bar.advance(task)

        block: Any = module.get_submodule("block")
        remove: Callable[[], None] = block.register_forward_hook(tick).remove
        try:
            yield
        finally:
            remove()


def _terminal() -> bool:
    import sys

    return sys.stderr.isatty()

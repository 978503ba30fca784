"""`pde2net run`: a network on a picture or an array."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
import typer
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.inputs import compiled, declaration, warn
from pde2net.cli.wording import block_count, course
from pde2net.compiler import verify
from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.files import check_apart
from pde2net.language.declaration import Declaration
from pde2net.language.exact import positive
from pde2net.language.expressions import to_text
from pde2net.network import Network
from pde2net.normalise.system import SystemForm

if TYPE_CHECKING:
    import torch

MOST_STEPS = 100_000
MOST_CHANNELS = 4  # of an array whose channels are filtered one by one


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
    picture = stacked(picture, source, declared)
    named = [entry.partition("=")[2] for entry in fields]
    images.check_writable(target, picture)
    check_apart(target, (file, source, *named))
    data = read_fields(fields, declared, picture.channels.shape[1:])
    network = network_for(declared, stop_at, on_unstable)
    check_scale(network, picture, source)
    result, seconds = apply(network, picture.channels, data, dtype, device)
    images.write(target, result, picture)
    share = images.clipped(target, result, picture)
    if share:
        warn(
            f"{100 * share:.3g} % of the result lies outside of the range [0, 1] and was clipped in {target}."
        )
    if picture.alpha is not None and target.suffix.lower() == ".npy":
        warn(f"{target} holds the {len(result)} channels without the transparency of {source}.")
    typer.echo(f"{course(network)}, in {seconds:.2f} s")
    for name, array in (("before", picture.channels), ("after", result)):
        typer.echo(f"{name:<7} min {array.min():.4f}  mean {array.mean():.4f}  max {array.max():.4f}")
    typer.echo(f"{target}")


def check_scale(network: Network, picture: images.Picture, source: Path) -> None:
    """Warn where contrasts that are meant for pictures, with values in [0, 1], meet others."""
    form, values = network.semidiscrete.form, network.semidiscrete.form.problem.parameters
    forms = form.parts if isinstance(form, SystemForm) else (form,)
    if not picture.beyond or all(f.is_linear for f in forms) or not values:
        return
    low, high = picture.channels.min(), picture.channels.max()
    given = ", ".join(f"{s} = {to_text(v)}" for s, v in values.items())
    warn(
        f"the values of {source} range from {low:.6g} to {high:.6g}, not over [0, 1] as in pictures, "
        f"and the equation is nonlinear: is {given} meant for them?"
    )


def stacked(picture: images.Picture, source: Path, declared: Declaration) -> images.Picture:
    """The picture as channels of shape (channels, *spatial), as many as the unknown has if it has several.

    An array with one axis more than the equation has its channels along the last one, as arrays of pictures
    do; along the first one, if only that has as many as the equation (or, for an equation of one channel,
    which is applied to each, if only that is at most 4 long). Raises FileError if the input has another
    number of axes or channels than the equation.
    """
    problem, channels = declared.problem, picture.channels
    space, several = problem.space, problem.channels
    first = False
    if channels.ndim == len(space) + 2 and len(channels) == 1:
        fits = [n == several if several > 1 else n <= MOST_CHANNELS for n in channels.shape[1:]]
        first = fits[0] and not fits[-1]
        if fits[0] or fits[-1]:
            channels = channels[0] if first else np.moveaxis(channels[0], -1, 0)
    if channels.ndim - 1 != len(space):
        axes = ", ".join(a.name for a in space)
        raise FileError(f"{source} has dimension {channels.ndim - 1}, the equation {len(space)} (in {axes}).")
    if several > 1 and len(channels) != several:
        names = "" if len(problem.unknowns) == 1 else f" ({', '.join(str(u.func) for u in problem.unknowns)})"
        found = f"{len(channels)} channel{'s' if len(channels) > 1 else ''}"
        raise FileError(f"{source} has {found}, the equation {several}{names}.")
    return replace(picture, channels=channels, first=first)


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
    """The declared network, or that of the same scheme which reaches `stop_at` in the fewest equal steps.

    Equal cycles for FSI and FED; see language/stopping.py, `lasting`.
    """
    if stop_at is None:
        return compiled(declared, on_unstable)
    total = positive(stop_at, "The stopping time")
    scheme = declared.scheme
    tau = largest_step(declared) if scheme.tau is None else scheme.tau.subs(declared.problem.parameters)
    if tau.free_symbols or tau == sp.oo:
        raise DeclarationError(f"--stop-at needs a number for tau, not {to_text(tau)}.")
    scheme = scheme.lasting(total, tau)
    if scheme.repeats > MOST_STEPS:
        raise DeclarationError(
            f"--stop-at {stop_at:g} takes {scheme.repeats} {scheme.repeated} of at most tau = "
            f"{to_text(tau)}, more than {MOST_STEPS}: stop earlier or choose a larger tau."
        )
    return compiled(Declaration(declared.problem, scheme, declared.grid), on_unstable)


def largest_step(declared: Declaration) -> sp.Expr:
    """The largest proved step of the declared scheme."""
    scheme: Any = declared.scheme
    once = replace(scheme, **{scheme.repeated: 1})
    return verify(declared.problem, once, declared.grid).tau.subs(declared.problem.parameters)


def apply(
    network: Network,
    channels: NDArray[np.float64],
    fields: Mapping[str, NDArray[np.float64]],
    dtype: str,
    device: str,
) -> tuple[NDArray[np.float64], float]:
    """The channels, run as a batch, and the seconds that it took; a progress bar on a terminal.

    A solver that does not converge is warned about. Raises DeclarationError for a device that does not
    work, input that the network refuses, a solver that is to stop the run if it does not converge, and
    a result with NaN or infinite values.
    """
    import torch

    module = network.module()
    number = getattr(torch, dtype)
    try:
        place = torch.device(device)
        several = network.graph.graph["channels"] > 1  # else the channels are a batch
        u = torch.from_numpy(channels[None] if several else channels[:, None]).to(place, number)
        known = {k: torch.from_numpy(v[None, None]).to(place, number) for k, v in fields.items()}
        module = module.to(place, number)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise DeclarationError(f'The device "{device}" cannot be used: {_first_line(error)}') from error
    start = time.perf_counter()
    with (
        torch.no_grad(),
        progress(module, block_count(network)),
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always", UserWarning)
        try:
            result = module(u, **known)
        except (ValueError, TypeError) as error:
            raise DeclarationError(f"The network refuses the input: {error}.") from error
        except RuntimeError as error:
            raise DeclarationError(f"The network stops: {_first_line(error)}.") from error
    for message in dict.fromkeys(str(w.message) for w in said):
        warn(message)
    values: NDArray[np.float64] = (result[0] if several else result[:, 0]).double().cpu().numpy()
    seconds = time.perf_counter() - start
    if not np.isfinite(values).all():
        raise DeclarationError(
            "The result has NaN or infinite values, so nothing is written; choose a smaller tau."
        )
    return values, seconds


@contextmanager
def progress(module: torch.nn.Module, blocks: int | None) -> Iterator[None]:
    """A bar on stderr, if that is a terminal, that advances whenever the block or cell of `module` has run.

    blocks  how often it will; None where that depends on the input
    """
    parts = dict(module.named_children())
    part = parts.get("block", parts.get("cell"))
    if not sys.stderr.isatty() or part is None:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    name = "blocks" if blocks else "iterations"
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=blocks)

        def tick(*_: Any) -> None:
            bar.advance(task)

        handle = part.register_forward_hook(tick)
        try:
            yield
        finally:
            handle.remove()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

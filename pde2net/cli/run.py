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
from pde2net.cli.channels import check_fields, check_scale, ranges, read_fields, read_numbers, stacked
from pde2net.cli.inputs import compiled, declaration, in_its_words, warn
from pde2net.cli.verify import WEIGHTS
from pde2net.cli.wording import block_count, course
from pde2net.compiler import verify
from pde2net.emit.solvers import MISSED
from pde2net.errors import DeclarationError
from pde2net.files import check_apart
from pde2net.language.declaration import Declaration
from pde2net.language.exact import positive
from pde2net.language.expressions import to_text
from pde2net.network import Network
from pde2net.scheme.unet import UNet

if TYPE_CHECKING:
    import torch

MOST_STEPS = 100_000


@in_its_words
def run_file(
    file: Path,
    source: Path,
    target: Path,
    stop_at: float | None,
    fields: Sequence[str],
    numbers: Sequence[str],
    dtype: str,
    device: str,
    on_unstable: str,
    backend: str,
) -> None:
    """Read, check everything, run, write, and report time and range."""
    weights = _trained(file, stop_at)
    declared = declaration(file) if weights is None else weights[0].certificate.declaration
    picture = images.read(source)
    picture = stacked(picture, source, declared)
    named = [entry.partition("=")[2] for entry in fields]
    images.check_writable(target, picture)
    check_apart(target, (file, source, *named))
    data, given = read_fields(fields, declared, picture), read_numbers(numbers, declared)
    network, module = weights or (network_for(file, declared, stop_at, on_unstable), None)
    check_scale(network, picture, source)
    check_fields(data, picture)
    result, seconds = apply(network, picture.channels, data, dtype, device, given, module, backend)
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


def _trained(file: Path, stop_at: float | None) -> tuple[Network, torch.nn.Module] | None:
    """The network and the module of a file of weights; None for declarations."""
    if file.suffix != WEIGHTS:
        return None
    from pde2net.learn import checkpoint

    if stop_at is not None:
        raise DeclarationError(
            "--stop-at goes with declarations: the steps of trained weights are their own."
        )
    return checkpoint.network(file), checkpoint.module(file).eval()


def network_for(file: Path, declared: Declaration, stop_at: float | None, on_unstable: str) -> Network:
    """The declared network, or that of the same scheme which reaches `stop_at` in the fewest equal steps.

    Equal cycles for FSI and FED; see language/stopping.py, `lasting`.
    """
    if stop_at is None:
        return compiled(file, declared, on_unstable)
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
    return compiled(file, Declaration(declared.problem, scheme, declared.grid), on_unstable)


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
    given: Mapping[str, float],
    module: torch.nn.Module | None = None,
    backend: str = "auto",
) -> tuple[NDArray[np.float64], float]:
    """The channels, run as a batch, and the seconds that it took; a progress bar on a terminal.

    fields  known ones, each of shape (n, *spatial) with n = 1 or the number of channels
    given   numbers that the network takes at the call
    module  with trained weights; otherwise the one that the network makes
    backend that of the module that runs

    A solver that does not converge is warned about. Raises DeclarationError for a device that does not
    work, input that the network refuses, a solver that is to stop the run if it does not converge, and
    a result with NaN or infinite values.
    """
    import torch

    chosen = network.backend(backend, channels.size, device, dtype)
    if module is None or chosen != "torch":
        own = network.module(chosen)
        if module is not None:
            own.load_state_dict(module.state_dict())
        module = own
    number = getattr(torch, dtype)
    try:
        place = torch.device(device)
        several = network.graph.graph["channels"] > 1  # else the channels are a batch
        u = torch.from_numpy(channels[None] if several else channels[:, None]).to(place, number)
        known = {
            k: torch.from_numpy(v[None] if several else v[:, None]).to(place, number)
            for k, v in fields.items()
        }
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
            result = module(u, **known, **given)
        except (ValueError, TypeError) as error:
            raise DeclarationError(f"The network refuses the input: {error}.") from error
        except RuntimeError as error:
            remedy = f" To converge, {_help(network)}" if MISSED in str(error) else ""
            raise DeclarationError(f"The network stops: {_first_line(error)}.{remedy}") from error
    for message in dict.fromkeys(str(w.message) for w in said):
        warn(missed(message, network) if message.startswith(MISSED) else message)
    values: NDArray[np.float64] = (result[0] if several else result[:, 0]).double().cpu().numpy()
    seconds = time.perf_counter() - start
    if not np.isfinite(values).all():
        raise DeclarationError(
            "The result has NaN or infinite values, so nothing is written; choose a smaller tau"
            f"{', or fields of another range' if ranges(fields) else ''}.{ranges(fields)}"
        )
    return values, seconds


def missed(message: str, network: Network) -> str:
    """What it means that a solver missed its tolerance, and what helps."""
    meaning = f"a solver missed its tolerance ({message}), so the result is not that of the scheme"
    return f"{meaning}: {_help(network)}"


def _help(network: Network) -> str:
    more = "cycles" if isinstance(network.update, UNet) else "iterations (max_iterations)"
    return f"allow more {more}, take a smaller tau or another solver."


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

"""How `run` applies a network: at once, with states on the way, or in blocks."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.cli.channels import ranges
from pde2net.cli.say import Say
from pde2net.emit.solvers import MISSED
from pde2net.errors import DeclarationError
from pde2net.network import STATES, Network
from pde2net.scheme.unet import UNet
from pde2net.trajectory.moment import Rule
from pde2net.trajectory.record import Trajectory
from pde2net.trajectory.run import NOT_FINITE

if TYPE_CHECKING:
    import torch

NEVER = 10**9  # iterates of a steady state
Channels = NDArray[np.float64]


@dataclass(frozen=True)
class How:
    """What runs a network, and in which precision.

    module  with trained weights; otherwise the one that the network makes
    """

    dtype: str = "float32"
    device: str = "cpu"
    backend: str = "auto"
    module: torch.nn.Module | None = None


@dataclass(frozen=True)
class Seen:
    """What is recorded on the way; by default the last state alone.

    every      steps between states; None as few as the bar needs, or a rule
    reference  channels that "psnr" compares with
    """

    every: int | None = None
    track: Sequence[str] = ()
    reference: Channels | None = None
    until: Rule | None = None
    keep: bool = False


def apply(
    network: Network,
    channels: Channels,
    fields: Mapping[str, Channels],
    given: Mapping[str, float],
    how: How,
    say: Say,
    seen: Seen = Seen(),
) -> tuple[Trajectory, float]:
    """The way of the channels, run as a batch, and the seconds that it took; a progress bar on a terminal.

    fields  known ones, each of shape (n, *spatial) with n = 1 or the number of channels
    given   numbers that the network takes at the call

    A solver that does not converge is warned about. Raises DeclarationError for a device that does not
    work, input that the network refuses, a solver that is to stop the run if it does not converge, and
    a result with NaN or infinite values.
    """
    import torch

    def placed(array: Channels) -> torch.Tensor:
        whole = array[None] if network.several else array[:, None]  # else the channels are a batch
        return torch.from_numpy(whole).to(torch.device(how.device), getattr(torch, how.dtype))

    try:
        u, known = placed(channels), {name: placed(field) for name, field in fields.items()}
        reference = None if seen.reference is None else placed(seen.reference)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise DeclarationError(f'The device "{how.device}" cannot be used: {_first_line(error)}') from error
    shown = sys.stderr.isatty() and say.remarks
    start = time.perf_counter()
    with _told(network, say):
        way = network.run(
            u,
            every=_pace(network, seen, shown),
            track=seen.track,
            reference=reference,
            until=seen.until,
            keep=seen.keep,
            progress=shown,
            module=how.module,
            backend=how.backend,
            **known,
            **given,
        )
    seconds = time.perf_counter() - start
    _require_finite(way.final, fields)
    return way, seconds


def in_blocks(
    network: Network,
    channels: Channels,
    fields: Mapping[str, Channels],
    given: Mapping[str, float],
    how: How,
    tile: int,
    say: Say,
) -> tuple[Channels, float]:
    """The result, block by block of so many cells along each axis. Raises DeclarationError likewise."""
    try:
        import dask.array as da
    except ImportError as error:
        raise DeclarationError('--tile needs Dask: pip install "pde2net[dask]".') from error
    if how.device != "cpu":
        raise DeclarationError(f"--tile runs on the CPU, not on {how.device}.")

    def cut(array: Channels) -> Any:
        whole = (array[None] if network.several else array[:, None]).astype(how.dtype)
        return da.from_array(whole, chunks=(1, whole.shape[1], *[tile] * (whole.ndim - 2)))

    start = time.perf_counter()
    with _told(network, say):
        known = {name: cut(field) for name, field in fields.items()}
        made = network.map_blocks(cut(channels), module=how.module, backend=how.backend, **known, **given)
        found = made.compute(scheduler="synchronous")  # torch has the threads
    seconds = time.perf_counter() - start
    _require_finite(found, fields)
    return result(network, found), seconds


def result(network: Network, state: NDArray[Any]) -> Channels:
    """The channels of a state, of shape (batch, channels, *spatial)."""
    return (state[0] if network.several else state[:, 0]).astype(np.float64)


def _pace(network: Network, seen: Seen, shown: bool) -> int:
    """Steps between states: as few states as are needed, since kernels take several steps in a pass."""
    repeats = network.scheme.repeats
    if seen.every is not None:
        return seen.every
    if seen.until is not None:
        return 1
    if network.certificate.tau == sp.oo:
        return 1 if seen.keep or seen.track or shown else NEVER
    stack = network.architecture == "residual stack"
    if seen.keep or seen.track or (shown and (network.resumes or not stack)):
        return -(-repeats // STATES)
    return repeats


@contextmanager
def _told(network: Network, say: Say) -> Iterator[None]:
    """Warnings and errors of a run in words."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except DeclarationError:
            raise
        except (ValueError, TypeError) as error:
            raise DeclarationError(f"The network refuses the input: {error}.") from error
        except RuntimeError as error:
            remedy = f" To converge, {_help(network)}" if MISSED in str(error) else ""
            raise DeclarationError(f"The network stops: {_first_line(error)}.{remedy}") from error
    for message in dict.fromkeys(str(w.message) for w in said):
        if NOT_FINITE not in message:
            say.warn(missed(message, network) if message.startswith(MISSED) else message)


def _require_finite(values: NDArray[Any], fields: Mapping[str, Channels]) -> None:
    if not np.isfinite(values).all():
        raise DeclarationError(
            "The result has NaN or infinite values, so nothing is written; choose a smaller tau"
            f"{', or fields of another range' if ranges(fields) else ''}.{ranges(fields)}"
        )


def missed(message: str, network: Network) -> str:
    """What it means that a solver missed its tolerance, and what helps."""
    meaning = f"a solver missed its tolerance ({message}), so the result is not that of the scheme"
    return f"{meaning}: {_help(network)}"


def _help(network: Network) -> str:
    more = "cycles" if isinstance(network.update, UNet) else "iterations (max_iterations)"
    return f"allow more {more}, take a smaller tau or another solver."


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

"""Runs a module on an image and records the way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pde2net.errors import DeclarationError, suggestion
from pde2net.trajectory.course import Course, follow
from pde2net.trajectory.moment import Moment, Rule
from pde2net.trajectory.record import Trajectory
from pde2net.trajectory.trackers import Rate, trackers

NOT_FINITE = "values are not finite"


@dataclass(frozen=True)
class Shape:
    """What the images and fields of a network are like.

    channels  of the state
    axes      names of the axes of space
    spacing   of the grid along each
    fields    names of the known fields
    inputs    names of the numbers that are given at the call
    domain    the field outside of which values are kept; empty for none
    """

    channels: int
    axes: tuple[str, ...]
    spacing: tuple[float, ...]
    fields: tuple[str, ...]
    inputs: tuple[str, ...]
    domain: str = ""


def run(
    module: nn.Module,
    u0: Any,
    given: Mapping[str, Any],
    shape: Shape,
    course: Course,
    rate: Callable[[str], Callable[..., Tensor]],
    *,
    every: int,
    track: Any,
    reference: Any,
    until: Rule | None,
    keep: bool,
    progress: bool,
) -> Trajectory:
    """See `Network.run`.

    rate  makes F(u, **given) for the tracker of this name, or raises DeclarationError
    """
    if until is not None and not callable(until):
        raise DeclarationError(
            f"until is a function of a moment, p2n.discrepancy(sigma) say, not {until!r:.60}."
        )
    u = image(u0, shape, "u0")
    module = module.to(u)
    known = arguments(given, shape, u)

    def prepared(name: str) -> Rate:
        function, doubled = rate(name), {n: v.double() for n, v in known.items()}
        return lambda w: function(w, **doubled)

    measured = trackers(
        track,
        None if reference is None else _reference(reference, shape, u),
        prepared,
        float(np.prod(shape.spacing)),
    )
    rows: list[tuple[int, float, dict[str, Tensor]]] = []
    states: list[Tensor] = []
    ended = ""
    inside = known[shape.domain] == 1 if shape.domain else None

    def see(repeat: int, state: Tensor) -> bool:
        nonlocal ended
        if inside is not None:  # between steps it is 0 elsewhere
            state = torch.where(inside, state, u)
        over = repeat if course.steady else course.time * repeat / course.repeats
        moment = Moment(repeat, float(over), state, u)
        rows.append((repeat, float(over), {name: function(moment) for name, function in measured.items()}))
        if not keep:
            states.clear()
        states.append(state.detach().clone())
        if repeat and until is not None and until(moment):
            ended = until.__doc__ or "the rule that was given"
        if not bool(state.isfinite().all()):
            ended = NOT_FINITE
        return bool(ended)

    with torch.no_grad(), _bar(course, progress) as shown:
        if not see(0, u):
            last, solves = follow(module, u, known, course, every, lambda k, v: shown(k) or see(k, v))
        else:
            last, solves = u, ()
        if not ended and course.steady:  # images that are done wait for the others
            states[-1] = last
    if ended == NOT_FINITE:
        said = f"The run ends at {rows[-1][1]:g}: {NOT_FINITE}. Choose a smaller step, p2n.advise(problem)."
        warnings.warn(said, stacklevel=3)
    return Trajectory(
        np.array([row[1] for row in rows]),
        np.array([row[0] for row in rows]),
        _array(torch.stack(states)),
        {name: torch.stack([row[2][name] for row in rows]).double().cpu().numpy() for name in measured},
        solves,
        ended,
        shape.axes,
        shape.spacing,
        course.unit,
    )


def _array(states: Tensor) -> NDArray[Any]:
    """NumPy has no bfloat16."""
    found: NDArray[Any] = (states.float() if states.dtype == torch.bfloat16 else states).cpu().numpy()
    return found


def image(values: Any, shape: Shape, name: str, channels: Sequence[int] = ()) -> Tensor:
    """(batch, channels, *spatial) from that, from (channels, *spatial), or of one channel from (*spatial).

    channels  how many it may have; by default as many as the state
    """
    allowed = channels or (shape.channels,)
    try:
        found = torch.as_tensor(np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = f"a tensor or an array of numbers, not {type(values).__name__}"
        remedy = f": np.asarray({name}) / 255 of an image of PIL" if hasattr(values, "convert") else ""
        raise DeclarationError(f"{name} is {kind}{remedy}.") from error
    if found.numel() == 0:
        raise DeclarationError(f"{name} has no cells: its shape is {tuple(found.shape)}.")
    if not found.is_floating_point():
        raise DeclarationError(
            f"{name} holds {str(found.dtype).removeprefix('torch.')}: give floats, {name} / 255.0 for values "
            "from 0 to 255."
        )
    leading = found.dim() - len(shape.axes)
    if leading == 0 and 1 in allowed:
        return found[None, None]
    if leading in (1, 2) and found.shape[leading - 1] in allowed:
        return found[None] if leading == 1 else found
    own = " or ".join(dict.fromkeys(map(str, allowed)))
    colour = ""
    if leading == 1 and found.shape[-1] in (3, 4):
        colour = " Channels come first: np.moveaxis(image, -1, 0), with [:, None] as images of one channel."
    short = f", or ({', '.join(shape.axes)})" if 1 in allowed else ""
    raise DeclarationError(
        f"{name} has the shape {tuple(found.shape)}: (batch, {own}, {', '.join(shape.axes)}) is due, without "
        f"a batch ({own}, {', '.join(shape.axes)}){short}.{colour}"
    )


def arguments(given: Mapping[str, Any], shape: Shape, u: Tensor) -> dict[str, Tensor]:
    """Known fields and numbers as the module takes them, of the dtype and device of u."""
    known = (*shape.fields, *shape.inputs)
    wrong = sorted(set(given) ^ set(known))
    if wrong:
        what = "has no field or input" if wrong[0] in given else "needs"
        raise DeclarationError(f'The network {what} "{wrong[0]}".{suggestion(wrong[0], known)}')
    found = {}
    for name in shape.fields:
        value = given[name]
        bits = getattr(value, "dtype", None) in (torch.bool, np.dtype(bool))
        found[name] = image(value * 1.0 if bits else value, shape, name, (1, shape.channels)).to(u)
    return found | {n: torch.as_tensor(given[n], dtype=u.dtype, device=u.device) for n in shape.inputs}


def _reference(values: Any, shape: Shape, u: Tensor) -> Tensor:
    found = image(values, shape, "reference")
    if found.shape[1:] != u.shape[1:] or len(found) not in (1, len(u)):
        raise DeclarationError(f"The reference has the shape {tuple(found.shape)}, u0 {tuple(u.shape)}.")
    return found


@contextmanager
def _bar(course: Course, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar of rich on stderr, in notebooks below the cell."""
    if not shown:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        total = None if course.steady else course.repeats
        task = bar.add_task("iterations" if course.steady else "steps", total=total)
        yield lambda done: bar.update(task, completed=done)

"""Follows a module through its steps, and through the iterations of its solvers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

See = Callable[[int, Tensor], bool]  # how many repeats are done, and the state; True ends the run


@dataclass(frozen=True)
class Course:
    """How a network runs.

    repeats   the steps or cycles
    stages    calls of the block in each
    unit      "time"; "iterations" of a steady state, which are what there is to follow; "steps" or "cycles"
              where their length is learned
    time      that all repeats cover, in this unit; 0 for a steady state
    part      the module of so many repeats of a stack, if some of them, and others from their result, are the
              same as all at once: neither the time nor a state before the last one is read, and all blocks
              are alike
    """

    repeats: int
    stages: int
    unit: str
    time: float
    part: Callable[[int], nn.Module] | None = None

    @property
    def steady(self) -> bool:
        return self.unit == "iterations"


@dataclass(frozen=True)
class Solve:
    """What the solver of one step did.

    iterations  of the cell, or multigrid cycles, until all images were done
    residual    what is left, for each image: ‖v - tau F(v) - rhs‖/‖rhs‖ of steps, for steady states
                ‖F(v)‖/‖F(u)‖ with the u that it started from; 0 if that solves it
    """

    iterations: int
    residual: tuple[float, ...]


class _Ended(Exception):  # noqa: N818  it is no error
    pass


def follow(
    module: nn.Module, u: Tensor, given: Mapping[str, Any], course: Course, every: int, see: See
) -> tuple[Tensor, tuple[Solve, ...]]:
    """Run a module; `see` is shown the state after each `every`-th repeat and after the last.

    The result, or the state at which `see` ended the run, and what each solver did.
    """
    if hasattr(module, "step"):
        return _through_solvers(module, u, given, course, every, see)
    if course.part is not None:
        return _by_parts(u, given, course, course.part, every, see), ()
    return _through_blocks(module, u, given, course, every, see), ()


def _by_parts(
    u: Tensor,
    given: Mapping[str, Any],
    course: Course,
    part: Callable[[int], nn.Module],
    every: int,
    see: See,
) -> Tensor:
    """Some repeats at a time, as fast as the module is: kernels take several steps in one pass."""
    for done in range(0, course.repeats, every):
        count = min(every, course.repeats - done)
        u = part(count).to(u)(u, **given)
        if see(done + count, u):
            break
    return u


def _through_blocks(
    module: nn.Module, u: Tensor, given: Mapping[str, Any], course: Course, every: int, see: See
) -> Tensor:
    calls, state = 0, u

    def seen(_: nn.Module, __: Any, output: Tensor) -> None:
        nonlocal calls, state
        calls += 1
        repeat, rest = divmod(calls, course.stages)
        if rest == 0 and (repeat % every == 0 or repeat == course.repeats):
            state = output
            if see(repeat, output):
                raise _Ended

    with ExitStack() as hooks:
        for part in _parts(module):
            hooks.callback(part.register_forward_hook(seen).remove)
        with suppress(_Ended):
            state = module(u, **given)
    return state


def _through_solvers(
    module: nn.Module, u: Tensor, given: Mapping[str, Any], course: Course, every: int, see: See
) -> tuple[Tensor, tuple[Solve, ...]]:
    """Step by step; of a steady state, iterate by iterate, where the last one is the result."""
    solves: list[Solve] = []
    state = u
    step = cast("Callable[..., Tensor]", module.step)

    def shown(iteration: int, v: Tensor) -> None:
        nonlocal state
        state = v
        if course.steady and iteration and iteration % every == 0 and see(iteration, v):
            raise _Ended

    def followed(part: nn.Module, u: Tensor, *rest: Any) -> Tensor:
        nonlocal state
        with _iterates(part, u, shown) as calls:
            try:
                state = step(part, u, *rest)
            finally:
                count = min(len(calls), getattr(module, "iterations", len(calls)))
                solves.append(Solve(count, _left(part, calls, u if course.steady else None, state)))
        repeat = len(solves)
        shows = course.steady or repeat % every == 0 or repeat == course.repeats
        if shows and see(count if course.steady else repeat, state):
            raise _Ended
        return state

    vars(module)["step"] = followed  # in front of the method
    try:
        with suppress(_Ended):
            state = module(u, **given)
        return state, tuple(solves)
    finally:
        del vars(module)["step"]


@contextmanager
def _iterates(
    part: nn.Module, u: Tensor, shown: Callable[[int, Tensor], None]
) -> Iterator[list[tuple[Any, ...]]]:
    """What the cell or the net is called with, each call; coarse grids of a net are no calls of their own."""
    calls: list[tuple[Any, ...]] = []
    depth = 0

    def before(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal depth
        depth += 1
        if depth == 1 and inputs[0].shape == u.shape:
            shown(len(calls), inputs[0])
            calls.append(inputs)

    def after(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    first, last = part.register_forward_pre_hook(before), part.register_forward_hook(after)
    try:
        yield calls
    finally:
        first.remove()
        last.remove()


def _left(
    part: nn.Module, calls: list[tuple[Any, ...]], start: Tensor | None, v: Tensor
) -> tuple[float, ...]:
    """The residual of v relative to that of the start of a steady state, or to the right-hand side."""
    if not calls:
        return (0.0,) * len(v)
    _, *rest = calls[0]

    def residual(w: Tensor) -> Tensor:
        if hasattr(part, "residual"):
            found = cast(Any, part.residual)(w, *rest)
        else:
            rhs, grids = rest
            found = cast(Any, part.operator)(w, grids[0]) - rhs
        return cast("Tensor", found)

    scale = _norm(rest[0] if start is None else residual(start))
    left = _norm(residual(v))
    return tuple((left / torch.where(scale > 0, scale, 1)).tolist())


def _norm(v: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(v.double(), dim=tuple(range(1, v.dim())))
    return found


def _parts(module: nn.Module) -> list[nn.Module]:
    """The blocks, or the cells of steps without inner iterations."""
    found = dict(module.named_children())
    for name in ("block", "cell"):
        if name in found:
            return [found[name]]
        if f"{name}s" in found:
            return list(found[f"{name}s"].children())
    raise TypeError(f"{type(module).__name__} has neither blocks nor cells")

"""The loop of a training: stages, epochs, batches; states that go on."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pde2net.errors import DeclarationError, FileError, TrainingError
from pde2net.learn import checkpoint
from pde2net.learn.blocks import first_blocks, separate_blocks
from pde2net.learn.choices import Optimizers, Schedule, Schedules, groups, kind, optimiser
from pde2net.learn.folder import Folder, Progress
from pde2net.learn.history import History
from pde2net.learn.processes import Processes
from pde2net.learn.reports import Reports
from pde2net.learn.samples import Samples, batches

ALL = "all"
SMALL = 1 << 18  # numbers of a batch in validation


@dataclass(frozen=True)
class Stage:
    """Epochs in which one thing is trained: all, or one block behind those before it."""

    name: str
    epochs: int
    block: int | None = None


@dataclass(frozen=True)
class Step:
    """How a batch becomes a loss."""

    loss: Callable[[Tensor, Tensor], Tensor]
    margin: int
    clip: float | None
    batch: int

    def cropped(self, image: Tensor) -> Tensor:
        inner = slice(self.margin, -self.margin or None)
        return image[(..., *[inner] * (image.dim() - 2))]


class Run:
    """One call of `fit`; the module is left in the mode, eval() or train(), that it was in."""

    def __init__(
        self,
        module: nn.Module,
        samples: Samples,
        checks: Samples | None,
        step: Step,
        lr: Any,
        optimizer: Optimizers,
        scheduler: Schedules,
        patience: int | None,
        processes: Processes,
    ) -> None:
        self.module, self.samples, self.checks, self.step = module, samples, checks, step
        self.lr, self.optimizer, self.scheduler, self.patience = lr, optimizer, scheduler, patience
        self.processes, self.history = processes, History()
        self.device = next(module.parameters()).device
        self.best: dict[str, Tensor] | None = None
        self.start, self.before = time.process_time(), 0.0

    def through(
        self, stages: Sequence[Stage], folder: Folder | None, resume: bool, reports: Reports
    ) -> History:
        """All stages, from where a resumed training stands."""
        done: Progress | None = None
        if folder is not None and resume and folder.state.exists():
            done = folder.load(self.module)
            self.history = done.history
            self.before = self.history.seconds[-1] if self.history.seconds else 0.0
            self.best = done.best
        first = 0
        for stage in stages:
            last = first + stage.epochs
            begun = 0 if done is None else done.epoch
            if begun < last:
                resumed = done if done is not None and begun > first else None
                self._stage(stage, max(first, begun), last, resumed, folder, reports)
            first = last
        if self.best is not None:
            self.module.load_state_dict(self.best)
        if folder is not None and self.processes.first:
            checkpoint.save(self.module, folder.best)
            folder.draw(self.history)
        return self.history

    def _stage(
        self,
        stage: Stage,
        first: int,
        last: int,
        resumed: Progress | None,
        folder: Folder | None,
        reports: Reports,
    ) -> None:
        with _only(self.module, stage.block):
            trained = [(n, p) for n, p in self.module.named_parameters() if p.requires_grad]
            kinds = {kind(name) for name, _ in trained}
            made = optimiser(self.optimizer, groups(iter(trained), self.lr, kinds))
            steps = math.ceil(len(self.samples) / self.step.batch) * stage.epochs
            schedule = Schedule(self.scheduler, made, steps)
            if resumed is not None:
                restore(made, schedule, resumed)
            for epoch in range(first, last):
                joint = stage.block is None
                if joint and self._patient(epoch):
                    return
                self._epoch(stage, epoch, made, schedule, reports)
                if folder is not None and self.processes.first:
                    if self.best is None or self.history.best == epoch + 1:
                        checkpoint.save(self.module, folder.best)
                    states = made.state_dict(), schedule.state(), self.best
                    folder.save(self.module, Progress(epoch + 1, replace(self.history), *states))
                self.processes.wait()

    def _patient(self, epoch: int) -> bool:
        """Whether the last improvement is too long ago."""
        best = self.history.best
        return self.patience is not None and best is not None and epoch - best >= self.patience

    def _epoch(
        self, stage: Stage, epoch: int, made: torch.optim.Optimizer, schedule: Schedule, reports: Reports
    ) -> None:
        good = copy.deepcopy(self.module.state_dict())
        self.samples.epoch = epoch
        plan = batches(len(self.samples), self.step.batch, self.samples.seed, epoch)
        parts = [self.processes.part(indices) for indices in plan]
        total = 0.0
        try:
            with first_blocks(self.module, stage.block), torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.samples.seed * 1_000_003 + epoch)
                parallel = self.processes.parallel(self.module)
                self.module.train()
                loader = DataLoader(self.samples, batch_sampler=parts)
                reports.epoch(epoch, stage.name, len(plan))
                for number, (given, indices) in enumerate(zip(loader, plan, strict=True), 1):
                    share = self.processes.share(len(parts[number - 1]), len(indices))
                    place = f"batch {number} of epoch {epoch + 1}"
                    value = self._batch(parallel, given, share, made, place)
                    total += value * len(indices)
                    schedule.step()
                    reports.batch(value)
                mean = total / len(self.samples)
                self.processes.share_buffers(self.module)
                checked = self._validated() if self.checks is not None else None
                if checked is not None and not math.isfinite(checked):
                    raise TrainingError(
                        f"The validation loss is not finite ({checked}) after epoch {epoch + 1}. The weights "
                        "are those before that epoch; look for NaN in the validation data, or take a "
                        "smaller lr."
                    )
            self._require_finite(epoch)
        except TrainingError:
            self.module.load_state_dict(good)
            raise
        history = self.history
        history.loss.append(mean)
        history.rate.append(float(made.param_groups[0]["lr"]))
        history.seconds.append(self.before + time.process_time() - self.start)
        history.trained.append(stage.name)
        if checked is not None:
            history.validation.append(checked)
            joint = [v for v, name in zip(history.validation, history.trained, strict=True) if name == ALL]
            if stage.name == ALL and checked <= min(joint) and not (len(joint) > 1 and checked in joint[:-1]):
                history.best = epoch + 1
                self.best = copy.deepcopy(self.module.state_dict())
        schedule.epoch(mean if checked is None else checked)
        reports.done(epoch, history)

    def _batch(
        self, parallel: nn.Module, given: Any, share: float, made: torch.optim.Optimizer, place: str
    ) -> float:
        """One step; the loss of the whole batch before it."""
        u, target, known = given[0].to(self.device), given[1].to(self.device), self._known(given[2])
        found: list[float] = []

        def closure() -> Tensor:
            made.zero_grad()
            try:
                result = parallel(u, **known)
            except ValueError as error:  # what the module says of shapes
                raise DeclarationError(f"The module refuses the data: {error}.") from error
            if result.shape != target.shape:
                shapes = f"{tuple(result.shape)} for targets of {tuple(target.shape)}"
                raise DeclarationError(f"The module returns {shapes}.")
            value = self._loss(self.step.cropped(result), self.step.cropped(target))
            if not isinstance(value, Tensor) or value.dim() > 0:
                raise DeclarationError(f"loss returned {value!r:.60}, which is no number: it takes the mean.")
            if not value.requires_grad:
                raise DeclarationError("loss returned a number that does not depend on the result.")
            value = share * value
            whole = self.processes.mean(value.detach())
            if not math.isfinite(whole):
                raise TrainingError(
                    f"The loss is not finite ({whole}) in {place}. The weights are those before that epoch; "
                    "look for NaN in the data, or take a smaller lr, or clip=."
                )
            found.append(whole)
            value.backward()  # type: ignore[no-untyped-call, unused-ignore]  # untyped in torch
            if self.step.clip is not None:
                nn.utils.clip_grad_norm_(self.module.parameters(), self.step.clip)
            return value

        made.step(cast(Callable[[], float], closure))  # torch takes tensors too
        return found[0]

    def _loss(self, result: Tensor, target: Tensor) -> Tensor:
        try:
            return self.step.loss(result, target)
        except Exception as error:
            error.add_note(f"loss was called with a result and a target of the shape {tuple(result.shape)}.")
            raise

    def _known(self, fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.device) for name, value in fields.items()}

    def _validated(self) -> float:
        """The mean loss of the images of validation, whole."""
        assert self.checks is not None
        self.module.eval()
        total = 0.0
        same = len({tuple(t.shape) for t in self.checks.targets}) == 1
        small = self.checks.targets[0].numel() * self.step.batch <= SMALL
        size = self.step.batch if same and small else 1
        with torch.no_grad():
            for u, target, known in DataLoader(self.checks, batch_size=size):
                result = self.module(u.to(self.device), **self._known(known))
                total += float(self.step.loss(result, target.to(self.device))) * len(u)
        self.module.train()
        return total / len(self.checks)

    def _require_finite(self, epoch: int) -> None:
        bad = [name for name, p in self.module.named_parameters() if not bool(p.isfinite().all())]
        if bad:
            raise TrainingError(
                f"{bad[0]} is not finite after epoch {epoch + 1}. The weights are those before that epoch; "
                "take a smaller lr, or clip=."
            )


def restore(made: torch.optim.Optimizer, schedule: Schedule, progress: Progress) -> None:
    """The states of an optimiser and its schedule, to the bit.

    Optimisers turn what they load into the type of the parameters. Raises FileError for what does not fit.
    """
    state = progress.optimiser
    try:
        made.load_state_dict(state)
        parameters = [p for group in made.param_groups for p in group["params"]]
        for number, values in state["state"].items():
            own = made.state[parameters[number]]
            own |= {n: v.to(own[n].device).clone() for n, v in values.items() if isinstance(v, Tensor)}
        schedule.restore(progress.schedule)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise FileError(f"The optimiser cannot go on from the state in the folder: {error}.") from error


def stages(module: nn.Module, greedy: int, epochs: int) -> list[Stage]:
    joint = Stage(ALL, epochs)
    if not greedy:
        return [joint]
    blocks = separate_blocks(module)
    return [*(Stage(f"block {k + 1}", greedy, k) for k in range(blocks)), joint]


@contextlib.contextmanager
def _only(module: nn.Module, block: int | None) -> Iterator[None]:
    """Train one block alone."""
    trained = [p for p in module.parameters() if p.requires_grad]
    if block is not None:
        own = {id(p) for p in module.blocks[block].parameters()}  # type: ignore[index, union-attr]
        for parameter in trained:
            parameter.requires_grad_(id(parameter) in own)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)

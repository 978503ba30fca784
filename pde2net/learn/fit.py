"""Training of modules: epochs of patches, validation, checkpoints, in one process or several."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pde2net.errors import DeclarationError, FileError, known_options, suggestion
from pde2net.learn.checks import require, warn_of_units
from pde2net.learn.choices import Optimizers, Schedules, loss_of
from pde2net.learn.folder import Folder
from pde2net.learn.history import History
from pde2net.learn.processes import Processes
from pde2net.learn.reach import reach
from pde2net.learn.reports import Reports
from pde2net.learn.run import Run, Step, stages
from pde2net.learn.samples import Images, Noise, Samples
from pde2net.network import Network

REACH = "reach"


@known_options
def fit(
    module: nn.Module,
    inputs: Images | Noise,
    targets: Images,
    epochs: int,
    *,
    loss: str | Callable[[Tensor, Tensor], Tensor] = "mse_loss",
    batch: int = 16,
    lr: float | Mapping[str, float] = 0.01,
    optimizer: Optimizers = "Adam",
    scheduler: Schedules = None,
    patch: int | None = None,
    patches: int = 1,
    flips: bool = False,
    crop: int | str = 0,
    clip: float | None = None,
    validation: Sequence[Any] | None = None,
    patience: int | None = None,
    greedy: int = 0,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    log: str | Path | None = None,
    progress: bool = True,
    fields: Mapping[str, Any] | None = None,
) -> History:
    """Train a module, in place: min over its parameters of the mean of loss(module(input, **fields), target).

    inputs     (count, channels, *spatial), or a list of (channels, *spatial); or Noise(sigma): the targets
               with new noise whenever they are looked at
    targets    likewise
    epochs     passes over the images, those of earlier sessions included; each image gives `patches` samples
    loss       a function of result and target, a mean over the batch; or the name of one in
               torch.nn.functional
    batch      samples per step, of all processes together
    lr         learning rate: a number, or one for each kind of parameter, {"K": 1e-3, "others": 1e-2}
    optimizer  of torch.optim by name, or a function of the groups of parameters that makes one
    scheduler  "cosine", over all steps; or a function of the optimizer that makes one, stepped after epochs
    patch      cells along each axis that are cut out of an image, at random
    flips      whether axes are reversed and exchanged at random
    crop       cells at each end of an axis that the loss leaves out, or "reach": those that see the border
    clip       largest norm of the gradient
    validation (inputs, targets), or with fields as a third, on whole images after each epoch; the module ends
               with the weights of the best epoch
    patience   epochs without a better validation loss after which training stops
    greedy     epochs for each block alone, the first of them before the next, ahead of `epochs` for all
               together
    seed       of order, patches and noise: equal seeds give equal bits on one machine
    checkpoint folder for the state after each epoch (last.safetensors), the weights (best.safetensors), and
               history.csv and loss.png; at most one epoch is lost if the process is killed
    resume     whether a training in that folder goes on; a folder in use is refused otherwise
    log        folder for TensorBoard, which has to be installed
    fields     known fields by name: a tensor with an entry per image, a number, "input", or "noise", the
               sigma of Noise; without it, data f of a fidelity is asked for

    module.compile() before makes steps shorter, after some minutes of compilation. Under torchrun
    (torch.distributed is initialised) each process takes its part of each batch, and gradients
    are those of the whole. Raises DeclarationError for what does not fit together, TrainingError if a loss is
    not finite (the module then has the weights of the last finite epoch), FileError for checkpoints that
    cannot be written or belong to another training.
    """
    counts: dict[str, Any] = {"epochs": epochs, "batch": batch, "patches": patches, "patch": patch}
    counts |= {"greedy": greedy, "seed": seed, "patience": patience}
    chosen = {"loss": loss, "optimizer": optimizer, "scheduler": scheduler, "lr": lr, "clip": clip}
    words = {"flips": flips, "resume": resume, "progress": progress, "checkpoint": checkpoint, "log": log}
    require({**counts, **chosen, **words, "fields": fields})
    if not isinstance(module, nn.Module) or torch.is_inference_mode_enabled():
        what = "in torch.inference_mode()" if isinstance(module, nn.Module) else type(module).__name__
        what += ": network.module() makes one" if isinstance(module, Network) else ""
        raise DeclarationError(f"What is trained is a torch.nn.Module, with gradients, not {what}.")
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise DeclarationError("The module has nothing to train: compile it with trainable=[...].")
    if any(p.dtype == torch.float16 for p in trained):
        raise DeclarationError(
            "The module has weights of half precision, in which steps are lost: module.float()."
        )
    if any(p.is_meta for p in trained):
        raise DeclarationError("The module is on the device meta, which holds no values: train it elsewhere.")
    known = _fields(module, fields)
    samples = Samples(inputs, targets, known, seed, patch, flips, patches)
    samples.require_one_size(batch)
    if isinstance(inputs, Noise):
        warn_of_units(inputs.range[0], samples.spread())
    checks = _validation(validation, known, seed)
    options: dict[str, Any] = {
        "batch": batch,
        "lr": lr if isinstance(lr, int | float) else dict(lr),
        "optimizer": _named(optimizer),
        "scheduler": _named(scheduler),
        "loss": _named(loss),
        "patch": patch,
        "patches": patches,
        "flips": flips,
        "crop": crop,
        "clip": clip,
        "patience": patience,
        "greedy": greedy,
        "seed": seed,
        "data": _digest(samples),
        "validation": None if checks is None else _digest(checks),
        "trained": [n for n, p in module.named_parameters() if p.requires_grad],
    }
    if scheduler == "cosine":
        options["epochs"] = epochs
    if patience is not None and checks is None:
        raise DeclarationError("patience counts epochs without a better validation loss: give validation=.")
    margin = _crop(module, samples, crop)
    step = Step(loss_of(loss), margin, clip, batch)
    run = Run(module, samples, checks, step, lr, optimizer, scheduler, patience, Processes())
    plan = stages(module, greedy, epochs)
    with contextlib.ExitStack() as stack:
        folder = _folder(checkpoint, options, resume, run.processes, stack)
        reports = stack.enter_context(
            Reports(run.processes.first and progress, log, sum(s.epochs for s in plan))
        )
        modes = {part: part.training for part in module.modules()}
        try:
            return run.through(plan, folder, resume, reports)
        finally:
            for part, mode in modes.items():
                part.training = mode


def _folder(
    path: str | Path | None,
    options: dict[str, Any],
    resume: bool,
    processes: Processes,
    stack: contextlib.ExitStack,
) -> Folder | None:
    """The folder, locked by the first process; the others wait for that."""
    if path is None:
        if resume:
            raise DeclarationError("resume=True goes on in a folder: give checkpoint=.")
        return None
    folder = Folder(path, options)
    if processes.first:
        stack.enter_context(folder)
        if folder.state.exists() and not resume:
            raise FileError(
                f"{path} holds a training: resume=True (--resume) goes on with it, or give another folder."
            )
    processes.wait()
    return folder


def _fields(module: nn.Module, fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields, which have to be those that the module asks for."""
    given = dict(fields or {})
    needed, taken = _asked(module)
    unknown = sorted(given.keys() - (given.keys() if taken is None else taken))
    if unknown:
        near = suggestion(unknown[0], taken or ())
        raise DeclarationError(f"The network takes no field {unknown[0]}.{near}")
    missing = sorted(needed - given.keys())
    if missing:
        name = missing[0]
        raise DeclarationError(
            f'The network takes {name}: fields={{"{name}": "input"}} gives it the inputs, "noise" the level '
            "of Noise(...), or give a number, or a tensor with an entry for each image."
        )
    return given


def _asked(module: nn.Module) -> tuple[set[str], set[str] | None]:
    """The names of what forward() takes besides the image: those without a default, and all.

    None for all where it takes whatever it is given.
    """
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    open_ = any(p.kind == p.VAR_KEYWORD for p in parameters)
    return {p.name for p in named if p.default is p.empty}, None if open_ else {p.name for p in named}


def _validation(given: Sequence[Any] | None, fields: Mapping[str, Any], seed: int) -> Samples | None:
    if given is None:
        return None
    if not isinstance(given, Sequence) or len(given) not in (2, 3):
        raise DeclarationError("validation is (inputs, targets), or (inputs, targets, fields).")
    inputs, targets, *more = given
    if more and not isinstance(more[0], Mapping):
        raise DeclarationError("The third of validation are fields by name, (inputs, targets, {...}).")
    own = dict(more[0]) if more else {n: v for n, v in fields.items() if not isinstance(v, Tensor)}
    missing = sorted(fields.keys() - own.keys())
    if missing:
        raise DeclarationError(
            f"validation has no field {missing[0]}: (inputs, targets, {{{missing[0]!r}: ...}})."
        )
    return Samples(inputs, targets, own, seed)


def _crop(module: nn.Module, samples: Samples, crop: int | str) -> int:
    smallest = samples.patch or min(min(t.shape[1:]) for t in samples.targets)
    margin = crop
    if crop == REACH:
        given, _, known = samples[0]
        fields = {name: value[None] for name, value in known.items()}
        device = next(module.parameters()).device
        moved = {name: value.to(device) for name, value in fields.items()}
        margin = reach(module, given[None].to(device), moved)
    if isinstance(margin, bool) or not isinstance(margin, int) or margin < 0:
        raise DeclarationError(f'crop is a number of cells from 0 on, or "reach", not {crop!r}.')
    if 2 * margin >= smallest:
        raise DeclarationError(f"crop = {margin} at both ends leaves nothing of {smallest} cells.")
    return margin


def _named(choice: Any) -> str | None:
    """The name of a choice, where it is no name itself."""
    if choice is None or isinstance(choice, str):
        return choice
    return str(getattr(choice, "__qualname__", type(choice).__qualname__))


def _digest(samples: Samples) -> str:
    """SHA-256 of the data."""
    found = hashlib.sha256()
    images = [*samples.targets, *([] if isinstance(samples.inputs, Noise) else samples.inputs)]
    images += [v for v in samples.fields.values() if isinstance(v, Tensor)]
    for image in images:
        found.update(str(tuple(image.shape)).encode())
        found.update(image.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    words = {n: v for n, v in samples.fields.items() if not isinstance(v, Tensor)}
    noise = samples.inputs.range if isinstance(samples.inputs, Noise) else None
    found.update(repr((sorted(words.items()), noise)).encode())
    return found.hexdigest()

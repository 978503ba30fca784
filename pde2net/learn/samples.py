"""What a training sees: patches, mirrored, with noise of their own, drawn from nothing but seed and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pde2net.errors import DeclarationError
from pde2net.learn.checks import number

INPUT, LEVEL = "input", "noise"
Images = Tensor | Sequence[Tensor]
Sample = tuple[Tensor, Tensor, dict[str, Tensor]]


@dataclass(frozen=True)
class Noise:
    """In place of inputs: the targets plus Gaussian white noise, drawn anew whenever an image is looked at.

    sigma  its standard deviation, or two numbers between which that of each image is drawn evenly
    """

    sigma: float | tuple[float, float]

    def __post_init__(self) -> None:
        given = self.sigma if isinstance(self.sigma, tuple | list) else (self.sigma, self.sigma)
        if len(given) != 2 or not all(number(v) for v in given) or not 0 < given[0] <= given[1]:
            raise DeclarationError(
                f"sigma of Noise is a positive number, or two that ascend, not {self.sigma!r:.60}."
            )

    @property
    def range(self) -> tuple[float, float]:
        if isinstance(self.sigma, Sequence):
            low, high = self.sigma
            return float(low), float(high)
        return float(self.sigma), float(self.sigma)


class Samples(Dataset[Sample]):
    """Pairs of input and target, (channels, *spatial), with the known fields of each.

    patch     cells along each axis that are cut out at a random place; None for whole images
    flips     each axis is reversed with probability 1/2, axes of equal length change places
    patches   of each image in an epoch

    A sample depends on seed, epoch and its index alone, not on who asks for it or when.
    """

    def __init__(
        self,
        inputs: Images | Noise,
        targets: Images,
        fields: Mapping[str, Any],
        seed: int,
        patch: int | None = None,
        flips: bool = False,
        patches: int = 1,
    ) -> None:
        self.inputs, self.targets, self.fields = inputs, targets, fields
        self.seed, self.flips, self.patches, self.epoch = seed, flips, patches, 0
        self.patch = patch
        _check(inputs, targets, patch)
        self.axes = targets[0].dim() - 1
        self.inputs = inputs if isinstance(inputs, Noise) else [v.detach() for v in inputs]
        self.targets = [v.detach() for v in targets]
        self.fields = {n: v.detach() if isinstance(v, Tensor) else v for n, v in fields.items()}
        for name, given in fields.items():
            _check_field(name, given, targets, isinstance(inputs, Noise))

    def require_one_size(self, batch: int) -> None:
        """Raise DeclarationError where images of different sizes would be in one batch."""
        if self.patch is None and batch > 1 and len({tuple(t.shape) for t in self.targets}) > 1:
            raise DeclarationError(
                "Images of different sizes are in no batch together: give patch=, or batch=1."
            )

    def spread(self) -> float:
        """The largest of all targets less the smallest."""
        low, high = zip(*(t.aminmax() for t in self.targets), strict=True)
        return float(max(high)) - float(min(low))

    @property
    def count(self) -> int:
        return len(self.targets) * self.patches

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        random = np.random.default_rng((self.seed, self.epoch, index))
        index //= self.patches
        target = self.targets[index]
        places: list[slice] = []
        if self.patch is not None:
            starts = [int(random.integers(n - self.patch + 1)) for n in target.shape[1:]]
            places = [slice(s, s + self.patch) for s in starts]
        turned = [a for a in range(1, self.axes + 1) if self.flips and random.integers(2)]
        order = [int(a) + 1 for a in random.permutation(self.axes)] if self.flips else []
        if len(set(target[(slice(None), *places)].shape[1:])) > 1:
            order = []

        def seen(image: Tensor) -> Tensor:
            cut = image[(slice(None), *places)].flip(turned)
            return cut.permute(0, *order) if order else cut

        target = seen(target)
        level = torch.zeros(())
        if isinstance(self.inputs, Noise):
            level = torch.tensor(random.uniform(*self.inputs.range), dtype=target.dtype)
            generator = torch.Generator().manual_seed(int(random.integers(2**62)))
            given = target + level * torch.randn(target.shape, generator=generator, dtype=target.dtype)
        else:
            given = seen(self.inputs[index])
        known = {}
        for name, value in self.fields.items():
            if isinstance(value, str):
                known[name] = given if value == INPUT else level
            elif isinstance(value, Tensor):
                known[name] = seen(value[index]) if value.dim() > 1 else value[index]
            else:
                known[name] = torch.tensor(value, dtype=target.dtype)
        return given, target, known


def batches(count: int, batch: int, seed: int, epoch: int) -> list[list[int]]:
    """The indices of all samples of an epoch, in an order of its own."""
    order = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    return [order[k : k + batch] for k in range(0, count, batch)]


def _check(inputs: Images | Noise, targets: Images, patch: int | None) -> None:
    for what, given in (("targets", targets), ("inputs", inputs)):
        noise = what == "inputs" and isinstance(given, Noise)
        if not noise and not isinstance(given, Tensor | list | tuple):
            kind = type(given).__name__
            raise DeclarationError(
                f"{what} are a tensor or a list of tensors, not {kind}: torch.as_tensor makes one of arrays, "
                "list(....values()) of a dictionary."
            )
    if not len(targets):
        raise DeclarationError("There is no data: targets are empty.")
    pairs = [("target", t) for t in targets]
    if not isinstance(inputs, Noise):
        if len(inputs) != len(targets):
            raise DeclarationError(f"There are {len(inputs)} inputs and {len(targets)} targets.")
        pairs += [("input", i) for i in inputs]
    first = targets[0]
    for k, (what, image) in enumerate(pairs):
        name, shape = f"{what} {k % len(targets)}", tuple(getattr(image, "shape", ()))
        if not isinstance(image, Tensor) or not image.is_floating_point():
            kind = str(image.dtype) if isinstance(image, Tensor) else f"of type {type(image).__name__}"
            raise DeclarationError(f"{name} is {kind}; images are floating point tensors.")
        if image.dim() != first.dim() or image.shape[0] != first.shape[0] or not 2 <= image.dim() <= 4:
            raise DeclarationError(
                f"{name} has the shape {shape}, target 0 {tuple(first.shape)}: images are (channels, "
                "*spatial), with one to three axes and as many channels each."
            )
        if shape != tuple(targets[k % len(targets)].shape):
            own = tuple(targets[k % len(targets)].shape)
            raise DeclarationError(f"{name} has the shape {shape}, and target {k % len(targets)} has {own}.")
        if patch is not None and min(shape[1:]) < patch:
            raise DeclarationError(
                f"{name} has {' x '.join(map(str, shape[1:]))} cells, fewer than a patch of {patch}."
            )


def _check_field(name: str, given: Any, targets: Images, noisy: bool) -> None:
    if isinstance(given, str):
        words = (INPUT, LEVEL) if noisy else (INPUT,)
        if given not in words:
            known = " or ".join(f'"{w}"' for w in words)
            raise DeclarationError(f'The field {name} is a tensor, a number or {known}, not "{given}".')
        return
    if not isinstance(given, Tensor):
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise DeclarationError(f"The field {name} is a tensor, a number or a word, not {given!r:.60}.")
        return
    if given.dim() == 0 or len(given) != len(targets):
        shape = tuple(given.shape)
        raise DeclarationError(
            f"The field {name} has the shape {shape}: one entry for each of {len(targets)} images."
        )
    if given.dim() > 1:
        for k, (value, target) in enumerate(zip(given, targets, strict=True)):
            if value.dim() != target.dim() or value.shape[1:] != target.shape[1:]:
                raise DeclarationError(
                    f"The field {name} has the shape {tuple(value.shape)} at image {k}, which has "
                    f"{tuple(target.shape)}."
                )

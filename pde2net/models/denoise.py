"""A certified network as a denoiser: images and the level of their noise in, images out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pde2net.errors import DeclarationError
from pde2net.learn.certify import certify
from pde2net.learn.checks import warn_of_units
from pde2net.learn.declared import declaration_of, declared_network
from pde2net.learn.rebuilt import rebuilt
from pde2net.verify.certificate import Certificate

Level = float | Sequence[float] | Tensor
LEAST, LARGEST = 1e-15, 1e15  # of grey values and their noise: squares of ratios are computed in float32
WIDER = (torch.float16, torch.bfloat16)  # computed in float32


class Denoiser(nn.Module):
    """N_sigma(u): a network of pde2net with the data f and the input sigma, as `denoiser(u, sigma)`.

    module  the network; it is called with f = u
    sigma   the standard deviation of the noise where none is given at the call
    name    for `repr`

    It starts in eval() mode. Raises DeclarationError for modules that are no networks of pde2net or take
    other fields, and for a sigma that is not positive and finite.
    """

    def __init__(self, module: nn.Module, sigma: Level | None = None, name: str = "") -> None:
        super().__init__()
        text = declaration_of(module)
        if text is None:
            raise DeclarationError(
                "A denoiser is made of a module of pde2net that learned: network.module(), or "
                "p2n.learn.module(path)."
            )
        taken = sorted(
            n for n, p in inspect.signature(module.forward).parameters.items() if p.kind == p.KEYWORD_ONLY
        )
        if taken != ["f", "sigma"]:
            raise DeclarationError(
                f"A denoiser is called with f, the noisy image, and sigma, its level; this network takes "
                f"{' and '.join(taken) or 'neither'}."
            )
        problem = declared_network(text).certificate.declaration.problem
        self.module, self.name = module, name
        self.channels, self.axes = int(problem.channels), len(problem.space)
        self.sigma = None if sigma is None else _positive(_number(sigma))
        self._certified: tuple[dict[str, Tensor], Certificate] | None = None
        self.eval()

    def forward(self, u: Tensor, sigma: Level | None = None) -> Tensor:
        """u, shape (batch, channels, *spatial) -> the denoised images, same shape, dtype and device.

        A network of one channel filters channels one by one. `sigma` is the standard deviation of the noise
        in units of u, a number or one for each image, of the shape (batch,) or (batch, 1, ..., 1). Half
        precision is computed in float32.

        Raises DeclarationError for images of another number of axes or channels, of integers, with values
        that are not finite, on another device than the network, or too small for it, and for levels that are
        missing, not from 1e-15 to 1e15, or not one for each image.
        """
        self._check(u)
        data = u.float() if u.dtype in WIDER else u
        level = _positive(self._level(u, sigma).to(data))
        if not torch.compiler.is_compiling():
            warn_of_units(float(level.detach().min()), float(data.detach().max() - data.detach().min()))
        if self.channels == 1:
            data = data.reshape(-1, 1, *u.shape[2:])
            level = level.repeat_interleave(u.shape[1]) if len(level) > 1 else level
        try:
            result: Tensor = self.module(data, f=data, sigma=level)
        except ValueError as error:  # the size of an image that its stencil needs
            raise DeclarationError(f"An image of {_cells(u)} cells is too small: {error}.") from error
        return result.reshape(u.shape).to(u.dtype)

    @property
    def certificate(self) -> Certificate:
        """The claims for the weights as they are, by `p2n.learn.certify`; kept until a weight changes."""
        weights = self.module.state_dict()
        if self._certified is not None:
            before, found = self._certified
            text = declaration_of(self.module)
            rebuilt(self.module, declared_network(text or ""))  # or raises
            if all(torch.equal(before[n], w.cpu()) for n, w in weights.items()):
                return found
        found = certify(self.module)
        self._certified = {n: w.detach().cpu().clone() for n, w in weights.items()}, found
        return found

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.parameters())
        options = [repr(self.name)] if self.name else []
        options += [] if self.sigma is None else [f"sigma={_shown(self.sigma)}"]
        return f"Denoiser({', '.join([*options, f'parameters={count}'])})"

    def _check(self, u: Tensor) -> None:
        if not isinstance(u, Tensor) or u.dtype not in (*WIDER, torch.float32, torch.float64) or u.is_sparse:
            kind = getattr(u, "dtype", type(u).__name__)
            raise DeclarationError(
                f"Images are floating point tensors, not {kind}: torch.as_tensor(u).float()."
            )
        if u.dim() != 2 + self.axes or (self.channels > 1 and u.shape[1] != self.channels):
            own = "channels" if self.channels == 1 else str(self.channels)
            raise DeclarationError(
                f"Images have the shape (batch, {own}, *spatial) with {self.axes} spatial axes, not "
                f"{tuple(u.shape)}."
            )
        device = next(self.parameters()).device
        if u.device != device:
            raise DeclarationError(
                f"The images are on {u.device}, the network on {device}: denoiser.to(u.device)."
            )
        if u.numel() == 0:
            raise DeclarationError(f"There are no values in images of the shape {tuple(u.shape)}.")
        if not torch.compiler.is_compiling() and not bool((u.abs() <= LARGEST).all()):
            raise DeclarationError(f"The images have values that are not finite, or above {LARGEST:g}.")

    def _level(self, u: Tensor, sigma: Level | None) -> Tensor:
        """One number, or one for each image."""
        level = self.sigma if sigma is None else _number(sigma)
        if level is None:
            raise DeclarationError(
                "sigma is missing: denoiser(u, sigma), the standard deviation of the noise."
            )
        shape = tuple(level.shape)
        if shape[1:] not in ((), (1,) * (u.dim() - 1)) or level.numel() not in (1, len(u)):
            raise DeclarationError(
                f"sigma is a number, or one for each of {len(u)} images, not of the shape {shape}."
            )
        return level.reshape(-1)


def _number(sigma: Level) -> Tensor:
    try:
        found = sigma if isinstance(sigma, Tensor) else torch.as_tensor(sigma, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        found = torch.tensor(False)
    if found.dtype == torch.bool or found.is_complex() or isinstance(sigma, bool):
        raise DeclarationError(f"sigma is a number, or one for each image, not {sigma!r:.60}.")
    return found


def _positive(level: Tensor) -> Tensor:
    if not torch.compiler.is_compiling() and not bool(((level >= LEAST) & (level <= LARGEST)).all()):
        raise DeclarationError(
            f"sigma has to be positive and finite, from {LEAST:g} to {LARGEST:g}, not {_shown(level)}."
        )
    return level


def _shown(level: Tensor) -> str:
    values = [f"{v:.4g}" for v in level.detach().flatten().tolist()]
    return values[0] if len(values) == 1 else f"({', '.join(values[:8])}{', ...' * (len(values) > 8)})"


def _cells(u: Tensor) -> str:
    return " x ".join(map(str, u.shape[2:]))

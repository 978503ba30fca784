"""The denoisers whose weights are files of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from pde2net.errors import DeclarationError, FileError
from pde2net.learn import checkpoint
from pde2net.models.denoise import Denoiser
from pde2net.network import Network

FOLDER = Path(__file__).parent
NAMES = ("t1", "t3")


def names() -> tuple[str, ...]:
    """The names that `denoiser` takes."""
    return NAMES


def denoiser(name: str, sigma: float | Sequence[float] | torch.Tensor | None = None) -> Denoiser:
    """A trained denoiser of grey images, with what is proved about it in `certificate`.

    "t1"  explicit steps of u_t = -K^T (g(K u) K u) + beta (f - u), g of each filter a sum of exponentials.
          Bounded by the data: ‖N(f)‖ <= ‖f‖.
    "t3"  The same with monotone fluxes. Averaged: N = (1 - a) I + a R with a = 99/100 and a nonexpansive R,
          as plug-and-play iterations ask for.

    The claims hold for images of every size and for every sigma > 0, the same for images that are compared.
    They were trained on photographs with white Gaussian noise of sigma from 5/255 to 55/255
    (benchmarks/ship.py). `sigma` is the level where none is given at the call.

    Raises DeclarationError for another name or a sigma that is not positive and finite, FileError if the
    weights are missing.
    """
    return Denoiser(checkpoint.module(_path(name)), sigma, name)


def network(name: str) -> Network:
    """The declaration of a model, compiled: with the values that its training started from.

    Raises what `denoiser` does.
    """
    return checkpoint.network(_path(name))


def _path(name: str) -> Path:
    if name not in NAMES:
        raise DeclarationError(f'There is no model "{name}": there are {", ".join(NAMES)}.')
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        raise FileError(f"The weights {path} of {name} are missing: this installation is incomplete.")
    return path

"""Photographs for training and tests: those that come with libraries, folders of pictures, arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.images import SUFFIXES, read

if TYPE_CHECKING:
    from torch import Tensor

# By image, so that no photograph is seen on both sides. Sources and licences: docs/learning.md.
SPLITS = {
    "train": (
        *("astronaut", "brick", "chelsea", "coffee", "grass", "hubble_deep_field", "ihc", "moon"),
        *("motorcycle_left", "retina", "china"),
    ),
    "validation": ("coins", "gravel", "flower"),
    "test": ("camera", "cell", "clock_motion", "page", "rocket", "text"),
}
OF_LEARN = ("china", "flower")
LUMA = np.array([0.2125, 0.7154, 0.0721])[:, None, None]  # of linear combinations, those of scikit-image


def photographs(split: str = "train", colour: bool = False) -> dict[str, Tensor]:
    """The photographs that come with scikit-image and scikit-learn, by name.

    They are (channels, height, width) in [0, 1].

    split   "train", "validation" or "test"; no photograph is in two of them
    colour  three channels, of those that are in colour, instead of their luminance

    Those that an installed version does not have are left out, and those of scikit-learn where it is not
    installed. Raises DeclarationError for another split, FileError if scikit-image is not installed.
    """
    if split not in SPLITS:
        raise DeclarationError(f'There is no split "{split}".{suggestion(str(split), SPLITS)}')
    try:
        import skimage
    except ImportError as error:
        raise FileError('Photographs need scikit-image: pip install "pde2net[demo]".') from error
    folders = [Path(skimage.__file__).parent / "data"]
    try:
        import sklearn
    except ImportError:
        pass
    else:
        folders.append(Path(sklearn.__file__).parent / "datasets" / "images")
    found: dict[str, Tensor] = {}
    for name in SPLITS[split]:
        places = [folder / f"{name}{end}" for folder in folders for end in (".png", ".jpg")]
        for path in (p for p in places if p.is_file()):
            picture = _tensor(read(path).channels, colour)
            if picture is not None:
                found[name] = picture
    return found


def images(folder: str | Path | Sequence[str | Path], colour: bool = False) -> list[Tensor]:
    """The pictures and arrays of a folder, or of a list of files, sorted by name, float32 in [0, 1].

    Pictures are (channels, height, width), grey ones of colours unless `colour`. An .npy array of one
    to three dimensions is one signal, image or volume, (1, *spatial); of floats, or of integers scaled to
    [0, 1]. Raises FileError for what cannot be read, and where there is nothing.
    """
    import torch

    paths = [Path(folder)] if isinstance(folder, str | Path) else [Path(p) for p in folder]
    if len(paths) == 1 and not paths[0].exists():
        raise FileError(f"There is no folder {paths[0]}.")
    if len(paths) == 1 and paths[0].is_dir():
        suffixes = (*SUFFIXES, ".npy")
        paths = sorted(p for p in paths[0].iterdir() if p.suffix.lower() in suffixes)
    found = []
    for path in paths:
        channels = read(path).channels
        if path.suffix.lower() == ".npy":
            found.append(torch.from_numpy(channels.astype(np.float32)))
        elif (picture := _tensor(channels, colour)) is not None:
            found.append(picture)
        else:
            raise FileError(f"{path} is grey; colour=True takes pictures in colour.")
    if not found:
        raise FileError(f"There are no pictures or .npy arrays in {folder}.")
    return found


def _tensor(channels: Any, colour: bool) -> Tensor | None:
    """Grey, or three colours; None for a grey picture where colours are asked for."""
    import torch

    if colour and len(channels) != 3:
        return None
    if not colour and len(channels) == 3:
        channels = (LUMA * channels).sum(0, keepdims=True)
    return torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))

"""PNG in colour with 16 bits per channel, of which Pillow keeps eight.

It unpacks them as high bytes under one name, as low ones under another: both make the whole values.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pde2net.images.picture import Picture, values

TOP = 65535.0
MODES = ("RGB", "RGBA")
COLOURS = {3: 2, 4: 6}  # channels -> type of colour
START = b"\x89PNG\r\n\x1a\n"
BYTES = ("16B", "16L")  # that Pillow takes of values whose high byte comes first


def read(opened: Image.Image, again: Image.Image) -> Picture:
    """The picture in a file that was opened twice. Raises what decoders do for damaged files."""
    high, low = (_half(image, name) for image, name in zip((opened, again), BYTES, strict=True))
    stack = np.moveaxis(256 * high.astype(np.uint16) + low, -1, 0)
    alpha = stack[-1] if opened.mode.endswith("A") else None
    colours = stack if alpha is None else stack[:-1]
    return Picture(colours / TOP, np.dtype(np.uint16), TOP, alpha, opened.info.get("icc_profile"))


def _half(image: Any, name: str) -> NDArray[np.uint8]:
    image.tile = [tile._replace(args=f"{image.mode};{name}") for tile in image.tile]
    return np.asarray(image)


def encoded(channels: NDArray[np.float64], like: Picture) -> bytes:
    """A PNG of 16 bits per channel, each row as differences to the one above."""
    deep = values(channels, np.dtype(np.uint16), TOP)
    whole = deep if like.alpha is None else np.concatenate([deep, like.alpha[None]])
    count, height, width = whole.shape
    rows = np.ascontiguousarray(np.moveaxis(whole, 0, -1)).astype(">u2").view(np.uint8).reshape(height, -1)
    above = np.concatenate([np.zeros_like(rows[:1]), rows[:-1]])
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), rows - above], axis=1)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, COLOURS[count], 0, 0, 0))]
    if like.profile is not None:
        parts.append((b"iCCP", b"profile\0\0" + zlib.compress(like.profile)))
    parts += [(b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b"")]
    return START + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

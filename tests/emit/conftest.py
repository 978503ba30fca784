"""Kernels without numba's compiler."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The loops of kernels in Python, and NaN in memory that nobody has written."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, _unknown(dtype), dtype))
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda a, *shape: a.new_full(shape, math.nan))
    with np.errstate(all="ignore"):
        yield


def _unknown(dtype: Any) -> Any:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return min(10**12, int(np.iinfo(kind).max))
    return math.nan if kind.kind == "f" else 10**12

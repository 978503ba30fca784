"""Kernels without numba's compiler."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch

from pde2net.emit import execute

OPERATOR = re.compile(r"\b((?:net|lines|filters)_[0-9a-f]{16})\b")


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The loops of kernels in Python, and NaN in memory that nobody has written."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    monkeypatch.setattr(execute, "_module", _Apart(execute._module))
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, _unknown(dtype), dtype))
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda a, *shape: a.new_full(shape, math.nan))
    with np.errstate(all="ignore"):
        yield


class _Apart:
    """Modules and operators that share nothing with those whose loops are compiled in this process."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.__wrapped__ = lambda source: module.__wrapped__(self.apart(source))

    def __call__(self, source: str) -> Any:
        return self.module(self.apart(source))

    @staticmethod
    def apart(source: str) -> str:
        marked = source.replace("\nimport numba\n", "\nimport numba\nimport numbers as not_compiled\n")
        return source if "not_compiled" in source else OPERATOR.sub(r"\1_not_compiled", marked)


def _unknown(dtype: Any) -> Any:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return min(10**12, int(np.iinfo(kind).max))
    return math.nan if kind.kind == "f" else 10**12

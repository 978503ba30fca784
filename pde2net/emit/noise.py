"""Noise for a module to be run on: inside of what the declaration says of every input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from pde2net.language.bounds import Interval, within
from pde2net.language.problem import Problem

INNER = 0.2, 0.8  # of an interval: rounding does not lead to its ends
INSIDE = 0.8  # of the cells
NUMBER = 0.3


def noise(
    problem: Problem, shape: Sequence[int], dtype: torch.dtype = torch.float32
) -> tuple[Tensor, dict[str, Tensor]]:
    """u0, (1, channels, *shape), and what `forward` takes by keywords: fields (1, 1, *shape), numbers ().

    Uniform between declared bounds, else in [0, 1], or [-1, 0]. A domain is most of the cells.
    """
    random = np.random.default_rng(0)
    size = tuple(shape)

    def drawn(function: Any) -> np.ndarray[Any, Any]:
        a, b = _ends(within(problem.interval(function), function))
        return a + (b - a) * random.uniform(*INNER, size)

    channels = problem.channels // len(problem.unknowns)
    image = np.stack([drawn(u) for u in problem.unknowns for _ in range(channels)])
    fields = {str(f.func): drawn(f) for f in problem.equation_fields}
    if problem.domain is not None:
        fields[str(problem.domain.func)] = random.uniform(size=size) < INSIDE
    given = {name: torch.as_tensor(values, dtype=dtype)[None, None] for name, values in fields.items()}
    numbers = {s.name: -NUMBER if s.is_negative else NUMBER for s in problem.inputs}
    given |= {name: torch.tensor(value, dtype=dtype) for name, value in numbers.items()}
    return torch.as_tensor(image, dtype=dtype)[None], given


def _ends(interval: Interval) -> tuple[float, float]:
    """Of the part of an interval in which noise lies, where it has no ends of its own."""
    a, b = interval
    low = a if a.is_finite else sp.Min(0, b - 1) if b.is_finite else sp.S.Zero
    return float(low), float(b if b.is_finite else sp.Max(1, low + 1))

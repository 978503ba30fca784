"""torch.autograd.gradcheck of models of the gallery, by torch and by kernels.

Implicit ones have no kernels where derivatives are asked for, and tests of their own with torch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import uncertified

import pde2net as p2n

FILES = sorted((Path(p2n.__file__).parent.parent / "examples" / "gallery").glob("*.pde"))
MODELS = {path.stem: p2n.load(path) for path in FILES}
STACKS = {
    name: made for name, made in MODELS.items() if not isinstance(made.scheme, p2n.Implicit | p2n.Multigrid)
}
SIZES = (5, 4, 3)


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("name", STACKS)
def test_gradcheck(name: str, backend: str, uncompiled: None) -> None:
    """One step, or cycle: by the image and by known fields."""
    made = STACKS[name]
    count = "steps" if hasattr(made.scheme, "steps") else "cycles"
    scheme = replace(made.scheme, **{count: 1})
    module = uncertified(made.problem, scheme, made.grid).module(backend=backend).double()
    problem, rng = made.problem, torch.Generator().manual_seed(0)
    shape = (1, max(problem.channels, len(problem.equations)), *SIZES[: len(problem.space)])
    fields = [str(f.func) for f in problem.fields]
    inputs = [
        torch.rand(shape, dtype=torch.float64, generator=rng, requires_grad=True) for _ in ("u", *fields)
    ]

    def result(u: torch.Tensor, *known: torch.Tensor) -> torch.Tensor:
        return module(u, **dict(zip(fields, known, strict=True)))

    assert torch.autograd.gradcheck(result, inputs)

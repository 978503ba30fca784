"""Conditions at sides are those of FiPy, whose results lie beside the test (benchmarks/finite_volumes.py)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy as sp
import torch
from fipy_cases import CASES, CELLS, RESULTS, SPACING, Case, x, y
from support import uncertified

import pde2net as p2n

t = sp.Symbol("t", real=True)
u = sp.Function("u")(x, y, t)
FOUND = json.loads(RESULTS.read_text(encoding="utf-8"))


def solved(case: Case) -> np.ndarray:
    kinds = {"value": p2n.value, "flux": p2n.flux, "robin": p2n.robin}
    ends = {s: kinds[case.sides[s][0]](*case.sides[s][1:]) for s in case.sides}
    pairs = {x: ("left", "right"), y: ("bottom", "top")}
    boundary = {a: tuple(ends.get(s, "reflecting") for s in pair) for a, pair in pairs.items()}
    boundary |= {y: "periodic"} if case.periodic else {}
    rhs = p2n.div(case.diffusivity * p2n.grad(u)) + case.source - case.decay * u
    grid = p2n.Grid(
        spacing=dict(zip((x, y), SPACING, strict=True)),
        origin={a: h / 2 for a, h in zip((x, y), SPACING, strict=True)},
    )
    tau, steps = (case.dt, case.steps) if case.steps else (sp.oo, 1)
    scheme = p2n.Implicit(tau, steps, solver=p2n.Newton(tol=1e-12, linear_tol=1e-10))
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), boundary=boundary)
    centres = [(np.arange(n) + 0.5) * float(h) for n, h in zip(CELLS, SPACING, strict=True)]
    start = np.multiply.outer(*centres) if case.steps else np.zeros(CELLS)
    with torch.no_grad():
        module = uncertified(problem, scheme, grid).module().double()
        return module(torch.from_numpy(start)[None, None])[0, 0].numpy()


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_fipy(name: str) -> None:
    wanted = np.array(FOUND[name])
    np.testing.assert_allclose(solved(CASES[name]), wanted, atol=1e-8 * abs(wanted).max())

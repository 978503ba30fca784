"""Steps in one pass: by a model of caches, and by measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
import torch
from emit.test_kernels import GALLERY
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.emit import execute
from pde2net.emit.emit import passes_of
from pde2net.emit.kernels import tune
from pde2net.emit.kernels.stack import LATE, ROWS, STEPS

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)


def perona_malik(steps: int = 40) -> Any:
    equation = sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)))))
    return uncertified(p2n.Problem(equation), p2n.Explicit(sp.Rational(1, 8), steps))


@pytest.mark.parametrize("stem", ["perona_malik", "catte", "gray_scott", "you_kaveh", "edge_enhancing"])
def test_rings_of_a_pass_stay_in_cache(stem: str) -> None:
    declared = p2n.load(GALLERY / f"{stem}.pde")
    network = uncertified(declared.problem, p2n.Explicit(sp.Rational(1, 100), 40), declared.grid)
    journey = passes_of(network.request("numba"))
    for leg in journey.forward:
        rows = [r.rows * journey.flat.extents[r.array].channels for r in leg.made.rings if r.carried is None]
        assert sum(rows) <= 1.1 * ROWS
        assert max(turn.lag for turn in leg.made.turns) <= 1.1 * LATE
    count = len({call.line for call in journey.forward[0].calls})
    assert (count == STEPS[2][0]) == (stem == "perona_malik")


def test_the_fastest_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    asked, seconds = list[Any](), iter([3.0, 5.0, 2.0, 4.0, 1.0, 3.5, 2.5, 3.6, 9.0, 9.0])

    def made(source: str) -> Any:
        asked.append(source)
        return type("Module", (), {"float": lambda self: self})()

    monkeypatch.setattr(tune, "execute", made)
    monkeypatch.setattr(tune, "_seconds", lambda task: next(seconds))
    network = perona_malik()
    assert network.tuned(30, 40) == (10, 4)
    assert len(set(asked)) == len(asked) == len(tune.CANDIDATES)
    assert network.tuned(30, 40) == (10, 4) and len(asked) == len(tune.CANDIDATES)
    path = tmp_path / "steps.json"
    assert list(json.loads(path.read_text()).values()) == [[10, 4]]
    for damaged in ("", "[1]", '{"a": 3}'):
        path.write_text(damaged)
        seconds = iter(range(10, 0, -1))
        assert network.tuned(30, 40) == (40, 16)


def test_short_networks_and_folders_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    execute._kernels.cache_clear()  # they are shared with other tests
    execute._module.cache_clear()
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path / "file" / "folder"))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setattr(tune, "RUNS", 1)
    with pytest.warns(UserWarning, match="compiled again in each process"):
        forward, keeping = perona_malik(3).tuned(6, 7)
    assert (forward, keeping) in [(f, k) for f, _ in tune.CANDIDATES for _, k in tune.CANDIDATES]
    module = perona_malik(3).module("numba", steps=(forward, keeping))
    assert module.by_kernels is not None


@pytest.mark.parametrize("size", [(), (3,), (3, 0), (3, 4, 5), (3.0, 4)])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(p2n.DeclarationError, match="positive whole numbers of cells along x, y"):
        perona_malik().tuned(*size)


def test_cells_and_learned_filters_have_no_passes() -> None:
    K = p2n.LinearOperator("K", 2, 3)
    cell = uncertified(p2n.Problem(sp.Eq(u.diff(t), div(grad(u)))), p2n.Implicit(1, 1))
    learned = uncertified(p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u)))), p2n.Explicit(sp.Rational(1, 9), 2))
    for network in (cell, learned):
        with pytest.raises(p2n.EmissionError, match="no passes of several steps"):
            network.tuned(8, 8)


def test_inputs_random_numbers_and_modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The caller's random state stays, and gradients are measured in any mode."""
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setattr(tune, "RUNS", 0)
    monkeypatch.setattr(tune, "CANDIDATES", ((2, 1),))
    monkeypatch.setattr(tune.statistics, "median", lambda found: 1.0)
    sigma = p2n.Input("sigma", positive=True)
    equation = sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / sigma**2)))
    network = uncertified(p2n.Problem(equation), p2n.Explicit(sp.Rational(1, 8), 2))
    state = torch.get_rng_state()
    with torch.inference_mode():
        assert network.tuned(5, 6) == (2, 1)
    assert torch.equal(state, torch.get_rng_state())
    path = tmp_path / "steps.json"
    path.write_text(json.dumps({key: [-3, 0] for key in json.loads(path.read_text())}))
    assert network.tuned(5, 6) == (2, 1)
    with pytest.raises(p2n.DeclarationError, match="steps are those of a pass of kernels"):
        network.source(steps=(3, 2))

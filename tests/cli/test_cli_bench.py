"""`pde2net bench` measures what there is, and says what there is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
import torch
from typer.testing import CliRunner

import pde2net as p2n
from pde2net.cli.main import app
from pde2net.cli.textbook import textbook

STACK = """unknown u(x, y, t)
equation u_t = laplacian(u)
scheme explicit(tau = 1/5, steps = 4)
"""
GALLERY = Path(p2n.__file__).parent.parent / "examples" / "gallery"


LEARNED = """
import pde2net as p2n, sympy as sp
x, y, t = sp.symbols("x y t", real=True)
u, K = sp.Function("u")(x, y, t), p2n.LinearOperator("K", 3, 3)
problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2))))
scheme = p2n.Explicit(tau=sp.Rational(1, 20), steps=2)
"""


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """torch.compile takes a minute, and a C++ compiler; kernels run in Python."""
    import numba
    import torch

    monkeypatch.setattr(torch, "compile", lambda module: module)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    monkeypatch.setattr("pde2net.emit.kernels.measure.RUNS", 1)
    monkeypatch.setattr("pde2net.emit.kernels.measure.REPEATS", 2)
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path / "cache"))


def test_a_table_and_a_picture(tmp_path: Path) -> None:
    file, picture = tmp_path / "heat.pde", tmp_path / "roofline.png"
    file.write_text(STACK)
    command = ["bench", str(file), "--size", "12", "--size", "10", "--runs", "1", "--picture", str(picture)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "12 x 10 cells, float32" in done.output
    for word in ("numba", "torch.compile", "torch ", "textbook", "a copy moves", "lines in the first cache"):
        assert word in done.output
    # An image is read and written once in a pass of four steps: 2 x 4 bytes for 4 steps of a cell.
    assert "2.00" in done.output
    assert picture.stat().st_size > 10_000
    found = json.loads(CliRunner().invoke(app, [*command[:-2], "--json"]).output)
    assert found["cells"] == [12, 10] and found["picture"] is None and found["in_cache"] > 0
    assert {row["backend"] for row in found["backends"]} == {"numba", "torch", "torch.compile", "textbook"}
    page = (GALLERY.parents[1] / "docs" / "command_line.md").read_text()
    (row,) = re.findall(r"^\| `bench` \| (.*) \|$", page, re.M)
    assert set(re.findall(r"`(\w+)`", row)) == set(found)


def test_networks_without_kernels_and_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "averages.pde"
    file.write_text(
        """unknown u(x, y, t)
operator K(out = 2, size = 3, scale = 2)
equation u_t = -adjoint K(perona_malik(K(u)^2, 0.1) * K(u))
scheme explicit(tau = 0.1, steps = 1)
"""
    )
    done = CliRunner().invoke(app, ["bench", str(file), "--size", "16", "--runs", "1"])
    assert done.exit_code == 0, done.output
    assert "of averages" in done.output and "numba " not in done.output
    for options, said in (
        (["--size", "1", "--size", "2", "--size", "3"], "--size"),
        (["--picture", "a.txt"], ".png"),
    ):
        failed: Any = CliRunner().invoke(app, ["bench", str(file), *options])
        assert failed.exit_code != 0 and said in str(failed.exception)


def test_implicit_steps(tmp_path: Path) -> None:
    file = tmp_path / "implicit.pde"
    file.write_text("unknown u(x, t)\nequation u_t = laplacian(u)\nscheme implicit(tau = 10, steps = 1)\n")
    done = CliRunner().invoke(app, ["bench", str(file), "--size", "16", "--runs", "1", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert {row["backend"] for row in found["backends"]} == {"numba", "torch"}
    assert any("torch.compile" in said for said in found["remarks"])


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_textbook_network_computes_the_same(dim: int, boundary: str) -> None:
    """Convolutions in place of differences at reflecting borders; no other network is called so."""
    axes = sp.symbols("x y z", real=True)[:dim]
    t = sp.Symbol("t", real=True)
    u = sp.Function("u")(*axes, t)
    equation = sp.Eq(u.diff(t), p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u)))))
    problem = p2n.Problem(equation, boundary=boundary, channels=2)
    network = p2n.compile(problem, p2n.Explicit(sp.Rational(1, 20), 3), on_unstable="ignore")
    found, image = textbook(network), torch.rand(2, 2, *(9, 8, 7)[:dim])
    assert (found is not None) == (boundary == "reflecting")
    if found is not None:
        assert "aten::convolution" in _operations(found, image)
        assert torch.allclose(found(image), network.module().float()(image), rtol=1e-5, atol=1e-6)
    assert "aten::convolution" not in _operations(network.module().float(), image)


def _operations(module: torch.nn.Module, image: torch.Tensor) -> set[str]:
    with torch.profiler.profile() as seen, torch.no_grad():
        module(image)
    return {event.key for event in seen.key_averages()}


def test_steps_that_change_little_hide_no_other_network() -> None:
    x, y, t = sp.symbols("x y t", real=True)
    u = sp.Function("u")(x, y, t)
    problem = p2n.Problem(sp.Eq(u.diff(t), p2n.laplacian(u)), boundary="periodic")
    assert textbook(p2n.compile(problem, p2n.Explicit(sp.Rational(1, 10**7), 2))) is None


def test_learned_filters(tmp_path: Path) -> None:
    file = tmp_path / "learned.py"
    file.write_text(LEARNED)
    done = CliRunner().invoke(app, ["bench", str(file), "--size", "16", "--runs", "1"])
    assert done.exit_code == 0, done.output
    assert "numba " in done.output and "first cache" not in done.output

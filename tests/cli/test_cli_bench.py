"""`pde2net bench` measures what there is, and says what there is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pde2net.cli.main import app

STACK = """unknown u(x, y, t)
equation u_t = laplacian(u)
scheme explicit(tau = 1/5, steps = 4)
"""
CELL = STACK.replace("explicit(tau = 1/5, steps = 4)", "aos(tau = 1, steps = 2)")


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
    for word in ("numba", "torch.compile", "torch ", "a copy moves", "lines in the first cache"):
        assert word in done.output
    # An image is read and written once in a pass of four steps: 2 x 4 bytes for 4 steps of a cell.
    assert "2.00" in done.output
    assert picture.stat().st_size > 10_000


def test_networks_without_kernels_and_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "heat.pde"
    file.write_text(CELL)
    done = CliRunner().invoke(app, ["bench", str(file), "--size", "10", "--runs", "1"])
    assert done.exit_code == 0, done.output
    assert "no kernel of Tridiagonal" in done.output and "numba " not in done.output
    for options, said in (
        (["--size", "1", "--size", "2", "--size", "3"], "--size"),
        (["--picture", "a.txt"], ".png"),
    ):
        failed: Any = CliRunner().invoke(app, ["bench", str(file), *options])
        assert failed.exit_code != 0 and said in str(failed.exception)

"""The command line, called in this process: argument parsing, messages and exit status included."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import support

from pde2net.cli.main import run

HEAT = """\
import sympy as sp, pde2net as p2n
x, y, z, t = sp.symbols("x y z t", real=True)
tau, h = sp.symbols("tau h", positive=True)
u = sp.Function("u")({axes}, t)
f, c = sp.Function("f")({axes}), sp.Function("c")({axes})
problem = p2n.Problem(sp.Eq(u.diff(t), {rhs}))
scheme = p2n.Explicit(tau={tau}, steps={steps})
grid = p2n.Grid(spacing={h})
"""


class Result(NamedTuple):
    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def command(capsys: Any, monkeypatch: Any, tmp_path: Path) -> Command:
    """Run `pde2net` with arguments in an empty folder; anything but an exit is an error of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["pde2net", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            run()
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(status, out, err)

    return call


@pytest.fixture
def unproved() -> Iterator[None]:
    """For tests of what networks compute: commands make them without proofs."""
    with support.unproved():
        yield


@pytest.fixture
def heat(tmp_path: Path) -> Callable[..., Path]:
    """Writes a declaration of heat conduction, with other choices where given."""

    def write(name: str = "heat.py", **choices: Any) -> Path:
        given = {"axes": "x, y", "rhs": "p2n.laplacian(u)", "tau": "sp.Rational(1, 4)", "steps": 3, "h": 1}
        file = tmp_path / name
        file.write_text(HEAT.format(**(given | choices)))
        return file

    return write

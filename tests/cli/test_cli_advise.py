"""`advise`, and what the other commands say of schemes that are not explicit."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pde2net as p2n
from pde2net.cli.options import USAGE

EXAMPLE = Path(__file__).parents[2] / "examples" / "perona_malik.py"


def declare(heat, scheme, **choices):
    """A heat equation with another scheme."""
    file = heat(**choices)
    lines = [f"scheme = {scheme}" if s.startswith("scheme = ") else s for s in file.read_text().splitlines()]
    file.write_text("\n".join(lines))
    return file


def test_the_table_names_schemes_and_the_cheapest(command):
    result = command("advise", EXAMPLE, "--time", "100")
    assert result.status == 0 and not result.err
    assert "Schemes that reach time 100" in result.out and "largest explicit step is 1/4" in result.out
    assert re.search(r"Explicit\(tau=1/4, steps=400\) +400 +400 +1 ", result.out)
    assert re.search(r"FSI\(tau=5/21, +3 +60 +0\.15 ", result.out)
    assert "Cheapest that is proved: scheme = p2n." in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_the_time_is_that_of_the_file_unless_told(command, heat):
    line = {"axes": "x"}
    assert "time 3/4 for" in command("advise", heat(**line)).out
    assert "time 3/2 for" in command("advise", heat(tau="None", **line)).out
    assert "time 15 for" in command("advise", declare(heat, "p2n.FSI(0.5, 9, 1)", **line)).out
    for scheme in ("p2n.Explicit(tau)", "p2n.Implicit(sp.oo)", "p2n.AOS(None)"):
        result = command("advise", declare(heat, scheme, **line))
        assert result.status == USAGE and "add --time T" in result.err and not result.out
    assert command("advise", declare(heat, "p2n.Implicit(sp.oo)", **line), "--time", "1").status == 0


def test_a_file_needs_no_scheme_if_the_time_is_given(command, heat):
    file = heat(axes="x")
    with_scheme = command("advise", file, "--time", "3").out
    file.write_text("\n".join(s for s in file.read_text().splitlines() if not s.startswith("scheme")))
    assert command("advise", file, "--time", "3").out == with_scheme
    result = command("advise", file)
    assert result.status == USAGE and "defines no scheme" in result.err and "add --time T" in result.err
    assert command("verify", file).status == USAGE


def test_json_is_the_advice_alone(command, heat):
    file = heat()
    file.write_text(file.read_text() + "print('noise')\n")
    result = command("advise", file, "--time", "5", "--json")
    assert result.status == 0 and result.err == "noise\n"
    declared = p2n.load(file)
    assert json.loads(result.out) == json.loads(p2n.advise(declared.problem, 5, declared.grid).to_json())


def test_measured_seconds_have_a_column(command, heat):
    result = command("advise", heat(axes="x"), "--time", "2", "--measure", "16")
    assert result.status == 0 and "seconds for 16 in float32" in " ".join(result.out.split())
    assert re.search(r"cost +seconds", result.out) and "Fastest that is proved" in result.out


@pytest.mark.parametrize(
    "arguments,words",
    [
        (("--time", "0"), "must be positive"),
        (("--time", "inf"), "must be finite"),
        (("--time", "soon"), "--time"),
        (("--measure", "0"), "--measure"),
        (("--tme", "3"), "--time"),
    ],
)
def test_bad_usage_is_one_message(command, heat, arguments, words):
    result = command("advise", heat(), *arguments)
    assert result.status == USAGE and words in result.err and not result.out


def test_bad_files_are_one_message(command, heat):
    for file, words in ((heat("flow.py", rhs="u.diff(x)"), "advect"), ("none.py", "none.py")):
        result = command("advise", file, "--time", "1")
        assert result.status == USAGE and words in result.err and result.err.count("\n") == 1
    symbolic = command("advise", heat(h="h"), "--time", "1")
    assert symbolic.status == USAGE and "give h a value" in symbolic.err


def test_advice_loads_no_torch(heat):
    program = "import sys, pde2net.cli.main as m\ntry: m.run()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", program, "advise", str(heat())], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_refused_network_is_told_where_to_look(command, heat):
    result = command("compile", heat(tau="1", steps=20))
    assert result.status == 1 and "largest stable step is tau = 1/4" in result.err
    assert "p2n.advise(problem, time=20)" in result.err and "pde2net advise FILE" in result.err


SCHEMES = {
    "p2n.DuFortFrankel(0.25, steps=3)": ("residual stack, 3 blocks", "3 steps of tau = 1/4, to time 3/4"),
    "p2n.FSI(0.25, 5, 2)": ("residual stack, 10 blocks", "2 cycles of 5 steps of tau = 1/4, to time 5"),
    "p2n.FED(0.25, 1)": ("residual stack, 1 block", "1 cycle of 1 step of tau = 1/4, to time 1/6"),
    "p2n.RKL(1, 2, 4, 3)": ("residual stack, 12 blocks", "3 steps of tau = 2 with 4 stages, to time 6"),
    "p2n.Implicit(2, 3, p2n.Kacanov(iterations=1))": (
        "recurrent cell, 3 steps",
        "3 steps of tau = 2, to time 6",
    ),
    "p2n.AOS(2, 3)": ("recurrent cell, 3 steps", "3 steps of tau = 2, to time 6"),
}


@pytest.mark.usefixtures("unproved")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_length_and_course_are_told_for_every_scheme(command, heat, tmp_path: Path, scheme):
    file, (size, course) = declare(heat, scheme), SCHEMES[scheme]
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((9, 8)))
    compiled = command("compile", file, "--on-unstable", "ignore")
    assert compiled.out.splitlines()[0] == f"net.py: {size}", compiled
    done = command("run", file, "in.npy", "out.npy", "--on-unstable", "ignore")
    assert done.status == 0 and done.out.startswith(f"{course}, in "), done
    values = np.load(tmp_path / "out.npy")
    assert values.mean() == pytest.approx(np.load(tmp_path / "in.npy").mean(), rel=1e-4)


@pytest.mark.parametrize(
    "scheme,stop,course",
    [
        ("p2n.DuFortFrankel(0.25, steps=3)", "1.1", "5 steps of tau = 11/50, to time 11/10"),
        ("p2n.FSI(0.25, 5)", "7", "3 cycles of 5 steps of tau = 7/30, to time 7"),
        ("p2n.FSI(None, 2, 9)", "1", "2 cycles of 2 steps of tau = 1/4, to time 1"),
        ("p2n.RKL(1, 2, 4)", "3", "2 steps of tau = 3/2 with 4 stages, to time 3"),
        ("p2n.Implicit(2)", "5", "3 steps of tau = 5/3, to time 5"),
    ],
)
def test_stop_at_keeps_the_scheme_and_takes_the_fewest_steps(
    command, heat, tmp_path: Path, scheme, stop, course
):
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((6, 6)))
    done = command("run", declare(heat, scheme), "in.npy", "out.npy", "--stop-at", stop)
    assert done.status == 0 and done.out.startswith(f"{course}, in "), done


def test_a_steady_state_has_no_stopping_time(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((6, 6)))
    file = declare(heat, "p2n.Implicit(sp.oo)", rhs="p2n.laplacian(u) - u")
    result = command("run", file, "in.npy", "out.npy", "--stop-at", "3")
    assert result.status == USAGE and "needs a number for tau, not oo" in result.err


@pytest.mark.usefixtures("unproved")
def test_a_solver_that_fails_is_never_silent(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((6, 6)))
    nonlinear = {"rhs": "p2n.div(p2n.grad(u) / (1 + 9 * p2n.norm2(p2n.grad(u))))"}
    solver = "p2n.Kacanov(tol=1e-9, max_iterations=1, on_failure='{}')"
    file = declare(heat, f"p2n.Implicit(2, 2, {solver.format('warn')})", **nonlinear)
    warned = command("run", file, "in.npy", "out.npy", "--dtype", "float64")
    assert warned.status == 0 and warned.out.startswith("2 steps of tau = 2")
    assert "pde2net: warning: a solver missed its tolerance (relative residual" in warned.err
    assert "1 iterations" in warned.err and "not that of the scheme" in warned.err
    (tmp_path / "out.npy").unlink()
    file = declare(heat, f"p2n.Implicit(2, 2, {solver.format('error')})", **nonlinear)
    failed = command("run", file, "in.npy", "out.npy", "--dtype", "float64")
    assert failed.status == USAGE and "The network stops: relative residual" in failed.err
    assert failed.err.count("\n") == 1 and not (tmp_path / "out.npy").exists()

"""Options of all commands: --set, --tau and --steps, --quiet and --json; verify --require; the gallery."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from support import RNG

import pde2net as p2n
from pde2net import gallery
from pde2net.cli.inputs import Given, changed, number
from pde2net.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
MODEL = """\
parameter M > 0 = 1
unknown   u(x, y, t) in [0, M]
parameter lambda > 0 = 0.07
parameter h > 0
equation  u_t = div(grad u / (1 + |grad u|^2 / lambda^2)) + u * (1 - u / M) / 100
grid      h = h
scheme    explicit(tau = h^2/5, steps = 3)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.pde").write_text(MODEL)
    return tmp_path / "model.pde"


def declared(file: Path, *values: str, tau: str | None = None, steps: int | None = None) -> p2n.Declaration:
    return changed(p2n.load(file), Given(file, values, tau, steps))


def test_the_options_win_over_the_file(model: Path) -> None:
    found = declared(model, "lambda=1/20", "h = 0.5", "M=2", tau="3e-2", steps=9)
    text = MODEL.replace("lambda > 0 = 0.07", "lambda > 0 = 1/20").replace("M > 0 = 1", "M > 0 = 2")
    text = text.replace("parameter h > 0\n", "").replace("h = h", "h = 1/2").replace("h^2/5", "3/100")
    assert found == p2n.parse(text.replace("steps = 3", "steps = 9"))
    assert found.problem.bounds == {"u": (0, 2)}, "a range is at the new value"


def test_what_is_not_said_stays(model: Path) -> None:
    assert declared(model) == p2n.load(model)
    found = declared(model, "h=2")
    assert found.scheme.tau == sp.Rational(4, 5) and found.problem == p2n.load(model).problem
    assert declared(model, tau="largest").scheme.tau is None


def test_cycles_are_counted_and_solvers_have_symbols(tmp_path: Path) -> None:
    start = "unknown u(x, y, t)\nequation u_t = laplacian(u)\nparameter e > 0\n"
    (tmp_path / "a.pde").write_text(start + "scheme fsi(tau = e, cycle_length = 3, cycles = 1)\n")
    assert declared(tmp_path / "a.pde", "e=1/4", steps=5).scheme == p2n.FSI(sp.Rational(1, 4), 3, 5)
    (tmp_path / "b.pde").write_text(start + "scheme implicit(tau = 1, solver = kacanov(tol = e))\n")
    assert declared(tmp_path / "b.pde", "e=1e-3").scheme.solver.tol == sp.Rational(1, 1000)
    (tmp_path / "c.pde").write_text("unknown u(x, t)\nequation u_t = u_xx - u\nscheme implicit(tau = 1)\n")
    assert declared(tmp_path / "c.pde", tau="oo").scheme.tau == sp.oo


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.05", "1/20"), ("-1/3", "-1/3"), ("1e-3", "1/1000"), (".5/2", "1/4"), ("2.", "2"), ("0.1e1", "1")],
)
def test_numbers_are_exact(text: str, value: str) -> None:
    assert number(text, "it") == sp.Rational(value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "lamda=1"), 'no parameter "lamda". Did you mean "lambda"?'),
        (("--set", "lambda"), '--set takes NAME=NUMBER, not "lambda"'),
        (("--set", "lambda=x"), 'a number, 0.05 or 1/20, not "x"'),
        (("--set", "lambda=1/0"), "no quotient by 0"),
        (("--set", "lambda=1e9999"), "a number"),
        (("--set", "lambda=-1"), "its value -1 is not"),
        (("--set", "h=-1"), "its value -1 is not"),
        (("--set", "h=1", "--set", "h=2"), "twice"),
        (("--tau", "large"), 'largest, oo, not "large"'),
        (("--tau", "0"), "tau must be positive, not 0"),
    ],
)
def test_wrong_values_are_named(command, model: Path, options, words) -> None:
    result = command("verify", model, *options)
    assert result.status == 2 and words in result.err and not result.out


def test_every_command_with_a_declaration_takes_them(command, model: Path) -> None:
    given = ("--set", "h=1", "--tau", "1/8", "--steps", "7")
    assert "tau = 1/8" in command("verify", model, *given).out
    assert "7 blocks" in command("compile", model, *given).out
    assert "7" in command("draw", model, *given).out
    assert "time 7/8" in command("advise", model, *given).out
    np.save(model.parent / "in.npy", RNG.random((6, 7)))
    assert "7 steps of tau = 1/8" in command("run", model, "in.npy", "out.npy", *given).out
    text = {name: " ".join(command(name, "--help").out.split()) for name in COMMANDS}
    for name in ("verify", "compile", "export", "draw", "advise", "run", "bench"):
        assert all(option in text[name] for option in ("--set", "--tau", "--steps"))
    for name in COMMANDS:
        assert "--quiet" in text[name] and "--json" in text[name]


def test_there_is_no_step_without_a_scheme(command, tmp_path: Path) -> None:
    (tmp_path / "bare.pde").write_text("unknown u(x, t)\nequation u_t = u_xx\n")
    result = command("advise", "bare.pde", "--time", "1", "--tau", "1")
    assert result.status == 2 and "bare.pde has no scheme" in result.err
    result = command("verify", "bare.pde", "--tau", "1")
    assert result.status == 2 and "add one" in result.err


def test_inputs_and_trained_weights_have_their_own(command, tmp_path: Path) -> None:
    (tmp_path / "a.pde").write_text(
        "unknown u(x, t)\ninput sigma > 0\nequation u_t = sigma * u_xx\nscheme explicit(tau = 1/4)\n"
    )
    assert "--input sigma=1" in command("verify", "a.pde", "--set", "sigma=1").err
    for name in ("verify", "run"):
        more = ("a.npy", "b.npy") if name == "run" else ()
        result = command(name, "net.safetensors", *more, "--tau", "1")
        assert result.status == 2 and "--tau goes with declarations" in result.err


# -- what decides the exit status of verify --------------------------------------------------------


@pytest.mark.parametrize(
    ("require", "tau", "status"),
    [
        ("l2_stability", "1/4", 0),
        ("l2 stability, maximum_principle", "1/4", 0),
        ("l2_stability", "1/3", 1),
        ("mean_preservation,maximum_principle", "1/3", 1),
        ("averaged", "1/4", 3),
        ("solver_convergence", "1/4", 3),
        ("averaged,l2_stability", "1/3", 1),
    ],
)
def test_required_claims_decide(command, heat, require, tau, status) -> None:
    result = command("verify", heat(), "--tau", tau, "--require", require)
    assert result.status == status, result
    assert re.search(r"(l2 stability|maximum principle|averaged|solver convergence): ", result.out)
    assert command("verify", heat(), "--tau", tau, "--require", require, "-q") == (status, "", "")


def test_what_is_proved_under_a_condition_is_not_proved(command, heat) -> None:
    assert command("verify", heat(tau="tau", h="h")).status == 3
    assert command("verify", heat(tau="tau", h="h"), "--require", "l2_stability").status == 3
    assert command("verify", heat(tau="tau", h="h"), "--set", "tau=1", "--set", "h=2").status == 0


def test_claims_that_there_are_not(command, heat) -> None:
    result = command("verify", heat(), "--require", "l2_stabilty")
    assert result.status == 2 and 'no claim "l2_stabilty". Did you mean "l2_stability"?' in result.err


# -- quiet and json --------------------------------------------------------------------------------


@pytest.fixture
def results(command, heat, tmp_path: Path) -> dict[str, dict]:
    """What each command prints as JSON."""
    file = heat()
    np.save(tmp_path / "in.npy", RNG.random((6, 7)))
    calls = {
        "compile": (file, "--certificate", "c.json"),
        "recheck": ("c.json", "net.py"),
        "run": (file, "in.npy", "out.npy", "--track", "mean"),
        "export": (file, "-o", "net.pt2", "--size", "6"),
        "draw": (file, "-o", "graph.svg"),
        "gallery": ("heat",),
    }
    found = {}
    for name, arguments in calls.items():
        result = command(name, *arguments, "--json")
        assert result.status == 0 and not result.err, result
        assert result.out.count("\n") == 1
        found[name] = json.loads(result.out)
        quiet = command(name, *arguments, "--quiet").out
        assert bool(quiet) == (name in ("gallery", "run")), "the text and the table were asked for"
    return found


def test_fields_are_those_of_the_page(results) -> None:
    page = (ROOT / "docs" / "command_line.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M))
    assert set(rows) == set(COMMANDS)
    for name, found in results.items():
        fields = rows[name].partition(" each with ")[0].partition("; without")[0]
        assert set(re.findall(r"`(\w+)`", fields)) == set(found), name
    (run,) = results["run"]["results"]
    assert set(re.findall(r"`(\w+)`", rows["run"].partition(" each with ")[2].partition(";")[0])) == set(run)
    start = {"repeat": 0, "time": 0.0, "image": 0, "mean": run["before"]["mean"]}
    assert run["track"][0] == pytest.approx(start, rel=1e-6)
    assert results["draw"]["output"] == "graph.svg" and "input u" in results["draw"]["tree"]
    assert results["compile"]["status"] == "proved" and results["recheck"]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "kind", "words", "status"),
    [
        (("verify", "none.pde"), "FileError", "no file none.pde", 2),
        (("verify", "heat.py", "--set", "x"), "DeclarationError", "NAME=NUMBER", 2),
        (("verify", "heat.py", "--jsn"), "UsageError", "--json", 2),
        (("verify",), "UsageError", "FILE", 2),
        (("compile", "heat.py", "--tau", "1"), "StabilityError", "unstable", 1),
        (("advise", "heat.py", "--time", "-1"), "DeclarationError", "positive", 2),
        (("draw", "heat.py", "-o", "a.gif"), "FileError", ".svg or .dot", 2),
        (("gallery", "heet"), "DeclarationError", 'Did you mean "heat"?', 2),
        (("recheck", "heat.py"), "FileError", "not a certificate", 2),
        (("run", "heat.py", "none.png", "out.png"), "FileError", "none.png", 2),
        (("demo", "-o", "heat.py"), "FileError", "Cannot make the folder", 2),
        (("train", "none.toml"), "FileError", "none.toml", 2),
        (("bench", "heat.py", "--picture", "a.txt"), "FileError", ".png", 2),
    ],
)
def test_errors_are_objects(command, heat, arguments, kind, words, status) -> None:
    heat()
    result = command(*arguments, "--json")
    assert result.status == status and not result.out
    found = json.loads(result.err)
    assert set(found) == {"error", "kind"} and found["kind"] == kind and words in found["error"]


def test_warnings_are_objects(command, heat) -> None:
    result = command("compile", heat(), "--tau", "1", "--on-unstable", "warn", "--json")
    assert result.status == 0 and "refuted" in json.loads(result.err)["warning"]
    assert json.loads(result.out)["status"] == "refuted"


def test_quiet_leaves_what_was_asked_for(command, heat) -> None:
    file = heat()
    assert command("verify", file, "-q") == (0, "", "")
    assert "Theorem" in command("verify", file, "-q", "--proof").out
    assert command("draw", file, "-q").out == command("draw", file).out
    assert "Schemes that reach" in command("advise", file, "-q").out
    assert command("compile", file, "-q").out == ""
    assert command("verify", "none.pde", "-q").err.startswith("pde2net: ")


# -- a text on stdin -------------------------------------------------------------------------------


def test_a_text_may_come_from_stdin(command, monkeypatch, tmp_path: Path) -> None:
    text = "unknown u(x, y, t)\nequation u_t = laplacian(u)\n"

    def piped(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    piped(text + "scheme explicit(tau = 1/5)\n")
    assert "proved for tau = 1/5" in command("verify", "-").out
    piped(text)
    assert "<stdin> has no scheme" in command("verify", "-").err
    piped(text.replace("laplacian", "laplacan"))
    result = command("verify", "-")
    assert result.status == 2 and "<stdin>, line 2" in result.err and "laplacian" in result.err
    piped(text + "scheme explicit(tau = 1)\n")
    assert "tau = largest" in command("compile", "-").err, "it is told what texts have"
    result = command("run", "-", "-", "out.png")
    assert result.status == 2 and "stdin has one of them" in result.err


# -- the gallery -----------------------------------------------------------------------------------


def test_the_gallery_lists_prints_and_writes(command, tmp_path: Path) -> None:
    listed = command("gallery").out
    assert [line.split()[0] for line in listed.splitlines() if line[0] != " "] == list(gallery.names())
    assert {row["name"] for row in json.loads(command("gallery", "--json").out)["models"]} == set(
        gallery.names()
    )
    assert command("gallery", "heat").out == gallery.text("heat")
    assert command("gallery", "heat", "-o", "mine.pde").out == "mine.pde\n"
    assert (tmp_path / "mine.pde").read_text() == gallery.text("heat")
    again = command("gallery", "rof", "-o", "mine.pde")
    assert again.status == 2 and "there is a file of this name" in again.err
    assert (tmp_path / "mine.pde").read_text() == gallery.text("heat")
    for arguments, words in (
        (("heet",), 'Did you mean "heat"?'),
        (("heat", "-o", "a.txt"), "must end in .pde"),
        (("-o", "a.pde"), "give its name"),
    ):
        result = command("gallery", *arguments)
        assert result.status == 2 and words in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.pde"]

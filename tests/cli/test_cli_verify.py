"""`verify`, `compile`, `draw` and the top level: output, messages and exit status."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import pde2net as p2n
from pde2net.cli.main import COMMANDS

SOURCE_TERM = {"rhs": "p2n.laplacian(u) + f - u", "tau": "sp.Rational(1, 5)"}


@pytest.mark.parametrize(
    "choices,status,words",
    [
        ({}, 0, "Stable: l2 stability is proved for tau = 1/4 (largest stable tau 1/4)."),
        ({"tau": "None"}, 0, "Stable: l2 stability is proved for tau = 1/4"),
        (
            {"tau": "sp.Rational(1, 3)"},
            1,
            "Unstable: l2 stability is refuted for tau = 1/3 (largest stable tau 1/4).",
        ),
        ({"tau": "tau", "h": "h"}, 3, "Not proved: l2 stability holds if tau <= h**2/4"),
        (SOURCE_TERM, 0, "Stable: frozen stability is proved for tau = 1/5"),
        (SOURCE_TERM | {"tau": "1"}, 1, "frozen stability is refuted"),
    ],
)
def test_verify_says_what_its_status_says(command, heat, choices, status, words):
    result = command("verify", heat(**choices))
    assert result.status == status
    assert words in " ".join(result.out.split())
    assert "u_t = " in result.out and "explicit, tau" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    assert not result.err


def test_verify_shows_each_counterexample(command, heat):
    out = command("verify", heat(tau="1")).out
    assert "Counterexamples" in out and "norm grows" in out


def test_json_is_the_certificate_alone(command, heat):
    file = heat(tau="1")
    file.write_text(file.read_text() + "print('noise')\n")
    result = command("verify", file, "--json")
    assert result.status == 1
    assert json.loads(result.out)["format"].startswith("pde2net-certificate")
    claims = p2n.Certificate.from_json(result.out).claims
    assert claims["l2_stability"].status == "refuted" and claims["l2_stability"].witness
    assert result.err == "noise\n"


@pytest.mark.parametrize("name", ["verify", "compile", "draw"])
def test_bad_files_are_one_message_and_status_2(command, heat, tmp_path: Path, name):
    bad = heat("bad.py", tau="-1"), heat("flow.py", rhs="u.diff(x)")
    for file, words in zip(("none.py", *bad), ("none.py", "line 7", "advect"), strict=True):
        result = command(name, file)
        assert result.status == 2 and words in result.err
        assert result.err.startswith("pde2net: ") and result.err.count("\n") == 1 and not result.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.py", "flow.py"]


def test_compile_writes_the_source(command, heat, tmp_path: Path):
    file = heat()
    result = command("compile", file, "-o", "out.py")
    assert result.status == 0
    assert result.out.splitlines()[0] == "out.py: residual stack, 3 blocks"
    assert result.out.splitlines()[1].startswith("Stable: l2 stability is proved")
    declared = p2n.load(file)
    source = p2n.compile(declared.problem, declared.scheme, declared.grid).source()
    assert (tmp_path / "out.py").read_text() == source


def test_compile_refuses_what_is_refuted_unless_told_otherwise(command, heat, tmp_path: Path):
    file, net = heat(tau="1"), tmp_path / "net.py"
    refused = command("compile", file)
    assert refused.status == 1 and "largest stable step is tau = 1/4" in refused.err
    assert not net.exists()
    warned = command("compile", file, "--on-unstable", "warn")
    assert warned.status == 0 and warned.err.count("warning") == 1 and net.exists()
    assert "Unstable" in warned.out
    ignored = command("compile", file, "--on-unstable", "ignore")
    assert ignored.status == 0 and not ignored.err


def test_compile_needs_values_and_a_place(command, heat, tmp_path: Path):
    symbolic = command("compile", heat(tau="tau"))
    assert symbolic.status == 2 and "tau has no value" in symbolic.err
    for target in ("none/net.py", "."):
        result = command("compile", heat(), "-o", target)
        assert result.status == 2 and f"Cannot write {target}" in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["heat.py"]


def test_draw_prints_a_tree_or_writes_an_svg(command, heat, tmp_path: Path):
    for choices in ({}, {"tau": "tau", "h": "h"}, {"tau": "1"}):
        result = command("draw", heat(**choices))
        assert result.status == 0 and "input u" in result.out and "output u" in result.out
    assert command("draw", heat(), "-o", "graph.svg").status == 0
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")
    assert command("draw", heat(), "-o", "graph.dot").status == 0
    assert (tmp_path / "graph.dot").read_text().startswith("digraph network {")
    assert command("draw", heat(), "-o", "none/graph.svg").status == 2
    refused = command("draw", heat(), "-o", "graph.png")
    assert refused.status == 2 and "must end in .svg or .dot" in " ".join(refused.err.split())


def test_misspelt_words_are_met_with_the_nearest(command, heat):
    for arguments, words in (
        (["verfy", "x"], "verify"),
        (["verify", "x", "--jsn"], "--json"),
        (["compile", heat(), "--on-unstable", "wran"], "warn"),
        (["verify"], "FILE"),
        (["run", heat(), "a.png", "b.png", "--dtype", "float16"], "float32"),
    ):
        result = command(*arguments)
        assert result.status == 2 and words in result.err


def test_help_teaches(command):
    top = command("--help").out
    for name in COMMANDS:
        assert name in top
        text = command(name, "--help").out
        assert f"Example: pde2net {name}" in text and "Exit status" in text
        assert max(map(len, text.splitlines())) <= 80
    assert "equation u_t = laplacian(u)" in top and "Exit status" in top
    assert command("--version").out == f"pde2net {p2n.__version__}\n"


def test_help_and_verify_load_no_torch(heat):
    program = "import sys, pde2net.cli.main as m\ntry: m.run()\nfinally: assert 'torch' not in sys.modules"
    for arguments in (["--help"], ["verify", str(heat())]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_module_runs_and_survives_a_pipe_without_unicode(heat, tmp_path: Path):
    command = [sys.executable, "-m", "pde2net", "draw", str(heat())]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "input u" in done.stdout, done.stderr


def test_an_interrupt_ends_quietly_with_130(command, tmp_path: Path):
    (tmp_path / "stop.py").write_text("raise KeyboardInterrupt\n")
    result = command("verify", "stop.py")
    assert result.status == 130 and not result.out and not result.err.strip()

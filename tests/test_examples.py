"""Every example runs without a warning and prints what it promises."""

import contextlib
import functools
import io
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
EXPECTED = {
    "aos.py": ("AOS, 16 steps", "l2 stability        proved", "maximum principle   proved"),
    "charbonnier_3d.py": ("largest proved step  2/9", "nonexpansive         proved"),
    "convergence.py": ("in space: order 1.07", "in space: order 2.01", "in time: order 1.06"),
    "crank_nicolson.py": ("frozen stability       proved           proved",),
    "du_fort_frankel.py": ("l2 stability      refuted\n  frozen stability  proved",),
    "fed.py": ("  100    841.7    proved",),
    "fourth_order.py": ("tau <= h**4/8", "tau <= h**4/32", "maximum principle   refuted"),
    "fsi.py": ("explicit           400", "FSI, 3 x 20         60"),
    "guided_diffusion.py": ("l2 stability proved, tau = 1/4",),
    "implicit.py": ("l2 stability        proved",),
    "inpainting.py": ("l2_stability: not applicable", "maximum_principle: proved"),
    "large_volume.py": ("does not fit into 44 MiB\nmade within 44 MiB", "computed at once: 0\n"),
    "multigrid.py": ("u-net; by Fourier analysis",),
    "perona_malik.py": ("l2 stability: proved", "This needs tau <= 1/4"),
    "plug_and_play.py": ("yes, 40 iterations\ninpainting", "PSNR in dB"),
    "rkl.py": ("explicit steps: 128", "proved"),
    "stability_limits.py": ("h**2/6", "18*h**2/49", "epsilon*h**2/4", "2*h**2/(beta*h**2 + 8)"),
}


OPTIONS = {"plug_and_play.py": ["--quick"], "large_volume.py": ["--quick"]}
APART = ("large_volume.py",)  # limits the memory of its process


def process(name: str) -> str:
    """What an example prints in a process of its own."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *OPTIONS.get(name, [])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@functools.cache
def run(name: str) -> str:
    """What it prints in this process, which has SymPy and PyTorch already."""
    if name in APART:
        return process(name)
    out, err = io.StringIO(), io.StringIO()
    arguments = mock.patch.object(sys, "argv", [name, *OPTIONS.get(name, [])])
    shown = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with warnings.catch_warnings(), arguments, shown[0], shown[1]:
        warnings.simplefilter("error")
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert err.getvalue() == ""
    return out.getvalue()


def test_a_process_of_its_own_prints_the_same() -> None:
    for name in ("perona_malik.py", "heat_1d.py"):
        assert process(name) == run(name)


@pytest.mark.parametrize("name", ["multigrid.py", "inpainting_multigrid.py"])
def test_photographs_need_scikit_image_which_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert end.value.code == 'This example needs scikit-image: pip install "pde2net[demo]".'


def test_there_are_at_least_six() -> None:
    assert len(list(EXAMPLES.glob("*.py"))) >= 6


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_example_runs_and_prints(name: str) -> None:
    out = run(name)
    assert out.strip()
    for words in EXPECTED.get(name, ()):
        assert words in out, out


def test_heat_converges_with_second_order() -> None:
    ratios = [float(line.split()[-1]) for line in run("heat_1d.py").splitlines()[2:]]
    assert all(3.8 < ratio < 4.2 for ratio in ratios), ratios


def test_inpainting_fills_in() -> None:
    lines = run("inpainting.py").splitlines()
    alone, filled = (float(line.split()[-1]) for line in lines if line.startswith("rms"))
    assert filled < 0.2 * alone


def test_crank_nicolson_is_of_second_order_and_implicit_of_first() -> None:
    rows = [line.split() for line in run("crank_nicolson.py").splitlines()[1:7]]
    ratios = {(theta, steps): float(ratio) for theta, steps, _, ratio in rows}
    assert 1.8 < ratios["1", "20"] < 2.3
    assert 3.7 < ratios["1/2", "20"] < 4.4


def test_du_fort_frankel_converges_only_if_tau_over_h_vanishes() -> None:
    rows = [line.split() for line in run("du_fort_frankel.py").splitlines()[-3:]]
    proportional, quadratic = ([float(row[k]) for row in rows] for k in (2, 4))
    assert proportional[-1] > proportional[0]
    assert quadratic[-1] < 0.1 * quadratic[0]


def test_multigrid_inpainting_fills_in_a_photograph() -> None:
    lines = [line.split() for line in run("inpainting_multigrid.py").splitlines()]
    found = {words[0]: words[-1] for words in lines}
    assert float(found["rms"]) < 0.08
    assert int(found["cycles"]) <= 12

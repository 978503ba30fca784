"""Every example runs in a fresh process and prints what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
EXPECTED = {
    "charbonnier_3d.py": ("largest proved step  2/9", "nonexpansive         proved"),
    "fourth_order.py": ("tau <= h**4/8", "tau <= h**4/32", "maximum principle   refuted"),
    "guided_diffusion.py": ("l2 stability proved, tau = 1/4",),
    "inpainting.py": ("l2_stability: not applicable", "frozen_stability: unknown"),
    "perona_malik.py": ("l2 stability: proved", "This needs tau <= 1/4"),
    "stability_limits.py": ("h**2/6", "18*h**2/49", "epsilon*h**2/4", "2*h**2/(beta*h**2 + 8)"),
}


def run(name: str) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


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

"""The ten tasks of docs/tasks.md: their commands run, and make the pictures that the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pde2net

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tasks.md").read_text()
TASKS = re.findall(r"^## (\d+)\. [^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
CLOSE = 1.0  # grey value, in the mean: libraries and machines round differently
MADE = ("net.py", "certificate.json", "graph.svg", "certificate.png", "film.gif", "net.pt2")


def commands(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))


def same(made: Path, shown: Path) -> bool:
    first, second = (np.asarray(Image.open(p), dtype=float) for p in (made, shown))
    return first.shape == second.shape and bool(np.abs(first - second).mean() < CLOSE)


@pytest.mark.long
def test_the_tasks(tmp_path: Path) -> None:
    """In one folder, as a newcomer would; tasks that need what is not installed are left out."""
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    assert [number for number, _ in TASKS] == [str(n + 1) for n in range(10)]
    script = "\n".join(commands(text) for _, text in TASKS)
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        script = script.replace("pde2net export pm.pde -o net.onnx\n", "")
    here = Path(pde2net.__file__).parent.parent
    program = f'"{sys.executable}" -m pde2net "$@"'
    functions = f'pde2net() {{ {program}; }}\npython() {{ "{sys.executable}" "$@"; }}\n'
    head = f'set -e\nexport PYTHONPATH="{here}"\n{functions}'
    run = subprocess.run(["bash", "-c", head + script], cwd=tmp_path, capture_output=True, text=True)
    assert not run.returncode, run.stderr
    assert "holds, and net.py is the source that it is about" in run.stdout
    for name in MADE:
        assert (tmp_path / name).stat().st_size > 0
    for shown in re.findall(r"\]\((tasks/\w+\.png)\)", PAGE):
        assert same(tmp_path / Path(shown).name, ROOT / "docs" / shown), shown

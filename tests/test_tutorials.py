"""The notebooks of docs/tutorials run from top to bottom, and show what their outputs say."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FILES = sorted((Path(__file__).parent.parent / "docs" / "tutorials").glob("*.ipynb"))
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w])")
RICH = ("_repr_html_", "_repr_png_", "_repr_svg_", "_repr_latex_")


def same(stored: str, printed: str) -> bool:
    """The same words, and numbers that differ by rounding, which is another one on each machine."""
    texts = [NUMBER.sub("#", " ".join(text.split())) for text in (stored, printed)]
    values = [[float(v) for v in NUMBER.findall(text)] for text in (stored, printed)]
    return texts[0] == texts[1] and values[1] == pytest.approx(values[0], rel=5e-3, abs=1e-4)


def test_there_are_six() -> None:
    assert [file.stem for file in FILES] == [
        *("claims", "denoise", "deployment", "inpainting", "training", "volumes"),
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_cells_run_one_after_the_other(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in IPython, which shows the value of the last expression of a cell by its rich forms."""
    pytest.importorskip("skimage")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        *before, last = tree.body
        shown = isinstance(last, ast.Expr)
        exec(compile(ast.Module(before if shown else tree.body, []), file.name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), file.name, "eval"), names)
            for form in RICH if type(value).__module__.startswith("pde2net") else ():
                if hasattr(value, form):
                    assert getattr(value, form)() is not None
        printed = capsys.readouterr().out
        stored = "".join(
            "".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream"
        )
        if "print" in "".join(cell["source"]) and file.stem not in ("training",):
            assert same(stored, printed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_outputs_are_those_of_one_run(file: Path) -> None:
    cells = [c for c in json.loads(file.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert file.stat().st_size < 2 << 20

"""docs/denoising.md is what benchmarks/denoising_page.py makes of the committed results."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "denoising.md").read_text()
ROWS = json.loads((ROOT / "docs" / "denoising" / "results.json").read_text())
KEYS = {"sigma", "name", "data", "parameters", "psnr", "ssim", "seconds", "claim", "factor", "note"}


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("denoising_page", ROOT / "benchmarks" / "denoising_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_results(script: Any) -> None:
    histories = list((ROOT / "docs" / "denoising").glob("history-*.csv"))
    assert script.page(ROWS, bool(histories)) == PAGE
    assert (ROOT / "docs" / "denoising" / "curves.png").exists() == bool(histories)


def test_results_are_complete_and_possible() -> None:
    assert len({(row["sigma"], row["name"]) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert set(row) == KEYS and row["sigma"] in (15, 25, 50)
        noisy = -20 * math.log10(row["sigma"] / 255)
        assert noisy + 2 < row["psnr"] < noisy + 13 and 0.4 < row["ssim"] < 1 and row["seconds"] > 0
        ours = row["name"].startswith(("pde2net", "T1", "T2", "T3"))
        assert ("proved" in row["claim"]) == ours


def test_tables_are_sorted_and_have_every_row(script: Any) -> None:
    for level, table in zip(script.LEVELS, PAGE.split("## sigma = ")[1:], strict=True):
        lines = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
        values = [float(cells[3]) for cells in lines]
        assert values == sorted(values, reverse=True)
        published = [n for n, (_, _, values) in script.PUBLISHED.items() if level in values]
        assert len(lines) == len(published) + sum(row["sigma"] == level for row in ROWS)

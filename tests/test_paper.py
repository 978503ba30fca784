"""The experiments of examples/paper: quick runs, resumed, and the page that is made of them."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAPER = ROOT / "examples" / "paper"
EXPERIMENTS = ("blocks", "activations", "schemes", "multigrid", "robustness", "rates")


def run(script: str, *options: object) -> str:
    command = [sys.executable, str(PAPER / f"{script}.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_quick_run_is_kept_resumed_and_reported(experiment: str, tmp_path: Path) -> None:
    options = ("--quick", "--results", tmp_path)
    path = tmp_path / f"{experiment}.jsonl"
    run(experiment, *options)
    lines = path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert all(math.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))
    assert all(row["test"] > 0 and row["epochs"] > 0 for row in rows)
    names = ("network", "task", "rate", "size", "seed", "budget")
    assert len({tuple(row.get(n) for n in names) for row in rows}) == len(rows)

    path.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])  # killed while it wrote the last line
    run(experiment, *options)
    again = path.read_text().splitlines()
    assert again[: len(lines) - 1] == lines[:-1] and len(again) == len(lines) + 1
    assert all(json.loads(again[-1]).get(n) == rows[-1].get(n) for n in names)

    page = tmp_path / "reproduction.md"
    run("report", *options, "--page", page)
    text = page.read_text(encoding="utf-8")
    assert "not decided: too few runs" in text and "supported**" not in text
    if experiment != "rates":
        assert f"{len(rows)} of the {3 * len(rows)} trainings of 3 seeds were run" in text
        assert (tmp_path / "reproduction" / f"{experiment}.png").stat().st_size > 0


def test_no_cell_is_begun_when_time_is_up(tmp_path: Path) -> None:
    assert "goes on" in run("blocks", "--quick", "--results", tmp_path, "--minutes", 0)
    assert not list(tmp_path.iterdir())


def test_verdicts_follow_the_rules(tmp_path: Path) -> None:
    def write(errors: dict[str, float], seeds: int) -> str:
        with (tmp_path / "blocks.jsonl").open("w") as file:
            for network, error in errors.items():
                for seed in range(seeds):
                    for budget in ("steps", "time"):
                        row = {"experiment": "blocks", "quick": True, "network": network, "size": 2}
                        row |= {"seed": seed, "budget": budget, "seconds": 1.0, "parameters": 5}
                        file.write(json.dumps({**row, "test": error + 0.1 * seed}) + "\n")
        page = tmp_path / "reproduction.md"
        run("report", "--quick", "--results", tmp_path, "--page", page)
        lines = page.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if "diffusion blocks" in line and line.startswith("| "))

    better = {"diffusion": 9.0, "residual": 9.0, "residual, equal parameters": 12.0}
    half, equal = write(better, 3).splitlines()
    assert "| **supported** | 0 | 2 | 0 | 0 |" in half
    assert "| **supported** | 2 | 0 | 0 | 0 | 2 of 2 |" in equal
    half, equal = write({**better, "diffusion": 15.0}, 3).splitlines()
    assert "| **not supported** | 0 | 0 | 2 | 0 |" in half and "**not supported**" in equal
    assert all("too few runs" in line for line in write(better, 2).splitlines())


def test_the_committed_page_is_made_of_the_committed_results(tmp_path: Path) -> None:
    run("report", "--page", tmp_path / "reproduction.md")
    made = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    assert made == (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    kept = {path.name for path in (ROOT / "docs" / "reproduction").glob("*.png")}
    assert kept == {path.name for path in (tmp_path / "reproduction").glob("*.png")}

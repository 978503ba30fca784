"""Processor time of the tests, against an earlier commit, and the size of the package; writes gate.json.

`make test` of both commits runs at once, each in one process, so both meet the same machine.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from analysis import BASE, ROOT, worktree

RESULT = Path(__file__).parent / "gate.json"
PYTEST = (sys.executable, "-m", "pytest", "--override-ini=addopts=", "-q", "-n", "0", "-m", "not long")


def run(trees: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Processor seconds of each, its children included, and how many tests passed."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        started = {}
        for name, tree in trees.items():
            environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
            with (Path(folder) / name).open("w") as log:
                process = subprocess.Popen(PYTEST, cwd=tree, env=environment, stdout=log, stderr=log)
            started[process.pid] = name
        while started:
            pid, _, usage = os.wait4(-1, 0)
            name = started.pop(pid)
            log = (Path(folder) / name).read_text()
            passed = re.search(r"(\d+) passed", log)
            if passed is None or " failed" in log.splitlines()[-1]:
                raise SystemExit(f"{name}: {log[-4000:]}")
            found[name] = {"seconds": usage.ru_utime + usage.ru_stime, "tests": int(passed[1])}
    return found


def size(tree: Path) -> dict[str, int]:
    """Lines of the package and of its longest function."""
    files = [path.read_text() for path in (tree / "pde2net").rglob("*.py")]
    functions = (n for text in files for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef))
    return {
        "lines": sum(text.count("\n") for text in files),
        "longest": max((n.end_lineno or 0) - n.lineno + 1 for n in functions),
    }


def table() -> list[str]:
    """What was measured last."""
    found = json.loads(RESULT.read_text())
    old, new = found["before"], found["now"]
    rows = (
        ("processor seconds of the tests, one process", "seconds", ".0f"),
        ("tests that ran", "tests", "d"),
        ("lines of the package", "lines", "d"),
        ("lines of its longest function", "longest", "d"),
    )
    lines = [f"| | at {BASE} | now | now/before |", "| --- | --- | --- | --- |"]
    for title, key, form in rows:
        lines.append(f"| {title} | {old[key]:{form}} | {new[key]:{form}} | {new[key] / old[key]:.2f} |")
    return lines


if __name__ == "__main__":
    with worktree() as before:
        trees = {"before": before, "now": ROOT}
        measured = {name: {**numbers, **size(trees[name])} for name, numbers in run(trees).items()}
    RESULT.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n")
    print("\n".join(table()))

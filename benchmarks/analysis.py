"""Processor time of imports, certificates and compilation, against an earlier commit.

Both are measured in turns, each run in a process of its own: Perona-Malik in 2D, after a warm-up with the
same schemes on Charbonnier diffusion in 1D, which imports what is imported when it is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASE = "f6bfa08"  # the state before searches in batches and graphs with loops
RUNS = 5
PROGRAM = """
import json, time
import sympy as sp

def took(work):
    start = time.process_time()
    work()
    return time.process_time() - start

found = {"import, SymPy loaded already": took(lambda: __import__("pde2net"))}
import pde2net as p2n

x, y, t = sp.symbols("x y t", real=True)
u, v, lam = sp.Function("u")(x, y, t), sp.Function("u")(x, t), sp.Symbol("lambda", positive=True)
g = 1 / (1 + p2n.norm2(p2n.grad(u)) / lam**2)
problem = p2n.Problem(sp.Eq(u.diff(t), p2n.div(g * p2n.grad(u))), parameters={lam: sp.Rational(1, 10)})
slope = p2n.grad(v)
warm = p2n.Problem(sp.Eq(v.diff(t), p2n.div(slope / sp.sqrt(1 + p2n.norm2(slope)))))
SCHEMES = {
    "verify, explicit, 20 steps": p2n.Explicit(0.2, 20),
    "verify, FSI, n = 10, 2 cycles": p2n.FSI(0.2, 10, 2),
    "verify, Kacanov to 1e-6, 2 steps": p2n.Implicit(5, 2, p2n.Kacanov(tol=1e-6)),
    "verify, multigrid on three levels": p2n.Multigrid(5, levels=3),
}
for scheme in SCHEMES.values():
    p2n.verify(warm, scheme)
p2n.compile(warm, p2n.Explicit(0.2, 2))
for name, scheme in SCHEMES.items():
    found[name] = took(lambda: p2n.verify(problem, scheme))
found["compile, 2000 explicit steps"] = took(lambda: p2n.compile(problem, p2n.Explicit(0.2, 2000)))
print(json.dumps(found))
"""


def measured(tree: Path) -> dict[str, float]:
    """Seconds of processor time of each case, with the package in `tree`."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tree, env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def worktree(commit: str = BASE) -> Iterator[Path]:
    """An earlier commit, checked out for a while."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", before, commit], cwd=ROOT, check=True)
        try:
            yield before
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", before], cwd=ROOT, check=True)


def table() -> list[str]:
    """Medians of both, and how much less time is taken now."""
    with worktree() as before:
        pairs = [(measured(before), measured(ROOT)) for _ in range(RUNS)]
    lines = [f"| processor seconds | at {BASE} | now | times less |", "| --- | --- | --- | --- |"]
    for name in pairs[0][1]:
        old, new = (statistics.median(pair[k][name] for pair in pairs) for k in (0, 1))
        lines.append(f"| {name} | {old:.3f} | {new:.3f} | {old / new:.1f} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))

"""Imports point one way: from later stages to earlier ones, lazy and type-only imports included."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import networkx as nx
import pytest

import pde2net
from pde2net.later import later
from pde2net.offered import OFFERED

ROOT = Path(pde2net.__file__).parent
# Each folder imports those before it only, and what stands beside the folders.
STAGES = ("language", "normalise", "discretise", "scheme", "graph", "verify", "figures")
STAGES += (
    "program",
    "emit",
    "trajectory",
    "guidance",
    "audit",
    "learn",
    "models",
    "restore",
    "studio",
    "cli",
)


def modules() -> dict[str, Path]:
    names = {p: ".".join(("pde2net", *p.relative_to(ROOT).with_suffix("").parts)) for p in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): p for p, name in names.items()}


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """All modules of the package that a file imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {f if f in known else str(node.module) for f in full}
    return found & set(known)


def imports() -> nx.DiGraph:
    known = modules()
    return nx.DiGraph((name, other) for name, path in known.items() for other in imported(path, known))


def test_no_module_imports_itself_through_others() -> None:
    circles = [sorted(c) for c in nx.strongly_connected_components(imports()) if len(c) > 1]
    assert circles == []


def test_stages_import_earlier_ones_only() -> None:
    wrong = []
    for name, other in imports().edges():
        stages = [m.split(".")[1] if m.count(".") else "" for m in (name, other)]
        if all(s in STAGES for s in stages) and STAGES.index(stages[0]) < STAGES.index(stages[1]):
            wrong.append((name, other))
    assert wrong == []


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_offered_exists(name: str) -> None:
    function = getattr(import_module(OFFERED[name]), name)
    assert inspect.isfunction(function) and function.__module__ == OFFERED[name]
    assert later(name).func.__name__ == "call"  # type: ignore[attr-defined]  # of a partial


def test_names_are_those_of_the_interface() -> None:
    assert set(pde2net.__all__) <= set(dir(pde2net))
    for name in pde2net.__all__:
        assert getattr(pde2net, name) is not None
    functions = (pde2net.compile, pde2net.verify, pde2net.recheck, pde2net.advise, pde2net.load)
    assert all(inspect.isfunction(f) for f in functions)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pde2net.nothing


def test_declarations_load_neither_proofs_nor_numbers() -> None:
    program = "import sys, pde2net; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = set(loaded.stdout.split())
    assert "pde2net.language.problem" in names
    unwanted = {"torch", "numpy", "networkx", "z3", "matplotlib", "rich", "typer", "lark", "pde2net.audit"}
    assert not names & (unwanted | {"pde2net.compiler", "pde2net.network", "pde2net.emit.emit"})

"""What numba compiles is shared by sources that differ in numbers; the rest of a source is as it was."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import sympy as sp
import torch
from support import diffusion, lam

import pde2net as p2n
from pde2net.emit.kernel_text import separated

pytest.importorskip("numba")


def network(value: float, tau: sp.Rational, steps: int) -> p2n.Network:
    problem = diffusion(lambda s: 1 / (1 + s / lam**2), 2, parameters={lam: value})
    return p2n.compile(problem, p2n.Explicit(tau, steps))


def test_sources_that_differ_in_numbers_share_their_kernels() -> None:
    first, second = network(0.1, sp.Rational(1, 5), 30), network(0.2, sp.Rational(1, 6), 40)
    texts = [separated(n.source("numba")) for n in (first, second)]
    assert texts[0].kernels == texts[1].kernels and first.source("numba") != second.source("numba")
    modules = [n.module("numba") for n in (first, second)]
    assert modules[0].forward.__globals__["sweep"] is modules[1].forward.__globals__["sweep"]
    u = torch.rand(1, 1, 40, 30)
    for made, of in zip(modules, (first, second), strict=True):
        torch.testing.assert_close(made(u), of.module()(u))


def test_nothing_is_lost() -> None:
    """Each statement of the source is in one of both parts, imports in both."""
    source = network(0.1, sp.Rational(1, 5), 30).source("numba")
    parts = separated(source)

    def statements(tree: ast.Module) -> set[str]:
        return {ast.unparse(node) for node in tree.body}

    whole, kernels, rest = (statements(t) for t in (ast.parse(source), ast.parse(parts.kernels), parts.rest))
    assert kernels | rest == whole
    assert all(text.startswith(("import ", "from ")) for text in kernels & rest)
    assert {"sweep", "line_of_skip", "forget"} <= set(parts.names)
    assert not {"TABLES", "LINES", "DiffusionNetwork", "advance"} & set(parts.names)


def test_names_of_functions_that_are_names_of_variables_are_told_apart() -> None:
    source = (
        "import numba\ndef done(a):\n    return a\ndef compiled(function):\n    return numba.njit(function)\n"
        "def inner(function):\n    return compiled(function)\n"
        "@inner\ndef f(a):\n    done = a\n    return g(done)\nLIMIT = 3\n"
        "@inner\ndef g(a):\n    return a + LIMIT\ndef h(function):\n    return f(function)\n"
    )
    assert separated(source).names == ("LIMIT", "compiled", "f", "g", "inner")


def test_kernels_are_compiled_once_for_all_values(tmp_path) -> None:
    """Another value in another process finds on disk what was compiled for the first."""
    program = (
        "import sys, torch, sympy as sp, pde2net as p2n\n"
        "text = '''unknown u(x, t)\nparameter c > 0 = {}\nequation u_t = diff(u_x/(1 + u_x^2/c^2), x)\n"
        "scheme explicit(tau = {}, steps = 12)'''\n"
        "declared = p2n.parse(text.format(sys.argv[1], sys.argv[2]))\n"
        "module = p2n.compile(declared.problem, declared.scheme, declared.grid).module('numba')\n"
        "module(torch.rand(1, 1, 50))\n"
        "print(sum(module.forward.__globals__['sweep'].stats.cache_misses.values()))\n"
    )
    misses = []
    for arguments in (("0.1", "1/4"), ("0.3", "1/5")):
        environment = {"PDE2NET_CACHE": str(tmp_path), "PATH": "", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(Path(p2n.__file__).parent.parent)
        command = [sys.executable, "-c", program, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert not run.returncode, run.stderr
        misses.append(int(run.stdout))
    assert misses == [1, 0] and len(list(tmp_path.glob("*.py"))) == 1

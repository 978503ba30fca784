"""Which backend is chosen, and what is said where there are no kernels."""

from __future__ import annotations

import builtins
import warnings
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
import torch

import pde2net as p2n
from pde2net.emit import backends
from pde2net.emit.backends import WARM, WORTH
from pde2net.emit.execute import _kernels
from pde2net.emit.kernel_text import separated

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
HEAT = p2n.Problem(sp.Eq(u.diff(t), p2n.laplacian(u)))
STACK = p2n.compile(HEAT, p2n.Explicit(tau=sp.Rational(1, 8), steps=10))
K = p2n.LinearOperator("K", 2, 3, scale=2)
AVERAGES = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2))))
COARSE = p2n.compile(AVERAGES, p2n.Explicit(sp.Rational(1, 100), 2), on_unstable="ignore")


@pytest.mark.parametrize(
    "cells,device,dtype,compiled,found",
    [
        (WORTH / 10, "cpu", "float32", False, "numba"),
        (WORTH / 10 - 1, "cpu", "float64", False, "torch"),
        (WARM / 10, "cpu", "float64", True, "numba"),
        (WARM / 10 - 1, "cpu", "float32", True, "torch"),
        (WORTH, "cuda", "float32", True, "torch"),
        (WORTH, "cpu", "float16", True, "torch"),
    ],
)
def test_auto(
    cells: float, device: str, dtype: str, compiled: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "is_compiled", lambda source: compiled)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert STACK.backend("auto", cells, device, dtype) == found
    assert STACK.backend("torch", cells, device, dtype) == "torch"


def test_what_was_compiled_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    source = p2n.compile(HEAT, p2n.Explicit(tau=sp.Rational(1, 16), steps=3)).source("numba")
    assert not backends.is_compiled(source)
    kernels = _kernels.__wrapped__(separated(source).kernels)
    assert (tmp_path / f"{kernels.__name__}.py").exists()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / f"{kernels.__name__}.call-1.py311.1.nbi").touch()
    assert backends.is_compiled(source)


def test_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(p2n.EmissionError, match="of averages"):
        COARSE.module(backend="numba")
    with pytest.warns(UserWarning, match="Torch runs this network"):
        assert COARSE.backend("auto", WORTH) == "torch"
    with pytest.raises(p2n.DeclarationError, match='"torch", "numba", "triton" or "auto"'):
        STACK.module(backend="nunba")
    with pytest.raises(p2n.DeclarationError, match="depends on the image"):
        STACK.source(backend="auto")
    plain = builtins.__import__

    def absent(name: str, *more: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "numba":
            raise ImportError(name)
        return plain(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(p2n.EmissionError, match=r"pip install \"pde2net\[fast\]\""):
        STACK.module(backend="numba")
    with pytest.warns(UserWarning, match="needs numba"):
        assert STACK.backend("auto", WORTH) == "torch"
    assert torch.equal(STACK.module()(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))

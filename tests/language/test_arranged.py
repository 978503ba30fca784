"""Equations as people arrange them: terms on either side, a factor of the derivative in time."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian
from pde2net.language.text.build import read

x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(n)(x, y, t) for n in "uv")
rho, q = sp.Function("rho", positive=True)(x, y), sp.Function("q")(x, y)
k = sp.Symbol("k", positive=True)
u_t, lap = u.diff(t), laplacian(u)
ARRANGED = [
    (3 * u_t - lap, 0, lap / 3),
    (0, lap - u_t, lap),
    (-u_t, -lap, lap),
    (sp.Rational(1, 10) * u_t, lap + u, 10 * (lap + u)),
    (lap, k * u_t + u, (lap - u) / k),
    (rho * u_t, div(q * grad(u)), div(q * grad(u)) / rho),
    (-2 * k * u_t + u, q, (u - q) / (2 * k)),
    (2 * (u_t - lap), u, lap + u / 2),
    ((1 + k) * u_t, lap, lap / (1 + k)),
]


@pytest.mark.parametrize("left,right,want", ARRANGED, ids=range(len(ARRANGED)))
def test_equations_are_solved_for_the_rate(left: Any, right: Any, want: Any) -> None:
    found = p2n.Problem(sp.Eq(left, right, evaluate=False))
    assert found.equation.lhs == u_t
    assert sp.simplify(sp.expand(found.rhs - want)) == 0
    again = read(found.to_text(), "a")[0]
    assert sp.simplify(sp.expand(again.rhs - found.rhs)) == 0
    p2n.verify(found, p2n.Explicit(sp.Rational(1, 50), 1))


def test_systems_and_texts() -> None:
    system = p2n.Problem([sp.Eq(2 * u_t, lap + v), sp.Eq(laplacian(v) - v.diff(t), u)])
    assert [sp.expand(e.rhs) for e in system.equations] == [
        sp.expand((lap + v) / 2),
        sp.expand(laplacian(v) - u),
    ]
    for equation, want in (
        ("3*u_t - laplacian(u) = 0", "laplacian(u)/3"),
        ("0.1*u_t = div(grad u)", "10*laplacian(u)"),
        ("div(grad u) = u_t", "laplacian(u)"),
        ("u_t = laplacian(u)", "laplacian(u)"),
    ):
        assert (
            f"equation  u_t = {want}" in read(f"unknown u(x, y, t)\nequation {equation}\n", "a")[0].to_text()
        )
    weighed = read("unknown u(x, t)\nfield rho(x) > 0\nequation rho*u_t = div(grad u)\n", "a")[0]
    assert read(weighed.to_text(), "a")[0] == weighed


REFUSED = [
    (q * u_t, lap, "may be 0"),
    (u * u_t, lap, "contains the unknown"),
    (u_t**2, lap, "left-hand side must be"),
    (u_t + u.diff(t, 2), lap, "first order in time"),
    (u_t, u_t + lap, "no time derivative on the right"),
    (lap, 0, "left-hand side must be"),
    (u_t.diff(x), lap, "must be the derivative in time"),
    (sp.sin(u_t), lap, "left-hand side must be"),
    ((k - 1) * u_t, lap, "may be 0"),
]


@pytest.mark.parametrize("left,right,said", REFUSED, ids=range(len(REFUSED)))
def test_others_are_refused_in_words(left: Any, right: Any, said: str) -> None:
    with pytest.raises(p2n.EquationError, match=said):
        p2n.Problem(sp.Eq(left, right, evaluate=False))

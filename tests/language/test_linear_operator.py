"""Learned operators as SymPy expressions, in equations, in texts and in JSON."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from support import equation, lam, t, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.normalise.recognise import recognise

R = sp.Rational
K, M = p2n.LinearOperator("K", out_channels=6, kernel_size=5), p2n.LinearOperator("M", 2, 4)
u = unknown(2)
f = sp.Function("f")(x, y)
PHI = K(u) / (1 + K(u) ** 2 / lam**2)


def problem(rhs: sp.Expr, **options: Any) -> p2n.Problem:
    return p2n.Problem(equation(rhs, 2), **options)


def test_operators_behave_as_expressions() -> None:
    assert K(u) == p2n.LinearOperator("K", 6, 5)(u) != M(u)
    assert (K(u) ** 2 + K(u) * M(u)).free_symbols == {x, y, t}
    assert K(u).is_real and K(u) - K(u) == 0
    assert str(-K.adjoint(PHI)) == "-K.adjoint(K(u(x, y, t))/(1 + K(u(x, y, t))**2/lambda**2))"
    assert pickle.loads(pickle.dumps(PHI)) == PHI
    assert r"K^{\top}" in sp.latex(K.adjoint(PHI))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: p2n.LinearOperator("a b", 1, 3), "letters, digits"),
        (lambda: p2n.LinearOperator("K", 0, 3), "at least 1"),
        (lambda: p2n.LinearOperator("K", 1, 2.5), "whole number"),
        (lambda: p2n.LinearOperator("K", True, 3), "whole number"),
        (lambda: K(grad(u)), "scalar expression"),
        (lambda: K("u"), "scalar expression"),
    ],
)
def test_bad_operators_are_refused(make: Any, words: str) -> None:
    with pytest.raises(p2n.Pde2NetError, match=words):
        make()


def test_terms_of_one_operator_are_one_term() -> None:
    q = sp.Symbol("K_u", real=True)
    form = recognise(
        problem(R(1, 2) * (-K.adjoint(PHI) - 2 * K.adjoint(K(u))) + laplacian(u) - M.adjoint(M(u)))
    )
    assert list(form.learned) == [K, M]
    assert sp.simplify(form.terms[1].flux - (q / (1 + q**2 / lam**2) / 2 + q)) == 0
    assert len(form.terms) == 3
    assert "adjoint K(" in str(form.problem)


@pytest.mark.parametrize(
    ("rhs", "words"),
    [
        (-M.adjoint(K(u)), "another operator outside"),
        (K(u), "outside of an adjoint"),
        (u * K.adjoint(K(u)), "varies in space"),
        (-x * K.adjoint(K(u)), "varies in space"),
        (-K.adjoint(K(u)) * M.adjoint(M(u)), "adjoints are multiplied"),
        (-K.adjoint(f * K(u)), "contains other things"),
        (-K.adjoint(u), "contains other things"),
        (-K.adjoint(1 + K(u)), "does not vanish"),
        (-K.adjoint(K(u**2)), "give back, the unknown alone"),
        (-K.adjoint(K(u) + K.adjoint(K(u))), "takes what the adjoints in front of it give back"),
        (div(K(u) * grad(u)), "outside of an adjoint"),
        (-K.adjoint(K(u)) - p2n.LinearOperator("K", 3, 3).adjoint(K(u)), "different things"),
        (-K.adjoint(K(u) * sp.Symbol("normK", positive=True)), "rename it"),
        (-K.adjoint(K(u) * sp.Symbol("K_u", real=True)), "rename it"),
    ],
)
def test_other_terms_are_refused_in_words(rhs: sp.Expr, words: str) -> None:
    with pytest.raises(p2n.Pde2NetError, match=words):
        recognise(problem(rhs))


def test_other_tools_say_what_they_lack() -> None:
    declared = problem(-K.adjoint(K(u)))
    with pytest.raises(p2n.DeclarationError, match="depend on their weights"):
        p2n.advise(declared, time=1)
    assert declared.energy is None


def test_text_and_json_give_the_same_problem_back(tmp_path: Path) -> None:
    s2 = norm2(grad(u))
    rhs = div(grad(u) / (1 + s2)) - K.adjoint(PHI) - 2 * M.adjoint(M(u) / sp.sqrt(1 + M(u) ** 2)) - u
    declaration = p2n.Declaration(
        problem(rhs, boundary="periodic", parameters={lam: R(1, 5)}, channels=2),
        p2n.Explicit(tau=R(1, 10)),
        p2n.Grid(),
    )
    text = declaration.to_text()
    assert "operator  K(out = 6, size = 5)\noperator  M(out = 2, size = 4)\n" in text
    assert "adjoint K(K(u)/" in text
    (tmp_path / "learned.pde").write_text(text)
    loaded = p2n.load(tmp_path / "learned.pde")
    assert (loaded.problem, loaded.scheme, loaded.grid) == (
        declaration.problem,
        declaration.scheme,
        declaration.grid,
    )
    assert p2n.Declaration.from_data(declaration.to_data()) == declaration


TEXT = """unknown u(x, y, t)
operator K(out = 6, size = 5)
let phi(s) = s / (1 + s^2)
equation u_t = -adjoint K(phi(K(u)))
scheme explicit(tau = 1/10)
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("phi(K(u))", "K", "K is an operator: write"),
        ("phi(K(u))", "K(u, u)", "takes one scalar"),
        ("adjoint K(phi(K(u)))", "adjoint u", "adjoint K"),
        ("adjoint K(phi(K(u)))", "adjoint phi(u)", "declared operator"),
        ("adjoint K(phi(K(u)))", "laplacian(u)", "does not contain the operator K"),
        (", size = 5", "", "has out and size"),
        ("size = 5", "size = 5/2", "whole number"),
        ("size = 5", "depth = 5", 'no option of an operator "depth"'),
        ("out = 6, size = 5", "out = 6, out = 5, size = 2", "out is given twice"),
        ("operator K", "operator adjoint", "taken already"),
        ("adjoint K(phi(K(u)))", "adjoint K(phi(K(K(u))))", "applied to 6 and to 1 channels"),
    ],
)
def test_errors_in_texts_say_what_is_meant(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "broken.pde"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(p2n.Pde2NetError, match=words):
        loaded = p2n.load(path)
        p2n.verify(loaded.problem, loaded.scheme, loaded.grid)

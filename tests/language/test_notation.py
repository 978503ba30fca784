"""Equations are shown as they were written: under names, in short lines, and read back to the same."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import sympy as sp
from support import equation, lam, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import (
    coherence,
    div,
    grad,
    hessian,
    laplacian,
    norm2,
    principal_direction,
    smooth,
    structure_tensor,
    tensor,
)
from pde2net.language.diffusivities import weickert
from pde2net.language.text.build import read
from pde2net.language.text.printer import equation_line

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted([*EXAMPLES.glob("*.pde"), *(EXAMPLES / "gallery").glob("*.pde")])
NAMES = [
    "tensor",
    "structure_tensor",
    "principal_direction",
    "coherence",
    "smooth",
    "weickert",
    "hessian",
    "laplacian",
]
u = unknown(2)
f = sp.Function("f")(x, y)
J = structure_tensor(u, sp.Rational(1, 2), 2)


def declared(rhs: sp.Expr, **options: object) -> p2n.Problem:
    return p2n.Problem(equation(rhs, 2), **options)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_models_are_shown_in_short_lines_with_the_names_they_were_written_with(file):
    text, problem = file.read_text(), p2n.load(file).problem
    shown, latex = str(problem), problem._repr_latex_()
    assert max(map(len, (*shown.splitlines(), *problem.to_text().splitlines()))) <= 120
    assert max(map(len, latex.split(r"\\"))) < 250
    assert len(equation_line(problem)) < 200
    for name in NAMES:
        assert (name in shown) == bool(re.search(rf"\b{name}\b", text.split("unknown", 1)[1])), name
    assert read(problem.to_text(), "text")[0] == problem


def test_equations_read_as_in_papers():
    flux = grad(u) / (1 + norm2(grad(smooth(u, 2))) / lam**2)
    problem = declared(div(flux) - laplacian(laplacian(u)), parameters={lam: 0.5})
    assert str(problem) == (
        "u_t = div(1/(1 + |grad smooth(u, 2)|^2/lambda^2) * grad u) - laplacian(laplacian(u))  "
        "(reflecting, lambda = 1/2)"
    )
    latex = problem._repr_latex_()
    assert r"\operatorname{div}\left(" in latex and r"\nabla {u}" in latex and r"G_{2} \ast u" in latex
    assert "smooth" not in latex and r"\left(x,y" not in latex


def test_networks_and_sources_say_it_too():
    problem = declared(div(tensor(principal_direction(J), 1, 1 / (1 + coherence(J))) * grad(u)))
    line = "u_t = div(tensor(principal_direction(J), 1, 1/(coherence(J) + 1)) * grad u), "
    assert equation_line(problem) == line + "where J = structure_tensor(u, 1/2, 2)"
    network = p2n.compile(problem, p2n.Explicit(sp.Rational(1, 20), 2), p2n.Grid(gradient="staggered"))
    assert network.certificate.subject["equation"] == equation_line(problem)
    header = " ".join(network.source().split('"""')[1].split())
    assert equation_line(problem) in header
    assert p2n.recheck(network.certificate.to_json(), network.source())


DIRECTIONS = {
    "of a smoothed image": list(grad(smooth(u, 1))),
    "of data": list(grad(f)),
    "of a structure tensor": list(principal_direction(J)),
    "without smoothing of orientations": list(principal_direction(structure_tensor(u, 1))),
    "constant": [1, 2],
    "along an axis": [1, 0],
    "that varies": [x, 1],
    "with equal entries": [y, y],
    "of other sums": [smooth(u, 1) + x, f**2],
}
EIGENVALUES = [
    sp.Integer(1),
    lam,
    f**2,
    1 / (1 + coherence(J)),
    weickert(norm2(grad(smooth(u, 1))), lam),
    weickert(coherence(J), lam, 2),
    sp.Piecewise((1, sp.Eq(coherence(J), 0)), (1 - lam * sp.exp(-1 / coherence(J)) / 7, True)),
]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("along,across", list(itertools.combinations(EIGENVALUES, 2))[::2])
def test_tensors_survive(direction, along, across):
    plain = div(tensor(sp.Matrix(DIRECTIONS[direction]), along, across) * grad(u))
    for rhs in (plain, -3 * plain + f * u, f * plain, plain + laplacian(u)):
        problem = declared(rhs)
        text = problem.to_text()
        again = read(text, "text")[0]
        assert again == problem and again.to_text() == text
        assert "tensor(" in text or direction in ("along an axis", "constant")


def test_names_are_new_ones():
    names = sp.symbols("J D c J2", positive=True)
    across = sp.Piecewise((sp.Add(*names), sp.Eq(coherence(J), 0)), (names[0] * sp.exp(-lam * f), True))
    problem = declared(div(tensor(principal_direction(J), across, lam) * grad(u)))
    text = problem.to_text()
    assert "let       J3 = structure_tensor(u, 1/2, 2)" in text and "tensor(principal_direction(J3)" in text
    assert read(text, "text")[0] == problem


def test_two_tensors_have_two_names():
    other = structure_tensor(f, 0, 3)
    rhs = div(tensor(principal_direction(J), 1 / (1 + coherence(other)), lam) * grad(u))
    text = declared(rhs + div(tensor(principal_direction(other), 1, lam) * grad(u))).to_text()
    assert text.count("let       J") == 2
    assert read(text, "text")[0] == declared(rhs + div(tensor(principal_direction(other), 1, lam) * grad(u)))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d + sp.Matrix([[f, 0], [0, 0]]),
        lambda d: d + sp.Matrix([[0, f], [f, 0]]),
        lambda d: sp.Matrix([[d[0, 0], 2 * d[0, 1]], [2 * d[0, 1], d[1, 1]]]),
        lambda d: sp.Matrix([[d[0, 0], -d[0, 1]], [-d[0, 1], d[1, 1]]]),
    ],
)
def test_what_is_no_tensor_has_no_name(change):
    problem = declared(div(change(tensor(grad(smooth(u, 1)), 1, lam)) * grad(u)))
    text = problem.to_text()
    assert not re.search(r"\btensor\(", text) and "let" not in text
    assert read(text, "text")[0] == problem


def test_almost_coherent():
    near = coherence(J) - J[0, 1] ** 2
    problem = declared(div(tensor(grad(smooth(u, 1)), 1 / (1 + near), 1) * grad(u)))
    assert "coherence" not in str(problem)
    assert read(problem.to_text(), "text")[0] == problem


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("g", [lam, 1 / (1 + lam), lambda s2: 1 / sp.sqrt(1 + s2 / lam)])
def test_hessians_survive(dim, g):
    v = unknown(dim)
    radial = callable(g)
    g = g(norm2(hessian(v))) if radial else g
    problem = p2n.Problem(equation(-div(div(g * hessian(v))), dim))
    assert "div(div(" in str(problem) and ("|hessian u|^2" in str(problem)) == radial
    assert read(problem.to_text(), "text")[0] == problem


@pytest.mark.parametrize("number", [sp.Rational(4, 5), sp.Rational(-1, 7), sp.Rational(1, 3), 3])
@pytest.mark.parametrize("numerator", [1, u, 1 + u, lam * f])
def test_fractions_survive(number, numerator):
    problem = declared(laplacian(u) + number * numerator / (1 + f**2) + number * numerator / (lam + f) ** 3)
    assert read(problem.to_text(), "text")[0] == problem


def test_systems_have_a_line_per_equation_where_they_are_long():
    v = sp.Function("v")(x, y, t)
    long = sp.Add(*(u**k * v for k in range(1, 12)))
    problem = p2n.Problem([sp.Eq(u.diff(t), laplacian(u) + long), sp.Eq(v.diff(t), laplacian(v) - long)])
    assert [line[:6] for line in str(problem).splitlines()] == ["u_t = ", "v_t = "]
    header = " ".join(uncertified(problem, p2n.Explicit(sp.Rational(1, 10), 1)).source().split())
    assert equation_line(problem).replace("; ", "\n") == str(problem).removesuffix("  (reflecting)")
    assert f"Equation {equation_line(problem)} Boundary" in header

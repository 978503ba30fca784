"""Expanded right-hand sides come back to divergence form, and what is none is told apart."""

import numpy as np
import pytest
import sympy as sp
from support import beta, equation, lam, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of

u, v, w = unknown(2), unknown(1), unknown(3)
f = sp.Function("f")(x, y)
s2, q = norm2(grad(u)), laplacian(u)
VALUES = {"lambda": sp.Rational(1, 2), "beta": sp.Rational(1, 3)}

FORMS = {
    "Perona-Malik 1D": div(grad(v) / (1 + norm2(grad(v)) / lam**2)),
    "Perona-Malik 2D": div(grad(u) / (1 + s2 / lam**2)),
    "Perona-Malik 3D": div(grad(w) / (1 + norm2(grad(w)) / lam**2)),
    "Charbonnier": div(grad(u) / sp.sqrt(1 + s2 / lam**2)),
    "exponential": div(sp.exp(-s2 / lam**2) * grad(u)),
    "arctan": sp.Derivative(sp.atan(v.diff(x)), x),
    "axis by axis": sp.Derivative(u.diff(x) ** 3, x) + sp.Derivative(sp.tanh(u.diff(y)), y),
    "position": div((1 + x**2) * grad(u) / (1 + s2)),
    "known field": div(f**2 * grad(u) / (1 + s2)),
    "fidelity": div(grad(u) / (1 + s2 / lam**2)) + beta * (f - u) - u**3,
    "fourth order 1D": -sp.Derivative(sp.tanh(v.diff(x, 2)), (x, 2)),
    "fourth order 2D": -laplacian(q / (1 + q**2)),
}


def rate(rhs):
    dim = next(d for d in (3, 2, 1) if rhs.has(unknown(d)))
    problem = p2n.Problem(equation(rhs, dim))
    semi = semidiscretise(recognise(problem), p2n.Grid())
    scheme = p2n.Explicit(sp.Rational(1, 10))
    values = {s: VALUES[s.name] for s in problem.symbols}
    return dim, Interpreter(build(semi, scheme.tau, update_of(scheme)), values)


@pytest.mark.parametrize("name", FORMS)
def test_an_expanded_equation_is_the_network_of_its_divergence_form(name):
    written, expanded = FORMS[name], sp.expand(FORMS[name].doit())
    assert expanded != written
    rng = np.random.default_rng(0)
    (dim, first), (_, second) = rate(written), rate(expanded)
    shape = (9, 8, 7)[:dim]
    u0, known = rng.normal(size=shape), {"f": rng.uniform(size=shape)}
    np.testing.assert_allclose(second(u0, known), first(u0, known), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [sp.expand, sp.simplify, sp.together, sp.factor])
def test_any_way_of_writing_it_will_do(shape):
    ux = v.diff(x)
    phi = ux / (1 + ux**2 / lam**2)
    _, first = rate(div(grad(v) / (1 + norm2(grad(v)) / lam**2)))
    _, second = rate(shape(phi.diff(x)))
    u0 = np.random.default_rng(1).normal(size=11)
    np.testing.assert_allclose(second(u0), first(u0), rtol=0, atol=1e-12)


CURVATURE = (
    u.diff(x) ** 2 * u.diff(y, 2) - 2 * u.diff(x) * u.diff(y) * u.diff(x, y) + u.diff(y) ** 2 * u.diff(x, 2)
) / s2


@pytest.mark.parametrize(
    "rhs,words",
    [
        (
            laplacian(u) / (1 + s2),
            r"Euler operator.*not the divergence of any flux; it differs from div\(g \* grad",
        ),
        (u * u.diff(x, 2), "Euler operator of it is 2"),
        (CURVATURE, "not of a flux that is the gradient.*differs from laplacian"),
        (u.diff(x) * u.diff(x, 2) * u, "Euler operator"),
    ],
)
def test_what_is_no_diffusion_is_explained(rhs, words):
    with pytest.raises(p2n.EquationError, match=f"(?s){words}"):
        recognise(p2n.Problem(equation(rhs, 2)))


def test_the_certificate_is_that_of_the_divergence_form():
    expanded = sp.expand(FORMS["Perona-Malik 2D"].doit())
    certificate = p2n.verify(p2n.Problem(equation(expanded, 2)), p2n.Explicit(sp.Rational(1, 4)))
    assert certificate.claims["l2_stability"].status == "proved"
    assert certificate.claims["l2_stability"].limit == sp.Rational(1, 4)
    assert p2n.recheck(certificate.to_json()) == certificate

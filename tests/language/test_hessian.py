"""Hessians and mixed orders are recognised however they are written, and round-trip as text."""

import pytest
import sympy as sp
from support import AXES, equation, lam, t, unknown, x, y

import pde2net as p2n
from pde2net import div, gradient_flow, hessian, laplacian, norm2
from pde2net.language.text.build import read
from pde2net.normalise.recognise import recognise
from pde2net.normalise.terms import SQUARED, Hessian, SecondOrder

a, b = sp.symbols("a b", positive=True)
u1, u2 = unknown(1), unknown(2)
D = sp.Derivative


def rational(s):
    return 1 / (1 + s / lam**2)


def written_out(u, axes, g):
    H = hessian(u)
    pairs = [(i, j) for i in range(len(axes)) for j in range(len(axes))]
    return -sum(D(g(norm2(H)) * H[i, j], axes[i], axes[j]) for i, j in pairs)


def test_the_hessian_is_a_matrix_of_all_second_derivatives():
    H = hessian(u2)
    assert sp.Matrix([[u2.diff(x, 2), D(u2, x, y)], [D(u2, x, y), u2.diff(y, 2)]]) == H
    assert norm2(H) == u2.diff(x, 2) ** 2 + 2 * D(u2, x, y) ** 2 + u2.diff(y, 2) ** 2
    assert hessian(u1) == sp.Matrix([[u1.diff(x, 2)]])


@pytest.mark.parametrize("dim", [2, 3])
def test_three_ways_to_write_it_are_one_equation(dim):
    u, axes = unknown(dim), AXES[:dim]
    H = hessian(u)
    density = lam**2 * sp.log(1 + norm2(H) / lam**2) / 2
    ways = [
        equation(written_out(u, axes, rational), dim),
        equation(-div(div(rational(norm2(H)) * H)), dim),
        gradient_flow(density, u),
    ]
    for way in ways:
        (term,) = recognise(p2n.Problem(way)).terms
        assert isinstance(term, Hessian) and term.prefactor == 1
        assert sp.simplify(term.diffusivity - rational(SQUARED)) == 0


@pytest.mark.parametrize(
    "density,g",
    [
        (lambda s: 2 * lam * sp.sqrt(s + lam**2), lambda s: lam / sp.sqrt(s + lam**2)),
        (lambda s: -sp.exp(-s), lambda s: sp.exp(-s)),
        (lambda s: s**2 / 2, lambda s: s),
    ],
)
def test_energies_and_back(density, g):
    problem = p2n.Problem(gradient_flow(density(norm2(hessian(u2))) / 2, u2))
    (term,) = recognise(problem).terms
    assert sp.simplify(term.diffusivity - g(SQUARED)) == 0
    back = gradient_flow(problem.energy, u2)
    assert sp.simplify((back.rhs - problem.rhs).doit()) == 0


def test_in_one_dimension_it_is_the_second_derivative():
    (term,) = recognise(p2n.Problem(equation(written_out(u1, (x,), rational), 1))).terms
    assert type(term) is SecondOrder and term.slope == 0


def test_a_linear_hessian_is_the_squared_laplacian():
    forms = [
        recognise(p2n.Problem(equation(rhs, 2)))
        for rhs in (written_out(u2, (x, y), lambda s: 1), -laplacian(laplacian(u2)))
    ]
    assert forms[0].terms == forms[1].terms
    # A nested derivative counts an axis more than once.
    mixed = recognise(p2n.Problem(equation(-D(D(u2, x, y), x, y), 2)))
    assert mixed.terms == recognise(p2n.Problem(equation(-D(u2, (x, 2), (y, 2)), 2))).terms
    assert all(isinstance(t, SecondOrder) for t in mixed.terms)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-2, sp.Rational(1, 3))])
def test_mixed_orders(signs):
    first, twice = signs[0] * a, signs[1] * b
    q = first * u1.diff(x) + twice * u1.diff(x, 2)
    phi = rational(q**2) * q
    rhs = first * D(phi, x) - twice * D(phi, (x, 2))
    for way in (equation(rhs, 1), gradient_flow(lam**2 * sp.log(1 + q**2 / lam**2) / 2, u1)):
        form = recognise(p2n.Problem(way))
        (term,) = form.terms
        # -D*(Phi(D u)) with D = a d/dx + b d^2/dx^2 is the right-hand side.
        own = term.slope * u1.diff(x) + term.weights[0] * u1.diff(x, 2)
        flux = term.flux.xreplace({form.curvature: own})
        meant = term.slope * flux.diff(x) - term.weights[0] * flux.diff(x, 2)
        assert sp.simplify(meant.doit() - rhs.doit()) == 0


@pytest.mark.parametrize(
    "rhs,words",
    [
        (D(u2.diff(x), y, (x, 2)), ["mixed", "Hessian"]),
        (-D(D(u2, x, y) ** 3, x, y), ["Hessian", "same g"]),
        (-D(D(u2, x, y) ** 3, x, y) - D(u2.diff(x, 2) ** 3, (x, 2)), ["Hessian", "all entries"]),
        (written_out(u2, (x, y), lambda s: u2**2 + s), ["depends on u"]),
        (D(u2**2, x, y), ["mixed derivative"]),
    ],
)
def test_what_is_no_hessian_is_refused_in_words(rhs, words):
    with pytest.raises(p2n.EquationError) as caught:
        recognise(p2n.Problem(equation(rhs, 2)))
    assert all(w in str(caught.value) for w in words), str(caught.value)


@pytest.mark.parametrize(
    "rhs,words",
    [
        (D(u1.diff(x) / (1 + u1.diff(x, 2) ** 2), x), ["single divergence"]),
        (-D(u1.diff(x) * u1.diff(x, 2) ** 2, (x, 2)), ["mixes"]),
        (D(u1.diff(x) * u1.diff(x, 2) ** 2, x) - D(u1.diff(x, 2) * u1.diff(x) ** 2, (x, 2)), ["common flux"]),
        (
            D(u1.diff(x) * u1.diff(x, 2) ** 2, x) - D(u1.diff(x, 2) ** 2 * u1.diff(x), (x, 2)),
            ["no function of q"],
        ),
        (
            D((u1.diff(x) + u1.diff(x, 2)) ** 3, x) + D((u1.diff(x) + u1.diff(x, 2)) ** 3, (x, 2)),
            ["no function of q"],
        ),
    ],
)
def test_what_is_no_mixed_order_is_refused_in_words(rhs, words):
    with pytest.raises(p2n.EquationError) as caught:
        recognise(p2n.Problem(equation(rhs, 1)))
    assert all(w in str(caught.value) for w in words), str(caught.value)


TEXTS = [
    "unknown u(x, y, t)\nparameter lambda > 0 = 0.1\nlet H = hessian u\n"
    "equation u_t = -div(div(H / (1 + |hessian u|^2/lambda^2)))\n",
    "unknown u(x, y, t)\nequation u_t = -div(div(hessian(u) / sqrt(1 + norm2(hessian(u)))))\n",
    "unknown u(x, t)\nparameter a > 0 = 2\nparameter b > 0 = 1\nlet q = a*u_x + b*u_xx\n"
    "let phi = q/(1 + q^2)\nequation u_t = a*diff(phi, x) - b*diff(phi, x, x)\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_round_trip(text):
    problem = read(text + "scheme explicit(tau = 1/64)\n", "text")[0]
    again = read(problem.to_text() + "scheme explicit(tau = 1/64)\n", "text")[0]
    assert again == problem and recognise(again).terms == recognise(problem).terms
    assert type(recognise(problem).terms[0]) is (Hessian if "hessian" in text else SecondOrder)


@pytest.mark.parametrize("mixed", [True, False])
def test_weights_of_k_cannot_be_trained(mixed: bool) -> None:
    """They are numbers of the source; a parameter of them would be dead."""
    a, u1, u2 = sp.Symbol("a", positive=True), unknown(1), unknown(2)
    q1, q2 = a * u1.diff(x) + u1.diff(x, 2), a * u2.diff(x, 2) + u2.diff(y, 2)
    first = a * sp.Derivative(q1 / (1 + q1**2), x) - sp.Derivative(q1 / (1 + q1**2), (x, 2))
    flux = q2 / (1 + q2**2)
    second = -a * sp.Derivative(flux, (x, 2)) - sp.Derivative(flux, (y, 2))
    rhs = first if mixed else second
    problem = p2n.Problem(sp.Eq((u1 if mixed else u2).diff(t), rhs), parameters={a: 1})
    with pytest.raises(p2n.DeclarationError, match="operator K"):
        p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 100)), trainable=[a])

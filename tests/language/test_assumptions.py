"""What may be assumed of symbols: positions come from the grid, values obey every assumption."""

import pytest
import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian
from pde2net.language.assumptions import ASSUMED, unsupported
from pde2net.normalise.affine import affine

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
OTHERS = ("prime", "composite", "even", "odd", "rational", "irrational", "extended_positive", "infinite")
SCHEME = p2n.Explicit(sp.Rational(1, 100), 1)


@pytest.mark.parametrize("kind", ["positive", "negative", "integer", "prime", "nonnegative"])
def test_nothing_is_assumed_of_a_coordinate_but_that_it_is_real(kind):
    axis, time = sp.Symbol("x", **{kind: True}), sp.Symbol("t", positive=True)
    v = sp.Function("u")(axis, time)
    problem = p2n.Problem(sp.Eq(v.diff(time), div(axis**2 * grad(v))), boundary={axis: "periodic"})
    assert (*problem.space, problem.time) == (x, t)


@pytest.mark.parametrize("kind", ASSUMED)
def test_assumptions_that_are_checked_are_accepted(kind):
    a = sp.Symbol("a", **{kind: True})
    value = -2 if kind in ("negative", "nonpositive") else 2
    p2n.verify(p2n.Problem(sp.Eq(u.diff(t), a * laplacian(u)), parameters={a: value}), SCHEME)
    with pytest.raises(p2n.DeclarationError, match=f"declared {kind}|must be real"):
        wrong = {"integer": sp.Rational(1, 2), "real": sp.I, "nonzero": 0}.get(kind, -value)
        p2n.Problem(sp.Eq(u.diff(t), a * laplacian(u)), parameters={a: wrong})


@pytest.mark.parametrize("kind", OTHERS)
def test_other_assumptions_are_refused_in_words(kind):
    a = sp.Symbol("a", **{kind: True})
    assert unsupported(a)
    with pytest.raises(p2n.DeclarationError, match="declared"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), a * laplacian(u))), SCHEME)
    h = sp.Symbol("h", positive=True, rational=True)
    with pytest.raises(p2n.DeclarationError, match="declared rational"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), laplacian(u))), SCHEME, p2n.Grid(spacing=h))


def test_noncommutative_symbols_are_refused_in_words():
    a = sp.Symbol("a", commutative=False)
    with pytest.raises(p2n.DeclarationError, match="commutative"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), a * laplacian(u))), SCHEME)


def test_fields_and_unknowns_have_signs_only_where_someone_sees_to_them():
    f = sp.Function("f", integer=True)(x)
    with pytest.raises(p2n.DeclarationError, match="integer"):
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + f))
    v = sp.Function("v", positive=True)(x, t)
    with pytest.raises(p2n.DeclarationError, match="nothing keeps"):
        p2n.Problem(sp.Eq(v.diff(t), laplacian(v)))


def test_integers_are_not_trained():
    n = sp.Symbol("n", integer=True, positive=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), n * laplacian(u)), parameters={n: 1})
    with pytest.raises(p2n.DeclarationError, match="integer"):
        p2n.compile(problem, SCHEME, trainable=[n])


def test_a_parameter_at_a_pole_is_refused_in_words():
    a = sp.Symbol("a")
    with pytest.raises(p2n.EquationError, match="no real value at a = 1"):
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u) / (a - 1)), parameters={a: 1})


@pytest.mark.parametrize(
    "phi", [sp.sign(u), sp.Piecewise((0, u < 1), (100, True)), sp.atan(sp.tan(u)), sp.atan(1 / u)]
)
def test_a_laplacian_of_a_jump_is_not_what_its_derivative_says(phi):
    with pytest.raises(p2n.EquationError, match="continuous"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), laplacian(phi))), SCHEME)


s, f = sp.symbols("s f", real=True)
WITHIN = f < 1
AFFINE = {
    3 * (f - s): (3 * f, -3),
    (s + 1) ** 2 - s**2: (1, 2),
    sp.Piecewise((f - s, WITHIN), (0, True)): tuple(sp.Piecewise((v, WITHIN), (0, True)) for v in (f, -1)),
}
BENT = [
    *(sp.sign(s), -sp.Piecewise((0, s < 1), (-100, True)), sp.atan(sp.tan(s)), (s**2 - s) / s),
    *(s - sp.sign(s), abs(s)),
]


@pytest.mark.parametrize("expression", AFFINE)
def test_affine_expressions_are_found(expression):
    assert affine(expression, s) == AFFINE[expression]


@pytest.mark.parametrize("expression", BENT)
def test_equal_slopes_do_not_make_a_function_affine(expression):
    assert affine(expression, s) is None

"""What a declaration accepts, and how it refuses the rest."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import sympy as sp
from support import equation, lam, t, unknown, x, y, z

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter

u1, u2, u3 = unknown(1), unknown(2), unknown(3)
f = sp.Function("f")
w = sp.Symbol("w", real=True)


def compiled(rhs, dim=2, **options):
    """Refusals may come from Problem or from compile; a user sees both as one."""
    problem = p2n.Problem(equation(rhs, dim), **options)
    return p2n.compile(problem, p2n.Explicit(tau=0.1, steps=1), p2n.Grid())


def message(action):
    with pytest.raises(p2n.Pde2NetError) as caught:
        action()
    text = str(caught.value)
    assert len(text) > 20, "an error has to explain itself"
    return text


NOT_DIFFUSION = [
    # what is wrong, the left-hand side, the right-hand side, words that the message has to contain
    ("second order in time", u2.diff(t, 2), laplacian(u2), ["first order in time"]),
    (
        "time derivative on the right",
        u2.diff(t),
        laplacian(u2) + u2.diff(t),
        ["first order in time"],
    ),
    ("mixed time derivative", u2.diff(t), u2.diff(x, x, t), ["time"]),
    ("left-hand side u", u2, laplacian(u2), ["u.diff(t)"]),
    ("left-hand side u_x", u2.diff(x), laplacian(u2), ["time"]),
    ("advection", u2.diff(t), u2.diff(x), ["advection"]),
    (
        "advection with diffusion",
        u2.diff(t),
        laplacian(u2) - 3 * u2.diff(y),
        ["advection", "u(x, y, t)"],
    ),
    ("Burgers", u1.diff(t), u1.diff(x, 2) - u1 * u1.diff(x), ["advection", "u(x, t)"]),
    ("conservation law", u1.diff(t), sp.Derivative(u1**2, x), ["advection"]),
    ("Hamilton-Jacobi", u2.diff(t), sp.sqrt(norm2(grad(u2))), ["Hamilton-Jacobi"]),
    ("full Hessian of order four", u2.diff(t), -u2.diff(x, 3, y), ["mixed"]),
    ("third order", u1.diff(t), u1.diff(x, 3), ["order 3"]),
    ("Korteweg-de Vries", u1.diff(t), u1.diff(x, 2) - u1.diff(x, 3), ["order 3"]),
    ("sixth order", u1.diff(t), u1.diff(x, 6), ["order 6"]),
    (
        "u * u_xx",
        u1.diff(t),
        u1 * u1.diff(x, 2),
        ["divergence", "Euler operator"],
    ),
    ("g * laplacian", u2.diff(t), laplacian(u2) / (1 + norm2(grad(u2))), ["divergence"]),
    (
        "unsymmetric tensor",
        u2.diff(t),
        div(f(x, y) * sp.Matrix([u2.diff(y), -u2.diff(x)])),
        ["tensor", "symmetric"],
    ),
    ("another D outside", u2.diff(t), -laplacian(u2.diff(x, 2) ** 3), ["same D"]),
    ("field with t", u2.diff(t), laplacian(u2) + f(x, y, t), ["depends on t"]),
    ("time mixed with position", u2.diff(t), (1 + t * x**2) * laplacian(u2), ["depends on t"]),
    ("field over another axis", u2.diff(t), laplacian(u2) + f(x, w), ["f(x, w)"]),
    ("field with swapped axes", u2.diff(t), laplacian(u2) + f(y, x), ["f(x, y)"]),
    ("field of fewer axes", u2.diff(t), laplacian(u2) + f(x), ["f(x, y)"]),
    ("derivative of data only", u2.diff(t), laplacian(u2) + f(x, y).diff(x, 2), ["f(x, y)"]),
    ("shifted unknown", u1.diff(t), laplacian(u1) + u1.subs(x, 2 * x), ["u(2*x, t)"]),
]


@pytest.mark.parametrize("lhs,rhs,words", [r[1:] for r in NOT_DIFFUSION], ids=[r[0] for r in NOT_DIFFUSION])
def test_what_is_not_diffusion_is_refused_in_words(lhs, rhs, words):
    text = message(
        lambda: p2n.compile(p2n.Problem(sp.Eq(lhs, rhs, evaluate=False)), p2n.Explicit(tau=0.01), p2n.Grid())
    )
    for word in words:
        assert word in text


@pytest.mark.parametrize("thing", [laplacian(u2), "u_t = u_xx", None, 3, sp.true])
def test_a_problem_takes_an_equation(thing):
    text = message(lambda: p2n.Problem(thing))
    assert "equation" in text and "u.diff(t)" in text


def test_a_system_is_refused_as_such():
    assert "system" in message(lambda: p2n.Problem([equation(laplacian(u1), 1)] * 2))


@pytest.mark.parametrize("axes", [(), (x, y, z, w)])
def test_the_number_of_spatial_arguments_is_one_to_three(axes):
    u = sp.Function("u")(*axes, t)
    text = message(lambda: p2n.Problem(sp.Eq(u.diff(t), -u)))
    assert "1, 2 or 3" in text and f"not {len(axes)}" in text


def test_an_unknown_without_time_is_refused():
    u = sp.Function("u")(x, y)
    text = message(lambda: p2n.Problem(sp.Eq(sp.Derivative(u, t, evaluate=False), u.diff(x, 2))))
    assert "t" in text and "u" in text
    assert "time" in message(lambda: p2n.Problem(sp.Eq(u.diff(y), u.diff(x, 2))))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_spatial_order_is_that_of_the_arguments(dim):
    u = sp.Function("u")(t, *(z, y, x)[:dim])
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)))
    assert problem.space == (z, y, x)[:dim]
    assert problem.time == t and problem.unknown == u


HAND_DISCRETISED = [
    ("forward of forward", [(2, 1), (1, -2), (0, 1)], "forward difference of a forward"),
    ("backward of backward", [(-2, 1), (-1, -2), (0, 1)], "backward difference of a backward"),
    ("central of central", [(2, 1), (0, -2), (-2, 1)], "central difference of a central"),
    ("compact, by hand", [(1, 1), (0, -2), (-1, 1)], "difference quotient written by hand"),
]


@pytest.mark.parametrize("step", [1, sp.Symbol("h", positive=True), sp.Rational(1, 10)])
@pytest.mark.parametrize("name,taps,words", HAND_DISCRETISED, ids=[r[0] for r in HAND_DISCRETISED])
def test_difference_quotients_by_hand_are_named(name, taps, words, step):
    u = sp.Function("u")
    rhs = sum(weight * u(x + k * step, t) for k, weight in taps) / step**2
    text = message(lambda: p2n.Problem(sp.Eq(u(x, t).diff(t), rhs)))
    if name == "central of central" and sp.sympify(step).is_number:
        words = "by hand"  # steps of 2 h with h = 1 cannot be told from steps of 1 with h = 2
    assert words in text
    assert "div(g * grad(u))" in text and "spacing" in text


# -- options ------------------------------------------------------------------------------------

HEAT = equation(laplacian(u2), 2)
PERONA_MALIK = equation(div(grad(u2) / (1 + norm2(grad(u2)) / lam**2)), 2)

MISSPELT = [
    (lambda: p2n.Problem(HEAT, boundary="reflective"), '"reflecting"'),
    (lambda: p2n.Problem(HEAT, boundary="neuman"), "reflecting"),
    (lambda: p2n.Problem(HEAT, boundary={x: "periodic", y: "dirichelt"}), '"dirichlet"'),
    (lambda: p2n.Problem(HEAT, boundary={x: "periodic", w: "periodic"}), '"w"'),
    (lambda: p2n.Problem(HEAT, boundary={x: "periodic"}), '"y"'),
    (lambda: p2n.Problem(HEAT, boundry="periodic"), '"boundary"'),
    (lambda: p2n.Problem(HEAT, parameter={}), '"parameters"'),
    (lambda: p2n.Problem(PERONA_MALIK, parameters={"lamda": 1}), '"lambda"'),
    (lambda: p2n.Problem(HEAT, parameters={lam: 1}), '"lambda"'),
    (lambda: p2n.Grid(spacings=1), '"spacing"'),
    (lambda: p2n.Explicit(taw=1), '"tau"'),
    (lambda: p2n.Explicit(tau=1, step=3), '"steps"'),
    (lambda: p2n.Grid(gradient="forwards"), '"forward"'),
    (
        lambda: p2n.compile(p2n.Problem(HEAT), p2n.Explicit(0.1), p2n.Grid(), on_unstabel="warn"),
        '"on_unstable"',
    ),
    (lambda: p2n.compile(p2n.Problem(HEAT), p2n.Explicit(0.1), on_unstable="warning"), '"warn"'),
    (lambda: p2n.compile(p2n.Problem(HEAT), p2n.Explicit(0.1), trainable=["tua"]), '"tau"'),
    (lambda: p2n.verify(p2n.Problem(HEAT), sheme=p2n.Explicit(0.1)), '"scheme"'),
]


@pytest.mark.parametrize("action,right", MISSPELT, ids=[r[1] + str(i) for i, r in enumerate(MISSPELT)])
def test_a_misspelt_name_is_refused_with_the_right_one(action, right):
    assert right in message(action)


@pytest.mark.parametrize("bad", [-1, 0, -0.5, sp.Rational(-1, 3)])
def test_a_parameter_keeps_the_sign_it_was_declared_with(bad):
    text = message(lambda: p2n.Problem(PERONA_MALIK, parameters={lam: bad}))
    assert "positive" in text and "lambda" in text


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, sp.nan, sp.oo, sp.I, "0.1", None, [1], True])
def test_a_parameter_is_a_finite_real_number(bad):
    assert "lambda" in message(lambda: p2n.Problem(PERONA_MALIK, parameters={lam: bad}))


def test_a_parameter_is_a_number_and_its_symbol_the_one_of_the_equation():
    assert "number" in message(
        lambda: p2n.Problem(PERONA_MALIK, parameters={lam: sp.Symbol("k", positive=True)})
    )
    other = sp.Symbol("lambda")
    assert "assumptions" in message(lambda: p2n.Problem(PERONA_MALIK, parameters={other: 1}))
    problem = p2n.Problem(PERONA_MALIK, parameters={"lambda": 1})
    assert problem.parameters == {lam: 1}


@pytest.mark.parametrize(
    "bad",
    [
        lambda: laplacian(u1) + sp.Symbol("a") * u1 + sp.Symbol("a", positive=True) * u1**3,
        lambda: laplacian(u1) - sp.Symbol("f") * (u1 - f(x)),
        lambda: laplacian(u1) - sp.Symbol("u", positive=True) * u1,
        lambda: laplacian(u1) - sp.Symbol("x", positive=True) * u1,
    ],
    ids=["two symbols", "field and symbol", "unknown and symbol", "axis and symbol"],
)
def test_two_things_of_one_name_are_refused(bad):
    assert "called" in message(lambda: p2n.Problem(equation(bad(), 1)))


# The names that the compiler gives to slopes and values of its own; a user may have them first.
INTERNAL = [
    "u_x",
    "u_xx",
    "D_u",
    "a1",
    "s2",
    "g",
    "g_x_edge",
    "c11_x",
    "K",
    "p0",
    "safe_s2",
    "number0",
    "s",
    "c",
]


@functools.cache
def result(name):
    """Of a network with a parameter of this name, proofs included."""
    symbol = sp.Symbol(name, real=True)
    rhs = div(grad(u1) / (1 + norm2(grad(u1)) + symbol**2 + u1**2)) - symbol**2 * u1
    problem = p2n.Problem(equation(rhs, 1), parameters={symbol: sp.Rational(3, 2)})
    network = p2n.compile(problem, p2n.Explicit(tau=0.05, steps=2), p2n.Grid(), on_unstable="ignore")
    return Interpreter(network.graph)(np.array([0.0, 2, 1, 5, 3, 3, 1]))


@pytest.mark.parametrize("name", INTERNAL)
def test_a_parameter_may_have_any_name_or_is_refused(name):
    """No name of the compiler's own may capture one of the user's: same numbers, or an error."""
    try:
        got = result(name)
    except p2n.Pde2NetError as error:
        assert name in str(error) and ("rename" in str(error) or "called" in str(error))
        return
    np.testing.assert_allclose(got, result("kappa"), rtol=0, atol=1e-14)


def test_a_parameter_called_tau_is_refused():
    rhs = sp.Symbol("tau", positive=True) * laplacian(u1)
    assert "tau" in message(lambda: compiled(rhs, dim=1))


# -- what is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("number,exact", [(0.1, "1/10"), (1e-3, "1/1000"), (2.5, "5/2"), (0.3, "3/10")])
def test_floats_are_the_decimals_that_were_written(number, exact):
    want = sp.Rational(exact)
    problem = p2n.Problem(
        equation(number * div(grad(u2) / (number + norm2(grad(u2)) / lam**2)), 2),
        parameters={lam: number},
    )
    assert problem.parameters[lam] == want
    assert not problem.rhs.atoms(sp.Float) and want in problem.rhs.atoms(sp.Rational)
    assert p2n.Grid(spacing=number).spacing == want
    assert p2n.Explicit(tau=number).tau == want


@pytest.mark.parametrize("scalar", [np.float64(0.3), np.float32(0.5), np.int64(2), np.array(0.25)])
def test_numpy_scalars_are_numbers(scalar):
    want = sp.Rational(str(scalar.item()))
    assert p2n.Explicit(tau=scalar).tau == want
    assert p2n.Grid(spacing=scalar).spacing == want
    assert p2n.Problem(PERONA_MALIK, parameters={lam: scalar}).parameters[lam] == want


def test_boundaries_per_axis_by_symbol_or_name():
    given = {x: "periodic", y: "dirichlet"}
    problem = p2n.Problem(HEAT, boundary=given)
    assert dict(problem.boundary) == given
    assert p2n.Problem(HEAT, boundary={"y": "dirichlet", "x": "periodic"}) == problem
    assert dict(p2n.Problem(HEAT).boundary) == {x: "reflecting", y: "reflecting"}
    assert given == {x: "periodic", y: "dirichlet"}, "the caller's mapping is not touched"


def test_declarations_do_not_change():
    values = {lam: 0.5}
    problem = p2n.Problem(PERONA_MALIK, parameters=values)
    values[lam] = 7
    assert problem.parameters[lam] == sp.Rational(1, 2)
    with pytest.raises(TypeError):
        problem.parameters[lam] = 3
    with pytest.raises(TypeError):
        problem.boundary[x] = "periodic"
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.boundary = "periodic"


def test_equal_declarations_are_equal_and_others_are_not():
    make = lambda **o: p2n.Problem(PERONA_MALIK, **({"parameters": {lam: 0.5}} | o))  # noqa: E731  a formula
    assert make() == make() and hash(make()) == hash(make())
    assert make() != make(boundary="periodic")
    assert make() != make(parameters={lam: 0.25})
    assert p2n.Grid(spacing={x: 1, y: 2}) == p2n.Grid(spacing={x: 1, y: 2})
    assert p2n.Grid(spacing={x: 1, y: 2}) != p2n.Grid(spacing={x: 2, y: 1})


def test_fields_and_parameters_are_found_sorted():
    a, b = sp.symbols("a b", positive=True)
    c = sp.Function("c")
    problem = p2n.Problem(equation(b * laplacian(u2) + a * c(x, y) * (f(x, y) - u2), 2))
    assert [str(s) for s in problem.fields] == ["c(x, y)", "f(x, y)"]
    assert problem.symbols == (a, b)
    assert "u_t = " in str(problem) and "reflecting" in str(problem)


@pytest.mark.parametrize(
    "g,words",
    [
        (lambda s: sp.gamma(1 + s), ("gamma", "rewrite")),
        (lambda s: sp.floor(s), ("floor", "rewrite")),
        (lambda s: sp.Piecewise((1, s < 1), (2, s > 2)), ("no value", "(value, True)")),
    ],
)
def test_what_a_network_cannot_evaluate_is_refused_in_words(g, words):
    with pytest.raises(p2n.EquationError) as caught:
        p2n.Problem(sp.Eq(u1.diff(t), div(g(norm2(grad(u1))) * grad(u1))))
    assert all(word in str(caught.value) for word in words)


def test_pieces_that_leave_no_gap_are_accepted():
    s = norm2(grad(u1))
    g = sp.Piecewise((1, s <= 1), (1 / sp.sqrt(s), s > 1))
    p2n.Problem(sp.Eq(u1.diff(t), div(g * grad(u1))))

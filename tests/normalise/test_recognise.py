"""The divergence form: whatever way an equation is written, the same operators come out."""

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from support import AXES, diffusion, eps, equation, lam, t, unknown, x, y, z

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2
from pde2net.normalise.quartic import squares
from pde2net.normalise.recognise import recognise
from pde2net.normalise.terms import SQUARED, FirstOrder, SecondOrder

u1, u2, u3 = unknown(1), unknown(2), unknown(3)
D = sp.Derivative
a, b = sp.symbols("a b", positive=True)
U = sp.Symbol("u", real=True)


def form_of(rhs, dim):
    return recognise(p2n.Problem(equation(rhs, dim)))


def flux_of(form):
    """All first-order terms as (prefactor, one expression per axis)."""
    total = {}
    for term in form.terms:
        assert isinstance(term, FirstOrder)
        row = total.setdefault(term.prefactor, [sp.S.Zero] * len(form.slopes))
        for component in term.components:
            for i, response in enumerate(component.responses):
                row[i] += component.coefficient * response
    return total


def same(one, other):
    return sp.simplify(sp.nsimplify(one - other)) == 0


p, q, r = sp.symbols("u_x u_y u_z", real=True)
P1, P2, P3 = (p,), (p, q), (p, q, r)
S1, S2, S3 = p**2, p**2 + q**2, p**2 + q**2 + r**2

FIRST_ORDER = [
    # name, dimension, right-hand side, flux along each axis in slopes and u
    ("heat", 1, laplacian(u1), P1),
    ("heat by diff", 2, u2.diff(x, 2) + u2.diff(y, 2), P2),
    ("heat by div grad", 3, div(grad(u3)), P3),
    ("heat, 3 dimensions", 3, laplacian(u3), P3),
    ("anisotropic heat", 2, a * u2.diff(x, 2) + b * u2.diff(y, 2), (a * p, b * q)),
    ("scaled outside", 2, (a + 1) * div(grad(u2)), ((a + 1) * p, (a + 1) * q)),
    ("scaled inside", 2, div(3 * a * grad(u2)), (3 * a * p, 3 * a * q)),
    ("one axis only", 2, u2.diff(x, 2), (p, 0)),
    (
        "Perona-Malik",
        2,
        div(grad(u2) / (1 + norm2(grad(u2)) / lam**2)),
        (p / (1 + S2 / lam**2), q / (1 + S2 / lam**2)),
    ),
    (
        "Perona-Malik by Derivative",
        1,
        D(D(u1, x) / (1 + D(u1, x) ** 2 / lam**2), x),
        (p / (1 + S1 / lam**2),),
    ),
    (
        "Charbonnier",
        3,
        div(grad(u3) / sp.sqrt(1 + norm2(grad(u3)))),
        tuple(c / sp.sqrt(1 + S3) for c in P3),
    ),
    (
        "total variation",
        2,
        div(grad(u2) / sp.sqrt(norm2(grad(u2)))),
        tuple(c / sp.sqrt(S2) for c in P2),
    ),
    ("two terms", 1, laplacian(u1) + D(D(u1, x) ** 3, x), (p + p**3,)),
    ("sum inside", 1, D(D(u1, x) + D(u1, x) ** 3, x), (p + p**3,)),
    ("axis by axis", 2, D(D(u2, x) / (1 + D(u2, x) ** 2), x) + D(D(u2, y), y), (p / (1 + p**2), q)),
    ("porous medium", 2, laplacian(u2**2), (2 * U * p, 2 * U * q)),
    ("porous medium by div", 2, div(2 * u2 * grad(u2)), (2 * U * p, 2 * U * q)),
    ("function of u", 1, laplacian(sp.tanh(u1)), ((1 - sp.tanh(U) ** 2) * p,)),
    ("diffusivity of u", 1, div(grad(u1) / (1 + u1**2)), (p / (1 + U**2),)),
    ("position", 1, div((1 + x**2) * grad(u1)), ((1 + x**2) * p,)),
    ("position by axis", 2, D((1 + y**2) * D(u2, x), x), ((1 + y**2) * p, 0)),
]


@pytest.mark.parametrize(
    "dim,rhs,want", [row[1:] for row in FIRST_ORDER], ids=[row[0] for row in FIRST_ORDER]
)
def test_first_order_fluxes(dim, rhs, want):
    form = form_of(rhs, dim)
    ((prefactor, flux),) = flux_of(form).items()
    assert prefactor == 1 and form.reaction == 0
    assert all(same(have, expected) for have, expected in zip(flux, want, strict=True)), flux


WAYS = [
    (2, laplacian(u2), div(grad(u2))),
    (2, laplacian(u2), u2.diff(x, 2) + u2.diff(y, 2)),
    (2, laplacian(u2), D(D(u2, x), x) + D(D(u2, y), y)),
    (1, div(grad(u1) / (1 + norm2(grad(u1)))), D(u1.diff(x) / (1 + u1.diff(x) ** 2), x)),
    (
        2,
        div(lam**2 * grad(u2) / (lam**2 + norm2(grad(u2)))),
        div(grad(u2) / (1 + norm2(grad(u2)) / lam**2)),
    ),
    (2, -laplacian(laplacian(u2)), -(u2.diff(x, 4) + 2 * u2.diff(x, 2, y, 2) + u2.diff(y, 4))),
    (2, laplacian(u2**2), div(2 * u2 * grad(u2))),
    (2, 2 * (laplacian(u2) - a * u2), 2 * laplacian(u2) - 2 * a * u2),
    (1, -laplacian(laplacian(u1) * 3), -3 * u1.diff(x, 4)),
]


@pytest.mark.parametrize("dim,one,other", WAYS)
def test_ways_of_writing_give_networks_that_compute_the_same(dim, one, other):
    import numpy as np
    from support import runner

    values = {lam: 0.7, a: 0.3}
    u0 = np.random.default_rng(3).normal(size=(7, 6)[:dim])
    results = []
    for rhs in (one, other):
        used = {s: v for s, v in values.items() if rhs.has(s)}
        results.append(runner(p2n.Problem(equation(rhs, dim), parameters=used), 0.01, 3)(u0))
    assert abs(results[0] - u0).max() > 1e-3
    np.testing.assert_allclose(*results, rtol=0, atol=1e-14)


# -- diffusivities ------------------------------------------------------------------------------

TABLE = [
    (diffusivities.linear, ()),
    (diffusivities.charbonnier, (lam,)),
    (diffusivities.regularised_tv, (eps,)),
    (diffusivities.perona_malik, (lam,)),
    (diffusivities.exponential, (lam,)),
    (diffusivities.weickert, (lam,)),
]


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("g,parameters", TABLE, ids=[row[0].__name__ for row in TABLE])
def test_the_diffusivity_is_found_as_a_function_of_the_squared_gradient(g, parameters, dim):
    form = recognise(diffusion(lambda s: g(s, *parameters), dim))
    (term,) = form.terms
    (component,) = term.components
    (group,) = component.groups
    assert group.axes == tuple(range(dim))
    want = g(SQUARED, *parameters)
    for value in (sp.Rational(1, 7), sp.Integer(3)):
        for weight in group.weights:
            found = weight * component.coefficient * group.diffusivity
            at = dict.fromkeys(parameters, sp.Rational(2, 3)) | {SQUARED: value}
            assert abs(float((found - want).subs(at))) < 1e-13


def test_unequal_weights_and_partial_gradients():
    (term,) = form_of(div(sp.Matrix([2 * u2.diff(x), 3 * u2.diff(y)]) / (1 + norm2(grad(u2)))), 2).terms
    (component,) = term.components
    (group,) = component.groups
    assert sorted(group.weights) == [2, 3]
    # A slope that feeds the diffusivity but carries no flux leaves no penaliser.
    (term,) = form_of(D(u2.diff(x) / (1 + norm2(grad(u2))), x), 2).terms
    assert term.components[0].groups is None


def test_linear_is_told_from_nonlinear():
    c = sp.Function("c")(x, y)
    assert form_of(laplacian(u2) - a * u2, 2).is_linear
    assert form_of(-laplacian(laplacian(u2)), 2).is_linear
    for rhs in (
        div(grad(u2) / (1 + norm2(grad(u2)))),
        laplacian(u2) - u2**3,
        div(c * grad(u2)),
        c * laplacian(u2),
        div((1 + x**2) * grad(u2)),
        laplacian(u2**2),
    ):
        assert not form_of(rhs, 2).is_linear, rhs


# -- fourth order -------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_biharmonic_is_the_square_of_the_laplacian(dim):
    (term,) = form_of(-laplacian(laplacian(unknown(dim))), dim).terms
    assert isinstance(term, SecondOrder)
    assert term.weights == (1,) * dim and term.diffusivity == 1


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_you_kaveh(dim):
    v = laplacian(unknown(dim))
    (term,) = form_of(-laplacian(v / (1 + v**2 / lam**2)), dim).terms
    assert term.weights == (1,) * dim and term.prefactor == 1
    assert same(term.diffusivity, 1 / (1 + SQUARED / lam**2))


def test_weighted_fourth_order_flux():
    v = 2 * u2.diff(x, 2) + 3 * u2.diff(y, 2)
    outer = lambda e: 2 * D(e, (x, 2)) + 3 * D(e, (y, 2))  # noqa: E731  a formula
    (term,) = form_of(-outer(v / (1 + v**2)), 2).terms
    w = sp.Matrix(term.weights)
    assert w[0] * 3 == w[1] * 2
    # -D Phi(D u) with D = c (2 d_xx + 3 d_yy): Phi(s) has to make up for c.
    k = w[0] / 2
    s = sp.Symbol("s", real=True)
    flux = term.flux.xreplace({form_of(-outer(v), 2).curvature: k * s})
    assert same(k * flux, s / (1 + s**2))


coefficient = st.one_of(
    st.integers(-4, 4).map(sp.Integer),
    st.fractions(-3, 3, max_denominator=7).map(lambda f: sp.Rational(str(f))),
)


@given(st.integers(1, 3), st.lists(coefficient, min_size=6, max_size=6))
def test_a_quartic_form_is_the_sum_of_the_squares(dim, values):
    """sum c_ij X_i X_j = -sum_k d_k (sum_i w_ki X_i)^2 for X_i = d_ii, as polynomials."""
    keys = [(i, j) for i in range(dim) for j in range(i, dim)]
    table = dict(zip(keys, values, strict=False))
    X = sp.symbols("X0:3")
    given_form = sum(c * X[i] * X[j] for (i, j), c in table.items())
    found = [(d, w) for d, w in squares(table, dim)]
    assert len(found) <= 2 * dim * dim
    assert all(d != 0 for d, _ in found)
    total = -sum(d * sum(wi * X[i] for i, wi in enumerate(w)) ** 2 for d, w in found)
    assert sp.expand(given_form - total) == 0


@given(st.lists(st.integers(-3, 3), min_size=9, max_size=9))
def test_a_semidefinite_quartic_form_has_no_negative_square(entries):
    """-|M X|^2 is dissipative, so no factor may come out negative (else it would be refuted wrongly)."""
    M = sp.Matrix(3, 3, entries)
    C = M.T * M
    table = {(i, j): -C[i, j] * (1 if i == j else 2) for i in range(3) for j in range(i, 3)}
    assert all(d > 0 for d, _ in squares(table, 3))


def test_symbolic_quartic_coefficients():
    found = list(squares({(0, 0): -a, (0, 1): -2 * b, (1, 1): -(b**2) / a}, 2))
    assert found == [(a, (1, b / a))]


@pytest.mark.parametrize(
    "rhs,squares_",
    [
        (-(u2.diff(x, 4) + u2.diff(y, 4)), 2),
        (-(u2.diff(x, 4) + 2 * u2.diff(x, 2, y, 2) + u2.diff(y, 4)), 1),
        (-u2.diff(x, 2, y, 2), 2),
        (-u2.diff(y, 4), 1),
    ],
)
def test_linear_fourth_order_in_two_dimensions(rhs, squares_):
    """The factors times the squared operators give back the symbol of the right-hand side."""
    form = form_of(rhs, 2)
    assert len(form.terms) == squares_
    k, m = sp.symbols("k m")
    wave = sp.exp(k * x + m * y)
    want = sp.simplify(rhs.subs(u2, wave).doit() / wave)
    total = -sum(t_.diffusivity * (t_.weights[0] * k**2 + t_.weights[1] * m**2) ** 2 for t_ in form.terms)
    assert sp.expand(want - total) == 0


# -- prefactors, reactions, data ----------------------------------------------------------------

c, f = sp.Function("c")(x, y), sp.Function("f")(x, y)
C, F = sp.symbols("c f", real=True)


def test_inpainting_has_a_prefactor_and_a_reaction():
    form = form_of(c * (f - u2) + (1 - c) * laplacian(u2), 2)
    ((prefactor, flux),) = flux_of(form).items()
    # The two prefactors 1 and -c may stay apart or join; together they are 1 - c.
    total = [sp.S.Zero, sp.S.Zero]
    for m, row in flux_of(form).items():
        total = [s + m * e for s, e in zip(total, row, strict=True)]
    assert same(total[0], (1 - C) * p) and same(total[1], (1 - C) * q)
    assert same(form.reaction, C * (F - U))
    assert prefactor.has(C) and flux[0] == p
    assert [s.name for s in form.fields] == ["c", "f"]


@pytest.mark.parametrize(
    "rhs,reaction",
    [
        (laplacian(u2) - u2, -U),
        (laplacian(u2) - a * (u2 - f), a * (F - U)),
        (laplacian(u2) + u2 - u2**3, U - U**3),
        (laplacian(u2) + c * x, C * x),
        (laplacian(u2) + 1, sp.S.One),
        (-laplacian(laplacian(u2)) + f**2, F**2),
    ],
)
def test_reaction_terms(rhs, reaction):
    assert same(form_of(rhs, 2).reaction, reaction)


def test_guided_diffusion_keeps_the_slopes_of_the_guide():
    form = form_of(div(grad(u2) / (1 + norm2(grad(f)))), 2)
    ((prefactor, flux),) = flux_of(form).items()
    fx, fy = sp.symbols("f_x f_y", real=True)
    assert prefactor == 1
    assert same(flux[0], p / (1 + fx**2 + fy**2)) and same(flux[1], q / (1 + fx**2 + fy**2))
    assert dict(form.field_slopes) == {fx: (F, 0), fy: (F, 1)}


def test_field_assumptions_are_kept():
    w = sp.Function("w", positive=True)(x, y)
    (symbol,) = form_of(div(w * grad(u2)), 2).fields
    assert symbol.is_positive and symbol.name == "w"


@pytest.mark.parametrize("name", ["v", "phi", "u_x", "image"])
def test_the_unknown_may_have_any_name(name):
    v = sp.Function(name)(x, t)
    form = recognise(p2n.Problem(sp.Eq(v.diff(t), div(grad(v) / (1 + norm2(grad(v)))) - v)))
    assert form.state.name == name and form.reaction == -form.state
    (slope,) = form.slopes
    (term,) = form.terms
    assert same(term.components[0].responses[0], slope / (1 + slope**2))


@given(
    st.integers(1, 3),
    st.lists(st.fractions(-5, 5, max_denominator=9), min_size=3, max_size=3),
    st.fractions(-2, 2, max_denominator=5),
)
def test_any_linear_equation_is_read_back(dim, weights, rate):
    u = unknown(dim)
    exact = [sp.Rational(str(w)) for w in weights[:dim]]
    rhs = sum(w * u.diff(axis, 2) for w, axis in zip(exact, AXES, strict=False)) + sp.Rational(str(rate)) * u
    if rhs == 0:
        return
    form = form_of(rhs, dim)
    total = flux_of(form).get(sp.S.One, [sp.S.Zero] * dim)
    assert [sp.expand(e - w * s) for e, w, s in zip(total, exact, form.slopes, strict=True)] == [0] * dim
    assert form.reaction == sp.Rational(str(rate)) * form.state


def test_z_is_an_axis_like_any_other():
    assert form_of(u3.diff(z, 2), 3).terms[0].components[0].responses == (0, 0, r)


def test_exponentials_of_polynomials_are_recognised():
    """exp(-(s/2 - 3)²) exp(-(100 s - 3)²): of a common exponential these are powers up to 40 000."""

    def g(s):
        return sp.prod(sp.exp(-((c * s - 3) ** 2)) + 1 / (2 * (c * s + 1)) for c in (sp.Rational(1, 2), 100))

    u = unknown(2)
    (term,) = recognise(p2n.Problem(equation(div(g(norm2(grad(u))) * grad(u)), 2))).terms
    ((group,),) = (c.groups for c in term.components)
    for value in (sp.Rational(1, 50), sp.Rational(3)):
        assert abs(sp.N(group.diffusivity.subs(SQUARED, value) - g(value), 30)) < sp.Float("1e-25")

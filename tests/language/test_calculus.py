"""grad, div and their kin are unevaluated derivatives over the arguments but t."""

import pytest
import sympy as sp
from support import AXES, t, unknown, x, y, z

import pde2net as p2n
from pde2net import diffusivities, div, dot, grad, laplacian, norm2


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gradient_is_the_column_of_derivatives(dim):
    u = unknown(dim)
    assert grad(u) == sp.Matrix([sp.Derivative(u, a) for a in AXES[:dim]])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_divergence_stays_unevaluated_and_is_right_when_evaluated(dim):
    u = unknown(dim)
    g = 1 / (1 + norm2(grad(u)))
    kept = div(g * grad(u))
    assert len(kept.atoms(sp.Derivative)) > 0
    assert all(d.derivative_count == 1 for d in sp.Add.make_args(kept))
    sample = sp.sin(x) * sp.cos(2 * y) * sp.exp(z / 3) * (1 + t)
    want = sum(sp.diff(g.subs(u, sample).doit() * sp.diff(sample, a), a) for a in AXES[:dim])
    at = {x: 0.3, y: 0.7, z: 0.2, t: 0.1}
    assert abs((kept.subs(u, sample).doit() - want).subs(at).evalf()) < 1e-12


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_laplacian_is_the_divergence_of_the_gradient(dim):
    u = unknown(dim)
    sample = sp.exp(x * y) * sp.sin(z + t) + x**4
    difference = (laplacian(u) - div(grad(u))).subs(u, sample).doit()
    assert sp.simplify(difference) == 0
    assert laplacian(u).subs(u, sum(a**2 for a in AXES[:dim])).doit() == 2 * dim


def test_norm_and_inner_product():
    a, b, c, d = sp.symbols("a b c d")
    v, w = sp.Matrix([a, b]), sp.Matrix([c, d])
    assert dot(v, w) == a * c + b * d
    assert norm2(v) == dot(v, v) == a**2 + b**2
    assert norm2(a) == a**2
    assert norm2(sp.Matrix([[a, b], [c, d]])) == a**2 + b**2 + c**2 + d**2


u2 = unknown(2)


@pytest.mark.parametrize(
    "action,word",
    [
        (lambda: grad(x**2), "function of space"),
        (lambda: laplacian(sp.Integer(3)), "function of space"),
        (lambda: div(u2), "vector"),
        (lambda: div(sp.Matrix([u2])), "1 components over 2"),
        (lambda: div(sp.Matrix([u2, u2, u2])), "3 components over 2"),
        (lambda: dot(sp.Matrix([x]), sp.Matrix([x, y])), "equal length"),
        (lambda: dot(x, y), "vectors"),
        (lambda: diffusivities.weickert(x, y, m=0), "1, 2"),
        (lambda: diffusivities.weickert(x, y, m=1.5), "1, 2"),
    ],
)
def test_misuse_is_refused_in_words(action, word):
    with pytest.raises(p2n.Pde2NetError, match=word):
        action()


def test_known_fields_of_fewer_axes_keep_the_order():
    f = sp.Function("f")(y)
    assert grad(f * unknown(3)).shape == (3, 1)
    assert [d.variables[0] for d in grad(f * unknown(3))] == [x, y, z]


s, k = sp.symbols("s lambda", positive=True)


@pytest.mark.parametrize(
    "g,value",
    [
        (diffusivities.linear(s), 1),
        (diffusivities.charbonnier(s, k), 1 / sp.sqrt(5)),
        (diffusivities.regularised_tv(s, k), 1 / sp.sqrt(sp.Rational(5, 4))),
        (diffusivities.perona_malik(s, k), sp.Rational(1, 5)),
        (diffusivities.exponential(s, k), sp.exp(-2)),
    ],
)
def test_diffusivities_at_s_1_and_contrast_one_half(g, value):
    assert sp.simplify(g.subs({s: 1, k: sp.Rational(1, 2)}) - value) == 0


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_weickert_flux_turns_exactly_at_the_contrast(m):
    """g is 1 at 0, and the flux g(p^2) p rises before p = lambda and falls beyond."""
    p = sp.Symbol("p", positive=True)
    flux = diffusivities.weickert(p**2, sp.Integer(2), m) * p
    slope = sp.lambdify(p, sp.diff(flux, p), "mpmath")
    assert abs(slope(2)) < 1e-15
    assert slope(1.9) > 0 > slope(2.1)
    assert diffusivities.weickert(sp.Integer(0), sp.Integer(2), m) == 1

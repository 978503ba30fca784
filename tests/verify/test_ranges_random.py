"""Random compositions: no sample may leave a certified range."""

import itertools

import mpmath
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pde2net.normalise.terms import SQUARED
from pde2net.verify.ranges import UndecidedError, flux_slope, half_line

s = SQUARED
POINTS = [mpmath.mpf(0)] + [mpmath.mpf(10) ** (mpmath.mpf(k) / 8) for k in range(-64, 65)]
STEPS = (0, mpmath.mpf("1e-9"), -mpmath.mpf("1e-9"))
number = st.sampled_from([sp.Rational(p, q) for p, q in itertools.product((1, 2, 3, 7, 100), (1, 2, 5))])
leaf = st.one_of(
    st.sampled_from([s, sp.sqrt(s), s**2, s ** sp.Rational(3, 2)]),
    st.builds(lambda c: s - c, number),
    st.builds(lambda c: c * s, number),
)
OUTER = [
    lambda f, g, c: f - c * g,
    lambda f, g, c: f * g,
    lambda f, g, c: 1 / (1 + f**2),
    lambda f, g, c: c * f / (1 + g**2),
    lambda f, g, c: f / (s - c) ** 2,
    lambda f, g, c: sp.exp(-(f**2)),
    lambda f, g, c: sp.exp(-f) + c * sp.exp(-100 * (s - c) ** 2),
    lambda f, g, c: sp.log(1 + f**2),
    lambda f, g, c: 1 / sp.sqrt(1 + f**2),
    lambda f, g, c: sp.atan(f),
    lambda f, g, c: sp.tanh(f),
    lambda f, g, c: sp.cos(f),
    lambda f, g, c: sp.Max(f, g),
    lambda f, g, c: sp.Abs(f),
    lambda f, g, c: sp.Piecewise((f, s < c), (g, True)),
    lambda f, g, c: sp.Piecewise((c, sp.Eq(s, c)), (g, True)),
]
composed = st.recursive(
    leaf,
    lambda inner: st.builds(lambda h, f, g, c: h(f, g, c), st.sampled_from(OUTER), inner, inner, number),
    max_leaves=4,
)


def samples(expression):
    function = sp.lambdify(s, expression, "mpmath")
    near = [mpmath.mpf(r.p) / r.q for r in expression.atoms(sp.Rational) if r > 0]
    with mpmath.workdps(30):
        for point in POINTS + [
            c * (1 + e) for c in near for e in (0, mpmath.mpf("1e-9"), -mpmath.mpf("1e-9"))
        ]:
            try:
                value = function(point)
            except (ZeroDivisionError, ValueError, OverflowError):
                continue
            if mpmath.isfinite(value) and not mpmath.im(value):
                yield mpmath.mpf(mpmath.re(value))


@settings(max_examples=25, derandomize=True, deadline=None)
@given(composed, st.booleans())
def test_no_sample_leaves_a_certified_range(expression, slope):
    assume(isinstance(expression, sp.Expr) and s in expression.free_symbols)
    assume(sp.count_ops(expression) < 40 and not expression.has(sp.zoo, sp.nan))
    try:
        found = (flux_slope if slope else half_line)(expression, s, 0.7)
    except UndecidedError:
        return
    if slope:
        t = sp.Symbol("t", positive=True)
        moved = expression.subs(s, t)
        expression = (moved + 2 * t * sp.diff(moved, t)).subs(t, s)
    assume(not expression.has(sp.Heaviside, sp.DiracDelta))
    values = list(samples(expression))
    assume(values)
    lower, upper = (mpmath.mpf(str(sp.N(b, 30)).replace("oo", "inf")) for b in (found.lower, found.upper))
    slack = mpmath.mpf("1e-12") * (1 + max(map(abs, values)))
    assert lower - slack <= min(values) and max(values) <= upper + slack

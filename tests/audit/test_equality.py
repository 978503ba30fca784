"""Equality of expressions is decided: what is equal as a rational function is, what is not never."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from pde2net.audit.equality import equal, vanishes
from pde2net.errors import RecheckError

a, b = sp.symbols("a b", positive=True)
ATOMS = (a, b, sp.exp(-a), sp.sqrt(a + b), sp.pi, sp.Max(a, b))


@st.composite
def expressions(draw: st.DrawFn) -> sp.Expr:
    """Sums, products and quotients of few atoms."""
    found = draw(st.sampled_from(ATOMS))
    for _ in range(draw(st.integers(0, 5))):
        other = draw(st.sampled_from(ATOMS)) + draw(st.integers(0, 3))
        found = draw(st.sampled_from([found + other, found - other, found * other, found / other, found**2]))
    return found


@given(expressions(), expressions())
def test_a_difference_that_is_not_zero_is_seen(e: sp.Expr, other: sp.Expr) -> None:
    for form in (sp.expand(e), sp.together(e), sp.factor_terms(e), e + other - other):
        assert equal(e, form)
    assert not equal(e, e + sp.Rational(1, 10**80))
    if other != 0:
        assert not equal(e, e + other**2 * (1 + a) / 10**80)


@pytest.mark.parametrize(
    "bump",
    [
        sp.exp(1000 * a - 200000),
        (a - 1) ** 2 * (a - 2) ** 2 * (a - 3) ** 2,
        sp.Piecewise((0, a < 10**9), (1, True)),
        sp.sin(10**9 * a) / 10**50,
        sp.Max(0, a - 10**9),
        sp.floor(a) - a + 1,
    ],
    ids=str,
)
def test_what_vanishes_at_numbers_is_not_zero(bump: sp.Expr) -> None:
    assert not vanishes(bump)
    assert not equal(1 / (2 * a), 1 / (2 * a) + bump)


def test_relations_and_infinity_are_compared_part_by_part() -> None:
    assert equal(sp.Le(a, (b**2 + b) / 4), sp.Le(a, b * (b + 1) / 4))
    for left, right in (
        (sp.Le(a, b), sp.Lt(a, b)),
        (sp.Le(a, b), sp.Ge(a, b)),
        (sp.true, sp.false),
        (sp.oo, -sp.oo),
        (sp.oo, a),
        (sp.Le(a, b), sp.true),
        (sp.Integer(1), sp.true),
    ):
        assert not equal(left, right) and not equal(right, left)


def test_what_is_not_decided_is_refused() -> None:
    with pytest.raises(RecheckError, match="too large"):
        vanishes((a + b) ** 300 - (b + a + 1) ** 300)

"""Expressions of several variables that are functions of one part of them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from pde2net.verify.ranges.parts import through_one_part

A, B, C = sp.symbols("a b c", real=True)
P = sp.Symbol("p", positive=True)
CASES = [
    (1 / (1 + A**2 + B**2), True),
    (sp.exp(-P / ((A - B) ** 2 + 4 * C**2)), True),
    (P + (1 - P) * sp.tanh(A * B), False),
    (sp.sqrt(1 + 3 * (A + B) ** 2) + (A + B) ** 2, None),
]


@pytest.mark.parametrize("expression,nonnegative", CASES[:3])
def test_the_part_is_found_with_its_sign(expression: sp.Expr, nonnegative: bool) -> None:
    variables = expression.free_symbols - {P}
    found = through_one_part(expression, variables)
    assert found is not None
    function, q = found
    assert not function.free_symbols & variables and q in function.free_symbols
    assert bool(q.is_nonnegative) == nonnegative


def test_independent_variables_have_no_common_part() -> None:
    assert through_one_part(A / (1 + A**2) + B, {A, B}) is None
    assert through_one_part(A**2 * B + A, {A, B}) is None


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(0.1, 3))
def test_values_are_those_of_the_expression(values: list[float], p: float) -> None:
    for expression, _ in CASES:
        variables = sorted(expression.free_symbols - {P}, key=str)
        found = through_one_part(expression, variables)
        if found is None:
            continue
        function, q = found
        part = sp.sympify(q.name.strip(), locals={"a": A, "b": B, "c": C, "p": P})
        at = dict(zip(variables, values, strict=False)) | {P: p}
        want = complex(expression.subs(at))
        if np.isfinite(want.real):
            assert complex(function.subs({q: part.subs(at), P: p})) == pytest.approx(want)

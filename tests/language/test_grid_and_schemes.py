"""Grids and schemes accept what is known to make sense."""

import math

import pytest
import sympy as sp
from support import equation, h, tau, unknown, x, y

import pde2net as p2n
from pde2net import laplacian

HEAT = p2n.Problem(equation(laplacian(unknown(2)), 2))


@pytest.mark.parametrize("bad", [0, -1, -0.1, math.nan, math.inf, sp.oo, sp.zoo, sp.I, "1", True, [1]])
@pytest.mark.parametrize("what", ["tau", "spacing"])
def test_steps_and_spacings_are_positive_finite_numbers(what, bad):
    with pytest.raises(p2n.DeclarationError, match=what):
        p2n.Explicit(tau=bad) if what == "tau" else p2n.Grid(spacing=bad)


@pytest.mark.parametrize("make", [lambda v: p2n.Explicit(tau=v), lambda v: p2n.Grid(spacing=v)])
def test_a_symbol_must_be_declared_positive(make):
    with pytest.raises(p2n.DeclarationError, match="positive=True"):
        make(sp.Symbol("k"))
    with pytest.raises(p2n.DeclarationError, match="positive=True"):
        make(sp.Symbol("k", positive=True) - 1)
    make(sp.Symbol("k", positive=True) ** 2 / 3)


@pytest.mark.parametrize("bad", [0, -3, 1.0, 2.5, "4", None, True, sp.Rational(1, 2)])
def test_steps_are_counted(bad):
    with pytest.raises(p2n.DeclarationError, match="steps"):
        p2n.Explicit(tau=1, steps=bad)


def test_steps_may_be_a_sympy_integer():
    assert p2n.Explicit(tau=1, steps=sp.Integer(3)).steps == 3


@pytest.mark.parametrize("order", [0, 1, 3, 6, "2", 2.5, None])
def test_the_order_is_two_or_four(order):
    with pytest.raises(p2n.DeclarationError, match="2 or 4"):
        p2n.Grid(order=order)


def test_spacing_per_axis_follows_the_axes():
    grid = p2n.Grid(spacing={y: 2, x: sp.Rational(1, 3)}, origin={"x": 5, "y": -1})
    assert grid.spacings((x, y)) == (sp.Rational(1, 3), 2)
    assert grid.origins((x, y)) == (5, -1)
    assert p2n.Grid(spacing=h).spacings((x, y)) == (h, h)
    assert p2n.Grid().spacings((x,)) == (1,) and p2n.Grid().origins((x,)) == (0,)


@pytest.mark.parametrize(
    "options,name",
    [
        ({"spacing": {x: 1}}, '"y"'),
        ({"spacing": {x: 1, y: 1, "z": 1}}, '"z"'),
        ({"origin": {y: 0}}, '"x"'),
    ],
)
def test_a_missing_or_surplus_axis_is_named(options, name):
    with pytest.raises(p2n.DeclarationError, match=name):
        p2n.verify(HEAT, p2n.Explicit(tau=0.1), p2n.Grid(**options))


def test_spacing_is_part_of_the_equality():
    assert hash(p2n.Grid(spacing={x: 1, y: 2})) == hash(p2n.Grid(spacing={x: 1, y: 2}))
    assert p2n.Grid() != p2n.Grid(order=4)
    assert p2n.Explicit(tau=tau, steps=2) != p2n.Explicit(tau=tau, steps=3)


@pytest.mark.parametrize(
    "arguments,word",
    [
        ((HEAT.equation, p2n.Explicit(0.1), p2n.Grid()), "Problem"),
        ((HEAT, 0.1, p2n.Grid()), "scheme"),
        ((HEAT, p2n.Explicit(0.1), 1), "grid"),
    ],
)
@pytest.mark.parametrize("action", [p2n.verify, p2n.compile])
def test_arguments_of_another_type_are_refused(action, arguments, word):
    with pytest.raises(p2n.DeclarationError, match=word):
        action(*arguments)


def test_the_default_grid_has_spacing_one():
    scheme = p2n.Explicit(tau=sp.Rational(1, 4))
    assert p2n.verify(HEAT, scheme) == p2n.verify(HEAT, scheme, p2n.Grid(spacing=1))

"""Declarations that look harmless to a derivative, a limit or an assumption: one kind per function.

Jumps with equal slopes, poles, values at single times, coordinates whose symbols promise what the grid does
not keep, systems that may be singular, masks in blocks, parameters that training moves far away.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from declarations import CLAIMS, FACTORS, SCHEMES, Declared, diffusivities, numbers
from hypothesis import strategies as st
from support import AXES, equation, t, unknown

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

steps = st.sampled_from([sp.Rational(n) for n in ["1/4", "1/2", "1", "2", "5/4"]])


@st.composite
def jumps(draw: Any, dim: int) -> p2n.Problem:
    """Reactions and diffusivities with jumps and values of their own, whose slopes do not show them."""
    u, a, b, c = unknown(dim), draw(numbers), draw(numbers), draw(numbers)
    s = norm2(grad(u))
    reaction = [
        sp.Piecewise((0, u < c), (-a, True)),
        -a * sp.sign(u - c),
        sp.Piecewise((-a, sp.Eq(u, c)), (0, True)),
        -u + a * sp.sign(u),
        sp.Piecewise((a - u, u > 0), (-a - u, True)),
        -a * sp.atan(sp.tan(u)),
        -a * (u**2 - u) / u,
    ]
    g = [
        sp.Piecewise((a, s < c), (b, True)),
        sp.Piecewise((a, sp.Eq(s, c)), (b, True)),
        2 + sp.sign(s - c),
        2 + sp.atan(sp.tan(s)),
    ]
    if draw(st.booleans()):
        return p2n.Problem(equation(laplacian(u) + draw(st.sampled_from(reaction)), dim))
    return p2n.Problem(equation(div(draw(st.sampled_from(g)) * grad(u)), dim))


@st.composite
def poles(draw: Any, dim: int) -> p2n.Problem:
    """Fluxes and reactions that have no value somewhere, or none that is real."""
    u, c = unknown(dim), draw(numbers)
    s = draw(st.sampled_from([norm2(grad(u)), norm2(grad(u)), u**2])) / c
    g = [
        *(1 / (1 - s), (1 + sp.sin(1 / s)) / 2, (s - 1) ** sp.Rational(1, 3), 1 / s, sp.log(s), sp.tan(s)),
        *((s**2 - 1) / (s - 1), sp.sqrt(1 - s), sp.acos(s), s**s, sp.sin(s) / s, sp.exp(-1 / (s - 1) ** 2)),
        *(sp.Min(1, 1 / s), 1 / (1 + 1 / s), sp.Min(1, 1 / sp.Abs(1 - s)), sp.atan(1 / (s - 1)) + 2),
    ]
    return p2n.Problem(equation(div(draw(st.sampled_from(g)) * grad(u)), dim))


@st.composite
def moments(draw: Any, dim: int) -> p2n.Problem:
    """Coefficients of time with a jump, a pole or a value of its own at the time of some step."""
    u, a, b = unknown(dim), draw(steps), draw(numbers)
    c = [
        *(sp.Integer(0) ** (a - t), sp.Integer(0) ** sp.Abs(t - a), sp.atan(1 / (t - a)) + 2, 1 / (a - t)),
        *(sp.Piecewise((b, sp.Eq(t, a)), (1, True)), sp.Piecewise((1, t < a), (b, True)), sp.sign(t - a) + 2),
        *(sp.sqrt(a - t), (t - a) / sp.Abs(t - a) + 1, sp.Max(1, 1 / (a - t)), sp.exp(1 / (t - a))),
    ]
    return p2n.Problem(equation((draw(numbers) + draw(st.sampled_from(c))) * laplacian(u) / 4, dim))


@st.composite
def places(draw: Any, dim: int) -> p2n.Problem:
    """Coefficients of position, with assumptions about the coordinates."""
    kind = draw(st.sampled_from(["positive", "negative", "nonnegative", "integer", "real"]))
    axes = [sp.Symbol(a.name, **{kind: True}) for a in AXES[:dim]]
    u, x = sp.Function("u")(*axes, t), axes[0]
    g = [
        *(2 * sp.tanh(x), sp.exp(-x), 1 / (1 + x), sp.sqrt(1 + x**2), sp.log(1 + x), 1 + x),
        *(x**2 / (1 + x**2), sp.cos(sp.pi * x), sp.sqrt(x**2)),
    ]
    return p2n.Problem(sp.Eq(u.diff(t), div(draw(st.sampled_from(g)) * grad(u)), evaluate=False))


@st.composite
def singular(draw: Any, dim: int) -> p2n.Problem:
    """Backward and indefinite diffusion, and fields of any sign."""
    u, a = unknown(dim), draw(numbers)
    f, d = sp.Function("f")(*AXES[:dim]), sp.Function("c", nonnegative=True)(*AXES[:dim])
    rhs = [
        *(-a * laplacian(u), div((1 - a / (1 + norm2(grad(u)))) * grad(u)), div(f * grad(u))),
        *(div(d * grad(u)), div(d * norm2(grad(u)) * grad(u)), laplacian(u) + a * u, laplacian(u) - f * u),
    ]
    return p2n.Problem(equation(draw(st.sampled_from(rhs)), dim))


@st.composite
def masks(draw: Any, dim: int) -> p2n.Problem:
    """Inpainting, with the mask c of the attack in blocks."""
    u = unknown(dim)
    f, c = (sp.Function(n)(*AXES[:dim]) for n in "fc")
    g = draw(diffusivities(norm2(grad(u))))
    return p2n.Problem(equation(c * (f - u) + (1 - c) * div(g * grad(u)), dim))


@st.composite
def trained(draw: Any, dim: int) -> p2n.Problem:
    """Parameters with signs, some of them integers."""
    u = unknown(dim)
    kind = draw(st.sampled_from(["positive", "positive", "negative", "nonnegative", "integer", "real"]))
    a = sp.Symbol("a", **{kind: True})
    s = norm2(grad(u))
    g = [
        1 / (1 + s / a**2),
        a**2 / (a**2 + s),
        1 / (1 + s) + a**2,
        1 + a,
        sp.exp(-(a**2) * s),
        (a + 3) / (1 + s),
    ]
    value = -2 if kind == "negative" else 2
    return p2n.Problem(equation(div(draw(st.sampled_from(g)) * grad(u)), dim), parameters={a: value})


KINDS = (jumps, poles, moments, places, singular, masks, trained)


@st.composite
def hostile(draw: Any) -> Declared:
    dim = draw(st.sampled_from([1, 1, 2]))
    make = draw(st.sampled_from(KINDS))
    problem = draw(make(dim))
    grid = p2n.Grid(origin=draw(st.sampled_from([0, 0, -100, -3, 7])) if make is places else 0)
    kind = draw(st.sampled_from(tuple(SCHEMES)))
    options = SCHEMES[kind](draw)
    factor = draw(st.sampled_from([*FACTORS, sp.Rational(1, 4), sp.Rational(1, 4)]))
    train = ("a",) if make is trained and draw(st.booleans()) else ()
    return Declared(problem, grid, kind, options, draw(st.sampled_from(CLAIMS)), factor, train)

"""Declarations with learned operators: mixtures, splines, values per filter, borders, chains, data terms."""

from __future__ import annotations

from typing import Any

import sympy as sp
from declarations import FACTORS, Declared, numbers
from hypothesis import strategies as st
from support import AXES, equation, unknown

import pde2net as p2n

R = sp.Rational
LEVEL = p2n.Input("sigma", positive=True)


@st.composite
def operators(draw: Any, name: str, continued: bool) -> p2n.LinearOperator:
    size = draw(st.sampled_from([1, 3, 3, 5] if continued else [1, 2, 3, 4, 5]))
    border = "continued" if continued else "inside"
    zero_mean = size > 1 and draw(st.booleans())
    return p2n.LinearOperator(name, draw(st.integers(1, 6)), size, border, zero_mean)


@st.composite
def fluxes(draw: Any, K: p2n.LinearOperator, q: sp.Expr) -> tuple[sp.Expr, dict[Any, Any], list[Any]]:
    """Phi(q), values of its parameters, and what of it is trained."""
    lam = K.parameter("lambda", positive=True)
    w = [K.parameter(f"w{j}", nonnegative=True) for j in range(draw(st.integers(1, 3)))]
    lower = draw(st.sampled_from([0, 0, -R(1, 10), -1]))
    own = K if draw(st.booleans()) else None
    phi = p2n.Spline("phi", draw(st.sampled_from([3, 7, 21])), draw(numbers), (lower, draw(numbers)), own)
    weights = {symbol: draw(st.sampled_from([0, R(1, 2), 2])) for symbol in w}
    kernel = draw(st.sampled_from(["exponential", "perona_malik", "charbonnier"]))
    scales = [draw(st.one_of(numbers, st.just(lam))) for _ in w]
    mixed = p2n.diffusivities.mixture(q**2, weights=w, scales=scales, kernel=kernel) * q
    weights |= {lam: draw(numbers)} if lam in mixed.free_symbols else {}
    kinds = [
        (q, {}, []),
        (q / (1 + q**2 / lam**2), {lam: draw(numbers)}, [lam]),
        (q / sp.sqrt(1 + q**2 / lam**2), {lam: draw(numbers)}, [lam]),
        (q / (1 + q**2 / LEVEL**2), {}, []),
        (phi(q), {}, [phi]),
        (mixed, weights, list(weights)),
        (mixed + phi(q), weights, [*weights, phi]),
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def learned(draw: Any) -> Declared:
    """What is learned is trained, and the condition of stability kept for it."""
    dim, continued = draw(st.sampled_from([1, 2, 2, 3])), draw(st.booleans())
    borders = st.just("reflecting") if continued else st.sampled_from(["reflecting", "periodic", "dirichlet"])
    u, K = unknown(dim), draw(operators("K", continued))
    applied, back, trained = K(u), K.adjoint, [K]
    last = K
    if draw(st.integers(0, 3)) == 0:
        last = draw(operators("B", continued))
        applied, trained = last(applied), [K, last]
        back = lambda v: K.adjoint(last.adjoint(v))  # noqa: E731  two operators
    flux, values, more = draw(fluxes(last, applied))
    beta, f = sp.Symbol("beta", positive=True), sp.Function("f")(*AXES[:dim])
    data = draw(st.booleans())
    values |= {beta: draw(numbers)} if data else {}
    problem = p2n.Problem(
        equation(-back(flux) + (beta * (f - u) if data else 0), dim),
        {a: draw(borders) for a in AXES[:dim]},
        values,
    )
    trained += [*more, beta] if data and draw(st.booleans()) else more
    kinds = [p2n.Explicit, p2n.Explicit, p2n.FSI, p2n.RKL, p2n.DuFortFrankel, p2n.Implicit]
    kind = draw(st.sampled_from(kinds if data else kinds[:-1]))
    options: dict[str, Any] = {
        p2n.Explicit: {"steps": draw(st.integers(1, 3))},
        p2n.FSI: {"cycle_length": 3, "cycles": draw(st.integers(1, 2))},
        p2n.RKL: {"order": 2, "stages": 4, "steps": 1},
        p2n.DuFortFrankel: {"alpha": None, "steps": 3},
        p2n.Implicit: {"steps": 1, "solver": p2n.Descent(iterations=draw(st.sampled_from([1, 5, 40])))},
    }[kind]
    if kind == p2n.Explicit and data:
        options["fidelity"] = draw(st.sampled_from(["explicit", "implicit"]))
    asked: dict[str, Any] = {"shared": draw(st.booleans())}
    if data and draw(st.integers(0, 2)) == 0:
        asked["lipschitz"] = draw(st.sampled_from([R(11, 10), 2, 10]))
    elif kind == p2n.Explicit and draw(st.integers(0, 2)) == 0:
        asked["averaged"] = draw(st.sampled_from([R(1, 10), R(1, 2), R(9, 10)]))
    step = sp.oo if kind == p2n.Implicit else draw(st.sampled_from([None, None, R(1, 10), 1]))
    return Declared(problem, p2n.Grid(), kind, options, "", FACTORS[0], tuple(map(str, trained)), step, asked)

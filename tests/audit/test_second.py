"""Faults of the first verifier, put there on purpose: the second derivation of numbers finds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sympy as sp
from support import diffusion, equation, lam, unknown, x

import pde2net as p2n
from pde2net import laplacian
from pde2net.scheme.stack import TAU
from pde2net.verify import bounds, consistency, facts, multigrid, norms, polynomial
from pde2net.verify.theorems import cycle, data, explicit, picard

R = sp.Rational
u1, u2 = unknown(1), unknown(2)
PERONA_MALIK = diffusion(lambda s: 1 / (1 + s / lam**2), 2)
SIGNED = diffusion(lambda s: 2 * sp.exp(-s) - sp.exp(-s / 16), 1)


def heat(more: sp.Expr = sp.S.Zero, dim: int = 1) -> p2n.Problem:
    return p2n.Problem(equation(laplacian(unknown(dim)) + more, dim))


def half_norm(patch: Any) -> None:
    right = norms.operator_norms

    def wrong(semi: Any) -> Any:
        return tuple(tuple(replace(n, squared=n.squared / 2) for n in row) for row in right(semi))

    patch.setattr(facts, "operator_norms", wrong)


def half_range(patch: Any) -> None:
    right = bounds._ENGINES[bounds.DIFFUSIVITY]

    def wrong(*question: Any) -> Any:
        found = right(*question)
        return replace(found, upper=found.upper / 2)

    patch.setitem(bounds._ENGINES, bounds.DIFFUSIVITY, wrong)


def no_sign(patch: Any) -> None:
    """0 <= g is taken for granted."""
    right = bounds.Bounds.nonnegative
    patch.setattr(bounds.Bounds, "nonnegative", property(lambda self: right.fget(self) or True))


def scaled(module: Any, name: str, by: sp.Expr) -> Any:
    """A function whose results are wrong by a factor."""

    def plant(patch: Any) -> None:
        right = getattr(module, name)
        patch.setattr(module, name, lambda *given: by * right(*given))

    return plant


def larger_limit(patch: Any) -> None:
    """2.1 for 2 in the limit of l2 stability."""
    right = explicit.L2.limit
    theorem = replace(explicit.L2, limit=lambda case: right(case) * R(21, 20))
    patch.setitem(cycle.STEPS, "l2_stability", theorem)


def larger_z(patch: Any) -> None:
    right = polynomial.Polynomial.limit
    patch.setattr(polynomial.Polynomial, "limit", lambda self, z: right(self, z) + R(1, 2))


def order(patch: Any) -> None:
    right = consistency.space_error

    def wrong(semi: Any) -> Any:
        return replace(right(semi), order=right(semi).order + 1, leading=None)

    patch.setattr(consistency, "space_error", wrong)


def half_factor(patch: Any) -> None:
    right = multigrid.cycle_factor

    patch.setattr(multigrid, "cycle_factor", lambda case: right(case) / 2)


def leading(patch: Any) -> None:
    right = consistency.space_error

    def wrong(semi: Any) -> Any:
        found = right(semi)
        return found if found.leading is None else replace(found, leading=2 * found.leading)

    patch.setattr(consistency, "space_error", wrong)


def of_data(changes: dict[str, Any], name: str) -> Any:
    """A fault in a theorem about data."""

    def plant(patch: Any) -> None:
        patch.setattr(data, name, replace(getattr(data, name), **changes))

    return plant


def wrong(function: Any, by: sp.Rational) -> Any:
    return lambda case: by * function(case)


f = sp.Function("f")(x)
CHARBONNIER = p2n.Problem(equation((u1.diff(x) / sp.sqrt(1 + u1.diff(x) ** 2)).diff(x) + 2 * (f - u1), 1))
RATIONAL = p2n.Problem(equation((u1.diff(x) / (1 + u1.diff(x) ** 2)).diff(x) + 2 * (f - u1), 1))
SHORT = p2n.Explicit(R(1, 5), 3)
PROXIMAL = p2n.Explicit(R(1, 5), 3, "implicit")
FAULTS = {
    "bounded by data": (
        of_data({"limit": wrong(data.BOUNDED.limit, R(21, 20))}, "BOUNDED"),
        CHARBONNIER,
        SHORT,
        "limit",
    ),
    "bounded by data, proximal": (
        of_data({"limit": wrong(data.BOUNDED.limit, R(21, 20))}, "BOUNDED"),
        CHARBONNIER,
        PROXIMAL,
        "limit",
    ),
    "constant": (
        of_data({"factor": wrong(data.LIPSCHITZ.factor, R(19, 20))}, "LIPSCHITZ"),
        RATIONAL,
        SHORT,
        "factor",
    ),
    "limit of the constant": (
        of_data({"limit": wrong(data.LIPSCHITZ.limit, R(21, 20))}, "LIPSCHITZ"),
        RATIONAL,
        PROXIMAL,
        "limit",
    ),
    "averages": (
        of_data({"factor": wrong(data.AVERAGED_WITH_DATA.factor, R(19, 20))}, "AVERAGED_WITH_DATA"),
        CHARBONNIER,
        PROXIMAL,
        "factor",
    ),
    "averages of the input": (
        of_data({"factor": wrong(data.AVERAGED.factor, R(19, 20))}, "AVERAGED"),
        heat(),
        SHORT,
        "factor",
    ),
    "all steps": (
        of_data({"factor": wrong(data.STEPWISE.factor, R(19, 20))}, "STEPWISE"),
        PERONA_MALIK,
        SHORT,
        "factor",
    ),
    "norm of a stencil": (half_norm, heat(), p2n.Explicit(R(1, 5)), "limit"),
    "norm, other parameters": (half_norm, PERONA_MALIK, p2n.Explicit(TAU), "limit|condition"),
    "norm of an implicit scheme": (half_norm, heat(), p2n.Theta(1, 1, R(1, 4)), "limit|factor"),
    "norm of a cycle": (half_norm, heat(), p2n.FSI(R(1, 5), 3), "limit"),
    "norm of Du Fort-Frankel": (half_norm, heat(), p2n.DuFortFrankel(R(1, 5), R(3, 5), 2), "alpha"),
    "range": (half_range, PERONA_MALIK, p2n.Explicit(R(1, 10)), "value|bound|should be"),
    "sign": (no_sign, SIGNED, p2n.Explicit(R(1, 100)), "negative values"),
    "sign, implicit": (no_sign, SIGNED, p2n.Implicit(1, 1, p2n.Kacanov(iterations=1)), "negative values"),
    "limit": (larger_limit, heat(), p2n.Explicit(R(1, 5)), "limit"),
    "polynomial": (larger_z, heat(), p2n.RKL(1, 1, 3), "exceeds 1"),
    "order": (order, heat(), p2n.Explicit(R(1, 5)), "order in h"),
    "leading error": (leading, heat(), p2n.Explicit(R(1, 5)), "leading error in h"),
    "diagonal": (
        scaled(explicit, "largest_diagonal", R(1, 2)),
        heat(),
        p2n.Explicit(R(1, 5)),
        "limit",
    ),
    "two-grid factor": (half_factor, heat(), p2n.Multigrid(50, levels=2, damping=R(2, 3)), "factor"),
    "Picard's polynomial": (
        scaled(picard, "reach", R(3, 2)),
        heat(),
        p2n.Implicit(R(1, 10), 1, p2n.FixedPoint(iterations=3)),
        "limit",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_first_verifier_is_found(monkeypatch: Any, name: str) -> None:
    plant, problem, scheme, words = FAULTS[name]
    right = p2n.verify(problem, scheme)
    p2n.recheck(right.to_json())
    plant(monkeypatch)
    wrong = p2n.verify(problem, scheme)
    assert wrong != right
    with pytest.raises(p2n.RecheckError, match=words):
        p2n.recheck(wrong.to_json())

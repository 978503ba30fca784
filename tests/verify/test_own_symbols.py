"""What a parameter is called changes no claim: no symbol of the compiler's own may be the same as one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import sympy as sp

import pde2net as p2n
from pde2net.verify.certificate import Status

x, y, t = sp.symbols("x y t", real=True)
u, a = sp.Function("u")(x, y, t), sp.Function("a0")(x, y)
SQUARE = u.diff(x) ** 2 + u.diff(y) ** 2
EXPLICIT = p2n.Explicit(tau=sp.Rational(1, 40), steps=2)
IMPLICIT = p2n.Implicit(tau=sp.Rational(1, 40), steps=2)
CASES = {
    "contrast of gradients": (EXPLICIT, "positive", lambda s: p2n.div(p2n.grad(u) / (1 + SQUARE / s**2))),
    "contrast of values": (EXPLICIT, "positive", lambda s: p2n.div(u**2 / s**2 * p2n.grad(u))),
    "contrast of a field": (EXPLICIT, "positive", lambda s: p2n.div(p2n.grad(u) / (1 + a**2 / s**2))),
    "reaction": (EXPLICIT, "positive", lambda s: p2n.laplacian(u) + s * (a - u)),
    "bend in time": (EXPLICIT, "nonnegative", lambda s: p2n.laplacian(u) / (1 + t - s) ** 2),
    "signs": (EXPLICIT, "nonnegative", lambda s: p2n.div(p2n.grad(u) / (1 + a**2 - s))),
    "exponential": (IMPLICIT, "positive", lambda s: p2n.div(sp.exp(-SQUARE / s) * p2n.grad(u))),
}


def own_names() -> set[str]:
    """Of all symbols that the package makes by name."""
    found = set()
    for file in Path(p2n.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sp.Symbol", "sp.Dummy"):
                found |= {str(n.value) for n in node.args[:1] if isinstance(n, ast.Constant)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "uniquely_named_symbol":
                found.add(node.args[0].value)  # type: ignore[attr-defined]
    return found


def accepted(name: str) -> bool:
    for symbol in (sp.Symbol(name, positive=True), sp.Symbol(name, nonnegative=True)):
        try:
            p2n.Problem(sp.Eq(u.diff(t), sp.exp(-symbol * t) * p2n.laplacian(u)))
        except p2n.DeclarationError:
            return False
    return True


NAMES = sorted(name for name in own_names() if accepted(name))


def claims(case: str, name: str) -> object:
    scheme, sign, right = CASES[case]
    symbol = sp.Symbol(name, **{sign: True})
    try:
        certificate = p2n.verify(p2n.Problem(sp.Eq(u.diff(t), right(symbol))), scheme)
    except p2n.Pde2NetError as error:
        return type(error)
    return {
        name: (
            claim.status,
            sp.sympify(claim.condition if claim.condition is not None else 0).subs(symbol, 7),
        )
        for name, claim in certificate.claims.items()
    }


def test_there_are_such_names() -> None:
    assert {"s", "v", "p"} <= set(NAMES)
    assert "tau" not in NAMES and not any(name.startswith("_") for name in NAMES)


@pytest.mark.parametrize("case", CASES)
def test_claims_do_not_depend_on_what_a_parameter_is_called(case: str) -> None:
    wanted = claims(case, "zeta")
    for name in NAMES:
        assert claims(case, name) == wanted, name


def test_a_nonmonotone_flux_with_the_parameter_s_is_not_called_nonexpansive() -> None:
    """g = 1/(1 + |grad u|²/s²) has fluxes that fall beyond |grad u| = s, whatever s is."""
    s = sp.Symbol("s", positive=True)
    certificate = p2n.verify(
        p2n.Problem(sp.Eq(u.diff(t), p2n.div(p2n.grad(u) / (1 + SQUARE / s**2)))), EXPLICIT
    )
    assert certificate.claims["nonexpansive"].status == Status.REFUTED
    p2n.recheck(certificate.to_json())

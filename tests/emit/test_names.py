"""Names of parameters, fields and unknowns mean in emitted source what they meant in the declaration.

The names tried are those that emitted sources use themselves, read from sources of harmless names.
"""

import ast
import builtins
import functools

import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.program.names import is_argument

x, y, t = sp.symbols("x y t", real=True)
R = sp.Rational
K = p2n.LinearOperator("K", out_channels=2, kernel_size=3)
SCHEMES = {
    "explicit": p2n.Explicit(R(1, 10), 2),
    "fsi": p2n.FSI(tau=R(1, 10), cycle_length=3, freeze="cycle"),
    "fed": p2n.FED(tau=R(1, 10), cycle_length=3),
    "rkl": p2n.RKL(order=2, tau=R(1, 10), stages=3),
    "du fort-frankel": p2n.DuFortFrankel(tau=R(1, 10), alpha=2, steps=2),
    "aos": p2n.AOS(1, 2),
    "default": p2n.Implicit(1, 1),
    "kacanov": p2n.Implicit(1, 1, p2n.Kacanov(tol=1e-10, preconditioner="none", on_failure="best")),
    "newton": p2n.Implicit(1, 1, p2n.Newton(tol=1e-10)),
    "picard": p2n.Implicit(R(1, 20), 1, p2n.FixedPoint(iterations=3)),
    "theta": p2n.Theta(1, 1, solver=p2n.Newton(iterations=2)),
    "cycles": p2n.Multigrid(1, 1, cycles=2),
    "learned": p2n.Explicit(R(1, 10), 2),
}
COUNT = 10


def network(scheme, unknown, parameters, fields):
    """A reaction for each name, so that confusing two of them is seen."""
    u = sp.Function(unknown)(x, y, t)
    flux = K(u) / (1 + K(u) ** 2) if scheme == "learned" else grad(u) / (1 + norm2(grad(u)))
    rhs = -K.adjoint(flux) if scheme == "learned" else div(flux)
    symbols = {sp.Symbol(name, positive=True): R(i + 1, 5 * COUNT) for i, name in enumerate(parameters)}
    rhs += sum(sp.Function(f)(x, y) * R(i + 1, 2 * COUNT) for i, f in enumerate(fields))
    rhs -= sum((s * R(i + 1, COUNT) for i, s in enumerate(symbols)), sp.S(0)) * u
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters=symbols)
    trainable = [K] if scheme == "learned" else list(symbols)[:1]
    return uncertified(problem, SCHEMES[scheme], trainable=trainable)


@functools.cache
def output(scheme, unknown, parameters, fields):
    torch.manual_seed(0)
    module = network(scheme, unknown, parameters, fields).module().double()
    u = torch.linspace(-1, 1, 20, dtype=torch.float64).reshape(1, 1, 4, 5).sin()
    data = {f: (u + i).cos() for i, f in enumerate(fields)}
    return module(u, **data)


def words(source):
    """All names in a source, and what Python and torch know besides."""
    found = {
        "F",
        "id",
        "lambda",
        "in",
        "training",
        "forward",
        "state_dict",
        "_x",
        "__init__",
        "a b",
        "1",
        "µ",
    }
    for node in ast.walk(ast.parse(source)):
        for name in ("id", "arg", "attr", "name", "asname"):
            found.add(getattr(node, name, None) or "u")
    return sorted(found - {"u", "x", "y", "t"} | {"self", "input", "print", "None", *dir(builtins)[-20:]})


def named(scheme, parameters, fields):
    """The output, for those names that are not refused in words."""
    while True:
        try:
            return output(scheme, "u", parameters, fields), parameters, fields
        except p2n.DeclarationError as error:
            refused = [n for n in (*parameters, *fields) if f'"{n}"' in str(error)]
            assert refused, error
            parameters = tuple(n for n in parameters if n not in refused)
            fields = tuple(n for n in fields if n not in refused)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_that_the_source_uses(scheme):
    harmless = tuple(f"q{i}" for i in range(COUNT)), tuple(f"f{i}" for i in range(COUNT))
    candidates = words(network(scheme, "u", *harmless).source())
    kept = 0
    for k in range(0, len(candidates), COUNT):
        some = tuple(candidates[k : k + COUNT])
        passed = tuple(n for n in some if is_argument(n))  # compile refuses others
        for names in ((some, ()), ((), passed)):
            found, *left = named(scheme, *names)
            kept += sum(map(len, left))
            want = output(scheme, "u", *(o[: len(n)] for o, n in zip(harmless, left, strict=True)))
            torch.testing.assert_close(found, want, rtol=0, atol=1e-12, msg=str(left))
    assert kept > 1.5 * len(candidates)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_of_unknowns(scheme):
    want = output(scheme, "u", ("q",), ("f",))
    kept = 0
    candidates = words(network(scheme, "u", ["q"], ["f"]).source())
    for name in [c for c in candidates if c not in ("q", "f")][::4]:
        try:
            found = output(scheme, name, ("q",), ("f",))
        except p2n.DeclarationError as error:
            assert f'"{name}"' in str(error)
        else:
            torch.testing.assert_close(found, want, rtol=0, atol=1e-12)
            kept += 1
    assert kept > 10

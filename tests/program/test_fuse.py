"""Stages compute what the functions compute that they are made of, to the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from emit.test_module import BOUNDARIES, SHAPES, declared
from program.evaluate import GUARDED, Evaluation
from program.stages import evaluated
from program.test_differentiate import diffusion_tensor, rows
from support import equation, lam, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.program import parts
from pde2net.program.differentiate import differentiate
from pde2net.program.extents import Extent, extents
from pde2net.program.fuse import fuse
from pde2net.program.guard import guard
from pde2net.program.lower import PASSES
from pde2net.program.merge import merge
from pde2net.program.records import Function, Loop

R = sp.Rational
u2 = unknown(2)
K = p2n.LinearOperator("K", 3, 3)


def bodies(function: Function) -> list[Function]:
    """Those of all loops, and what is around the inner ones."""
    found = []
    for let in function.body:
        if isinstance(let.op, Loop):
            found += [let.op.body, *bodies(let.op.body)]
    return [f for f in found if not any(isinstance(op, Loop) for op in f.ops)]


def agree(problem: p2n.Problem, scheme: Any, grid: Any = None, channels: int = 1) -> None:
    """Forward, and the vector-Jacobian product."""
    network = uncertified(problem, scheme, grid or p2n.Grid())
    plain, dimension = parts.network(network.looped, [a.name for a in problem.space]), len(problem.space)
    image = Extent((0,) * dimension, channels)
    known = extents(plain, {v: image for v, _ in plain.parameters})
    symbols = [sp.Symbol("tau", positive=True), *problem.parameters]
    for body in bodies(plain):
        forward = body
        for each in PASSES:
            forward = each(forward)
        backward = merge(guard(differentiate(body, symbols)))
        for function in (forward, backward):
            compare(network, function, {v: known.get(v, image) for v, _ in function.parameters}, channels)


def compare(network: Any, function: Function, known: dict[str, Extent], channels: int) -> None:
    rng = np.random.default_rng(0)
    dimension = len(network.semidiscrete.form.space)
    shape = SHAPES[dimension]
    given = []
    for extent in known.values():
        own = [n + 2 * m for n, m in zip(shape, extent.wide, strict=True)]
        given.append(rng.uniform(0.1, 1, size=(extent.channels, *own)))
    run = Interpreter(network.looped, arithmetic=GUARDED)
    outside = [a[0][..., None] if channels == 1 else np.moveaxis(a, 0, -1)[..., None] for a in given]
    names = [str(f.func) for f in network.semidiscrete.form.problem.fields]
    run.load(given[0][0] if channels == 1 else given[0], {n: rng.uniform(size=shape) for n in names})
    weights = {s for let in function.body for s in getattr(let.op, "weights", ())}
    own = {s: R(k + 2, 7) for k, (s, _) in enumerate(sorted(weights, key=str))}
    run.scope |= own
    wanted = Evaluation(run)(function, outside)
    stages = fuse(function, known)
    symbols = set().union(*(s.numbers for s in stages))
    numbers = {s: float(run.number(run.value(s))) for s in symbols}
    arrays = {v: a for (v, _), a in zip(function.parameters, given, strict=True)}
    found = evaluated(stages, arrays, numbers, shape)
    for name, want in zip(function.results, wanted, strict=True):
        got = found[name]
        if np.ndim(got):
            want = np.moveaxis(want[..., 0], -1, 0) if channels > 1 else want[None, ..., 0]
            want = np.broadcast_to(want, np.broadcast_shapes(want.shape, got.shape))
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name,dim,boundary,gradient,order", rows())
def test_terms_of_every_kind(name: str, dim: int, boundary: str, gradient: str, order: int) -> None:
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    agree(problem, p2n.Explicit(R(1, 40), 2), grid)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_tensors_of_fields(boundary: str) -> None:
    v = grad(sp.Function("f")(x, y))
    tensor = p2n.tensor(v, 1 / (1 + norm2(v) / lam**2), 1)
    problem = p2n.Problem(equation(div(tensor * grad(u2)), 2), boundary, {lam: R(1, 5)})
    agree(problem, p2n.Explicit(R(1, 10), 2), p2n.Grid(gradient="staggered"))


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
@pytest.mark.parametrize("order", [2, 4])
def test_hessians(boundary: str, order: int) -> None:
    h = p2n.hessian(u2)
    problem = p2n.Problem(equation(-div(div(h / (1 + norm2(h) / lam**2))), 2), boundary, {lam: R(1, 2)})
    agree(problem, p2n.Explicit(R(1, 100), 2), p2n.Grid(order=order))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_coupled_channels(boundary: str) -> None:
    f = sp.Function("f")(x, y)
    rhs = div(grad(u2) / (1 + norm2(grad(u2)) / lam**2)) + f * u2 / 3
    problem = p2n.Problem(equation(rhs, 2), boundary, {lam: R(1, 2)}, 2)
    agree(problem, p2n.Explicit(R(1, 20), 2), channels=2)
    agree(problem, p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2), channels=2)


def test_systems() -> None:
    t = sp.Symbol("t", real=True)
    a, b = (sp.Function(name)(x, y, t) for name in "ab")
    first = sp.Eq(a.diff(t), div(grad(a) / (1 + b**2)) - a * b**2 + (1 - a) / 20)
    second = sp.Eq(b.diff(t), laplacian(b) / 7 + a * b**2 - b / 20)
    agree(p2n.Problem([first, second], boundary="periodic"), p2n.Explicit(R(1, 10), 3), channels=2)


@pytest.mark.parametrize(
    "scheme",
    [
        p2n.DuFortFrankel(tau=R(1, 20), alpha=4, steps=3),
        p2n.FSI(tau=R(1, 50), cycle_length=3, freeze="step"),
        p2n.FED(tau=R(1, 50), cycle_length=3, cycles=2),
        p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
    ],
    ids=lambda s: s.label,
)
def test_what_loops_carry(scheme: Any) -> None:
    agree(declared("fidelity", 2)[0], scheme)


def test_what_has_no_stages_is_refused() -> None:
    for problem in (diffusion_tensor(), p2n.Problem(equation(-K.adjoint(K(u2)), 2))):
        network = uncertified(problem, p2n.Explicit(R(1, 10), 2), p2n.Grid(gradient="staggered"))
        (body,) = bodies(parts.network(network.looped, "xy"))
        with pytest.raises(p2n.EmissionError, match="no kernel of"):
            fuse(body, {v: Extent((0, 0), 1) for v, _ in body.parameters})


def test_differences_are_made_again_where_they_are_read() -> None:
    """Perona-Malik keeps fluxes and the result: each reads three values and five."""
    problem, _ = declared("perona-malik", 2)
    network = uncertified(problem, p2n.Explicit(R(1, 10), 2))
    (body,) = bodies(parts.network(network.looped, "xy"))
    for each in PASSES:
        body = each(body)
    fluxes, update = fuse(body, {"block.state": Extent((0, 0), 1)})
    assert [len(s.writes) for s in (fluxes, update)] == [2, 1]
    assert [len(s.reads) for s in (fluxes, update)] == [3, 5]

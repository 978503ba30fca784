"""Vector-Jacobian products of programs are what autograd of the emitted modules finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, EQUATIONS, SHAPES, declared
from program.evaluate import GUARDED, Evaluation
from support import equation, lam, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.program import parts
from pde2net.program.differentiate import differentiate, filters
from pde2net.program.guard import guard
from pde2net.program.lower import everywhere, lower
from pde2net.program.merge import merge

torch.set_num_threads(1)
R = sp.Rational
TAU = sp.Symbol("tau", positive=True)
K = p2n.LinearOperator("K", 3, 3)


def agree(problem: p2n.Problem, scheme: Any, grid: Any = None, channels: int = 1) -> None:
    """Cotangents of the input, of known fields, of parameters and of learned weights."""
    grid = grid or p2n.Grid()
    symbols = [TAU, *sorted(problem.parameters, key=str)]
    operators = [operator.name for operator in problem.operators]
    network = uncertified(problem, scheme, grid, trainable=[*symbols, *operators])
    dim = len(problem.space)
    rng = np.random.default_rng(0)
    u0, v = rng.normal(size=(2, 2, channels, *SHAPES[dim]))
    known = {str(f.func): rng.uniform(size=(1, 1, *SHAPES[dim])) for f in problem.fields}
    module = network.module().double()
    own = {name.rpartition(".")[2].rstrip("_"): p for name, p in module.named_parameters()}
    u = torch.from_numpy(u0).requires_grad_()
    fields = {n: torch.from_numpy(f).requires_grad_() for n, f in known.items()}
    wanted = torch.autograd.grad(
        (module(u, **fields) * torch.from_numpy(v)).sum(),
        [u, *fields.values(), *(own[s.name] for s in symbols), *(own[k] for k in sorted(operators))],
        allow_unused=True,
    )
    weights = {k: own[k].detach().numpy() for k in operators}
    found = products(network, symbols, u0, v, known, weights)
    assert len(found) == len(wanted)
    for got, want in zip(found, wanted, strict=True):
        expected = np.zeros_like(got) if want is None else want.numpy()
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10 * max(1, abs(expected).max()))


def products(
    network: Any, symbols: Any, u0: Any, v: Any, known: Mapping[str, Any], weights: Mapping[str, Any]
) -> list[Any]:
    """The vector-Jacobian product of the whole network, in the shapes of torch."""
    graph, channels = network.looped, u0.shape[1]
    plain = parts.network(graph, [a.name for a in network.semidiscrete.form.space])
    backward = everywhere(everywhere(differentiate(plain, symbols), guard), merge)
    assert filters(plain) == sorted(weights)
    run = Interpreter(graph, arithmetic=GUARDED, filters=weights)
    run.load(u0[:, 0] if channels == 1 else u0, {n: f[0, 0] for n, f in known.items()})
    cotangent = np.moveaxis(v[:, 0] if channels == 1 else np.moveaxis(v, 1, -1), 0, -1)
    names = [n for _, n in plain.parameters[1:]]
    with np.errstate(all="ignore"):
        first, *rest = Evaluation(run)(backward, [run.u0, *(run.fields[n] for n in names), cotangent])
    of_fields = dict(zip(names, (outside(a, channels) for a in rest), strict=False))
    return [outside(first, channels), *(of_fields[n] for n in known), *rest[len(known) :]]


def outside(array: Any, channels: int) -> Any:
    """(*spatial, [channels,] images) -> (images, channels, *spatial)."""
    images = np.moveaxis(array, -1, 0)
    return images[:, None] if channels == 1 else np.moveaxis(images, -1, 1)


def rows() -> list[Any]:
    choices = [(b, g, o) for b in BOUNDARIES for g in ("forward", "central", "staggered") for o in (2, 4)]
    return [
        (name, 1 + (k + j) % 2, *choices[(5 * k + 7 * j) % len(choices)])
        for k, name in enumerate(EQUATIONS)
        for j in range(3)
    ]


@pytest.mark.parametrize("name,dim,boundary,gradient,order", rows())
def test_terms_of_every_kind(name, dim, boundary, gradient, order):
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    try:
        agree(problem, p2n.Explicit(R(1, 40), 2), grid)
    except p2n.EquationError as error:
        assert gradient == "staggered" and "zero gradient" in str(error)


STACKS = [
    p2n.DuFortFrankel(tau=R(1, 20), alpha=4, steps=3),
    p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.FSI(tau=R(1, 50), cycle_length=3, freeze="step"),
    p2n.FED(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
]


@pytest.mark.parametrize("scheme", STACKS, ids=lambda s: s.label)
@pytest.mark.parametrize("name", ["charbonnier", "fidelity", "of u and slope"])
def test_loops_in_reverse(name, scheme):
    agree(declared(name, 2)[0], scheme)


u1, u2 = unknown(1), unknown(2)
t = sp.Symbol("t", real=True)


def diffusion_tensor(boundary: str = "reflecting") -> p2n.Problem:
    v = grad(p2n.smooth(u2, 1))
    tensor = p2n.tensor(v, 1 / (1 + norm2(v) / lam**2), 1)
    return p2n.Problem(equation(div(tensor * grad(u2)), 2), boundary, {lam: R(1, 5)})


def smoothed(boundary: str) -> p2n.Problem:
    g = 1 / (1 + norm2(grad(p2n.smooth(u2, 1))) / lam**2)
    return p2n.Problem(equation(div(g * grad(u2)), 2), boundary, {lam: R(1, 5)})


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_smoothing_and_diffusion_tensors(boundary):
    agree(smoothed(boundary), p2n.Explicit(R(1, 10), 2))
    agree(diffusion_tensor(boundary), p2n.Explicit(R(1, 10), 2), p2n.Grid(gradient="staggered"))


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
@pytest.mark.parametrize("order", [2, 4])
def test_hessians(boundary, order):
    h = p2n.hessian(u2)
    rhs = -div(div(h / (1 + norm2(h) / lam**2)))
    agree(
        p2n.Problem(equation(rhs, 2), boundary, {lam: R(1, 2)}),
        p2n.Explicit(R(1, 100), 2),
        p2n.Grid(order=order),
    )


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("channels", [1, 2])
def test_learned_operators_and_coupled_channels(boundary, channels):
    flux = K(u2) / (1 + K(u2) ** 2 / lam**2)
    g = 1 / (1 + norm2(grad(u2)) / lam**2)
    f = sp.Function("f")(x, y)
    rhs = -K.adjoint(flux) + div(g * grad(u2)) + f * u2 / 3
    problem = p2n.Problem(equation(rhs, 2), boundary, {lam: R(1, 2)}, channels)
    agree(problem, p2n.Explicit(R(1, 20), 2), channels=channels)
    agree(problem, p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2), channels=channels)


def test_systems():
    a, b = (sp.Function(name)(x, y, t) for name in "ab")
    feed = sp.Symbol("F", positive=True)
    first = sp.Eq(a.diff(t), div(grad(a) / (1 + b**2)) - a * b**2 + feed * (1 - a))
    second = sp.Eq(b.diff(t), laplacian(b) / 7 + a * b**2 - feed * b)
    problem = p2n.Problem([first, second], boundary="periodic", parameters={feed: R(1, 20)})
    agree(problem, p2n.Explicit(R(1, 10), 3), channels=2)


@pytest.mark.parametrize(
    "scheme", [p2n.Explicit(R(1, 10), 3), p2n.FED(tau=R(1, 5), cycle_length=2, cycles=2)]
)
def test_the_time_moves_with_tau(scheme):
    g = 1 / (1 + norm2(grad(u2)) / (lam + t) ** 2)
    agree(p2n.Problem(equation(div(g * grad(u2)) + sp.sin(t), 2), parameters={lam: R(1, 5)}), scheme)


@pytest.mark.parametrize(
    "scheme",
    [
        p2n.AOS(1, 1),
        p2n.Implicit(1, 1),
        p2n.Implicit(1, 1, p2n.Kacanov(iterations=2)),
        p2n.Implicit(1, 1, p2n.Newton(iterations=2)),
        p2n.Multigrid(1, 1),
    ],
    ids=lambda s: f"{s.label} {getattr(s, 'solver', '')}",
)
@pytest.mark.parametrize("name", ["heat", "charbonnier"])
def test_solvers_are_refused(name, scheme):
    network = uncertified(declared(name, 2)[0], scheme)
    program = lower(network.looped, "xy", network.update)
    refused = []
    for function in program.functions:
        try:
            differentiate(function)
        except p2n.EmissionError as error:
            refused.append(str(error))
    assert isinstance(scheme, p2n.Multigrid | p2n.Implicit) or refused
    assert all("There is no derivative of" in message for message in refused)


@pytest.mark.parametrize("name", ["input", "steps", "block", "v", "a0"])
def test_parameters_may_be_called_as_values_are(name):
    q, u, f = sp.Symbol(name, positive=True), unknown(2), sp.Function("f")(x, y)
    rhs = div(q * grad(u) / (1 + norm2(grad(u)) / q)) + q * (f - u)
    agree(
        p2n.Problem(equation(rhs, 2), parameters={q: sp.Rational(1, 2)}), p2n.Explicit(sp.Rational(1, 10), 2)
    )

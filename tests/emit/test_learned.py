"""Networks with learned operators: module against interpreter, weights, and norms that do not grow."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
import torch.nn.functional as F
from support import AXES, equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.graph.draw import to_svg
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json

R = sp.Rational


SHAPES = {1: (13,), 2: (7, 9), 3: (5, 4, 6)}
K, M = p2n.LinearOperator("K", 4, 3), p2n.LinearOperator("M", 2, 2)
SCHEMES = (
    p2n.Explicit(tau=R(1, 20), steps=2),
    p2n.DuFortFrankel(tau=R(1, 20), alpha=12, steps=3),
    p2n.FSI(tau=R(1, 20), cycle_length=3, cycles=2),
    p2n.FSI(tau=R(1, 20), cycle_length=3, cycles=1, freeze="step"),
    p2n.FED(tau=R(1, 20), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
)
PENALISERS = {
    "Perona-Malik": lambda q: q / (1 + q**2 / lam**2),
    "Charbonnier": lambda q: q / sp.sqrt(1 + q**2 / lam**2),
    "exponential": lambda q: q * sp.exp(-(q**2) / (2 * lam**2)),
    "total variation": lambda q: q / sp.sqrt(q**2 + lam**2),
}


def learned(
    dim: int, flux: Any = PENALISERS["Perona-Malik"], operator: Any = K, **options: Any
) -> p2n.Problem:
    u = unknown(dim)
    return p2n.Problem(
        equation(-operator.adjoint(flux(operator(u))), dim), **{"parameters": {lam: R(1, 5)}, **options}
    )


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize(
    ("dim", "boundary", "channels"),
    [(1, "reflecting", 1), (1, "periodic", 2), (2, "reflecting", 3), (2, "mixed", 2), (3, "dirichlet", 1)],
)
def test_module_is_the_interpreted_graph(scheme: Any, dim: int, boundary: Any, channels: int) -> None:
    u = unknown(dim)
    rhs = -K.adjoint(PENALISERS["Perona-Malik"](K(u))) - M.adjoint(M(u)) / 3 + laplacian(u) / 10 - u / 7
    where = {AXES[0]: "dirichlet", AXES[1]: "periodic"} if boundary == "mixed" else boundary
    problem = p2n.Problem(equation(rhs, dim), where, {lam: R(1, 5)}, channels)
    network = uncertified(problem, scheme, trainable=[K, "M"])
    module = network.module().double()
    weights = {name: module.state_dict()[f"block.{name}"].numpy() for name in "KM"}
    u0 = np.random.default_rng(0).normal(size=(channels, *SHAPES[dim]))
    expected = Interpreter(network.graph, filters=weights)(u0[0] if channels == 1 else u0)
    found = module(torch.from_numpy(u0)[None])[0].detach().numpy()
    np.testing.assert_allclose(found[0] if channels == 1 else found, expected, rtol=0, atol=1e-13)
    assert to_json(from_json(to_json(network.looped))) == to_json(network.looped)
    assert "learned filters" in to_svg(network.looped, "x")


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize(("size", "channels"), [(1, 2), (2, 1), (3, 1), (5, 1), (5, 2)])
def test_emitted_adjoint_is_exact(boundary: str, size: int, channels: int) -> None:
    operator = p2n.LinearOperator("K", 3, size)
    problem = learned(2, operator=operator, boundary=boundary, channels=channels)
    source = uncertified(problem, p2n.Explicit(tau=R(1, 9))).source()
    space: dict[str, Any] = {}
    exec(source, space)
    torch.manual_seed(0)
    weight = torch.randint(-9, 9, (3, channels, size, size)).double()
    for shape in itertools.product((5, 6), (5, 8)):
        u = torch.randint(-9, 9, (1, channels, *shape)).double()
        p = space["respond"](weight, u)
        q = torch.randint(-9, 9, p.shape).double()
        assert (p * q).sum() == (u * space["respond_adjoint"](weight, q)).sum()  # whole numbers: no rounding


@pytest.mark.parametrize(("dim", "size"), [(2, 3), (2, 6), (3, 3)])
def test_rows_as_channels_are_the_same_convolutions(dim: int, size: int) -> None:
    """On CPUs, filters of one channel are split into rows: values, first and second derivatives."""
    problem = learned(dim, operator=p2n.LinearOperator("K", 4, size))
    space: dict[str, Any] = {}
    exec(uncertified(problem, p2n.Explicit(tau=R(1, 9))).source(), space)
    plain = {2: (F.conv2d, F.conv_transpose2d), 3: (F.conv3d, F.conv_transpose3d)}[dim]
    weight = torch.randn(4, 1, *[size] * dim, dtype=torch.float64, requires_grad=True)
    u = torch.randn(2, 1, *(7, 9, 6)[:dim], dtype=torch.float64, requires_grad=True)
    p = plain[0](u, weight).detach().requires_grad_()
    for mine, theirs, x in zip(("convolved", "convolved_adjoint"), plain, (u, p), strict=True):
        torch.testing.assert_close(space[mine](x, weight), theirs(x, weight))
        torch.testing.assert_close(space[mine](x[:0], weight), theirs(x[:0], weight))
        batched = torch.vmap(space[mine], (None, 0))(x, torch.stack((weight, 2 * weight)))
        torch.testing.assert_close(batched, torch.stack((theirs(x, weight), theirs(x, 2 * weight))))
        found = [_slopes(f, x, weight) for f in (space[mine], theirs)]
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)


def _slopes(f: Callable[..., torch.Tensor], x: torch.Tensor, weight: torch.Tensor) -> list[torch.Tensor]:
    first = torch.autograd.grad(f(x, weight).pow(3).sum(), (x, weight), create_graph=True)
    return [*first, *torch.autograd.grad(sum(d.square().sum() for d in first), (x, weight))]


def test_weights_are_parameters_or_buffers_and_follow_the_seed() -> None:
    def made(trainable: Any, **options: Any) -> torch.nn.Module:
        torch.manual_seed(5)
        scheme = p2n.Explicit(tau=R(1, 10), steps=3)
        return uncertified(learned(2), scheme, trainable=trainable, **options).module()

    own = [p for p in made([K], shared=False).parameters() if p.ndim == 4]
    assert [p.shape for p in own] == [(4, 1, 3, 3)] * 3
    assert torch.equal(own[0], own[1])  # cosines, which no seed decides
    shared = made([K])
    assert [n for n, _ in shared.named_parameters()] == ["block.K"]
    kept = made([])
    assert not list(kept.parameters()) and [n for n, _ in kept.named_buffers()] == ["block.K"]
    torch.testing.assert_close(shared.state_dict()["block.K"], kept.state_dict()["block.K"], rtol=0, atol=0)
    torch.testing.assert_close(own[0].sum((2, 3)), torch.zeros(4, 1), rtol=0, atol=1e-6)
    u = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    assert shared(u).dtype == torch.float64  # whatever the dtype of the weights


def test_images_smaller_than_the_kernel_are_refused() -> None:
    module = uncertified(learned(2), p2n.Explicit(tau=R(1, 10))).module()
    with pytest.raises(ValueError, match="needs 3 cells along y"):
        module(torch.zeros(1, 1, 5, 2))


def trained(module: torch.nn.Module, u0: torch.Tensor, steps: int = 4) -> float:
    """The largest ‖N(u)‖/‖u‖ - 1 while the weights are pushed towards growth."""
    optimiser, worst = torch.optim.Adam(module.parameters(), lr=0.5), -1.0
    for _ in range(steps + 1):
        optimiser.zero_grad()
        out = module(u0)
        worst = max(worst, float((out.flatten(1).norm(dim=1) / u0.flatten(1).norm(dim=1)).detach().max()) - 1)
        (-out.norm()).backward()
        assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in module.parameters())
        optimiser.step()
    return worst


@pytest.mark.parametrize("flux", PENALISERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("dim", "boundary", "channels"),
    [
        (1, "reflecting", 1),
        (1, "dirichlet", 3),
        (2, "reflecting", 3),
        (2, "periodic", 1),
        (3, "reflecting", 1),
    ],
)
def test_trained_networks_do_not_grow(
    flux: str, dtype: torch.dtype, dim: int, boundary: str, channels: int
) -> None:
    problem = learned(dim, PENALISERS[flux], boundary=boundary, channels=channels)
    scheme = p2n.Explicit(tau=None, steps=2)
    network = p2n.compile(
        problem, scheme, p2n.Grid(), trainable=[K, lam, "tau"], shared=False, keep_stable=True
    )
    assert network.certificate.stable
    torch.manual_seed(0)
    module = network.module().to(dtype)
    u0 = torch.randn(2, channels, *SHAPES[dim], dtype=dtype)
    assert trained(module, u0) <= (1e-12 if dtype == torch.float64 else 1e-5)


@pytest.mark.parametrize("tau", [None, R(3, 10)])
@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30, 1.0, -7.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_weights_do_not_grow(tau: Any, value: float, dtype: torch.dtype) -> None:
    for flux in (lambda q: q, PENALISERS["total variation"]):
        problem = learned(2, flux, parameters={} if flux(lam) == lam else {lam: R(1, 5)})
        names = [K, *problem.symbols]
        scheme = p2n.Explicit(tau=tau, steps=3)
        module = p2n.compile(problem, scheme, p2n.Grid(), trainable=names, keep_stable=True).module()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(value)
        torch.manual_seed(1)
        assert trained(module, torch.randn(2, 1, 7, 9, dtype=dtype)) <= (
            1e-12 if dtype == torch.float64 else 1e-5
        )


@pytest.mark.parametrize(
    "scheme",
    [
        p2n.DuFortFrankel(tau=None, steps=4),
        p2n.DuFortFrankel(tau=R(1, 10), steps=4),
        p2n.FSI(tau=None, cycle_length=4, cycles=2),
        p2n.FED(tau=R(1, 10), cycle_length=4, cycles=2),
        p2n.Explicit(tau=R(1, 10), steps=4),
    ],
    ids=lambda s: f"{s.label} {s.tau}",
)
def test_every_scheme_keeps_sums_of_terms_stable(scheme: Any) -> None:
    u = unknown(2)
    rhs = (
        -2 * K.adjoint(PENALISERS["total variation"](K(u)))
        - M.adjoint(M(u))
        + laplacian(u) / 10
        - R(1, 4) * u
    )
    problem = p2n.Problem(equation(rhs, 2), "periodic", {lam: R(1, 2)})
    for shared in (True, False):
        network = p2n.compile(
            problem, scheme, p2n.Grid(), trainable=[K, M, lam], shared=shared, keep_stable=True
        )
        assert network.certificate.stable
        torch.manual_seed(0)
        module = network.module().double()
        assert trained(module, torch.randn(2, 1, 7, 9, dtype=torch.float64), 6) <= 1e-12


def test_the_step_is_the_largest_one() -> None:
    """A linear network with tau = None maps the singular vector of K to nearly its negative."""
    torch.manual_seed(0)
    problem = learned(1, lambda q: q, parameters={}, boundary="periodic")
    network = uncertified(problem, p2n.Explicit(tau=None), trainable=[K], keep_stable=True)
    module = network.module().double()
    n = 240
    weight = module.block.K.detach().numpy()[:, 0]
    symbol = (abs(np.fft.fft(weight, n, axis=1)) ** 2).sum(0)
    mode = torch.cos(2 * torch.pi * int(symbol.argmax()) * torch.arange(n) / n).double()[None, None]
    factor = float((module(mode) * mode).sum().detach() / mode.square().sum())
    assert -1 <= factor <= -0.9


def test_kept_filters_are_scaled_only_where_needed() -> None:
    problem = learned(2, lambda q: q, parameters={})
    scheme = p2n.Explicit(tau=R(1, 2), steps=2)
    plain = uncertified(problem, scheme, trainable=[K]).module().double()
    kept = uncertified(problem, scheme, trainable=[K], keep_stable=True).module().double()
    kept.load_state_dict(plain.state_dict())
    u = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    norm = float(plain.block.K.detach().norm())
    for size, same in ((0.1, True), (100.0, False)):
        for module in (plain, kept):
            module.block.K.data.mul_(size / norm)
        norm = size
        assert torch.equal(plain(u), kept(u)) == same
        assert kept(u).norm() <= u.norm()


@pytest.mark.parametrize("boundary", ["reflecting", "dirichlet"])
@pytest.mark.parametrize(
    "scheme", [p2n.Explicit(tau=None, steps=3), p2n.FSI(None, 3, 2)], ids=["steps", "cycles"]
)
def test_blocks_of_their_own_are_kept_as_one_that_is_shared(scheme: Any, boundary: str) -> None:
    """The norms of all blocks are bounded at once: where their weights are equal, as that of one."""
    u = unknown(2)
    A, B = p2n.LinearOperator("A", out_channels=2, kernel_size=3), p2n.LinearOperator("B", 3, 3)
    v = B(A(u))  # with zero borders two norms, else that of the composition
    rhs = -A.adjoint(B.adjoint(v / (1 + v**2)) + A(u) / 2)
    problem = p2n.Problem(equation(rhs, 2), boundary)
    own, shared = (
        p2n.compile(problem, scheme, p2n.Grid(), trainable=[A, B], shared=s, keep_stable=True).module()
        for s in (False, True)
    )
    weights = {n: 3 * torch.randn(p.shape) for n, p in shared.block.named_parameters()}
    for block in [shared.block, *own.blocks]:
        block.load_state_dict(weights)
    image = torch.randn(2, 1, 9, 8)
    torch.testing.assert_close(own(image), shared(image))
    stated = [block.learned_values()["tau"] for block in [*own.blocks, shared.block]]
    torch.testing.assert_close(torch.stack(stated), stated[-1].expand(len(stated)))

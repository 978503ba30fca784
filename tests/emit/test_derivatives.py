"""Derivatives forward and backward, once and twice, in eager mode and as torch.compile traces them."""

import importlib

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_unet import charbonnier
from support import diffusion, equation, lam, uncertified, unknown

import pde2net as p2n

R = sp.Rational
u = unknown(2)
FILTERS = p2n.LinearOperator("K", out_channels=2, kernel_size=3)
EDGES = p2n.tensor(p2n.grad(p2n.smooth(u, 1)), 1, 1 / (1 + p2n.norm2(p2n.grad(p2n.smooth(u, 1)))))

PLAIN = {"preconditioner": "none", "linear_iterations": 30}
SCHEMES = {
    "explicit": p2n.Explicit(R(1, 5), 2),
    "rkl": p2n.RKL(order=2, tau=1, stages=3),
    "aos": p2n.AOS(5, 2),
    "fixed count": p2n.Implicit(5, 1, p2n.Kacanov(iterations=2, **PLAIN)),
    "kacanov": p2n.Implicit(1, 1, p2n.Kacanov(tol=1e-11, **PLAIN)),
    "unrolled": p2n.Implicit(1, 1, p2n.Kacanov(tol=1e-11, gradients="unrolled", **PLAIN)),
    "newton": p2n.Implicit(1, 2, p2n.Newton(tol=1e-11, **PLAIN)),
    "picard": p2n.Implicit(R(1, 20), 1, p2n.FixedPoint(tol=1e-11)),
    "theta": p2n.Theta(1, 1, solver=p2n.Newton(tol=1e-11, **PLAIN)),
    "cycles": p2n.Multigrid(5, 1, cycles=2),
}
PROBLEMS = {
    "charbonnier": charbonnier(),
    "1D": diffusion(lambda s: (1 + s / lam**2) ** -0.5, 1, parameters={lam: 0.7}),
    "3D": diffusion(lambda s: (1 + s / lam**2) ** -0.5, 3, parameters={lam: 0.7}),
    "hessian": p2n.Problem(
        p2n.gradient_flow(sp.log(1 + p2n.norm2(p2n.hessian(u))) / 2, u), boundary="periodic"
    ),
    "tensor": p2n.Problem(equation(p2n.div(EDGES * p2n.grad(u)), 2)),
    "learned": p2n.Problem(equation(-FILTERS.adjoint(FILTERS(u) / (1 + FILTERS(u) ** 2)), 2)),
}
NETWORKS = [("charbonnier", name, {}) for name in SCHEMES]
NETWORKS += [(name, scheme, {}) for name in ("1D", "3D") for scheme in ("kacanov", "newton")]
NETWORKS += [(name, "explicit", {"trainable": [FILTERS]} if name == "learned" else {}) for name in PROBLEMS]


def module_of(problem, scheme, options):
    torch.manual_seed(0)
    return uncertified(PROBLEMS[problem], SCHEMES[scheme], **options).module().double()


def pair(shape=(1, 1, 4, 3)):
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=shape)) for _ in range(2)]


@pytest.mark.parametrize("problem,scheme,options", NETWORKS)
def test_forward_and_backward_derivatives_agree(problem, scheme, options):
    module = module_of(problem, scheme, options)
    shape = (1, 1, 4, 3, 5)[: {"1D": 3, "3D": 5}.get(problem, 4)]
    (v, w), q = pair(shape), torch.randn(shape, dtype=torch.float64)
    forward = torch.func.jvp(module, (v,), (w,))[1]
    v.requires_grad_()
    (backward,) = torch.autograd.grad(module(v), v, q)
    torch.testing.assert_close((q * forward).sum(), (backward * w).sum(), rtol=0, atol=1e-8)
    eps = 1e-5
    want = (module(v + eps * w) - module(v - eps * w)).detach() / (2 * eps)
    torch.testing.assert_close(forward, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheme", ["newton", "explicit", "kacanov", "picard", "theta", "cycles"])
def test_second_derivatives_are_those_of_finite_differences(scheme):
    """Of |v+|^2/2 in a direction: backward twice, and backward of forward."""
    module = module_of("charbonnier", scheme, {})
    v, w = pair()

    def slope(x, **options):
        x = x.detach().requires_grad_()
        return x, torch.autograd.grad(module(x).square().sum() / 2, x, **options)[0]

    eps = 1e-5
    want = (slope(v + eps * w)[1] - slope(v - eps * w)[1]) / (2 * eps)
    x, gradient = slope(v, create_graph=True)
    torch.testing.assert_close(torch.autograd.grad((gradient * w).sum(), x)[0], want, rtol=0, atol=1e-7)
    along = torch.func.grad(lambda x: torch.func.jvp(lambda x: module(x).square().sum() / 2, (x,), (w,))[1])
    torch.testing.assert_close(along(v), want, rtol=0, atol=1e-7)


def test_derivatives_by_a_known_field_and_a_parameter():
    f = sp.Function("f")(*u.args[:-1])
    problem = p2n.Problem(equation(p2n.laplacian(u) + lam * (f - u), 2), parameters={lam: 0.5})
    scheme = p2n.Implicit(5, 1, p2n.Kacanov(tol=1e-12))
    module = uncertified(problem, scheme, trainable=[lam]).module().double()
    (name,) = dict(module.named_parameters())
    v, w = pair()

    def output(beta, f):
        return torch.func.functional_call(module, {name: beta}, (v,), {"f": f})

    at, along = (torch.tensor(0.5, dtype=torch.float64), w), (torch.tensor(2.0, dtype=torch.float64), v)
    forward, eps = torch.func.jvp(output, at, along)[1], 1e-5
    ends = [output(*(a + s * eps * d for a, d in zip(at, along, strict=True))) for s in (1, -1)]
    torch.testing.assert_close(forward, (ends[0] - ends[1]) / (2 * eps), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "scheme", [SCHEMES["fixed count"], SCHEMES["aos"], p2n.Multigrid(5, 1, cycles=1)], ids=str
)
def test_fixed_counts_compile_without_graph_breaks(scheme):
    torch._dynamo.reset()
    module = uncertified(diffusion(lambda s: 1 / (1 + s), 1), scheme).module().double()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    v = torch.randn(2, 1, 8, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(compiled(v), module(v))
    (found,), (want,) = (torch.autograd.grad(m(v).square().sum(), v) for m in (compiled, module))
    torch.testing.assert_close(found, want)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_all_ways_to_second_derivatives_agree(boundary):
    problem = diffusion(lambda s: 1 / (1 + s), 1, boundary=boundary)
    module = uncertified(problem, p2n.Explicit(0.2, 2)).module().double()

    def loss(u):
        return module(u).pow(3).sum()

    u = pair((1, 1, 6))[0]
    first, second = torch.func.jacrev, torch.func.jacfwd
    meant = torch.autograd.functional.hessian(loss, u)
    for outer in (first, second):
        for inner in (first, second):
            torch.testing.assert_close(outer(inner(loss))(u), meant, rtol=0, atol=1e-10)


def test_compiled_networks_train_and_have_tangents(tmp_path, monkeypatch):
    network = uncertified(PROBLEMS["charbonnier"], SCHEMES["explicit"], trainable=[lam])
    network.save(tmp_path / "charbonnier_net.py")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("charbonnier_net").DiffusionNetwork().double()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    u, weights = pair()
    found, meant = (
        torch.autograd.grad((m(v) * weights).sum(), [v, *module.parameters()])
        for m, v in ((m, u.clone().requires_grad_()) for m in (compiled, module))
    )
    torch.testing.assert_close(found, meant)
    moved = torch.compile(
        lambda u, w: torch.func.jvp(module, (u,), (w,))[1], fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(moved(u, weights), torch.func.jvp(module, (u,), (weights,))[1])

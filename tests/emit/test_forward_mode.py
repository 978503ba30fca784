"""Forward-mode derivatives are those of backpropagation, and take nothing from compilation and export."""

import importlib

import numpy as np
import pytest
import torch
from support import diffusion, lam, uncertified

import pde2net as p2n

SCHEMES = {
    "explicit": p2n.Explicit(0.2, 2),
    "central": p2n.Explicit(0.2, 1),
    "fsi": p2n.FSI(tau=0.2, cycle_length=3),
    "aos": p2n.AOS(tau=1),
    "multigrid": p2n.Multigrid(tau=1, cycles=2),
    "multigrid, tol": p2n.Multigrid(tau=1, cycles=40, tol=1e-11, gradients="implicit"),
    "kacanov": p2n.Implicit(tau=1, solver=p2n.Kacanov(iterations=2)),
    "kacanov, tol": p2n.Implicit(tau=1, steps=2, solver=p2n.Kacanov(tol=1e-12)),
    "newton, tol": p2n.Implicit(tau=1, solver=p2n.Newton(tol=1e-12)),
    "theta, tol": p2n.Theta(tau=1, solver=p2n.Kacanov(tol=1e-12)),
}
GRIDS = {"central": p2n.Grid(gradient="central")}


def charbonnier(dim):
    return diffusion(lambda s: (1 + s / lam**2) ** -0.5, dim, parameters={lam: 0.7})


def module_of(name, dim, trainable=()):
    problem = charbonnier(dim)
    return uncertified(problem, SCHEMES[name], GRIDS.get(name), trainable=trainable).module().double()


def image(*shape):
    return torch.from_numpy(np.random.default_rng(5).normal(size=shape))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("name", SCHEMES)
def test_tangents_are_those_of_the_jacobian(name, dim):
    """Of the image and of trained parameters at once."""
    module = module_of(name, dim, trainable=[lam])
    u = image(2, 1, *(4, 5, 3)[:dim])
    parameters = {k: v.detach() for k, v in module.named_parameters()}

    def run(u, parameters):
        return torch.func.functional_call(module, parameters, (u,))

    moves = image(*u.shape).flip(0), {k: torch.ones_like(v) for k, v in parameters.items()}
    out, tangent = torch.func.jvp(run, (u, parameters), moves)
    torch.testing.assert_close(out, module(u).detach(), rtol=0, atol=1e-12)
    weights = image(*u.shape).flip(0)
    inputs = [u.requires_grad_(), *module.parameters()]
    found = torch.autograd.grad((module(u) * weights).sum(), inputs)
    meant = sum((g * m).sum() for g, m in zip(found, [moves[0], *moves[1].values()], strict=True))
    torch.testing.assert_close((tangent * weights).sum(), meant, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_all_ways_to_second_derivatives_agree(boundary):
    problem = diffusion(lambda s: 1 / (1 + s), 1, boundary=boundary)
    module = uncertified(problem, p2n.Explicit(0.2, 2)).module().double()

    def loss(u):
        return module(u).pow(3).sum()

    u = image(1, 1, 6)
    first, second = torch.func.jacrev, torch.func.jacfwd
    meant = torch.autograd.functional.hessian(loss, u)
    for outer in (first, second):
        for inner in (first, second):
            torch.testing.assert_close(outer(inner(loss))(u), meant, rtol=0, atol=1e-10)


def test_compiled_networks_train_and_have_tangents(tmp_path, monkeypatch):
    network = uncertified(charbonnier(2), SCHEMES["explicit"], trainable=[lam])
    network.save(tmp_path / "charbonnier_net.py")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("charbonnier_net").DiffusionNetwork().double()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    u, weights = image(1, 1, 4, 5), image(1, 1, 4, 5).flip(-1)
    found, meant = (
        torch.autograd.grad((m(v) * weights).sum(), [v, *module.parameters()])
        for m, v in ((m, u.clone().requires_grad_()) for m in (compiled, module))
    )
    torch.testing.assert_close(found, meant)
    moved = torch.compile(
        lambda u, w: torch.func.jvp(module, (u,), (w,))[1], fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(moved(u, weights), torch.func.jvp(module, (u,), (weights,))[1])

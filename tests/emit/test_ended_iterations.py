"""Derivatives of networks whose iterations end at once, or early: those of the solution."""

import numpy as np
import pytest
import torch
from support import diffusion, equation, uncertified, unknown

import pde2net as p2n

N, K = p2n.Newton, p2n.Kacanov
CHARBONNIER = diffusion(lambda s: (1 + s) ** -0.5, 2)
HEAT = p2n.Problem(equation(p2n.laplacian(unknown(2)), 2))
BIHARMONIC = p2n.Problem(equation(-p2n.laplacian(p2n.laplacian(unknown(2))), 2), boundary="periodic")
NETWORKS = {
    "Newton": (HEAT, p2n.Implicit(3, 1, N(iterations=2))),
    "plain Newton": (HEAT, p2n.Implicit(3, 1, N(iterations=2, preconditioner="none"))),
    "nonlinear Newton": (CHARBONNIER, p2n.Implicit(3, 1, N(iterations=6, preconditioner="none"))),
    "Kacanov": (HEAT, p2n.Implicit(3, 1, K(iterations=2))),
    "plain Kacanov": (HEAT, p2n.Implicit(3, 1, K(iterations=2, preconditioner="none"))),
    "to a tolerance": (CHARBONNIER, p2n.Implicit(1, 2, K(tol=1e-11, gradients="unrolled"))),
    "theta": (HEAT, p2n.Theta(1, 1, solver=K(iterations=2))),
    "Picard": (HEAT, p2n.Implicit(0.02, 1, p2n.FixedPoint(iterations=12, anderson=2))),
    "V-cycles": (HEAT, p2n.Multigrid(tau=2, cycles=6)),
    "cycles to a tolerance": (CHARBONNIER, p2n.Multigrid(tau=2, cycles=40, tol=1e-10)),
    "fourth order": (BIHARMONIC, p2n.Implicit(1, 1, K(iterations=2))),
}
IMAGES = {
    "0": np.zeros((8, 8)),
    "flat": np.full((8, 8), 0.5),
    "step": np.repeat([0.5, 1.5], 4)[:, None] * np.ones(8),
    "ramp": np.arange(8.0)[:, None] / 4 * np.ones(8),
    "noise": np.random.default_rng(0).normal(size=(8, 8)),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_derivatives_are_those_of_finite_differences(network):
    problem, scheme = network
    module = uncertified(problem, scheme).module().double()
    v, w = (torch.from_numpy(a) for a in np.random.default_rng(1).normal(size=(2, 1, 1, 8, 8)))
    for name, image in IMAGES.items():
        z = torch.from_numpy(image)[None, None].clone()
        forward = (torch.func.jvp(module, (z,), (v,))[1] * w).sum()
        want = ((module(z + 1e-5 * v) - module(z - 1e-5 * v)) * w).sum() / 2e-5
        z.requires_grad_()
        backward = (torch.autograd.grad((module(z) * w).sum(), z)[0] * v).sum()
        # Differences see how far iterations are from the solution, less than 0.3 % here.
        torch.testing.assert_close(backward, want, rtol=3e-3, atol=3e-3, msg=lambda m, n=name: f"{n}: {m}")
        torch.testing.assert_close(forward, backward, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scheme", ["Kacanov", "V-cycles"])
def test_images_of_a_batch_keep_their_own_derivatives(scheme):
    module = uncertified(*NETWORKS[scheme]).module().double()
    batch = torch.from_numpy(np.stack(list(IMAGES.values())))[:, None].requires_grad_()
    w = torch.from_numpy(np.random.default_rng(1).normal(size=(8, 8)))
    (together,) = torch.autograd.grad((module(batch) * w).sum(), batch)
    for k in range(len(batch)):
        z = batch[k : k + 1].detach().requires_grad_()
        (alone,) = torch.autograd.grad((module(z) * w).sum(), z)
        torch.testing.assert_close(together[k : k + 1], alone, rtol=1e-8, atol=1e-8)

"""Emitted Hessians and mixed orders: module against interpreter, exact adjoint pair, gradients, files."""

import json
import re

import numpy as np
import pytest
import sympy as sp
import torch
from discretise.test_mixed_differences import hessian_flow, mixed_flow
from support import uncertified, x, y, z

import pde2net as p2n
from pde2net.errors import FileError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json

TAU = sp.Rational(1, 100)
PROBLEMS = {
    "2d": hessian_flow(2),
    "2d periodic, channels": hessian_flow(2, boundary="periodic", channels=2),
    "2d guarded": hessian_flow(2, lambda s: p2n.diffusivities.weickert(s, 1)),
    "3d": hessian_flow(3, boundary={x: "periodic", y: "reflecting", z: "reflecting"}),
    "mixed": mixed_flow(),
    "mixed periodic": mixed_flow(boundary="periodic"),
    "mixed dirichlet": mixed_flow(boundary="dirichlet"),
}
SCHEMES = [
    p2n.Explicit(tau=TAU, steps=2),
    p2n.DuFortFrankel(tau=TAU, alpha=16, steps=3),
    p2n.FSI(tau=TAU, cycle_length=3, cycles=2),
    p2n.FED(tau=TAU, cycle_length=3, freeze="step"),
    p2n.RKL(order=2, tau=TAU, stages=3),
    p2n.Implicit(tau=TAU, solver=p2n.FixedPoint(iterations=3)),
    p2n.Implicit(tau=TAU, steps=2, solver=p2n.Kacanov(tol=1e-9, preconditioner="none")),
    p2n.Implicit(tau=TAU, solver=p2n.Newton(tol=1e-9, preconditioner="none")),
]


def start(problem):
    shape = (problem.channels, *(6, 5, 4)[: len(problem.space)])
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("name", PROBLEMS)
def test_module_equals_the_interpreter(name, scheme):
    problem = PROBLEMS[name]
    if isinstance(getattr(scheme, "solver", None), p2n.Newton) and problem.channels > 1:
        pytest.skip("Newton takes one channel")
    network = uncertified(problem, scheme)
    u = start(problem)
    found = network.module()(torch.from_numpy(u)[None])[0].detach().numpy()
    meant = Interpreter(network.graph)(u if problem.channels > 1 else u[0])
    assert np.allclose(found, meant, rtol=1e-9, atol=1e-9)
    assert to_json(from_json(to_json(network.looped))) == to_json(network.looped)


@pytest.mark.parametrize("name", ["2d", "3d", "mixed", "mixed dirichlet"])
def test_the_autograd_pair_is_exact(name):
    problem = PROBLEMS[name]
    network = uncertified(problem, SCHEMES[0])
    space: dict = {}
    exec(compile(network.source(), "network", "exec"), space)
    K = next(v for k, v in space.items() if k in ("Hessian", "Curvature"))
    u = torch.from_numpy(start(problem))[None].requires_grad_()
    outputs = K.of(u)
    p = [torch.from_numpy(np.random.default_rng(i).normal(size=o.shape)) for i, o in enumerate(outputs)]
    total = sum((o * q).sum() for o, q in zip(outputs, p, strict=True))
    total.backward()
    adjoint = space[f"{K.__name__}Adjoint"].of(*p)
    assert torch.equal(u.grad, adjoint)
    assert abs(float(((u * adjoint).sum() - total).detach())) < 1e-12 * float(adjoint.abs().sum())
    small = torch.from_numpy(start(problem))[None].requires_grad_()
    assert torch.autograd.gradcheck(network.module(), (small,))


def test_the_source_has_each_difference_once_and_says_what_k_is():
    source = uncertified(PROBLEMS["2d"], SCHEMES[0]).source()
    assert "K: u -> d_xx, d_yy, d_xy." in source and source.count("def forward_difference(") == 1
    assert "K: u -> b d_xx + a d_x." in uncertified(PROBLEMS["mixed"], SCHEMES[0]).source()


def test_drawings_name_the_mixed_difference():
    network = uncertified(PROBLEMS["2d"], SCHEMES[0])
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", network._repr_svg_()))
    assert "(-1, 1) along x, then (-1, 1) along y" in text.replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize("parts", [[], [0], [0, 0]])
def test_damaged_banks_are_refused(parts):
    content = json.loads(to_json(uncertified(PROBLEMS["2d"], SCHEMES[0]).looped))
    (bank,) = content["banks"]
    known = bank["mixed"][0]["parts"]
    bank["mixed"][0]["parts"] = [known[i] for i in parts]
    with pytest.raises(FileError):
        from_json(json.dumps(content))

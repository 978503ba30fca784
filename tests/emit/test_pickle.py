"""Generated modules travel: pickle, deepcopy, torch.save, another process."""

import copy
import pickle
import subprocess
import sys

import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
lam = sp.Symbol("lambda", positive=True)
PROBLEM = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: 2})
SCHEMES = (
    p2n.Explicit(sp.Rational(1, 5), 3),
    p2n.FSI(sp.Rational(1, 5), 3),
    p2n.Implicit(2, 1, p2n.Kacanov(iterations=2)),
    p2n.AOS(2, 1),
    p2n.Multigrid(2, 1, cycles=1),
)
IMAGE = torch.linspace(0, 3, 2 * 8 * 9, dtype=torch.float64).sin().reshape(2, 1, 8, 9)
READ = """
import torch
module = torch.load("module.pt", weights_only=False)
torch.save(module(torch.load("image.pt")), "read.pt")
"""


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_the_same_network_with_parameters_of_its_own(scheme, copied):
    module = uncertified(PROBLEM, scheme, p2n.Grid()).module().double().eval()
    other = copied(module)
    assert torch.equal(other(IMAGE), module(IMAGE)) and not other.training
    assert type(other).__name__ == type(module).__name__


def test_trained_values_frozen_parameters_and_attributes_are_kept():
    network = uncertified(PROBLEM, SCHEMES[0], trainable=[lam], shared=False)
    module = network.module().double()
    with torch.no_grad():
        for k, parameter in enumerate(module.parameters()):
            parameter.fill_(k + 1.5)
    module.blocks[0].requires_grad_(False)
    other = pickle.loads(pickle.dumps(module))
    assert torch.equal(other(IMAGE), module(IMAGE))
    assert [p.requires_grad for p in other.parameters()] == [False, True, True]
    assert [p.item() for p in other.parameters()] == [1.5, 2.5, 3.5]
    other.load_state_dict(module.state_dict())


def test_a_module_is_read_by_a_process_that_never_saw_its_source(tmp_path):
    module = uncertified(PROBLEM, SCHEMES[0], p2n.Grid()).module().double()
    torch.save(module, tmp_path / "module.pt")
    torch.save(IMAGE, tmp_path / "image.pt")
    subprocess.run([sys.executable, "-c", READ], cwd=tmp_path, check=True)
    assert torch.equal(torch.load(tmp_path / "read.pt"), module(IMAGE))


S = norm2(grad(u))
STEPS = {
    "two numbers": sp.Piecewise((1, S < 1), (sp.Rational(1, 3), True)),
    "three numbers": sp.Piecewise((1, S < 1), (sp.Rational(1, 3), S < 2), (sp.Rational(1, 7), True)),
    "whole numbers": sp.Piecewise((2, S < 1), (1, True)) / 3,
    "nested": sp.Piecewise(
        (sp.Piecewise((1, u < 0), (sp.Rational(1, 3), True)), S < 1), (sp.Rational(1, 9), True)
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("g", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("scheme", [p2n.Explicit(sp.Rational(1, 9), 1), p2n.AOS(1, 1)], ids=lambda s: s.label)
def test_numbers_take_the_type_of_the_state(scheme, g, dtype):
    module = uncertified(p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u)))), scheme, p2n.Grid()).module()
    exact = torch.full((1, 1, 4, 5), 3, dtype=dtype)
    out = module(exact)
    assert out.dtype == dtype
    torch.testing.assert_close(out, exact, rtol=0, atol=16 * torch.finfo(dtype).eps)
    smooth = IMAGE.to(dtype)
    wanted = uncertified(p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u)))), scheme, p2n.Grid()).module()(IMAGE)
    torch.testing.assert_close(module(smooth).double(), wanted, rtol=0, atol=64 * torch.finfo(dtype).eps)

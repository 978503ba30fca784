"""In eval() without gradients, what depends on weights alone is computed once, never for other weights."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import sympy as sp
import torch
from support import AXES, equation, lam, unknown

import pde2net as p2n

K = p2n.LinearOperator("K", 3, 3)
u = unknown(2)
f = sp.Function("f")(*AXES[:2])
FLOW = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2)) + (f - u) / 2
EXPLICIT = p2n.Explicit(tau=None, steps=3)
DESCENT = p2n.Implicit(tau=sp.oo, steps=1, solver=p2n.Descent(iterations=5))
NETWORKS = {
    "blocks of their own": (EXPLICIT, False),
    "one block": (EXPLICIT, True),
    "cycles": (p2n.FSI(tau=None, cycle_length=2, cycles=2), False),
    "cell": (DESCENT, True),
}
IMAGE = torch.rand(2, 1, 9, 8, generator=torch.Generator().manual_seed(0))


def made(name: str) -> torch.nn.Module:
    scheme, shared = NETWORKS[name]
    problem = p2n.Problem(equation(FLOW, 2), parameters={lam: sp.Rational(1, 5)})
    torch.manual_seed(0)
    constant = 3 if scheme is DESCENT else None
    network = p2n.compile(
        problem, scheme, trainable=[K, lam], shared=shared, keep_stable=True, lipschitz=constant
    )
    return network.module().eval()


def run(module: torch.nn.Module, image: torch.Tensor = IMAGE) -> torch.Tensor:
    return module(image, f=image)


def anew(module: torch.nn.Module, image: torch.Tensor = IMAGE) -> torch.Tensor:
    """The result, with everything computed: that of a copy with gradients."""
    again = made_of[module]()
    again.load_state_dict(module.state_dict())
    return run(again, image).detach()


made_of: dict[torch.nn.Module, Callable[[], torch.nn.Module]] = {}


@pytest.fixture(params=NETWORKS)
def module(request: pytest.FixtureRequest) -> torch.nn.Module:
    found = made(request.param)
    made_of[found] = lambda: made(request.param)
    return found


def calls(module: torch.nn.Module) -> int:
    """How often a call bounds norms."""
    space = vars(type(module))["forward"].__globals__
    bound, count = space["norm_bound"], 0

    def counted(*given: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return bound(*given)

    space["norm_bound"] = counted
    try:
        run(module)
    finally:
        space["norm_bound"] = bound
    return count


def test_norms_are_bounded_once(module: torch.nn.Module) -> None:
    assert calls(module) > 0
    assert calls(module) > 0  # with gradients, each time
    with torch.no_grad():
        assert calls(module) > 0
        assert calls(module) == 0
        assert calls(module.train()) > 0
    assert calls(module.eval()) > 0


CHANGES: dict[str, Callable[[torch.nn.Parameter], object]] = {
    "in place": lambda p: p.mul_(3),
    "past autograd": lambda p: p.data.mul_(3),
    "another tensor": lambda p: setattr(p, "data", 3 * p.data),
    "through NumPy": lambda p: p.detach().numpy().__imul__(3),
    "not finite": lambda p: p.fill_(torch.nan),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_weights_are_seen_however_they_are_written(module: torch.nn.Module, change: str) -> None:
    with torch.no_grad():
        assert torch.equal(run(module), run(module))
        for parameter in module.parameters():
            CHANGES[change](parameter)
        torch.testing.assert_close(run(module), anew(module), rtol=0, atol=0, equal_nan=True)


def test_numbers_that_are_set_are_seen(module: torch.nn.Module) -> None:
    with torch.no_grad():
        before = run(module)
        for part in module.modules():
            if hasattr(part, "initial_lambda_"):
                part.initial_lambda_ *= 3
        again = made_of[module]()
        again.load_state_dict(module.state_dict())
        for part in again.modules():
            if hasattr(part, "initial_lambda_"):
                part.initial_lambda_ *= 3
        assert torch.equal(run(module), run(again)) and not torch.equal(run(module), before)


def test_states_copies_and_dtypes(module: torch.nn.Module) -> None:
    with torch.no_grad():
        run(module)
        other = {name: 2 * value for name, value in module.state_dict().items()}
        for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            made_of[again] = made_of[module]
            assert torch.equal(run(again), run(module))
            again.load_state_dict(other)
            assert torch.equal(run(again), anew(again))
        assert torch.equal(run(module), anew(module))
        assert torch.equal(run(module, IMAGE.double()), anew(module, IMAGE.double()))
        module.load_state_dict(other)
        assert torch.equal(run(module), anew(module))
        wide = run(module.double(), IMAGE.double())
        torch.testing.assert_close(wide, anew(module, IMAGE.double()), rtol=0, atol=1e-6)


def test_transforms_and_inference_mode_see_the_weights_they_are_given(module: torch.nn.Module) -> None:
    from torch.func import functional_call, vmap

    state = {name: value.detach() for name, value in module.named_parameters()}
    stacked = {name: torch.stack([value, 2 * value]) for name, value in state.items()}
    with torch.inference_mode():
        run(module)
    with torch.no_grad():
        plain = run(module)
        twice = {name: 2 * value for name, value in state.items()}
        moved = functional_call(module, twice, (IMAGE,), {"f": IMAGE})
        both = vmap(lambda s: functional_call(module, s, (IMAGE,), {"f": IMAGE}))(stacked)
        torch.testing.assert_close(both, torch.stack([plain, moved]), rtol=0, atol=1e-6)
        again = made_of[module]()
        again.load_state_dict(twice, strict=False)
        assert torch.equal(moved, run(again))
    run(module).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("name", ["blocks of their own", "one block"])
def test_exported_networks_compute_it_themselves(name: str) -> None:
    network = made(name)
    with torch.no_grad():
        expected = run(network)
        program = torch.export.export(network, (IMAGE,), {"f": IMAGE})
        torch.testing.assert_close(run(program.module()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [float, int, torch.tensor])
def test_constants_of_every_type_are_seen(kind: Callable[[float], object]) -> None:
    """A step that is set from outside, whatever it is then."""
    module = made("one block")
    with torch.no_grad():
        run(module)
        for value in (3, 2):
            module.block.initial_lambda_ = kind(value)
            again = made("one block")
            again.load_state_dict(module.state_dict())
            again.block.initial_lambda_ = float(value)
            torch.testing.assert_close(run(module), run(again), rtol=0, atol=1e-6)


def test_results_of_autocast_are_not_kept() -> None:
    module = made("one block")
    with torch.no_grad():
        exact = run(module)
        again = made("one block")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            run(again)
        assert torch.equal(run(again), exact)

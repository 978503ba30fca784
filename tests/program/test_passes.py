"""Passes keep what functions compute; functions take only what they are handed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import declared
from program.evaluate import GUARDED, Evaluation
from support import equation, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.graph.interpret import Interpreter
from pde2net.program import name as naming
from pde2net.program import parts
from pde2net.program.differentiate import differentiate
from pde2net.program.guard import guard
from pde2net.program.lower import lower
from pde2net.program.merge import merge
from pde2net.program.names import Namer
from pde2net.program.share import share

torch.set_num_threads(1)
NAMES = ["heat", "charbonnier", "exponential", "of u and slope", "you-kaveh", "axis by axis", "abs"]
NEWTON = p2n.Implicit(sp.Rational(1, 4), solver=p2n.Newton(tol=1e-9, preconditioner="diagonal"))


def loaded(network: Any, u0: np.ndarray) -> Interpreter:
    run = Interpreter(network.looped, arithmetic=GUARDED)
    run.load(u0[None])
    return run


@pytest.mark.parametrize("name", NAMES)
def test_blocks_compute_the_same_after_each_pass(name):
    problem, grid = declared(name, 2)
    network = uncertified(problem, p2n.Explicit(sp.Rational(1, 40), 1), grid)
    u0 = np.random.default_rng(0).normal(size=(6, 7))
    run = loaded(network, u0)
    block = parts.stack(network.looped, "xy")["forward"]
    want = Interpreter(network.graph)(u0)
    for function in (block, share(block), merge(share(block)), guard(block)):
        (found,) = Evaluation(run)(function, [run.u0])
        np.testing.assert_allclose(found[..., 0], want, rtol=0, atol=1e-13)


def test_nothing_is_computed_twice():
    problem, grid = declared("charbonnier", 2)
    network = uncertified(problem, NEWTON, grid)
    forward = lower(network.looped, "xy", network.update)["forward"]
    assert [let.wanted for let in forward.body].count(("s2",)) == 1
    keys = [(let.op, let.inputs) for let in forward.body]
    assert len(set(keys)) == len(keys)


def test_functions_take_what_they_are_handed():
    problem, grid = declared("inpainting", 2)
    network = uncertified(problem, p2n.Multigrid(1, 1), grid)
    program = lower(network.looped, "xy", network.update)
    for function in program.functions:
        named = naming.name(function, Namer(), {})
        outputs = [v for let in named.body for v in let.outputs]
        assert len(set(outputs)) == len(outputs) and all(v.isidentifier() for v in outputs)
    with pytest.raises(KeyError):
        naming.name(replace(program["forward"], parameters=()), Namer(), {})


def test_products_are_the_linear_part_of_residuals():
    """The product of a Newton step is the Jacobian of the residual, which its transpose shows."""
    problem, grid = declared("charbonnier", 2)
    network = uncertified(problem, NEWTON, grid)
    program = parts.cell(network.looped, "xy")
    rng = np.random.default_rng(0)
    v, rhs, x, w = (rng.normal(size=(6, 7, 1)) for _ in range(4))
    run = loaded(network, rhs[..., 0])
    evaluate = Evaluation(run)
    residual, product, step = program["residual"], program["product"], program["forward"]
    given = [v, *(rhs for _ in residual.parameters[1:])]
    slope, *_ = evaluate(differentiate(residual), [*given, w])
    captured = tuple(p for p, _ in product.parameters[1:])
    last = max(i for i, let in enumerate(step.body) if {*let.outputs} & {*captured})
    taken = evaluate(replace(step, body=step.body[: last + 1], results=captured), given)
    (image,) = evaluate(product, [x, *taken])
    assert abs((slope * x).sum() - (w * image).sum()) < 1e-11


def test_a_network_without_diffusion_weights_has_no_parts():
    network = uncertified(p2n.Problem(equation(laplacian(unknown(2)), 2)), p2n.Explicit(sp.Rational(1, 5), 3))
    assert [let.passing for let in lower(network.looped, "xy", network.update)["forward"].body] == [False] * 3

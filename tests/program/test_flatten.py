"""Calls one after the other compute what networks compute, and their vector-Jacobian products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, SHAPES, declared
from program.rows import Rows
from program.stages import calls, number
from support import uncertified

import pde2net as p2n
from pde2net.program import parts
from pde2net.program.carry import carried
from pde2net.program.differentiate import differentiate
from pde2net.program.extents import Extent
from pde2net.program.flatten import Flat, flatten
from pde2net.program.guard import guard
from pde2net.program.inline import inlined
from pde2net.program.lower import PASSES, everywhere
from pde2net.program.merge import merge
from pde2net.program.records import Function
from pde2net.program.schedule import schedule

R = sp.Rational
TAU = sp.Symbol("tau", positive=True)
STACKS = [
    p2n.Explicit(tau=R(1, 40), steps=3),
    p2n.DuFortFrankel(tau=R(1, 20), alpha=4, steps=3),
    p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.FSI(tau=R(1, 50), cycle_length=3, freeze="step"),
    p2n.FED(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
]

NAMES = ["perona-malik", "fidelity", "known field", "you-kaveh"]


def functions(network: Any) -> tuple[Function, Function, list[sp.Symbol]]:
    """A network, and its vector-Jacobian product with regard to input, fields and parameters."""
    problem = network.semidiscrete.form.problem
    plain = parts.network(network.looped, [a.name for a in problem.space])
    symbols = [TAU, *sorted(problem.parameters, key=str)]
    backward = everywhere(everywhere(differentiate(plain, symbols), guard), merge)
    for each in PASSES:
        plain = everywhere(plain, each)
    return plain, backward, symbols


def flat(function: Function, symbols: Any, dimension: int, channels: int = 1) -> Flat:
    image = Extent((0,) * dimension, channels)
    return flatten(function, {v: image for v, _ in function.parameters}, symbols)


def evaluated(network: Any, made: Flat, arrays: dict[str, Any], symbols: Any = ()) -> list[Any]:
    """The results, and derivatives by symbols."""
    values = dict(network.looped.graph["values"])
    found = calls(made, arrays, values)
    slopes = dict.fromkeys(symbols, 0.0)
    for (line, key), terms in made.totals.items():
        total = sum(number(a, values) * found[name] for a, name in terms)
        for symbol in symbols:
            inner = sp.sympify(made.weights[line].get(key, key)).diff(symbol)
            slopes[symbol] += number(inner, values) * total
    return [found[r] for r in made.results if r] + list(slopes.values())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", STACKS, ids=lambda s: s.label)
def test_networks_and_their_products(scheme: Any, name: str, boundary: str) -> None:
    problem, grid = declared(name, 2, boundary)
    try:
        network = uncertified(problem, scheme, grid, trainable=[TAU, *problem.parameters])
    except p2n.Pde2NetError as error:
        pytest.skip(str(error))
    forward, backward, symbols = functions(network)
    rng = np.random.default_rng(0)
    u0, v, *more = rng.uniform(size=(4, 1, *SHAPES[2]))
    fields = [str(f.func) for f in problem.fields]
    known = dict(zip(fields, more, strict=False))
    module = network.module().double()
    u = torch.from_numpy(u0)[None].requires_grad_()
    given = {n: torch.from_numpy(a)[None].requires_grad_() for n, a in known.items()}
    out = module(u, **given)
    own = {n.rpartition(".")[2].rstrip("_"): p for n, p in module.named_parameters()}
    asked = [u, *given.values(), *(own[s.name] for s in symbols)]
    slopes = torch.autograd.grad((out * torch.from_numpy(v)[None]).sum(), asked, allow_unused=True)
    names = [v_ for v_, _ in forward.parameters]
    arrays = {n: u0 if k == 0 else known[n.rpartition(".")[2]] for k, n in enumerate(names)}
    (found,) = evaluated(network, flat(forward, (), 2), arrays)
    np.testing.assert_allclose(found, out.detach().numpy()[0], rtol=1e-10, atol=1e-11)
    if "known field" in name and boundary == "dirichlet":
        with pytest.raises(p2n.EmissionError, match="the adjoint of Pad"):
            flat(backward, symbols, 2)
        return
    last = backward.parameters[-1][0]
    products = evaluated(network, flat(backward, symbols, 2), {**arrays, last: v}, symbols)
    order = [names[0], *sorted(names[1:], key=lambda n: fields.index(n.rpartition(".")[2]))]
    wanted = dict(zip([*order, *symbols], slopes, strict=True))
    for key, got in zip([*names, *symbols], products, strict=True):
        want = 0 if wanted[key] is None else wanted[key].numpy()
        np.testing.assert_allclose(got, want if np.ndim(want) == 0 else want[0], rtol=1e-8, atol=1e-9)


PASSES_ = [
    (scheme, NAMES[(k + j) % len(NAMES)], boundary)
    for k, scheme in enumerate(STACKS)
    for j, boundary in enumerate(BOUNDARIES)
]


@pytest.mark.parametrize("scheme,name,boundary", PASSES_, ids=lambda v: getattr(v, "label", v))
def test_one_pass_over_memory(scheme: Any, name: str, boundary: str) -> None:
    """Row by row, in bands, with rings, fluxes carried on: the same as one call after the other."""
    problem, grid = declared(name, 2, boundary)
    network = uncertified(problem, scheme, grid, trainable=[TAU, *problem.parameters])
    forward, backward, symbols = functions(network)
    rng, values = np.random.default_rng(0), dict(network.looped.graph["values"])
    for function, by in ((forward, ()), (backward, symbols)):
        try:
            made = flat(function, by, 2)
        except p2n.EmissionError:
            continue
        shape = SHAPES[2]
        arrays = {v: rng.uniform(size=(1, *shape)) for v in made.parameters}
        wanted = calls(made, arrays, values)
        results = [r for r in made.results if r]
        numbers = [n for terms in made.totals.values() for _, n in terms]
        merged = carried(inlined(made))
        assert len(merged.calls) < len(made.calls) or name == "you-kaveh" or function is backward
        plan = schedule(merged.calls, made.parameters, dict.fromkeys(results, (0, 0)))
        for bands in ([(0, shape[0])], [(0, 2), (2, 3), (3, shape[0])]):
            sums = dict.fromkeys(numbers, 0.0)
            for a, b in bands:
                rows = Rows(plan, made, arrays, values, shape, (a, b))
                rows.run()
                for name_ in results:
                    got, want = rows.results[name_][:, a:b], wanted[name_][:, a:b]
                    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-11)
                for n in numbers:
                    sums[n] += rows.sums[n]
            for n in numbers:
                np.testing.assert_allclose(sums[n], wanted[n], rtol=1e-9, atol=1e-10)

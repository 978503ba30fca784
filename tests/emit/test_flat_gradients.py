"""Gradients are finite and right where images are flat, in both precisions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from support import diffusion, lam, uncertified

import pde2net as p2n
from pde2net import diffusivities
from pde2net.graph.interpret import Interpreter

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"
HEAVY = ("axis_total_variation", "rof", "tv_flow")  # implicit, with large diffusivities


def gallery():
    names = sorted(p.stem for p in GALLERY.glob("*.pde"))
    return [pytest.param(n, marks=[pytest.mark.long] if n in HEAVY else [], id=n) for n in names]


def images(shape):
    """A constant one, one that is flat in part, and one of 8-bit values with equal neighbours."""
    rng = np.random.default_rng(1)
    half = rng.uniform(size=shape)
    half[..., : (shape[-1] + 1) // 2] = 0.4
    levels = np.cumsum(8 * rng.integers(0, 2, shape), -1) / 255
    return [np.full(shape, 0.4), half, levels]


def short(scheme):
    """A few steps; solutions are exact, since gradients are those of the exact ones."""
    options = {"tau": 0.1} if scheme.tau is None else {}
    if hasattr(scheme, "steps"):
        options["steps"] = min(scheme.steps, 2)
    if hasattr(scheme, "cycle_length"):
        options["cycles"] = 1
    if getattr(getattr(scheme, "solver", None), "tol", None) is not None:
        exact = {"linear_tol": 1e-12} if hasattr(scheme.solver, "linear_tol") else {}
        options["solver"] = replace(scheme.solver, tol=1e-11, max_iterations=400, **exact)
    elif getattr(scheme, "tol", None) is not None:
        options |= {"tol": 1e-11, "cycles": 60}
    return replace(scheme, **options)


def tensors(arrays, dtype):
    return {name: torch.from_numpy(v).to(dtype) for name, v in arrays.items()}


def output(module, inputs):
    known = {name: v for name, v in inputs.items() if name != "u"}
    return module.to(inputs["u"].dtype)(inputs["u"], **known)


def gradients(module, arrays, weights, dtype):
    """The gradients of <weights, output>, with respect to all inputs."""
    inputs = {name: v.requires_grad_() for name, v in tensors(arrays, dtype).items()}
    loss = (output(module, inputs) * torch.from_numpy(weights)).sum()
    return torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)


def check(module, arrays):
    """Finite, those of central differences in double precision, and nearly the same in single precision."""
    rng = np.random.default_rng(2)
    weights = rng.normal(size=arrays["u"].shape)
    found = gradients(module, arrays, weights, torch.float64)
    single = gradients(module, arrays, weights, torch.float32)
    for a, b in zip(found, single, strict=True):
        assert a.isfinite().all() and b.isfinite().all()
        assert (a - b).abs().max() <= 1e-3 * max(1, a.abs().max())
    for _ in range(3):
        moves = {name: rng.normal(size=v.shape) for name, v in arrays.items()}
        ends = [{name: v + s * moves[name] for name, v in arrays.items()} for s in (1e-6, -1e-6)]
        above, below = (output(module, tensors(end, torch.float64)).detach().numpy() for end in ends)
        slope = (weights * (above - below)).sum() / 2e-6
        predicted = sum((a.numpy() * m).sum() for a, m in zip(found, moves.values(), strict=True))
        assert abs(slope - predicted) <= 1e-5 * max(1, max(a.norm().item() for a in found))


@pytest.mark.parametrize("name", gallery())
def test_models_of_the_gallery(name):
    declared = p2n.load(GALLERY / f"{name}.pde")
    problem = declared.problem
    module = uncertified(problem, short(declared.scheme), declared.grid).module()
    shape = (4, 5) if name in HEAVY else (7, 8)
    known = {str(f.func): images((1, 1, *shape))[1] for f in problem.fields}
    if "c" in known:
        known["c"] = 0.25 + (known["c"] < 0.5) / 2  # differences stay in its range
    for image in images((1, problem.channels, *shape)):
        if problem.ranges is not None:  # differences stay in it
            (low, high), *_ = problem.ranges
            inner = (image - image.min()) / max(float(image.max() - image.min()), 1e-9)
            image = float(low) + float(high - low) * (0.25 + inner / 2)
        check(module, {"u": image, **known})


root = sp.sqrt


def at_zero(s2, value, otherwise):
    return sp.Piecewise((value, sp.Eq(s2, 0)), (otherwise, True))


p = sp.Symbol("p", positive=True)
PARAMETERS = {lam: 0.1, p: 0.8}
DIFFUSIVITIES = {
    **{f"Weickert, m = {m}": (lambda s, m=m: diffusivities.weickert(s, lam, m)) for m in (1, 2, 4, 8)},
    "Weickert, a number": lambda s: diffusivities.weickert(s, sp.Rational(1, 500)),
    "Weickert, twice": lambda s: diffusivities.weickert(s, lam) + diffusivities.weickert(s, 10, 2),
    "a decay, no case": lambda s: 1 - sp.exp(-lam / s),
    "a decay, a case": lambda s: at_zero(s, 1, sp.cos(s) - sp.exp(-lam / s)),
    "a decay of a root": lambda s: at_zero(s, 1, 1 - sp.exp(-lam / root(s))),
    "a sum in a decay": lambda s: at_zero(s, 0, sp.exp(-s - 1 / s**3)),
    "a quotient": lambda s: at_zero(s, 1, sp.sin(s) / s),
    "two quotients": lambda s: at_zero(s, 3, sp.atan(s) / s + 2 * root(s) / sp.asinh(root(s))),
    "a logarithm": lambda s: at_zero(s, 0, s * sp.log(s)),
    "a root below": lambda s: at_zero(s, 1, sp.tanh(root(s)) / root(s)),
    "a root": lambda s: 1 / (1 + root(s)),
    "a fractional power": lambda s: 1 + s ** sp.Rational(3, 4),
    "a power": lambda s: 1 + s**p,
    "Huber": lambda s: sp.Piecewise((1, s < 1), (1 / root(s), True)),
    "three pieces": lambda s: sp.Piecewise((2, s < 1), (1 + 1 / s, s < 4), (1 + 5 / (4 * s), True)),
    "Huber of a root": lambda s: sp.Piecewise((1 - root(s) / 2, s < 1), (1 / (2 * root(s)), True)),
    "pieces in pieces": lambda s: at_zero(s, 1, sp.Piecewise((sp.sin(s) / s, s < 1), (sp.sin(1) / s, True))),
    "an overflow": lambda s: sp.Piecewise((1 + s, s < 1), (1 + sp.exp(1000 * (1 - s)), True)),
    "a larger one": lambda s: 1 / (1 + sp.Max(s, root(s))),
}


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("name", DIFFUSIVITIES)
def test_diffusivities(name, dim):
    """The values stay those of the interpreter, too."""
    given = {s: v for s, v in PARAMETERS.items() if DIFFUSIVITIES[name](sp.Symbol("s")).has(s)}
    network = uncertified(diffusion(DIFFUSIVITIES[name], dim, parameters=given), p2n.Explicit(0.1, 1))
    for image in images((4, 5, 6)[:dim]):
        check(network.module(), {"u": image[None, None]})
        found = network.module().double()(torch.from_numpy(image)[None, None])[0, 0].detach().numpy()
        np.testing.assert_allclose(found, Interpreter(network.graph)(image), atol=1e-14)


S2 = sp.Symbol("s2", nonnegative=True)
ENDS = {
    "root": 1 / (1 + sp.sqrt(S2) / lam),
    "Huber": sp.Min(1, lam / sp.sqrt(S2)),
    "quotient": 1 / (1 + lam / S2),
    "clipped quotient": sp.Min(1, lam / S2),
    "p-Laplacian": sp.sqrt(S2) + lam,
    "decay": 1 - sp.exp(-lam / S2),
    "Weickert": diffusivities.weickert(S2, lam),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("g", ENDS.values(), ids=ENDS)
def test_slopes_from_nothing_to_one_have_gradients(g, dtype):
    """Also of the contrast."""
    x, y, t = sp.symbols("x y t", real=True)
    u = sp.Function("u")(x, y, t)
    flux = g.subs(S2, p2n.norm2(p2n.grad(u))) * p2n.grad(u)
    problem = p2n.Problem(sp.Eq(u.diff(t), p2n.div(flux)), parameters={lam: sp.Rational(1, 10)})
    scheme = p2n.Explicit(sp.Rational(1, 100), 2)
    module = uncertified(problem, scheme, trainable=[lam]).module().to(dtype)
    for scale in (0.0, 1e-30, 1e-20, 1e-12, 1e-6, 1e-3, 1.0):
        image = (scale * (torch.arange(36, dtype=dtype) // 5)).reshape(1, 1, 6, 6).requires_grad_()
        module.zero_grad()
        module(image).square().sum().backward()
        assert torch.isfinite(image.grad).all(), scale
        assert all(torch.isfinite(p.grad).all() for p in module.parameters()), scale

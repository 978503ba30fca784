"""U-nets: the module computes what the interpreter does, and both solve the equation of a step."""

import itertools
import warnings

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, EQUATIONS, VALUES, declared, fidelity, inpainting, inputs_of, tensors
from support import equation, lam, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.errors import ConvergenceError
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of

SHAPES = {1: (23,), 2: (15, 18), 3: (9, 8, 10)}
CYCLES, SMOOTHERS = ("V", "W", "FMG"), ("jacobi", "red-black", "chebyshev")
u2 = unknown(2)

# Fluxes that decrease somewhere, or jump: steps need not have one solution, and cycles may not find it.
NOT_MONOTONE = {"weickert", "you-kaveh", "piecewise", "sign and atan", "reaction"}


def heat(dim=2, **options):
    return p2n.Problem(equation(laplacian(unknown(dim)), dim), **options)


def charbonnier(dim=2, **options):
    u = unknown(dim)
    flux = grad(u) / sp.sqrt(1 + norm2(grad(u)) / lam**2)
    return p2n.Problem(equation(div(flux), dim), parameters={lam: 0.4}, **options)


def multigrid(tau=0.5, **options):
    return p2n.Multigrid(sp.nsimplify(tau), **({"pre": 2, "post": 2, "cycles": 5} | options))


def rate(problem, grid=None):
    """F, from one explicit step of size 1."""
    scheme = p2n.Explicit(1)
    semi = semidiscretise(recognise(problem), grid or p2n.Grid(1))
    step = Interpreter(build(semi, scheme.tau, update_of(scheme)))
    return lambda v, fields: step(v, fields) - v


def rows():
    """Every equation, with dimensions, boundaries, stencils, cycles and smoothers in turn."""
    grids = list(itertools.product(BOUNDARIES, ("forward", "central", "staggered"), (2, 4), (1, 2, 3)))
    kinds = list(itertools.product(CYCLES, SMOOTHERS))
    return [
        (name, *grids[(11 * k + 17 * j) % len(grids)], *kinds[(5 * k + 4 * j) % len(kinds)])
        for k, name in enumerate(EQUATIONS)
        for j in range(3)
    ]


@pytest.mark.parametrize("name,boundary,gradient,order,dim,cycle,smoother", rows())
def test_module_equals_the_interpreter_and_solves(name, boundary, gradient, order, dim, cycle, smoother):
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    tau = 0.02 if name == "of position" else 0.5
    try:
        network = uncertified(problem, multigrid(tau, cycle=cycle, smoother=smoother), grid)
    except p2n.EquationError as error:
        assert "zero gradient" in str(error)
        return
    assert network.architecture == "u-net"
    u0, fields = inputs_of(network, SHAPES[dim], batch=2)
    if name == "porous medium":
        u0 = abs(u0) + 0.3
    out = network.module().double()(torch.from_numpy(u0), **tensors(fields)).detach().numpy()
    run = Interpreter(network.graph)
    for k in range(2):
        known = {n: f[k, 0] for n, f in fields.items()}
        want = run(u0[k, 0], known)
        np.testing.assert_allclose(out[k, 0], want, rtol=0, atol=1e-10 * max(1, abs(want).max()))
    if name not in NOT_MONOTONE:
        f = rate(problem, grid)
        residual = np.linalg.norm(want - tau * f(want, known) - u0[1, 0])
        assert residual < 5e-3 * tau * np.linalg.norm(f(u0[1, 0], known))


def residuals(problem, tau, shape, grid=None, cycles=(3, 6), fields=None, **options):
    """‖v - tau F(v) - u‖/‖u‖ after some cycles; for the steady state ‖F(v)‖/‖F(u)‖."""
    u0 = np.random.default_rng(3).normal(size=shape)
    known = fields or {}
    inputs = tensors({k: v[None, None] for k, v in known.items()})
    f, found = rate(problem, grid), []
    for count in cycles:
        module = uncertified(problem, multigrid(tau, cycles=count, **options), grid).module().double()
        v = module(torch.from_numpy(u0)[None, None], **inputs).detach().numpy()[0, 0]
        if tau == sp.oo:
            found.append(np.linalg.norm(f(v, known)) / np.linalg.norm(f(u0, known)))
        else:
            found.append(np.linalg.norm(v - float(tau) * f(v, known) - u0) / np.linalg.norm(u0))
    return found


def factor(problem, tau, shape, grid=None, **options):
    """The mean factor of the residual from cycle 3 to cycle 6."""
    first, last = residuals(problem, tau, shape, grid, **options)
    return (last / first) ** (1 / 3)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(64, 64), (65, 65), (63, 50), (97, 101), (17, 40)])
def test_cycles_contract_for_every_size_and_border(boundary, shape):
    assert factor(heat(boundary=boundary), 1000, shape) < 0.21


@pytest.mark.parametrize("dim,shape,bound", [(1, (101,), 0.12), (3, (17, 20, 24), 0.25)])
def test_cycles_contract_in_one_and_three_dimensions(dim, shape, bound):
    for boundary in BOUNDARIES:
        assert factor(heat(dim, boundary=boundary), 1000, shape) < bound


def test_cycles_contract_for_unequal_spacings():
    for ratio in (sp.Rational(5, 4), 2, 10):
        assert factor(heat(), 1000, (32, 48), p2n.Grid({x: 1, y: ratio})) < 0.21


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(64, 64), (63, 50), (41, 41)])
def test_fourth_order_terms_contract(boundary, shape):
    problem = p2n.Problem(equation(-laplacian(laplacian(u2)), 2), boundary=boundary)
    assert factor(problem, 100, shape, smoother="chebyshev") < 0.6


@pytest.mark.parametrize("smoother,bound", [("jacobi", 0.15), ("red-black", 0.08), ("chebyshev", 0.13)])
def test_the_figures_of_the_smoothers(smoother, bound):
    for problem, tau in ((heat(), 50), (charbonnier(), 20)):
        assert factor(problem, tau, (64, 64), smoother=smoother, levels=5) < bound


def test_gradients_at_cells_are_solved_on_one_grid():
    """The checkerboard has no central slope, so coarse grids cannot help: conjugate directions do."""
    first, last = residuals(charbonnier(), 20, (24, 21), p2n.Grid(1, gradient="central"))
    assert last < 1e-3 * first


@pytest.mark.parametrize(
    "scheme",
    [
        multigrid(0.5),
        p2n.Implicit(0.5, solver=p2n.Newton(iterations=2, preconditioner="diagonal")),
        p2n.Implicit(0.5, solver=p2n.Kacanov(iterations=2, preconditioner="multigrid")),
    ],
)
def test_reactions_with_kinks_have_a_derivative(scheme):
    """That of min(1, |u|) - 2 u is a step function, which must be emitted as one."""
    u = unknown(2)
    network = uncertified(p2n.Problem(equation(laplacian(u) + sp.Min(1, sp.Abs(u)) - 2 * u, 2)), scheme)
    u0 = np.random.default_rng(4).normal(size=(9, 12))
    got = network.module().double()(torch.from_numpy(u0)[None, None]).numpy()[0, 0]
    np.testing.assert_allclose(got, Interpreter(network.graph)(u0), rtol=0, atol=1e-10)


def test_one_grid_is_told():
    scheme = p2n.Multigrid(1, levels=3)
    with pytest.warns(p2n.GridWarning, match='one grid.*"forward" or "staggered" allows several'):
        p2n.compile(heat(), scheme, p2n.Grid(1, gradient="central"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p2n.compile(heat(), scheme, p2n.Grid(1, gradient="staggered"))
        p2n.compile(heat(), p2n.Multigrid(1, levels=1), p2n.Grid(1, gradient="central"))


# -- steady states, masks, data -----------------------------------------------------------------


def test_inpainting_reaches_the_steady_state():
    rng = np.random.default_rng(0)
    shape = (48, 37)
    fields = {"f": rng.uniform(size=shape), "c": (rng.uniform(size=shape) < 0.1).astype(float)}
    problem = p2n.Problem(equation(inpainting(2), 2))
    for smoother in SMOOTHERS:
        (found,) = residuals(problem, sp.oo, shape, cycles=(15,), fields=fields, smoother=smoother)
        assert found < 1e-6


def test_a_data_term_makes_a_steady_state():
    fields = {"f": np.random.default_rng(1).uniform(size=(30, 33))}
    problem = p2n.Problem(equation(fidelity(2), 2), parameters=VALUES)
    (found,) = residuals(problem, sp.oo, (30, 33), cycles=(12,), fields=fields)
    assert found < 1e-7


def test_no_steady_state_is_refused():
    with pytest.raises(p2n.EquationError, match="steady state is not unique"):
        uncertified(heat(), p2n.Multigrid(sp.oo))
    (found,) = residuals(heat(boundary="dirichlet"), sp.oo, (20, 20), cycles=(15,))
    assert found < 1e-8, "zero-Dirichlet values hold the state"


def test_fluxes_without_weights_are_refused():
    tv = p2n.Problem(equation(div(grad(u2) / sp.sqrt(norm2(grad(u2)))), 2))
    with pytest.raises(p2n.EquationError, match="zero gradient"):
        uncertified(tv, p2n.Multigrid(1))


# -- levels, tolerances, warnings ----------------------------------------------------------------


def both(network, u0):
    """The warnings of module and interpreter, whose results agree."""
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        out = network.module().double()(torch.from_numpy(u0)[None, None]).detach().numpy()[0, 0]
    with warnings.catch_warnings(record=True) as theirs:
        warnings.simplefilter("always")
        want = Interpreter(network.graph)(u0)
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-10)
    return [str(w.message) for w in ours], [str(w.message) for w in theirs]


def test_too_many_levels_are_fewer_with_a_notice():
    u0 = np.random.default_rng(2).normal(size=(12, 9))
    for cycle in CYCLES:
        network = uncertified(charbonnier(), multigrid(5, levels=6, cycle=cycle))
        for found in both(network, u0):
            (message,) = found
            assert "allows 4 levels, not 6" in message
    assert both(uncertified(charbonnier(), multigrid(5)), u0) == ([], [])


def test_the_smallest_images():
    for shape in ((2, 2), (2, 3), (3, 5), (2, 40)):
        both(uncertified(heat(), multigrid(3)), np.random.default_rng(2).normal(size=shape))


def test_a_tolerance_is_reached_or_said_to_be_missed():
    u0 = np.random.default_rng(4).normal(size=(40, 33))
    network = uncertified(charbonnier(), multigrid(20, tol=1e-9, cycles=20))
    assert both(network, u0) == ([], [])
    v, f = Interpreter(network.graph)(u0), rate(charbonnier())
    assert np.linalg.norm(v - 20 * f(v, {}) - u0) <= 1e-9 * np.linalg.norm(u0)
    for found in both(uncertified(charbonnier(), multigrid(20, tol=1e-9, cycles=2)), u0):
        assert "residual" in found[0] and "2 iterations" in found[0]
    network = uncertified(charbonnier(), multigrid(20, tol=1e-9, cycles=2, on_failure="error"))
    with pytest.raises(RuntimeError, match="relative residual"):
        network.module()(torch.from_numpy(u0)[None, None].float())
    with pytest.raises(ConvergenceError, match="residual"):
        Interpreter(network.graph)(u0)


def test_steady_tolerance_is_relative_to_the_input():
    fields = {"f": np.random.default_rng(1).uniform(size=(30, 33))}
    problem = p2n.Problem(equation(fidelity(2), 2), parameters=VALUES)
    (found,) = residuals(problem, sp.oo, (30, 33), cycles=(30,), fields=fields, tol=1e-5)
    assert 1e-8 < found <= 1e-5


# -- a good module ------------------------------------------------------------------------------


def test_batch_entries_do_not_mix():
    scales = np.array([1.0, 10.0, 0.01])[:, None, None, None]
    u0 = torch.from_numpy(np.random.default_rng(5).normal(size=(3, 1, 21, 18)) * scales)
    for problem in (heat(), charbonnier()):
        module = uncertified(problem, multigrid(20, levels=3)).module().double()
        together = module(u0)
        for k in range(3):
            torch.testing.assert_close(together[k : k + 1], module(u0[k : k + 1]), rtol=1e-10, atol=0)


def test_dtypes():
    u0 = torch.randn(1, 1, 20, 17)
    module = uncertified(charbonnier(), multigrid(5)).module()
    single, double = module(u0), module(u0.double())
    assert single.dtype == torch.float32 and double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"tol": 1e-12, "cycles": 40, "gradients": "implicit"}])
def test_gradients_match_finite_differences(options):
    scheme = multigrid(2, **({"cycles": 2} | options))
    module = uncertified(charbonnier(), scheme, trainable=[lam]).module().double()
    u0 = torch.randn(2, 1, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(module, (u0.clone().requires_grad_(),), eps=1e-6, atol=1e-5)
    (parameter,) = module.parameters()

    def loss(value):
        with torch.no_grad():
            parameter.fill_(value)
        return module(u0).square().sum()

    loss(0.4).backward()
    slope = (loss(0.4 + 1e-5) - loss(0.4 - 1e-5)).item() / 2e-5
    assert abs(parameter.grad.item() - slope) < 1e-5 * abs(slope)


def test_implicit_gradients_of_known_data():
    problem = p2n.Problem(equation(fidelity(2), 2), parameters=VALUES)
    scheme = multigrid(sp.oo, tol=1e-12, cycles=50, gradients="implicit")
    module = uncertified(problem, scheme).module().double()
    f = torch.rand(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    u0 = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: module(u0, f=f), (f,), eps=1e-6, atol=1e-5)


def test_steps_share_or_own_their_parameters():
    scheme = multigrid(2, steps=3, cycles=2)
    u0 = torch.randn(1, 1, 9, 8, dtype=torch.float64)
    shared = uncertified(charbonnier(), scheme, trainable=[lam]).module().double()
    own = uncertified(charbonnier(), scheme, trainable=[lam], shared=False).module().double()
    assert (len(list(shared.parameters())), len(list(own.parameters()))) == (1, 3)
    torch.testing.assert_close(shared(u0), own(u0), rtol=0, atol=0)
    single = uncertified(charbonnier(), multigrid(2, cycles=2)).module().double()
    torch.testing.assert_close(shared(u0), single(single(single(u0))), rtol=0, atol=1e-12)


def test_the_source_reads_as_a_u_net():
    source = uncertified(charbonnier(), multigrid(20, cycle="W")).source()
    for word in ("class UNet", "def encoder", "def bottleneck", "def decoder", "restrict(", "prolong("):
        assert word in source
    assert source.count("class Gradient(") == 1, "one set of operators serves all grids"
    assert source == uncertified(charbonnier(), multigrid(20, cycle="W")).source()
    assert all(len(line) <= 112 for line in source.splitlines())

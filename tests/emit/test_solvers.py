"""Solvers of implicit steps: independent solutions, gradients, and what happens if they do not converge."""

import warnings

import numpy as np
import pytest
import scipy.sparse.linalg as sla
import sympy as sp
import torch
from support import along, dense, diffusion, equation, lam, uncertified, unknown, x

import pde2net as p2n
from pde2net import diffusivities, laplacian
from pde2net.graph.interpret import Interpreter

SOLVERS = [p2n.Kacanov, p2n.Newton]


def charbonnier(dim=1, **options):
    return diffusion(lambda s: diffusivities.charbonnier(s, lam), dim, parameters={lam: 0.5}, **options)


def heat(dim, **options):
    return p2n.Problem(equation(laplacian(unknown(dim)), dim), **options)


def module_of(problem, scheme, grid=None, **options):
    return uncertified(problem, scheme, grid, **options).module().double()


def run(problem, scheme, u0, grid=None, **fields):
    data = {k: torch.from_numpy(v)[None, None] for k, v in fields.items()}
    return module_of(problem, scheme, grid)(torch.from_numpy(u0)[None, None], **data).detach().numpy()[0, 0]


def minus_laplacian(shape, boundary, spacing):
    """-laplacian as a function, by dense second differences along each axis."""
    parts = []
    for axis, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        K = dense(n, boundary, 1, half=True, spacing=h)
        parts.append((axis, K.T @ K))
    return lambda u: sum(along(A, axis, u) for axis, A in parts)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("shape", [(2,), (3,), (40,), (7, 12), (4, 5, 6)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_linear_steps_solve_their_system(boundary, shape, solver):
    u0 = np.random.default_rng(1).normal(size=shape)
    spacing = (1.0, 1.5, 0.75)[: len(shape)]
    grid = p2n.Grid(spacing=dict(zip(unknown(3).args, spacing, strict=False)))
    problem = heat(len(shape), boundary=boundary)
    v = run(problem, p2n.Implicit(tau=3, solver=solver(tol=1e-12)), u0, grid)
    A = minus_laplacian(shape, boundary, spacing)
    np.testing.assert_allclose(v + 3 * A(v), u0, atol=1e-10)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_additive_operator_splitting_is_the_mean_over_the_axes(boundary):
    shape, tau, spacing = (6, 9), 4.0, (1.0, 0.5)
    u0 = np.random.default_rng(2).normal(size=shape)
    parts = []
    for axis, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        K = dense(n, boundary, 1, half=True, spacing=h)
        parts.append(along(np.linalg.inv(np.eye(n) + 2 * tau * K.T @ K), axis, u0))
    grid = p2n.Grid(spacing=dict(zip(unknown(2).args, (1, sp.Rational(1, 2)), strict=False)))
    got = run(heat(2, boundary=boundary), p2n.AOS(tau=tau), u0, grid)
    np.testing.assert_allclose(got, sum(parts) / 2, atol=1e-12)


@pytest.mark.parametrize("other", ["reflecting", "periodic"])
@pytest.mark.parametrize("axis", [0, 1])
def test_additive_operator_splitting_with_two_kinds_of_borders(other, axis):
    """A nonlinear step: the weights have cells beyond the zero-Dirichlet border of one axis only."""
    u = unknown(2)
    boundary = dict(zip(u.args, ("dirichlet", other) if axis == 0 else (other, "dirichlet"), strict=False))
    network = uncertified(charbonnier(2, boundary=boundary), p2n.AOS(tau=2, steps=2))
    u0 = np.random.default_rng(9).normal(size=(5, 6))
    got = network.module().double()(torch.from_numpy(u0)[None, None]).detach().numpy()[0, 0]
    np.testing.assert_allclose(got, Interpreter(network.graph)(u0), atol=1e-12)


@pytest.mark.parametrize("solver", [p2n.Newton(), p2n.Kacanov()], ids=["Newton", "Kacanov"])
def test_coupled_channels_along_one_axis_solve_one_system(solver):
    """The slopes of all channels are in each flux."""
    t = sp.Symbol("t", real=True)
    v = sp.Function("v")(x, t)
    problem = p2n.Problem(sp.Eq(v.diff(t), p2n.div(p2n.grad(v) / (1 + p2n.norm2(p2n.grad(v))))), channels=2)
    network = uncertified(problem, p2n.Implicit(1, 1, solver=solver))
    u0 = np.random.default_rng(0).uniform(size=(1, 2, 12))
    (found,) = network.module().double()(torch.from_numpy(u0)).numpy()
    slopes = np.diff(found, axis=-1)
    flux = np.pad(slopes / (1 + (slopes**2).sum(0)), ((0, 0), (1, 1)))
    np.testing.assert_allclose(found - np.diff(flux, axis=-1), u0[0], atol=1e-5)


def test_newton_takes_derivatives_of_fluxes_with_several_cases():
    s = unknown(1).diff(x) ** 2
    cases = sp.Piecewise(((1 - s) ** 2, s < 1), (0, True))
    flux = sp.Min(sp.exp(-s) + 1, cases) * unknown(1).diff(x)
    network = uncertified(
        p2n.Problem(equation(sp.Derivative(flux, x), 1)),
        p2n.Implicit(tau=1, solver=p2n.Newton(iterations=1)),
    )
    u0 = np.random.default_rng(10).normal(size=9)
    got = network.module().double()(torch.from_numpy(u0)[None, None]).detach().numpy()[0, 0]
    np.testing.assert_allclose(got, Interpreter(network.graph)(u0), atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(("boundary", "beta"), [("reflecting", 0.2), ("dirichlet", 0)])
def test_the_steady_state_needs_no_time(solver, dim, boundary, beta):
    """0 = laplacian(v) + f - beta v against conjugate gradients of SciPy."""
    shape = (15,) if dim == 1 else (8, 9)
    u = unknown(dim)
    f = sp.Function("f")(*u.args[:-1])
    problem = p2n.Problem(equation(laplacian(u) + f - beta * u, dim), boundary)
    data = np.random.default_rng(3).normal(size=shape)
    v = run(problem, p2n.Implicit(tau=sp.oo, solver=solver(tol=1e-11)), 0 * data, f=data)
    A = minus_laplacian(shape, boundary, (1.0,) * dim)
    operator = sla.LinearOperator(
        (data.size,) * 2, lambda w: (A(w.reshape(shape)) + beta * w.reshape(shape)).ravel()
    )
    want, _ = sla.cg(operator, data.ravel(), rtol=1e-11, maxiter=2000)
    np.testing.assert_allclose(v.ravel(), want, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dim", [1, 2])
def test_steady_states_that_are_not_unique_are_refused(solver, dim):
    u = unknown(dim)
    f = sp.Function("f")(*u.args[:-1])
    steady = p2n.Implicit(tau=sp.oo, solver=solver())
    for source in (0, f):
        with pytest.raises(p2n.EquationError, match="not unique"):
            uncertified(p2n.Problem(equation(laplacian(u) + source, dim)), steady)


@pytest.mark.parametrize(("rate", "boundary"), [(0, "dirichlet"), (1, "reflecting")])
def test_kacanov_refuses_steady_states_that_are_0(rate, boundary):
    u = unknown(2)
    with pytest.raises(p2n.EquationError, match="is 0, whatever the image"):
        uncertified(p2n.Problem(equation(laplacian(u) - rate * u, 2), boundary), p2n.Implicit(tau=sp.oo))


GRADIENTS = [
    p2n.Implicit(tau=1, steps=2, solver=p2n.Kacanov(tol=1e-11)),
    p2n.Implicit(tau=1, solver=p2n.Kacanov(tol=1e-11, gradients="unrolled")),
    p2n.Implicit(tau=1, solver=p2n.Kacanov(iterations=2)),
    p2n.Implicit(tau=1, solver=p2n.Newton(tol=1e-11)),
    p2n.Implicit(tau=1, solver=p2n.Newton(tol=1e-11, gradients="unrolled")),
    p2n.Implicit(tau=0.1, solver=p2n.FixedPoint(tol=1e-11)),
    p2n.Implicit(tau=0.1, solver=p2n.FixedPoint(tol=1e-11, anderson=2, gradients="unrolled")),
    p2n.Implicit(tau=0.1, solver=p2n.FixedPoint(iterations=3)),
    p2n.Theta(tau=1, solver=p2n.Kacanov(tol=1e-11)),
    p2n.AOS(tau=1),
    p2n.DuFortFrankel(tau=0.2, alpha=2, steps=3),
    p2n.FSI(tau=0.2, cycle_length=3),
    p2n.RKL(order=2, tau=1, stages=4),
]


@pytest.mark.parametrize(
    "scheme", GRADIENTS, ids=lambda s: f"{type(s).__name__}-{getattr(s, 'solver', '')}"[:60]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_gradients_are_those_of_finite_differences(scheme, dim):
    module = module_of(charbonnier(dim), scheme, trainable=[lam, "tau"])
    shape = (6,) if dim == 1 else (3, 4)
    u0 = torch.from_numpy(np.random.default_rng(4).normal(size=(2, 1, *shape))).requires_grad_()
    names = [n for n, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in module.parameters()]

    def output(u, *parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (u,))

    assert len(values) == 2
    # In the plane along one random direction: that sees every entry at a tenth of the price.
    assert torch.autograd.gradcheck(output, (u0, *values), eps=1e-6, atol=1e-5, fast_mode=dim == 2)


def test_implicit_gradients_need_no_memory_per_iteration():
    """The graph behind the output is the same for few and for many iterations."""

    def size(tau):
        scheme = p2n.Implicit(tau=tau, solver=p2n.Kacanov(tol=1e-12))
        u0 = torch.linspace(-1, 1, 9, dtype=torch.float64)[None, None].requires_grad_()
        stack, seen = [module_of(charbonnier(), scheme)(u0).grad_fn], set()
        while stack:
            node = stack.pop()
            if node is not None and node not in seen:
                seen.add(node)
                stack += [parent for parent, _ in node.next_functions]
        return len(seen)

    assert size(0.01) == size(50.0) < 30


def test_missing_the_tolerance_is_never_silent():
    u0 = torch.from_numpy(np.random.default_rng(5).normal(size=(1, 1, 20)))
    for solver in (p2n.FixedPoint(tol=1e-9, max_iterations=5), p2n.Kacanov(tol=1e-12, max_iterations=1)):
        with pytest.warns(UserWarning, match=r"residual .* after \d iterations"):
            module_of(charbonnier(), p2n.Implicit(tau=0.2, solver=solver))(u0)
    strict = p2n.FixedPoint(tol=1e-9, max_iterations=5, on_failure="error")
    with pytest.raises(RuntimeError, match="after 5 iterations"):
        module_of(charbonnier(), p2n.Implicit(tau=2, solver=strict))(u0)


def test_anderson_acceleration_saves_iterations():
    u0 = torch.from_numpy(np.random.default_rng(6).normal(size=(1, 1, 40)))

    def converges(**options):
        solver = p2n.FixedPoint(tol=1e-8, max_iterations=25, **options)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module_of(heat(1), p2n.Implicit(tau=sp.Rational(24, 100), solver=solver))(u0)
        return not caught

    assert converges(anderson=5)
    assert not converges()


def test_images_of_a_batch_do_not_depend_on_each_other():
    rng = np.random.default_rng(7)
    batch = torch.from_numpy(rng.normal(size=(3, 1, 12)) * np.array([1, 10, 0])[:, None, None])
    module = module_of(charbonnier(), p2n.Implicit(tau=5, solver=p2n.Newton(tol=1e-12)))
    alone = torch.cat([module(image[None]) for image in batch])
    torch.testing.assert_close(module(batch), alone, rtol=0, atol=1e-9)


def test_single_precision_reaches_its_accuracy_without_a_warning():
    u0 = torch.from_numpy(np.random.default_rng(8).normal(size=(1, 1, 16, 17))).float()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        v = module_of(charbonnier(2), p2n.Implicit(tau=5, solver=p2n.Kacanov(tol=1e-5))).float()(u0)
    assert v.dtype == torch.float32


def test_schemes_that_do_not_apply_say_so():
    with pytest.raises(p2n.EquationError, match="AOS"):
        p2n.compile(p2n.Problem(equation(-unknown(1).diff(x, 4), 1)), p2n.AOS(tau=1))
    tv = diffusion(lambda s: 1 / sp.sqrt(s), 1)
    with pytest.raises(p2n.EquationError, match="zero gradient"):
        p2n.compile(tv, p2n.Implicit(tau=1), on_unstable="ignore")

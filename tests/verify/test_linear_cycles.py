"""Cycles of linear equations end with the combination that is nearest to the solution: what that keeps."""

import dataclasses

import numpy as np
import pytest
import sympy as sp
import torch
from support import x, y

import pde2net as p2n
from pde2net import Explicit, Multigrid, div, grad, laplacian
from pde2net.graph.interpret import Interpreter

z, t = sp.symbols("z t", real=True)
R, AXES = sp.Rational, (x, y, z)
D, f = sp.Function("D", nonnegative=True), sp.Function("f", real=True)
SIZES = {1: (13,), 2: (7, 6), 3: (4, 5, 3)}
NAMES = ("l2_stability", "energy_decay", "mean_preservation", "bounded_by_data")


def unknown(d):
    return sp.Function("u")(*AXES[:d], t)


def heat(d, **options):
    return p2n.Problem(sp.Eq(unknown(d).diff(t), laplacian(unknown(d))), **options)


def varying(d, **options):
    u, at = unknown(d), AXES[:d]
    return p2n.Problem(sp.Eq(u.diff(t), div(D(*at) * grad(u))), **options)


def reacting(d):
    u, at = unknown(d), AXES[:d]
    return p2n.Problem(sp.Eq(u.diff(t), div(D(*at) * grad(u)) + (f(*at) - u) / 2))


def heat_of(weight=sp.S.Zero, **options):
    """With D and the weight of a damping in [0, 1]."""
    u, at = unknown(2), D(x, y)
    bounds = {a: (0, 1) for a in (at, weight) if a != 0}
    return p2n.Problem(sp.Eq(u.diff(t), div(at * grad(u)) - weight * u), bounds=bounds, **options)


PLATE = p2n.Problem(sp.Eq(unknown(2).diff(t), -laplacian(laplacian(unknown(2)))))
SIDES = heat(2, boundary={x: (p2n.value(1), p2n.flux(R(1, 5))), y: "reflecting"})
TENSOR = p2n.Problem(
    sp.Eq(unknown(2).diff(t), div(sp.Matrix([[2, R(1, 2)], [R(1, 2), 1]]) * sp.Matrix(grad(unknown(2)))))
)
POOR = Multigrid(20, 2, pre=0, post=1, damping=R(19, 10))  # sweeps that enlarge what is rough
CASES = {
    "1D": (heat(1), Multigrid(9, 2)),
    "V": (heat(2), Multigrid(5, 1)),
    "W": (varying(2), Multigrid(50, 2, cycle="W", levels=3)),
    "FMG": (varying(2, boundary="periodic"), Multigrid(50, 1, cycle="FMG")),
    "red-black": (varying(3), Multigrid(5, 2, smoother="red-black")),
    "Chebyshev": (heat(3), Multigrid(5, 1, smoother="chebyshev", post=3)),
    "poor": (varying(2), POOR),
    "open": (varying(2, boundary="dirichlet"), POOR),
    "to a tolerance": (varying(2), Multigrid(5, 2, tol=R(1, 10), cycles=9)),
    "data": (reacting(2), POOR),
    "data in 3D": (reacting(3), Multigrid(1, 3)),
    "fourth order": (PLATE, Multigrid(30, 2)),
    "sides": (SIDES, POOR),
    "tensor": (TENSOR, POOR),
    "channels": (varying(2, channels=3), POOR),
}

COMPILED = ("V", "open", "data in 3D")  # by numba, which takes seconds


@pytest.fixture(scope="module", params=CASES)
def case(request):
    problem, scheme = CASES[request.param]
    network = p2n.compile(problem, scheme, on_unstable="ignore")
    d, channels = len(problem.space), problem.channels
    rng = torch.Generator().manual_seed(0)
    shape = (4, channels, *SIZES[d])
    u = torch.randn(shape, generator=rng, dtype=torch.float64)
    u[1], u[1, ..., 0], u[2] = 0, 1, torch.cumsum(u[2], -1)
    u[3] = 1e-3 * u[3] + 5
    known = {
        str(g.func): torch.rand(shape, generator=rng, dtype=torch.float64) * (3 if str(g.func) == "D" else 1)
        for g in problem.fields
    }
    return problem, network, u, known


def matrix(problem, u, known):
    """-F(v) = B v - s as a matrix and a vector for each image, by explicit steps."""
    step = R(1, 1024)
    explicit = p2n.compile(problem, Explicit(step, 1), on_unstable="ignore").module().double()
    size = u[0].numel()
    found = []
    for k in range(len(u)):
        own = {name: a[k : k + 1] for name, a in known.items()}
        basis = torch.cat((torch.zeros(1, size), torch.eye(size))).double().reshape(-1, *u.shape[1:])
        with torch.no_grad():
            changes = torch.cat(
                [(explicit(v[None], **own) - v[None]).reshape(1, -1) / float(step) for v in basis]
            )
        found.append(((changes[0] - changes[1:]).T.numpy(), changes[0].numpy()))
    return found


def test_each_step_is_a_galerkin_projection(case):
    problem, network, u, known = case
    scheme = dataclasses.replace(network.scheme, steps=1)
    module = p2n.compile(problem, scheme, on_unstable="ignore").module().double()
    systems, tau = matrix(problem, u, known), float(scheme.tau)
    with torch.no_grad():
        for _ in range(3):
            v = module(u, **known)
            for k, (B, s) in enumerate(systems):
                before, after = u[k].flatten().numpy(), v[k].flatten().numpy()
                left = before + tau * s - after - tau * B @ after
                size = np.linalg.norm(before + tau * s) * np.linalg.norm(after)
                assert abs(left @ after) <= 1e-9 * size
                assert abs(left @ before) <= 1e-9 * np.linalg.norm(before + tau * s) * np.linalg.norm(before)
            u = v


def test_what_is_proved_of_it_holds(case):
    problem, network, u, known = case
    proved = {name for name in NAMES if network.certificate.claims[name].status == "proved"}
    source = any(s.any() for _, s in matrix(problem, u[:1], {n: a[:1] for n, a in known.items()}))
    assert "energy_decay" in proved and ("l2_stability" in proved) == (not source)
    assert ("mean_preservation" in proved) == (not source and "dirichlet" not in problem.boundary.values())
    systems = matrix(problem, u, known)
    module = network.module().double()
    with torch.no_grad():
        v = module(u, **known)
    for k, (B, s) in enumerate(systems):
        a, b = (w[k].flatten().numpy() for w in (u, v))
        energies = [w @ B @ w / 2 - s @ w for w in (a, b)]
        assert energies[1] <= energies[0] + 1e-9 * (1 + abs(energies[0]))
        if "l2_stability" in proved:
            assert np.linalg.norm(b) <= np.linalg.norm(a) * (1 + 1e-12)
        if "mean_preservation" in proved:
            means = [w[k].mean(tuple(range(1, u.dim() - 1))) for w in (u, v)]
            torch.testing.assert_close(*means, rtol=1e-12, atol=1e-12)
        if "bounded_by_data" in proved and "f" in known:
            assert np.linalg.norm(b) <= max(np.linalg.norm(a), float(known["f"][k].norm())) * (1 + 1e-12)


def test_interpreter_kernels_and_torch_agree(case):
    problem, network, u, known = case
    with torch.no_grad():
        want = network.module().double()(u, **known)
        if (problem, network.scheme) in [CASES[name] for name in COMPILED]:
            found = network.module(backend="numba").double()(u, **known)
            torch.testing.assert_close(found, want, rtol=1e-9, atol=1e-9)
        single = network.module().float()(u.float(), **{n: a.float() for n, a in known.items()})
    torch.testing.assert_close(single.double(), want, rtol=1e-3, atol=1e-3)
    run = Interpreter(network.graph, dict(problem.parameters))
    for k in range(len(u)):
        image, *fields = (a[k].squeeze(0).numpy() for a in (u, *known.values()))
        found = run(image, dict(zip(known, fields, strict=True)))
        np.testing.assert_allclose(found, want[k].squeeze(0).numpy(), rtol=1e-8, atol=1e-8)


def test_large_and_small_images_and_those_without_a_change():
    module = p2n.compile(varying(2), Multigrid(5, 1)).module()
    u = torch.rand(1, 1, 9, 8)
    for size in (1e-30, 1e-10, 1e18):
        found = module(size * u, D=torch.ones_like(u))
        torch.testing.assert_close(found / size, module(u, D=torch.ones_like(u)), rtol=1e-4, atol=1e-5)
    for still in (torch.full_like(u, 3), torch.zeros_like(u)):
        torch.testing.assert_close(module(still, D=torch.ones_like(u)), still)
    torch.testing.assert_close(module(u, D=torch.zeros_like(u)), u)


def test_derivatives_are_those_of_differences():
    module = p2n.compile(reacting(2), Multigrid(5, 1)).module().double()
    inputs = [torch.rand(1, 1, 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(lambda u, D, f: module(u, D=1 + D, f=f), inputs)


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_derivatives_at_flat_images_are_those_of_cycles(level):
    """Which are those of the solution but for what a cycle leaves; the combination has none there."""
    module = p2n.compile(heat(2), Multigrid(5, 1, cycles=3)).module().double()
    u = torch.full((1, 1, 7, 6), level, dtype=torch.float64, requires_grad=True)
    ((B, _),) = matrix(heat(2), u.detach(), {})
    w = torch.randn(u.shape, dtype=torch.float64)
    (found,) = torch.autograd.grad((module(u) * w).sum(), u)
    want = np.linalg.solve(np.eye(42) + 5 * B, w.flatten().numpy())
    assert np.linalg.norm(found.flatten().numpy() - want) < 0.1 * np.linalg.norm(want)


def others():
    u, c = unknown(2), sp.Function("c", nonnegative=True)(x, y)
    slope = p2n.norm2(grad(u))
    yield "nonlinear", div(grad(u) / (1 + slope))
    yield "not symmetric", (1 + c) * laplacian(u)
    yield "growing", laplacian(u) + u / 9
    yield "reaction", laplacian(u) - u**3
    yield "unknown sign", laplacian(u) - sp.Function("a", real=True)(x, y) * u
    yield "masked", c * (f(x, y) - u) + (1 - c) * laplacian(u)


@pytest.mark.parametrize("name,rhs", list(others()), ids=[n for n, _ in others()])
def test_others_end_as_they_did(name, rhs):
    problem = p2n.Problem(sp.Eq(unknown(2).diff(t), rhs))
    certificate = p2n.verify(problem, Multigrid(1, 1))
    assert not {n for n in NAMES[:3] if str(certificate.claims[n].status).startswith("proved")}
    source = p2n.compile(problem, Multigrid(1, 1), on_unstable="ignore").source()
    assert "nearest" not in source


def test_steady_states_end_as_they_did():
    problem = reacting(2)
    assert "nearest" not in p2n.compile(problem, Multigrid(sp.oo), on_unstable="ignore").source()


def test_a_sign_that_is_a_condition():
    """Without a sign of the diffusivity nothing is proved, although steps end the same way."""
    u, a = unknown(2), sp.Symbol("a", real=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), a * laplacian(u)), parameters={a: -1})
    found = p2n.verify(problem, Multigrid(R(1, 100), 1)).claims
    assert not {n for n in NAMES[:2] if found[n].status == "proved"}


ZERO = {x: p2n.value(0), y: "reflecting"}
STILL = {
    "sides": heat_of(boundary=ZERO),
    "robin": heat_of(boundary={x: p2n.robin(1, 1, 0), y: "reflecting"}),
    "reaction": heat_of(sp.Function("b")(x, y)),
}


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize("scheme", [Multigrid(1, 1), p2n.Implicit(1, 1), p2n.Theta(1, 1)], ids=str)
def test_steps_where_nothing_diffuses(name, scheme):
    """Coarse rows whose weights are all 0 are means with equal weights, not 0/0."""
    problem = STILL[name]
    network = p2n.compile(problem, scheme)
    assert str(network.certificate.claims["l2_stability"].status) == "proved"
    u = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    patch = torch.ones_like(u)
    patch[..., 4:12, 4:12] = 0
    for D in (patch, 0 * patch):
        known = {"D": D, **({"b": patch} if name == "reaction" else {})}
        found = network.module().double()(u, **known)
        assert found.isfinite().all() and found.norm() <= u.norm() * (1 + 1e-12)
        single = network.module()(u.float(), **{n: a.float() for n, a in known.items()})
        torch.testing.assert_close(single.double(), found, rtol=1e-4, atol=1e-4)
        arrays = {n: a[0, 0].numpy() for n, a in known.items()}
        want = Interpreter(network.graph, {})(u[0, 0].numpy(), arrays)
        np.testing.assert_allclose(found[0, 0].numpy(), want, rtol=1e-7, atol=1e-7)


def test_cycles_that_overflow_leave_the_input():
    """Then the nearest combination is a multiple of u."""
    scheme = Multigrid(1000, 1, cycles=400, damping=R(19, 10))
    network = p2n.compile(heat(2), scheme)
    assert network.certificate.claims["l2_stability"].status == "proved"
    u = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    found = network.module().double()(u)
    assert found.isfinite().all() and (found.flatten(1).norm(dim=1) <= u.flatten(1).norm(dim=1)).all()
    assert network.module()(u.float()).isfinite().all()
    want = Interpreter(network.graph, {})(u[0, 0].numpy())
    np.testing.assert_allclose(found[0, 0].numpy(), want, rtol=1e-9)


@pytest.mark.parametrize("scheme", [Multigrid(R(1, 4), 1), p2n.Implicit(R(1, 4), 1)], ids=str)
def test_nothing_without_a_sign_of_the_diffusivity(scheme):
    u, field = unknown(2), sp.Function("D", real=True)(x, y)
    for rhs in (div(field * grad(u)), -laplacian(u), field * laplacian(u)):
        found = p2n.verify(p2n.Problem(sp.Eq(u.diff(t), rhs)), scheme).claims
        assert not {n for n, c in found.items() if str(c.status).startswith("proved")} & {
            *NAMES,
            "consistency",
        }

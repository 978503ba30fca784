"""Values, fluxes and Robin conditions at sides: exact solutions, orders, claims, backends, round trips."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import div, flux, grad, laplacian, norm2, robin, value
from pde2net.graph.interpret import Interpreter
from pde2net.language.text.build import read
from pde2net.verify.certificate import Status

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
one, u = sp.Function("u")(x, t), sp.Function("u")(x, y, t)
f, w = (sp.Function(n)(x, y) for n in "fw")


def steady(rhs: Any, boundary: Any, n: int, unknown: Any, **fields: Any) -> Any:
    """The steady state on cells of the size 1/n in the unit interval or square."""
    space = [a for a in unknown.args if a != t]
    grid = p2n.Grid(spacing=R(1, n), origin=R(1, 2 * n))
    problem = p2n.Problem(sp.Eq(unknown.diff(t), rhs), boundary=boundary)
    scheme = p2n.Implicit(sp.oo, 1, solver=p2n.Newton(tol=1e-11, linear_tol=1e-9))
    module = uncertified(problem, scheme, grid).module().double()
    known = {k: torch.from_numpy(v)[None, None] for k, v in fields.items()}
    start = torch.full((1, 1, *(n,) * len(space)), 0.5, dtype=torch.float64)
    with torch.no_grad():
        return module(start, **known)[0, 0].numpy()


SIDES = [  # with the solution 1 + 2 x, 0 <= x <= 1
    (value(1), value(3)),
    (value(1), flux(2)),
    (flux(-2), value(3)),
    (robin(1, 1, -1), value(3)),
    (value(1), robin(2, 3, 12)),
    (robin(1, 1, -1), robin(1, 1, 5)),
    (robin(0, 1, -2), value(3)),
]


@pytest.mark.parametrize("sides", SIDES, ids=lambda s: "|".join(map(str, s)))
def test_linear_profiles_are_exact(sides: Any) -> None:
    found = steady(one.diff(x, 2), {x: sides}, 12, one)
    np.testing.assert_allclose(found, 1 + 2 * (np.arange(12) + 0.5) / 12, atol=1e-9)


def _source(solution: sp.Expr, g: Any, unknown: Any) -> sp.Expr:
    """What -div(g grad v) is for a solution v."""
    space = [a for a in unknown.args if a != t]
    slopes = [solution.diff(a) for a in space]
    weight = g(sum(s**2 for s in slopes), solution)
    return sp.lambdify(space, -sum((weight * s).diff(a) for s, a in zip(slopes, space, strict=True)))


DIFFUSIVITIES = {
    "linear": lambda s2, v: sp.S.One,
    "of position": lambda s2, v: 1 + x / 2,
    "of slopes": lambda s2, v: 1 / sp.sqrt(1 + s2),
    "of the state": lambda s2, v: 1 + v**2 / 4,
}


@pytest.mark.parametrize("kind", DIFFUSIVITIES)
@pytest.mark.parametrize("end", ["value", "flux", "robin"])
def test_errors_fall_with_the_square_of_the_spacing(kind: str, end: str) -> None:
    """v = sin(2 x + 1/2) + x with a value on one side and each condition on the other."""
    v, g, h = sp.sin(2 * x + R(1, 2)) + x, DIFFUSIVITIES[kind], sp.Function("f")(x)
    last = {
        a: e.subs(x, 1) for a, e in {"v": v, "d": v.diff(x), "q": g(v.diff(x) ** 2, v) * v.diff(x)}.items()
    }
    number = lambda e: sp.Rational(str(sp.N(e, 25)))  # noqa: E731
    other = {
        "value": value(number(last["v"])),
        "flux": flux(number(last["q"])),
        "robin": robin(2, 1, number(2 * last["v"] + last["d"])),
    }[end]
    rhs = div(g(norm2(grad(one)), one) * grad(one)) + h
    errors = []
    for n in (16, 32, 64):
        places = (np.arange(n) + 0.5) / n
        found = steady(rhs, {x: (value(number(v.subs(x, 0))), other)}, n, one, f=_source(v, g, one)(places))
        errors.append(np.abs(found - sp.lambdify(x, v)(places)).max())
    assert errors[-1] < 1e-3 and np.log2(errors[1] / errors[2]) > 1.85, errors


@pytest.mark.parametrize("kind", ["linear", "of slopes"])
def test_sides_of_a_square(kind: str) -> None:
    """Values that vary along sides, a flux and a Robin condition at once."""
    v, g = sp.sin(x + 2 * y) + x * y, DIFFUSIVITIES[kind]
    slopes = v.diff(x) ** 2 + v.diff(y) ** 2
    boundary = {
        x: (value(v.subs(x, 0)), flux((g(slopes, v) * v.diff(x)).subs(x, 1))),
        y: (value(v.subs(y, 0)), value(v.subs(y, 1))),
    }
    rhs = div(g(norm2(grad(u)), u) * grad(u)) + f
    errors = []
    for n in (12, 24):
        places = np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2, indexing="ij")
        found = steady(rhs, boundary, n, u, f=_source(v, g, u)(*places))
        errors.append(np.abs(found - sp.lambdify((x, y), v)(*places)).max())
    rate = np.log2(errors[0] / errors[1])  # forward differences of nonlinear diffusivities are of order 1
    assert rate > (1.7 if kind == "linear" else 0.6), errors


def test_the_mean_changes_by_the_flux() -> None:
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))),
        boundary={x: (flux(2), flux(R(-1, 2))), y: "periodic"},
    )
    network = uncertified(problem, p2n.Explicit(R(1, 8), 5), p2n.Grid(spacing={x: R(1, 2), y: 1}))
    image = torch.rand(2, 1, 8, 6, dtype=torch.float64)
    change = network.module().double()(image).mean((1, 2, 3)) - image.mean((1, 2, 3))
    torch.testing.assert_close(change, torch.full((2,), 5 / 8 * (2 - 0.5) / (8 * 0.5)).double())
    plain = p2n.Problem(problem.equation, boundary={x: flux(0), y: "periodic"})
    assert not plain.sides and plain == p2n.Problem(problem.equation, {x: "reflecting", y: "periodic"})


SCHEMES = [
    p2n.Explicit(R(1, 20), 3),
    p2n.DuFortFrankel(tau=R(1, 20), steps=3, alpha=5),
    p2n.FED(tau=R(1, 50), cycle_length=3),
    p2n.FSI(tau=R(1, 50), cycle_length=3),
    p2n.RKL(order=2, tau=R(1, 30), stages=3, steps=2),
    p2n.Implicit(1, 1),
    p2n.Theta(R(1, 4), 2),
    p2n.AOS(1, 1),
    p2n.Multigrid(1, 1, cycles=4),
]
BOUNDARIES = [
    {x: (value(1), flux(R(1, 3))), y: "reflecting"},
    {x: "periodic", y: (robin(1, 2, w), value(sp.sin(x)))},
    {x: value(0), y: (flux(sp.cos(x)), robin(1, 1, sp.exp(-t)))},
]


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=range(3))
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_modules_compute_what_graphs_say(scheme: Any, boundary: Any) -> None:
    if isinstance(scheme, p2n.AOS) and any(
        e.has(t) for e in p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary).expressions[1:]
    ):
        pytest.skip("coefficients in t")
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / sp.sqrt(1 + norm2(grad(u))))), boundary)
    network = uncertified(problem, scheme)
    image = torch.rand(2, 1, 9, 8, dtype=torch.float64)
    known = {str(g.func): torch.rand(1, 1, 9, 8, dtype=torch.float64) for g in problem.fields}
    found = network.module().double()(image, **known)
    for k in range(2):
        fields = {n: v[0, 0].numpy() for n, v in known.items()}
        want = Interpreter(network.graph)(image[k, 0].numpy(), fields)
        np.testing.assert_allclose(found[k, 0].detach().numpy(), want, rtol=1e-7, atol=1e-9)


CLAIMED = [
    (laplacian(u), {x: (value(1), value(-2)), y: "reflecting"}),
    (laplacian(u), {x: (robin(1, 2, 3), flux(0)), y: value(0)}),
    (div((2 + sp.sin(x)) * grad(u)), {x: "periodic", y: (value(0), robin(3, 1, 2))}),
    (div(grad(u) / sp.sqrt(1 + norm2(grad(u)))), {x: (value(1), value(0)), y: value(R(1, 2))}),
    (laplacian(u) - u, {x: value(0), y: "reflecting"}),
]


@pytest.mark.parametrize("rhs,boundary", CLAIMED, ids=range(len(CLAIMED)))
def test_claims_hold_up_to_their_limits(rhs: Any, boundary: Any) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), boundary=boundary)
    names = ("nonexpansive", "maximum_principle", "l2_stability")
    tau = sp.Symbol("tau", positive=True)
    limits = {
        n: c.limit
        for n, c in p2n.verify(problem, p2n.Explicit(tau, 1)).claims.items()
        if n in names and c.limit is not None
    }
    assert limits
    rng = torch.Generator().manual_seed(0)
    at = [e.c / e.a for pair in problem.sides.values() for e in pair if e is not None]
    for name, limit in limits.items():
        certificate = p2n.verify(problem, p2n.Explicit(limit, 1))
        assert certificate.claims[name].status == "proved"
        module = uncertified(problem, p2n.Explicit(limit, 1)).module().double()
        board = torch.from_numpy((-1.0) ** np.indices((1, 1, 5, 6)).sum(0))
        for k in range(40):
            v = torch.randn(1, 1, 5, 6, dtype=torch.float64, generator=rng) if k else board
            z = board * 10.0 ** (k % 3 - 1)
            new, moved = module(v), module(v + z)
            if name == "nonexpansive":
                assert (moved - new).norm() <= z.norm() * (1 + 1e-12)
            elif name == "l2_stability":
                assert new.norm() <= v.norm() * (1 + 1e-12)
            else:
                values = [float(e) for e in at if not e.free_symbols] + ([0.0] if rhs.has(u) else [])
                assert new.min() >= min(float(v.min()), *values) - 1e-12
                assert new.max() <= max(float(v.max()), *values) + 1e-12
    for scheme in (p2n.Explicit(min(limits.values()), 2), p2n.Implicit(1, 1)):
        made = p2n.verify(problem, scheme)
        p2n.recheck(made.to_json())
        forged = json.loads(made.to_json())
        axis = next(iter(forged["declaration"]["sides"]))
        forged["declaration"]["sides"][axis] = [["-5", "1", "7", False], None]
        with pytest.raises(p2n.RecheckError):
            p2n.recheck(json.dumps(forged))


def test_sides_that_pull_to_nothing() -> None:
    """a u + du/dn = 1 is a flux where a = 0: the range of results includes no 1/a."""
    n, q, k = sp.Symbol("n", nonnegative=True), sp.Symbol("q", real=True), sp.Symbol("k", positive=True)
    for a, values, status in (
        (n, {n: 0}, "unknown"),
        (q**2, {q: 0}, "unknown"),
        (n, {}, "unknown"),
        (k, {}, "proved"),
    ):
        sides = {x: (robin(a, 1, 1), flux(0)), y: "reflecting"}
        problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), sides, parameters=values)
        made = p2n.verify(problem, p2n.Explicit(R(1, 8), 1))
        assert made.claims["maximum_principle"].status == status, a
    timed = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + (1 - n * u) * sp.exp(-t)), parameters={n: 0})
    assert p2n.verify(timed, p2n.Explicit(R(1, 8), 1)).claims["maximum_principle"].status == "unknown"


@pytest.mark.parametrize(
    "a,values",
    [
        (-2, {}),
        (-3, {}),
        (sp.Symbol("k", positive=True) * -1, {"k": 2}),
        (sp.Symbol("q", real=True), {"q": -2}),
    ],
)
def test_cells_that_are_too_large(a: Any, values: Any) -> None:
    problem = p2n.Problem(
        sp.Eq(u.diff(t), laplacian(u)), {x: (robin(a, 1, 0), flux(0)), y: "reflecting"}, parameters=values
    )
    with pytest.raises(p2n.DeclarationError, match="smaller cells"):
        p2n.verify(problem, p2n.Explicit(R(1, 20), 1))
    p2n.verify(problem, p2n.Explicit(R(1, 400), 1), p2n.Grid(spacing=R(1, 4)))


k = sp.Symbol("k", positive=True)
GENUINE = [  # side by side with other reactions, parameters, times
    (laplacian(u) + f - u, {x: (flux(1), flux(0)), y: "reflecting"}, "proved"),
    (laplacian(u) + w * (f - u), {x: (value(1), flux(0)), y: "reflecting"}, "proved"),
    (laplacian(u) + f - u, {x: (value(1), flux(2)), y: value(0)}, "unknown"),
    (
        sp.exp(-t) * laplacian(u),
        {x: (value(k * sp.sin(t)), flux(0)), y: "reflecting"},
        "unknown",
    ),
    (laplacian(u), {x: (robin(k, 1, 1), flux(0)), y: "reflecting"}, "proved"),
]


@pytest.mark.parametrize(
    "scheme", [p2n.Explicit(R(1, 40), 2), p2n.Theta(R(1, 40), 2), p2n.AOS(1, 1)], ids=lambda s: s.label
)
@pytest.mark.parametrize("rhs,boundary,status", GENUINE, ids=range(len(GENUINE)))
def test_genuine_certificates_are_accepted(rhs: Any, boundary: Any, status: str, scheme: Any) -> None:
    made = sp.Eq(u.diff(t), rhs)
    sides = p2n.Problem(made, boundary).expressions[1:]
    known = {s: 2 for e in sides for s in e.free_symbols if s.name == "k"}
    problem = p2n.Problem(made, boundary, parameters=known, bounds={w: (0, 1)} if rhs.has(w) else None)
    try:
        certificate = p2n.verify(problem, scheme)
    except p2n.Pde2NetError as error:
        pytest.skip(str(error))
    if isinstance(scheme, p2n.Explicit):
        assert certificate.claims["maximum_principle"].status == status
    p2n.recheck(certificate.to_json())


def test_energies_have_no_part_on_the_border() -> None:
    equation = sp.Eq(u.diff(t), laplacian(u))
    assert p2n.Problem(equation, {x: value(1), y: "reflecting"}).energy is not None
    for side in (flux(1), robin(1, 1, 0)):
        assert p2n.Problem(equation, {x: side, y: "reflecting"}).energy is None


def test_consistency_is_that_of_inner_cells() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary={x: value(1), y: "reflecting"})
    plain = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)))
    found, want = (p2n.verify(p, p2n.Explicit(R(1, 10), 2)).claims["consistency"] for p in (problem, plain))
    assert (found.status, found.reason) == (want.status, want.reason)


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=range(3))
def test_round_trips(boundary: Any) -> None:
    a = sp.Symbol("a", positive=True)
    for sides in (boundary, {x: robin(a, 1, a * w), y: "reflecting"}):
        problem = p2n.Problem(
            sp.Eq(u.diff(t), laplacian(u)), sides, parameters={a: 2} if sides is not boundary else None
        )
        assert pickle.loads(pickle.dumps(problem)) == problem
        assert read(problem.to_text(), "a")[0] == problem
        made = p2n.verify(problem, p2n.Explicit(R(1, 20), 2))
        assert p2n.Certificate.from_json(made.to_json()).declaration.problem == problem
        assert str(next(iter(problem.sides.values()))[-1]) in made.declaration.to_text().replace("^", "**")
    assert read("unknown u(x, t)\nequation u_t = div(grad u)\nboundary x: value 1 | flux 1/3\n", "a")[0].sides


BAD = [
    ({x: (value(1), "periodic"), y: "reflecting"}, "both sides"),
    ({x: (value(1), "dirichlet"), y: "reflecting"}, "both sides"),
    ({x: (value(1), flux(0), flux(1)), y: "reflecting"}, "two sides"),
    ({x: value(u), y: "reflecting"}, "known fields"),
    ({x: value(x), y: "reflecting"}, "varies along"),
    ({x: value(f.diff(x)), y: "reflecting"}, "varies along|known fields"),
    ({x: "neumann", y: value(1)}, '"reflecting" here'),
    ({x: value(1)}, "no entry for the axis"),
]


@pytest.mark.parametrize("boundary,said", BAD, ids=range(len(BAD)))
def test_conditions_that_are_none(boundary: Any, said: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=said):
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary=boundary)


def test_numbers_that_are_none() -> None:
    for make in (
        lambda: value("a b"),
        lambda: flux(sp.oo),
        lambda: robin(1, sp.nan, 0),
        lambda: robin(0, 0, 1),
    ):
        with pytest.raises((p2n.DeclarationError, p2n.Pde2NetError)):
            make()


K = p2n.LinearOperator("K", 2, 3)
UNDERIVED = [
    (-laplacian(laplacian(u)), {}, "second one is missing"),
    (-K.adjoint(K(u)), {}, "learned"),
    (laplacian(u), {"gradient": "central"}, "half-points"),
    (laplacian(u), {"order": 4}, "half-points"),
    (div(p2n.tensor(grad(p2n.smooth(u, 1)), 1, 2) * grad(u)), {}, "tensors"),
    (u, {}, "diffusion"),
    (div(grad(u) / (1 + norm2(grad(u)))), {"gradient": "staggered"}, "forward"),
]


@pytest.mark.parametrize("rhs,grid,said", UNDERIVED, ids=range(len(UNDERIVED)))
def test_what_is_not_derived_says_so(rhs: Any, grid: Any, said: str) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), boundary={x: value(1), y: "reflecting"})
    with pytest.raises(p2n.Pde2NetError, match=said):
        p2n.verify(problem, p2n.Explicit(R(1, 100), 1), p2n.Grid(**grid))


def test_channels_systems_and_blocks() -> None:
    sides = {x: (value(1), flux(R(1, 2))), y: value(0)}
    colours = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), sides, channels=3)
    single = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), sides)
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    several, alone = (uncertified(p, p2n.Explicit(R(1, 10), 2)) for p in (colours, single))
    each = alone.module().double()(image.transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(several.module().double()(image), each)
    v = sp.Function("v")(x, y, t)
    system = p2n.Problem([sp.Eq(u.diff(t), laplacian(u)), sp.Eq(v.diff(t), laplacian(v) + u)], sides)
    both = uncertified(system, p2n.Explicit(R(1, 10), 2)).module().double()(image[:, :2])
    torch.testing.assert_close(both[:, :1], each[:, :1])
    coupled = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), sides, channels=3)
    with pytest.raises(p2n.DeclarationError, match="one channel"):
        p2n.compile(coupled, p2n.Explicit(R(1, 10), 2))


IN_BLOCKS = [
    (laplacian(u), {x: (value(1), flux(2)), y: (robin(1, 2, 3), "reflecting")}),
    (
        div(grad(u) / (1 + norm2(grad(u)))),
        {x: (value(sp.sin(y)), value(w)), y: (flux(x), flux(sp.exp(-t) * x))},
    ),
    (u.diff(x, 2) + f - u, {x: "reflecting", y: (flux(1), flux(2))}),
    (div((1 + x * y) * grad(u)), {x: (robin(1, 1, y), value(2)), y: "periodic"}),
]


@pytest.mark.parametrize(("rhs", "sides"), IN_BLOCKS)
@pytest.mark.parametrize("scheme", [p2n.Explicit(R(1, 50), 3), p2n.FED(R(1, 50), cycle_length=3)])
def test_blocks_have_the_sides_of_the_image(rhs: Any, sides: Any, scheme: Any) -> None:
    """Only blocks at a side have its condition, in all cuts of an image."""
    da = pytest.importorskip("dask.array")
    network = uncertified(p2n.Problem(sp.Eq(u.diff(t), rhs), sides), scheme)
    rng = np.random.default_rng(0)
    image = rng.random((40, 33))
    known = {str(a.func): rng.random(image.shape) for a in network.semidiscrete.form.problem.fields}
    given = {name: torch.from_numpy(a)[None, None] for name, a in known.items()}
    with torch.no_grad():
        whole = network.module().double()(torch.from_numpy(image)[None, None], **given)[0, 0].numpy()
    for chunks in ((13, 11), (5, 33), (40, 4), (1, 33)):
        if sides[y] == "periodic" and chunks[1] < 33:
            continue  # which has to be one block, as the equation contains y
        parts = {name: da.from_array(a, chunks=chunks) for name, a in known.items()}
        found = network.map_blocks(da.from_array(image, chunks=chunks), backend="torch", **parts)
        np.testing.assert_allclose(found.compute(), whole, rtol=1e-12)


@pytest.mark.parametrize(
    "rhs", [div(grad(u) / sp.sqrt(1 + norm2(grad(u)))) + f - u, laplacian(u) - sp.tanh(u) + f - u]
)
def test_steady_states_of_convex_energies_are_unique(rhs: Any) -> None:
    """Sides pull or feed; the slope of -F is at least that of the reaction. Two starts end at one state."""
    sides = {x: (value(1), flux(2)), y: (robin(1, 1, 2), "reflecting")}
    made = p2n.Problem(sp.Eq(u.diff(t), rhs), sides)
    scheme = p2n.Implicit(sp.oo, 1, solver=p2n.Newton(tol=1e-10, linear_tol=1e-9))
    network = p2n.compile(made, scheme)
    claim = network.certificate.claims["well_posed"]
    assert claim.status == Status.PROVED and "tau" not in claim.reason
    assert "for every tau" not in network.source()
    p2n.recheck(network.certificate.to_json())
    data = torch.from_numpy(np.random.default_rng(1).random((1, 1, 6, 5)))
    with torch.no_grad():
        ends = [network.module().double()(start * torch.ones_like(data), f=data) for start in (-3.0, 5.0)]
    torch.testing.assert_close(*ends, rtol=1e-7, atol=1e-7)

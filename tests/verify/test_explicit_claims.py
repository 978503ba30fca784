"""Claims about explicit networks: thresholds from both sides, and attacks on everything proved."""

import functools
import re
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from support import (
    AXES,
    along,
    attacks,
    certified,
    claims_of,
    dense,
    diffusion,
    equation,
    h,
    lam,
    network_of,
    tau,
    unknown,
    x,
    y,
    z,
)

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter

BOUNDARIES = ["reflecting", "periodic", "dirichlet"]
u1, u2, u3 = unknown(1), unknown(2), unknown(3)
D = sp.Derivative

# -- thresholds ---------------------------------------------------------------------------------

# ||K||^2 per axis for h = 1 (docs: table of norms).
NORMS = {
    ("forward", 2): 4,
    ("staggered", 2): 4,
    ("central", 2): 1,
    ("forward", 4): sp.Rational(49, 9),
}
LIMITED = {
    # name: right-hand side in dimension d, sup g, parameters
    "heat": (lambda u: laplacian(u), 1, {}),
    "scaled heat": (lambda u: 3 * laplacian(u), 3, {}),
    "perona-malik": (lambda u: div(grad(u) / (1 + norm2(grad(u)) / lam**2)), 1, {lam: 0.3}),
    "charbonnier": (lambda u: div(grad(u) / sp.sqrt(1 + norm2(grad(u)) / lam**2)), 1, {lam: 0.3}),
    "regularised tv": (
        lambda u: div(grad(u) / sp.sqrt(norm2(grad(u)) + lam**2)),
        1 / lam,
        {lam: 0.3},
    ),
    "exponential": (lambda u: div(grad(u) * sp.exp(-norm2(grad(u)))), 1, {}),
    "weickert": (
        lambda u: div(diffusivities.weickert(norm2(grad(u)), lam) * grad(u)),
        1,
        {lam: 0.3},
    ),
    "rising": (lambda u: div((1 + 2 * norm2(grad(u))) / (1 + norm2(grad(u))) * grad(u)), 2, {}),
    "of u": (lambda u: div(grad(u) / (1 + u**2)), 1, {}),
    "two terms": (lambda u: laplacian(u) + div(grad(u) / (1 + norm2(grad(u)))), 2, {}),
    "damped": (lambda u: laplacian(u) - 2 * u, 1, {}),
}
THRESHOLDS = [
    *((name, 1, "reflecting", "forward", 2) for name in LIMITED),
    *((name, 1, b, "forward", 2) for name in ("heat", "perona-malik", "damped") for b in BOUNDARIES[1:]),
    *((name, 2, b, "forward", 2) for name in ("heat", "perona-malik", "damped") for b in BOUNDARIES),
    *((name, 3, b, "forward", 2) for name in ("heat", "charbonnier") for b in BOUNDARIES[::2]),
    *(
        (name, d, b, gradient, 2)
        for name, d, kinds in (("heat", 1, BOUNDARIES), ("perona-malik", 2, BOUNDARIES[::2]))
        for b in kinds
        for gradient in ("central", "staggered")
    ),
    *(("perona-malik", d, b, "forward", 4) for d, b in zip((1, 2, 1), BOUNDARIES, strict=True)),
]


def grows(run, shape, amplitudes=(1e-6, 1e-2, 1.0, 30.0, 1e6)):
    """The largest ratio of norms over all attacks."""
    ratios = []
    for u0 in attacks(shape):
        for a in amplitudes:
            ratios.append(np.linalg.norm(run(a * u0)) / np.linalg.norm(a * u0))
    return max(ratios)


@pytest.mark.parametrize("name,dim,boundary,gradient,order", THRESHOLDS)
def test_l2_threshold_from_both_sides(name, dim, boundary, gradient, order):
    build, supremum, values = LIMITED[name]
    problem = p2n.Problem(equation(build(unknown(dim)), dim), boundary=boundary, parameters=values)
    spacing = sp.Rational(3, 2)
    grid = p2n.Grid(spacing=spacing, gradient=gradient, order=order)
    damping = 2 if name == "damped" else 0
    limit = sp.sympify(2 / (supremum * dim * NORMS[gradient, order] / spacing**2 + damping)).subs(
        {k: sp.Rational(str(v)) for k, v in values.items()}
    )

    below = certified(problem, limit, 2, grid)
    claim = below.certificate.claims["l2_stability"]
    assert claim.status == "proved" and sp.simplify(claim.limit - limit) == 0
    assert grows(Interpreter(below.graph), {1: (16,), 2: (8, 7), 3: (6, 5, 6)}[dim]) <= 1 + 1e-12

    above = certified(problem, limit * sp.Rational(102, 100), 2, grid)
    claim = above.certificate.claims["l2_stability"]
    assert claim.status == "refuted" and not above.certificate.stable
    u0 = np.asarray(claim.witness["u0"])
    ratio = np.linalg.norm(Interpreter(above.graph)(u0)) / np.linalg.norm(u0)
    assert ratio > 1 and 0 < claim.witness["excess"] <= (ratio - 1) * (1 + 1e-9)


@pytest.mark.parametrize(
    "dim,factor,boundary",
    [
        (1, 8, "reflecting"),
        (1, 8, "dirichlet"),
        (2, 32, "periodic"),
        (2, 32, "dirichlet"),
        (3, 72, "reflecting"),
    ],
)
def test_fourth_order_threshold_from_both_sides(dim, factor, boundary):
    """h^4/8 in 1D, h^4/32 in 2D, h^4/72 in 3D, for the biharmonic and the You-Kaveh equation."""
    u = unknown(dim)
    v = laplacian(u)
    for rhs in (-laplacian(v), -laplacian(v / (1 + v**2))):
        problem = p2n.Problem(equation(rhs, dim), boundary=boundary)
        limit = sp.Rational(1, 16 * factor)
        grid = p2n.Grid(spacing=sp.Rational(1, 2))
        assert claims_of(problem, tau, p2n.Grid(spacing=h))["l2_stability"].limit == h**4 / factor
        below = certified(problem, limit * sp.Rational(999, 1000), 3, grid)
        assert below.certificate.stable
        assert grows(Interpreter(below.graph), (9, 6, 5)[:dim]) <= 1 + 1e-12
        claim = claims_of(problem, limit * sp.Rational(105, 100), grid)["l2_stability"]
        assert claim.status == "refuted" and claim.witness is not None


@pytest.mark.parametrize("steps", [(1, 2), (sp.Rational(1, 2), 3), (2, 2)])
def test_unequal_spacing(steps):
    """1/(2 sum 1/h_i^2) for the l2 norm."""
    problem = diffusion(lambda s: 1 / (1 + s), 2)
    grid = p2n.Grid(spacing=dict(zip((x, y), steps, strict=True)))
    want = 1 / (2 * sum(1 / sp.sympify(s) ** 2 for s in steps))
    claims = claims_of(problem, tau, grid)
    assert claims["l2_stability"].limit == want == claims["maximum_principle"].limit
    assert claims_of(problem, want, grid)["l2_stability"].status == "proved"
    assert claims_of(problem, want * sp.Rational(105, 100), grid)["l2_stability"].status == "refuted"


@pytest.mark.parametrize(
    "build,boundary,tau_",
    [
        (lambda u: laplacian(u), "reflecting", 0.51),
        (lambda u: -laplacian(u), "periodic", 0.1),
        (lambda u: -laplacian(laplacian(u)), "dirichlet", 0.14),
        (
            lambda u: div((2 * sp.exp(-norm2(grad(u))) - sp.exp(-norm2(grad(u)) / 16)) * grad(u)),
            "reflecting",
            0.1,
        ),
        (lambda u: div(grad(u) / sp.sqrt(norm2(grad(u)) + sp.Rational(1, 100))), "dirichlet", 0.06),
        (lambda u: laplacian(u) - 2 * u, "reflecting", 0.4),
    ],
)
@pytest.mark.parametrize("steps", [1, 4])
def test_witnesses_replay_on_the_torch_module(build, boundary, tau_, steps):
    import torch

    problem = p2n.Problem(equation(build(u1), 1), boundary=boundary)
    network = certified(problem, tau_, steps)
    claim = network.certificate.claims["l2_stability"]
    assert claim.status == "refuted"
    u0 = torch.tensor(claim.witness["u0"], dtype=torch.float64)
    out = network.module().double()(u0.reshape(1, 1, *u0.shape))
    ratio = float(out.norm() / u0.norm())
    assert ratio > 1 and 0 < claim.witness["excess"] <= (ratio - 1) * (1 + 1e-9)


def test_nonexpansive_witness_replays_on_the_torch_module():
    import torch

    network = certified(diffusion(lambda s: 1 / (1 + s / lam**2), 2, parameters={lam: 0.5}), 0.25)
    claim = network.certificate.claims["nonexpansive"]
    assert claim.status == "refuted" and network.certificate.stable
    u0, v0 = (torch.tensor(claim.witness[k], dtype=torch.float64)[None, None] for k in ("u0", "v0"))
    module = network.module().double()
    assert (module(u0) - module(v0)).norm() > (u0 - v0).norm()


# -- what must not be proved --------------------------------------------------------------------

f2, c2 = sp.Function("f")(x, y), sp.Function("c")(x, y)
HOPELESS = {
    "backward heat": -laplacian(u2),
    "half backward": u2.diff(x, 2) - u2.diff(y, 2),
    "forward and backward": div((2 * sp.exp(-norm2(grad(u2))) - sp.exp(-norm2(grad(u2)) / 16)) * grad(u2)),
    "total variation": div(grad(u2) / sp.sqrt(norm2(grad(u2)))),
    "superdiffusion": div((1 + norm2(grad(u2))) * grad(u2)),
    "backward fourth order": laplacian(laplacian(u2)),
    "indefinite quartic": -u2.diff(x, 2, y, 2),
    "Swift-Hohenberg": -laplacian(laplacian(u2)) - 2 * laplacian(u2) - u2,
    "porous medium": laplacian(u2**2),
    "coefficient of any sign": div(c2 * grad(u2)),
    "prefactor of any sign": c2 * laplacian(u2),
    "coefficient x": div((1 + x) * grad(u2)),
    "growth": laplacian(u2) + u2,
    "bistable": laplacian(u2) + u2 - u2**3,
    "cubic damping": laplacian(u2) - u2**3,
    "source": laplacian(u2) + 1,
    "fidelity": laplacian(u2) + f2 - u2,
    "parameter of no sign": sp.Symbol("k", real=True) * laplacian(u2),
}


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("boundary", BOUNDARIES[::2])
def test_what_is_false_or_open_is_never_proved(name, boundary):
    claim = claims_of(p2n.Problem(equation(HOPELESS[name], 2), boundary=boundary), sp.Rational(1, 1000))[
        "l2_stability"
    ]
    assert claim.status not in ("proved", "proved if", "linearised"), claim
    assert claim.reason
    if claim.status == "refuted":
        assert claim.witness is not None


REFUTABLE = [
    "backward heat",
    "half backward",
    "forward and backward",
    "backward fourth order",
    "superdiffusion",
]


@pytest.mark.parametrize("name", REFUTABLE)
def test_backward_diffusion_is_refuted_with_a_witness(name):
    claim = claims_of(p2n.Problem(equation(HOPELESS[name], 2)), sp.Rational(1, 10))["l2_stability"]
    assert claim.status == "refuted" and claim.witness["excess"] > 0


def test_refused_steps_name_the_limit_and_the_way_out():
    problem = p2n.Problem(equation(laplacian(u2), 2))
    with pytest.raises(p2n.StabilityError, match=r"1/4.*on_unstable"):
        p2n.compile(problem, p2n.Explicit(tau=0.3))
    with pytest.warns(p2n.StabilityWarning, match="1/4") as caught:
        network = p2n.compile(problem, p2n.Explicit(tau=0.3), on_unstable="warn")
    assert len(caught) == 1 and not network.certificate.stable


# -- attacks ------------------------------------------------------------------------------------

f1 = sp.Function("f")(x)
Y = lambda u: laplacian(u)  # noqa: E731  a formula
PROVABLE = {
    1: {
        "heat": laplacian(u1),
        "perona-malik": div(grad(u1) / (1 + norm2(grad(u1)))),
        "charbonnier": div(grad(u1) / sp.sqrt(1 + norm2(grad(u1)))),
        "exponential": div(sp.exp(-norm2(grad(u1))) * grad(u1)),
        "tv": div(grad(u1) / sp.sqrt(norm2(grad(u1)) + sp.Rational(1, 100))),
        "weickert": div(diffusivities.weickert(norm2(grad(u1)), sp.Rational(1, 2)) * grad(u1)),
        "interior maximum": div(norm2(grad(u1)) * sp.exp(-norm2(grad(u1))) * grad(u1)),
        "hump": div(2 * norm2(grad(u1)) / (1 + norm2(grad(u1)) ** 2) * grad(u1)),
        "rising": div((1 + 2 * norm2(grad(u1))) / (1 + norm2(grad(u1))) * grad(u1)),
        "of u": div(grad(u1) / (1 + u1**2)),
        "of u and slope": div(grad(u1) / (1 + u1**2) / (1 + norm2(grad(u1)))),
        "of position": div(grad(u1) / (1 + x**2)),
        "of a field": div(grad(u1) / (1 + f1**2)),
        "guided": div(grad(u1) / (1 + norm2(grad(f1)))),
        "biharmonic": -laplacian(laplacian(u1)),
        "you-kaveh": -laplacian(Y(u1) / (1 + Y(u1) ** 2)),
        "mixed orders": laplacian(u1) - laplacian(laplacian(u1)),
        "two diffusions": laplacian(u1) + div(grad(u1) / (1 + norm2(grad(u1)))),
        "no diffusion": -u1,
        "damped": laplacian(u1) - 2 * u1,
        "damped, nonlinear": laplacian(u1) - u1 / (1 + u1**2),
        "damped, gaussian": div(grad(u1) / (1 + norm2(grad(u1)))) - u1 * sp.exp(-(u1**2)),
        "damped, exponential": laplacian(u1) - 3 * u1 * sp.exp(-u1),
        "fidelity": laplacian(u1) + 2 * (f1 - u1),
        "damped by a field": laplacian(u1) - u1 / (1 + f1**2),
        "growth": laplacian(u1) + u1 / 2,
        "bistable": laplacian(u1) + u1 - u1**3,
        "source": laplacian(u1) + 1,
        "source field": laplacian(u1) + f1,
        "masked": sp.exp(-(f1**2)) * laplacian(u1),
    },
    2: {
        "heat": laplacian(u2),
        "anisotropic heat": 3 * u2.diff(x, 2) + u2.diff(y, 2) / 2,
        "one axis": u2.diff(y, 2),
        "perona-malik": div(grad(u2) / (1 + norm2(grad(u2)))),
        "axis by axis": D(D(u2, x) / (1 + D(u2, x) ** 2), x) + D(D(u2, y) / sp.sqrt(1 + D(u2, y) ** 2), y),
        "unequal weights": div(sp.Matrix([3 * u2.diff(x), u2.diff(y)]) / (1 + norm2(grad(u2)))),
        "unfed slope": D(u2.diff(x) / (1 + norm2(grad(u2))), x),
        "weighted norm": div(grad(u2) / (1 + u2.diff(x) ** 2 + 4 * u2.diff(y) ** 2)),
        "of u": div(grad(u2) / (1 + u2**2)),
        "of position": div(grad(u2) / (1 + x**2 + y**2)),
        "guided": div(grad(u2) / (1 + norm2(grad(f2)))),
        "biharmonic": -laplacian(laplacian(u2)),
        "you-kaveh": -laplacian(Y(u2) / (1 + Y(u2) ** 2)),
        "pure fourth": -(u2.diff(x, 4) + u2.diff(y, 4)),
        "difference operator": -(u2.diff(x, 4) - 2 * u2.diff(x, 2, y, 2) + u2.diff(y, 4)),
        "mixed orders": laplacian(u2) - laplacian(laplacian(u2)) / 3,
        "fidelity": div(grad(u2) / (1 + norm2(grad(u2)))) + 2 * (f2 - u2),
        "damped": laplacian(u2) - u2,
    },
    3: {"heat": laplacian(u3), "perona-malik": div(grad(u3) / (1 + norm2(grad(u3))))},
}
SPACINGS = [sp.Integer(1), sp.Rational(1, 2), sp.Integer(2), sp.Rational(3, 10)]


@functools.cache
def built(dim, name, boundary, gradient, order, spacing, fraction, steps):
    """A network whose step is a fraction of the limit for g = 1; the certificate says what it proves."""
    u, rhs = unknown(dim), PROVABLE[dim][name]
    problem = p2n.Problem(equation(rhs, dim), boundary=dict(zip(AXES, boundary, strict=False)))
    grid = p2n.Grid(spacing=dict(zip(AXES, spacing, strict=False)), gradient=gradient, order=order)
    gradient_norm = sum(4 / step**2 for step in spacing)
    fourth = any(d.derivative_count == 4 for d in rhs.atoms(D)) or rhs.has(laplacian(u) ** 2)
    limit = 2 / (gradient_norm**2 if fourth else gradient_norm)
    return certified(problem, fraction * limit, steps, grid), float(fraction * limit)


@st.composite
def situations(draw, dim, name):
    boundary = tuple(draw(st.sampled_from(BOUNDARIES)) for _ in range(dim))
    return (
        dim,
        name,
        boundary if draw(st.booleans()) else boundary[:1] * dim,
        draw(st.sampled_from(["forward", "forward", "central", "staggered"])),
        draw(st.sampled_from([2, 2, 2, 4])),
        tuple(draw(st.sampled_from(SPACINGS)) for _ in range(dim)),
        draw(st.sampled_from([sp.Integer(1), sp.Rational(1, 2), sp.Rational(3, 4), sp.Rational(1, 10)])),
        draw(st.sampled_from([1, 1, 2, 5])),
    )


def bounds_of(claim, u0, fields):
    """The range that a maximum principle speaks of: that of u0, and what its assumptions add."""
    included = " ".join(re.findall(r"the range includes ([^;\]]*)", " ".join(claim.assumptions)))
    values = [u0.ravel()]
    if included.split(" ")[-1] == "0":
        values.append(np.zeros(1))
    if "values of f" in included:
        values.append(fields["f"].ravel())
    joined = np.concatenate(values)
    return joined.min(), joined.max()


NAMES = [(dim, name) for dim, table in PROVABLE.items() for name in table]


@pytest.mark.parametrize("dim,name", NAMES)
@settings(max_examples=2, report_multiple_bugs=False)
@given(data=st.data())
def test_no_attack_breaks_a_proved_claim(dim, name, data):
    situation = data.draw(situations(dim, name))
    network, step = built(*situation)
    seed = data.draw(st.integers(0, 2**20))
    for amplitude in (1e-6, 0.3, 30.0):
        attack(network, step, dim, situation[4], seed, amplitude)


def attack(network, step, dim, order, seed, amplitude):
    """Every proved claim of a network, on inputs that are hard to survive."""
    claims = {k: c for k, c in network.certificate.claims.items() if c.status == "proved"}
    run = Interpreter(network.graph)
    rng = np.random.default_rng(seed)
    low = 5 if order == 4 else 3
    shape = tuple(int(rng.integers(low, (17, 9, 7)[dim - 1])) for _ in range(dim))
    names = [str(f.func) for f in network.semidiscrete.form.problem.fields]
    steps = network.scheme.steps
    with np.errstate(all="ignore"):
        for u0 in attacks(shape, seed):
            u0 = amplitude * u0 + (rng.normal() if rng.random() < 0.3 else 0)
            if not u0.any():
                continue
            fields = {n: rng.normal(size=shape) * rng.choice([1e-3, 1.0, amplitude]) for n in names}
            u1 = run(u0, fields)
            size = abs(u0).max() + max([abs(v).max() for v in fields.values()], default=0)
            if "l2_stability" in claims:
                assert np.linalg.norm(u1) <= np.linalg.norm(u0) * (1 + 1e-12)
            if "maximum_principle" in claims:
                lowest, highest = bounds_of(claims["maximum_principle"], u0, fields)
                assert u1.min() >= lowest - 1e-12 * size and u1.max() <= highest + 1e-12 * size
            if "mean_preservation" in claims:
                assert abs(u1.mean() - u0.mean()) <= 1e-12 * size
            closeness = rng.choice([1e-5, 1e-2, 1.0])
            v0 = u0 + closeness * amplitude * rng.normal(size=shape)
            if rng.random() < 0.5:
                v0 = (1 + closeness) * u0
            apart, after = np.linalg.norm(u0 - v0), np.linalg.norm(u1 - run(v0, fields))
            slack = 1e-9 * apart + 1e-13 * (np.linalg.norm(u0) + np.linalg.norm(u1) + size)
            if "nonexpansive" in claims:
                assert after <= apart + slack
            if "well_posed" in claims:
                factor = float(claims["well_posed"].factor) ** steps
                assert after <= factor * (apart + slack)


ENERGIES = {
    # g(s2) and its penaliser Psi(s2) with Psi' = g
    "linear": (lambda s: 1 + 0 * s, lambda s: s),
    "perona-malik": (lambda s: 1 / (1 + s), lambda s: np.log1p(s)),
    "charbonnier": (lambda s: 1 / sp.sqrt(1 + s), lambda s: 2 * (np.sqrt(1 + s) - 1)),
    "exponential": (lambda s: sp.exp(-s / 2), lambda s: 2 * (1 - np.exp(-s / 2))),
    "tv": (lambda s: 1 / sp.sqrt(s + sp.Rational(1, 4)), lambda s: 2 * (np.sqrt(s + 0.25) - 0.5)),
}


@pytest.mark.parametrize("name", ENERGIES)
@pytest.mark.parametrize("gradient,beta", [("forward", 0), ("forward", 2), ("central", 2)])
@pytest.mark.parametrize("boundary", BOUNDARIES[::2])
def test_energy_decays_up_to_the_proved_limit(name, gradient, beta, boundary):
    """E(u) = 1/2 sum Psi(|K u|^2) + beta/2 |u|^2, with K from index arithmetic."""
    g, penaliser = ENERGIES[name]
    problem = p2n.Problem(equation(div(g(norm2(grad(u2))) * grad(u2)) - beta * u2, 2), boundary=boundary)
    grid = p2n.Grid(spacing={x: 1, y: sp.Rational(3, 2)}, gradient=gradient)
    limit = claims_of(problem, tau, grid)["energy_decay"].limit
    network = certified(problem, limit, 1, grid)
    assert network.certificate.claims["energy_decay"].status == "proved"
    shape, margin = (7, 8), 3 if boundary == "dirichlet" else 0
    kind = "periodic" if margin else boundary
    half = gradient == "forward"
    K = [dense(n + 2 * margin, kind, 1, 2, half, s) for n, s in zip(shape, (1.0, 1.5), strict=True)]

    def energy(u):
        v = np.pad(u, margin)
        s2 = sum(along(k, i, v) ** 2 for i, k in enumerate(K))
        return 0.5 * penaliser(s2).sum() + beta / 2 * (u**2).sum()

    run = Interpreter(network.graph)
    for u0 in attacks(shape):
        for a in (1e-3, 0.5, 3.0, 100.0):
            before, u1 = energy(a * u0), run(a * u0)
            assert energy(u1) <= before * (1 + 1e-11) + 1e-14


# -- single claims ------------------------------------------------------------------------------


def test_maximum_principle_with_decay_needs_zero_in_the_range():
    """u_t = laplacian(u) - u sends the constant 1 below itself: 0 must be in the range, or no proof."""
    claim = claims_of(p2n.Problem(equation(laplacian(u1) - u1, 1)), sp.Rational(1, 10))["maximum_principle"]
    assert claim.status != "proved" or any("0" in a and "includes" in a for a in claim.assumptions)


def test_maximum_principle_with_fidelity_includes_the_data():
    claim = claims_of(p2n.Problem(equation(laplacian(u1) + 2 * (f1 - u1), 1)), tau)["maximum_principle"]
    assert claim.limit == sp.Rational(1, 4)
    assert any("values of f" in a for a in claim.assumptions)


@pytest.mark.parametrize("dim,limit", [(1, h**2 / 2), (2, h**2 / 4), (3, h**2 / 6)])
def test_maximum_principle_limits(dim, limit):
    problem = diffusion(lambda s: 1 / (1 + s), dim)
    assert claims_of(problem, tau, p2n.Grid(spacing=h))["maximum_principle"].limit == limit
    at_one = limit.subs(h, 1)
    assert claims_of(problem, at_one)["maximum_principle"].status == "proved"
    above = claims_of(problem, at_one * sp.Rational(11, 10))["maximum_principle"]
    assert above.status == "refuted"
    u0 = np.asarray(above.witness["u0"])
    u1 = Interpreter(network_of(problem, at_one * sp.Rational(11, 10)).graph)(u0)
    assert u1.max() > u0.max() or u1.min() < u0.min()


def test_fourth_order_and_wide_stencils_break_the_maximum_principle():
    fourth = claims_of(p2n.Problem(equation(-laplacian(laplacian(u1)), 1)), sp.Rational(1, 16))
    wide = claims_of(p2n.Problem(equation(laplacian(u1), 1)), sp.Rational(1, 4), p2n.Grid(order=4))
    for claims in (fourth, wide):
        assert claims["l2_stability"].status == "proved"
        assert claims["maximum_principle"].status == "refuted"


@pytest.mark.parametrize(
    "boundary,status", [("reflecting", "proved"), ("periodic", "proved"), ("dirichlet", "refuted")]
)
def test_mean_preservation(boundary, status):
    claims = claims_of(diffusion(lambda s: 1 / (1 + s), 2, boundary=boundary), sp.Rational(1, 8))
    assert claims["mean_preservation"].status == status


@pytest.mark.parametrize(
    "g,monotone", [(diffusivities.charbonnier, True), (diffusivities.perona_malik, False)]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_nonexpansive_needs_a_monotone_flux(g, monotone, dim):
    problem = diffusion(lambda s: g(s, lam), dim, parameters={lam: 0.5})
    claim = claims_of(problem, sp.Rational(1, 2 * dim))["nonexpansive"]
    assert claim.status == ("proved" if monotone else "refuted")


def test_fidelity_shifts_the_frozen_limit():
    beta = sp.Symbol("beta", positive=True)
    problem = p2n.Problem(equation(laplacian(u2) - beta * (u2 - f2), 2))
    claims = claims_of(problem, tau, p2n.Grid(spacing=h))
    assert sp.simplify(claims["frozen_stability"].limit - 2 / (8 / h**2 + beta)) == 0
    assert claims["l2_stability"].status == "not applicable"
    assert claims_of(problem, tau)["nonexpansive"].limit == claims_of(problem, tau)["frozen_stability"].limit


@pytest.mark.parametrize(
    "factor,status", [(sp.Rational(99, 100), "proved"), (sp.Rational(102, 100), "refuted")]
)
def test_fidelity_threshold_from_both_sides(factor, status):
    problem = p2n.Problem(equation(laplacian(u1) - 2 * (u1 - f1), 1))
    claim = claims_of(problem, factor / 3)["frozen_stability"]
    assert claim.status == status


def test_growth_is_linearised_and_bounded_by_its_factor():
    problem = p2n.Problem(equation(laplacian(u1) + u1 / 2, 1))
    network = certified(problem, sp.Rational(2, 5))
    claim = network.certificate.claims["frozen_stability"]
    assert claim.status == "linearised" and claim.factor == sp.Rational(6, 5)
    run = Interpreter(network.graph)
    assert grows(run, (12,), (1.0,)) <= 1.2 + 1e-12
    np.testing.assert_allclose(run(np.ones(5)), 1.2)


@pytest.mark.parametrize(
    "gradient,order,rhs,orders",
    [
        ("forward", 2, laplacian(u1), "h**2"),
        ("central", 2, laplacian(u1), "h**2"),
        ("forward", 4, laplacian(u1), "h**4"),
        ("central", 4, laplacian(u1), "h**4"),
        ("forward", 2, -laplacian(laplacian(u1)), "h**2"),
        ("forward", 4, -laplacian(laplacian(u1)), "h**4"),
    ],
)
def test_consistency_order_is_read_from_the_stencil(gradient, order, rhs, orders):
    grid = p2n.Grid(spacing=h, gradient=gradient, order=order)
    claim = claims_of(p2n.Problem(equation(rhs, 1)), tau, grid)["consistency"]
    assert claim.status == "proved" and orders in claim.reason and "tau" in claim.reason


def test_central_differences_say_that_the_checkerboard_stays():
    claims = claims_of(p2n.Problem(equation(laplacian(u1), 1)), sp.Rational(1), p2n.Grid(gradient="central"))
    assert any("checkerboard" in a for a in claims["l2_stability"].assumptions)
    run = Interpreter(
        network_of(
            p2n.Problem(equation(laplacian(u1), 1), boundary="periodic"),
            1,
            9,
            p2n.Grid(gradient="central"),
        ).graph
    )
    checkerboard = (-1.0) ** np.arange(8)
    np.testing.assert_array_equal(run(checkerboard), checkerboard)


# -- symbolic and automatic steps ---------------------------------------------------------------


@pytest.mark.parametrize(
    "factor,truth",
    [(sp.Rational(99, 100), sp.true), (1, sp.true), (sp.Rational(101, 100), sp.false)],
)
def test_symbolic_condition_holds_exactly_up_to_the_limit(factor, truth):
    for dim in (1, 2, 3):
        claim = claims_of(diffusion(lambda s: 1 / sp.sqrt(s + lam**2), dim), tau, p2n.Grid(spacing=h))[
            "l2_stability"
        ]
        assert claim.status == "proved if"
        assert sp.simplify(claim.limit - lam * h**2 / (2 * dim)) == 0
        at = {h: sp.Rational(2, 3), lam: sp.Rational(1, 7)}
        assert claim.condition.subs(tau, factor * claim.limit).subs(at) == truth


@pytest.mark.parametrize(
    "name,gradient,boundary",
    [
        ("heat", "central", "dirichlet"),
        ("perona-malik", "forward", "periodic"),
        ("perona-malik", "staggered", "reflecting"),
        ("biharmonic", "forward", "dirichlet"),
        ("you-kaveh", "forward", "reflecting"),
        ("damped", "forward", "periodic"),
        ("fidelity", "forward", "reflecting"),
        ("fidelity", "central", "dirichlet"),
        ("pure fourth", "forward", "periodic"),
    ],
)
def test_tau_none_is_the_largest_proved_step(name, gradient, boundary):
    problem = p2n.Problem(equation(PROVABLE[2][name], 2), boundary=boundary)
    grid = p2n.Grid(spacing={x: 1, y: 2}, gradient=gradient)
    certificate = p2n.verify(problem, p2n.Explicit(tau=None, steps=2), grid)
    claim = certificate.claims["frozen_stability" if name == "fidelity" else "l2_stability"]
    assert claim.status == "proved" and certificate.tau == claim.limit
    more = p2n.verify(problem, p2n.Explicit(tau=certificate.tau * sp.Rational(11, 10), steps=2), grid)
    assert more.claims[claim.name].status != "proved"


@pytest.mark.parametrize(
    "name", ["backward heat", "total variation", "porous medium", "prefactor of any sign"]
)
def test_tau_none_is_refused_where_nothing_is_proved(name):
    with pytest.raises(p2n.Pde2NetError) as caught:
        p2n.verify(p2n.Problem(equation(HOPELESS[name], 2)), p2n.Explicit(tau=None))
    assert "proved" in str(caught.value)


# -- one process, many problems -----------------------------------------------------------------

SCRIPT = """
import sys, sympy as sp, pde2net as p2n
from pde2net import div, grad, norm2
x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
equation = sp.Eq(u.diff(t), div(grad(u) / sp.sqrt(lam**2 + norm2(grad(u)))))
def certificate(boundary, value, spacing, gradient):
    problem = p2n.Problem(equation, boundary=boundary, parameters={lam: value})
    scheme = p2n.Explicit(tau=sp.Rational(1, 10), steps=2)
    return p2n.verify(problem, scheme, p2n.Grid(spacing=spacing, gradient=gradient)).to_json()
CASES = [("reflecting", 0.5, 1, "forward"), ("dirichlet", 2, 1, "forward"), ("reflecting", 0.1, 2, "central")]
"""
FRESH = (
    SCRIPT + "\nsys.stdout.write(certificate(*CASES[int(sys.argv[1])]))\nassert 'torch' not in sys.modules\n"
)


def test_certificates_do_not_depend_on_what_was_verified_before():
    """Each of three problems over the same symbols gets the bytes that a fresh process gives it."""
    scope = {}
    exec(SCRIPT, scope)
    for order in ([0, 1, 2], [2, 1, 0, 1]):
        here = {k: scope["certificate"](*scope["CASES"][k]) for k in order}
    for k in range(3):
        fresh = subprocess.run(
            [sys.executable, "-c", FRESH, str(k)], capture_output=True, text=True, check=True
        ).stdout
        assert fresh == here[k]
    assert len(set(here.values())) == 3


def test_networks_do_not_share_state():
    """The same symbols with another boundary, value and grid, interleaved, against dense matrices."""
    u0 = np.random.default_rng(5).normal(size=(6, 5))
    rhs = div(grad(u2) / (1 + norm2(grad(u2)) / lam**2))
    made = []
    for boundary in ("reflecting", "periodic"):
        for value in (0.5, 2.0):
            for spacing in ((1.0, 1.0), (2.0, 0.5)):
                problem = p2n.Problem(equation(rhs, 2), boundary=boundary, parameters={lam: value})
                grid = p2n.Grid(spacing=dict(zip((x, y), spacing, strict=True)))
                K = [dense(n, boundary, 1, 2, True, s) for n, s in zip(u0.shape, spacing, strict=True)]
                slopes = [along(k, i, u0) for i, k in enumerate(K)]
                g = 1 / (1 + sum(s**2 for s in slopes) / value**2)
                want = u0 - 0.05 * sum(
                    along(k.T, i, g * s) for i, (k, s) in enumerate(zip(K, slopes, strict=True))
                )
                made.append((Interpreter(network_of(problem, 0.05, 1, grid).graph), want))
    for run, want in [*made, *reversed(made)]:
        np.testing.assert_allclose(run(u0), want, rtol=0, atol=1e-13)
        run(10 * u0)


def test_z_comes_third():
    claim = claims_of(p2n.Problem(equation(laplacian(u3), 3)), tau, p2n.Grid(spacing={z: 1, y: 2, x: 4}))
    assert claim["l2_stability"].limit == 1 / (2 * (1 + sp.Rational(1, 4) + sp.Rational(1, 16)))

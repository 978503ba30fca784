"""Claims about implicit, theta and AOS schemes: against formulas of their own, and attacked through the network."""

import itertools

import numpy as np
import pytest
import sympy as sp
from support import attacks, diffusion, equation, h, lam, tau, unknown, x

import pde2net as p2n
from pde2net import AOS, FixedPoint, Implicit, Kacanov, Newton, Theta, laplacian
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of
from pde2net.verify.refute import witness

u1, u2 = unknown(1), unknown(2)
f = sp.Function("f")
beta, kappa = sp.symbols("beta kappa", positive=True)
UNIT = p2n.Grid()
QUARTER, HALF = sp.Rational(1, 4), sp.Rational(1, 2)


@pytest.fixture(autouse=True)
def short_searches(monkeypatch):
    """What is refuted here is refuted at once; elsewhere nothing is to be found."""
    monkeypatch.setattr(witness, "ALL_SECONDS", 0.6)
    monkeypatch.setattr(witness, "LEAST_SECONDS", 0.05)


def problem(rhs, dim=1, **options):
    return p2n.Problem(equation(rhs, dim), **options)


HEAT, HEAT2 = problem(laplacian(u1)), problem(laplacian(u2), 2)


def charbonnier(dim=1, boundary="reflecting"):
    return diffusion(lambda s: 1 / sp.sqrt(1 + s / lam**2), dim, parameters={lam: 0.4}, boundary=boundary)


def rational(dim=1, **options):
    return diffusion(lambda s: 1 / (1 + s / lam**2), dim, parameters={lam: 0.4}, **options)


def claims(declared, scheme, grid=UNIT):
    return p2n.verify(declared, scheme, grid).claims


def status(declared, scheme, name, grid=UNIT):
    return str(claims(declared, scheme, grid)[name].status)


def module(declared, scheme, grid=UNIT):
    """The emitted network as a function of one NumPy image."""
    import torch

    net = p2n.compile(declared, scheme, grid, on_unstable="ignore").module().double()

    def run(u):
        with torch.no_grad():
            return net(torch.from_numpy(np.asarray(u, dtype=float))[None, None]).numpy()[0, 0]

    return run


def interpreted(declared, scheme, grid=UNIT):
    """The network without a certificate, in NumPy."""
    semi = semidiscretise(recognise(declared), grid)
    return Interpreter(build(semi, scheme.tau, update_of(scheme)))


def inputs(dim=1, sizes=((9,), (16,)), seed=0):
    shapes = sizes if dim == 1 else [(5, 7), (8, 8)]
    for shape, amplitude in itertools.product(shapes, (1e-3, 0.3, 1.0, 30.0)):
        for u in attacks(shape, seed):
            yield amplitude * u


# -- what is proved of solves that are exact or bounded -------------------------------------------

EXACT = {
    "Kacanov, few iterations": (charbonnier(), Implicit(100, 1, Kacanov(iterations=3))),
    "Kacanov, nonmonotone flux": (rational(), Implicit(20, 2, Kacanov(iterations=2))),
    "Kacanov to a tolerance": (rational(), Implicit(7, 1, Kacanov(tol=1e-3))),
    "periodic": (rational(boundary="periodic"), Implicit(50, 1, Kacanov(iterations=1))),
    "open": (rational(boundary="dirichlet"), Implicit(50, 1, Kacanov(iterations=2))),
    "damping": (problem(laplacian(u1) - 2 * u1), Implicit(3, 1, Kacanov(iterations=1))),
    "theta within its limit": (rational(), Theta(1, 1, HALF, Kacanov(iterations=3))),
    "AOS": (rational(2), AOS(50, 2)),
    "conjugate gradients": (charbonnier(2), Implicit(30, 1, Kacanov(iterations=2, linear_iterations=4))),
    "fourth order": (problem(-u1.diff(x, 4)), Implicit(9, 1, Kacanov(iterations=1))),
}


@pytest.mark.parametrize("name", EXACT)
def test_proved_claims_survive_an_attack_through_the_network(name):
    declared, scheme = EXACT[name]
    found = claims(declared, scheme)
    assert found["l2_stability"].status == found["frozen_stability"].status == "proved"
    run = module(declared, scheme)
    zero = name in ("open", "damping")  # the range includes it
    for u in inputs(len(declared.space)):
        v = run(u)
        assert np.linalg.norm(v) <= np.linalg.norm(u) * (1 + 1e-12)
        if found["maximum_principle"].status == "proved":
            low, high = (min(u.min(), 0), max(u.max(), 0)) if zero else (u.min(), u.max())
            assert v.max() <= high + 1e-12 * abs(u).max() and v.min() >= low - 1e-12 * abs(u).max()
        if found["mean_preservation"].status == "proved":
            assert abs(v.mean() - u.mean()) <= 1e-12 * abs(u).max()


def energy(u, g_integral):
    return sum(g_integral(np.diff(u, axis=a) ** 2).sum() for a in range(u.ndim)) / 2


@pytest.mark.parametrize(
    "declared,psi",
    [
        (charbonnier(), lambda s: 2 * 0.16 * np.sqrt(1 + s / 0.16)),
        (rational(), lambda s: 0.16 * np.log1p(s / 0.16)),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_energies_decay_by_majorisation(declared, psi, count):
    scheme = Implicit(10, 1, Kacanov(iterations=count))
    claim = claims(declared, scheme)["energy_decay"]
    assert claim.status == "proved" and "Majorisation" in claim.theorem
    run = module(declared, scheme)
    for u in inputs():
        v = run(u)
        assert energy(v, psi) + ((v - u) ** 2).sum() / 20 <= energy(u, psi) * (1 + 1e-12) + 1e-12


def test_energy_needs_a_diffusivity_that_does_not_increase():
    rising = diffusion(lambda s: (1 + s) / (2 + s))
    assert status(rising, Implicit(10, 1, Kacanov(iterations=1)), "energy_decay") != "proved"


def test_linear_energies_and_lipschitz_constants_follow_the_stability_function():
    """R(z) = (1 - (1 - theta) z)/(1 + theta z) on a periodic grid, from the symbol 4 sin²."""
    for theta, step in ((1, 7), (HALF, 7), (QUARTER, 1), (QUARTER, 3)):
        found = claims(HEAT, Theta(step, 1, theta, Kacanov(iterations=1)))
        z = step * 4 * np.sin(np.linspace(0, np.pi / 2, 1001)) ** 2
        largest = abs((1 - (1 - float(theta)) * z) / (1 + float(theta) * z)).max()
        stable = largest <= 1 + 1e-12
        for name in ("l2_stability", "nonexpansive", "energy_decay", "frozen_stability"):
            assert str(found[name].status) == ("proved" if stable else "refuted")
        assert abs(float(found["well_posed"].factor) - largest) < 1e-9
    fidelity = problem(laplacian(u1) + beta * (f(x) - u1), parameters={beta: 3})
    claim = claims(fidelity, Implicit(2, 1, Kacanov(iterations=1)))["nonexpansive"]
    assert claim.status == "proved" and claim.factor == sp.Rational(1, 7)


@pytest.mark.parametrize("theta,limit", [(QUARTER, 1), (sp.Rational(2, 5), sp.Rational(5, 2))])
def test_theta_below_one_half_has_a_sharp_limit(theta, limit):
    at = claims(HEAT, Theta(limit, 1, theta, Kacanov(iterations=1)))
    beyond = claims(HEAT, Theta(limit * sp.Rational(1001, 1000), 1, theta, Kacanov(iterations=1)))
    assert at["l2_stability"].limit == limit and at["l2_stability"].status == "proved"
    assert beyond["l2_stability"].status == "refuted" and beyond["frozen_stability"].status == "refuted"
    assert p2n.compile(HEAT, Theta(None, 1, theta), UNIT).certificate.tau == limit


def test_the_maximum_principle_keeps_a_limit_below_theta_one():
    for theta, limit in ((HALF, 1), (QUARTER, sp.Rational(2, 3))):
        claim = claims(HEAT, Theta(tau, 1, theta, Kacanov(iterations=1)))["maximum_principle"]
        assert claim.status == "proved if" and claim.limit == limit
    assert status(HEAT, Theta(2, 1, HALF, Kacanov(iterations=1)), "maximum_principle") == "refuted"


def test_every_step_is_stable_so_there_is_no_largest_one():
    for scheme in (Implicit(None), Theta(None, 1, 1), AOS(None)):
        with pytest.raises(p2n.DeclarationError, match="every tau is stable"):
            p2n.verify(HEAT, scheme, UNIT)
    assert p2n.verify(rational(), Theta(None, 1, HALF), UNIT).tau == 1


# -- truncated conjugate gradients ----------------------------------------------------------------


@pytest.mark.parametrize("iterations", [1, 2, 3, 7])
def test_norms_of_conjugate_gradients_stay_below_those_of_the_input(iterations):
    scheme = Implicit(40, 1, Kacanov(iterations=2, linear_iterations=iterations, linear_tol=1e-12))
    declared = rational(2)
    run = interpreted(declared, scheme)
    for u in inputs(2):
        assert np.linalg.norm(run(u)) <= np.linalg.norm(u) * (1 + 1e-12)


def test_truncation_is_not_passed_over():
    coarse = Implicit(40, 1, Kacanov(iterations=1, linear_iterations=2))
    found = claims(HEAT2, coarse)
    assert found["l2_stability"].status == found["frozen_stability"].status == "proved"
    for name in ("maximum_principle", "mean_preservation", "energy_decay", "nonexpansive", "well_posed"):
        assert found[name].status in ("unknown", "refuted"), name
    assert found["mean_preservation"].status == "refuted"
    for preconditioner in ("diagonal", "multigrid"):
        scheme = Implicit(4, 1, Kacanov(iterations=1, preconditioner=preconditioner))
        claim = claims(charbonnier(2), scheme)["l2_stability"]
        assert claim.status != "proved" and "preconditioner" in claim.reason
    found = claims(HEAT2, Implicit(4, 1, Newton(iterations=1)))
    assert found["l2_stability"].status != "proved" and found["frozen_stability"].status == "linearised"


def test_krylov_factor_bounds_the_error_of_conjugate_gradients():
    step = 3
    claim = claims(HEAT2, Implicit(step, 1, Kacanov(iterations=1)))["solver_convergence"]
    assert claim.status == "proved" and abs(float(claim.factor) - (5 - 1) / (5 + 1)) < 1e-12
    n = 8
    K = np.diff(np.eye(n), axis=0)
    A = np.kron(K.T @ K, np.eye(n)) + np.kron(np.eye(n), K.T @ K)
    M, u = np.eye(n * n) + step * A, np.random.default_rng(0).normal(size=(n, n))
    exact = np.linalg.solve(M, u.ravel())
    for k in (2, 4, 8):
        run = interpreted(HEAT2, Implicit(step, 1, Kacanov(iterations=1, linear_iterations=k, linear_tol=1e-14)))
        e = run(u).ravel() - exact
        assert e @ M @ e <= (2 * float(claim.factor) ** k) ** 2 * (exact @ M @ exact)


# -- a tolerance makes the number of iterations depend on the input -------------------------------


def test_with_a_tolerance_the_output_jumps_so_nothing_is_said_of_distances():
    declared, scheme = HEAT, Implicit(1, 1, Kacanov(tol=1e-2))
    found = claims(declared, scheme)
    assert found["nonexpansive"].status == found["well_posed"].status == "unknown"
    assert found["l2_stability"].status == found["mean_preservation"].status == "proved"
    run, wave = module(declared, scheme), np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    low, high = 0.0, 1.0  # between them lies an input where one more iteration sets in
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.array_equal(run(1 + middle * wave), 1 + middle * wave) else (low, middle)
    a, b = 1 + low * wave, 1 + high * wave
    assert np.linalg.norm(run(a) - run(b)) > 1e6 * np.linalg.norm(a - b) > 0
    assert status(declared, Implicit(1, 1, Kacanov(iterations=1)), "nonexpansive") == "proved"


# -- reactions ------------------------------------------------------------------------------------


def test_reactions_that_are_lagged_prove_nothing():
    cubic = problem(laplacian(u1) - u1**3)
    found = claims(cubic, Implicit(5, 1, Kacanov(iterations=3)))
    assert all(found[n].status not in ("proved", "proved if") for n in ("l2_stability", "maximum_principle"))
    growth = claims(problem(laplacian(u1) + kappa * u1, parameters={kappa: 2}), Implicit(1, 1, Kacanov(iterations=2)))
    assert growth["l2_stability"].status == "not applicable"
    assert growth["frozen_stability"].status == growth["solver_convergence"].status == "unknown"


def test_fidelity_terms():
    declared = problem(laplacian(u1) + 2 * (f(x) - u1))
    found = claims(declared, Implicit(4, 1, Kacanov(iterations=1)))
    assert found["l2_stability"].status == "not applicable"
    for name in ("maximum_principle", "frozen_stability", "energy_decay", "nonexpansive", "well_posed"):
        assert found[name].status == "proved", name
    import torch

    net = p2n.compile(declared, Implicit(4, 1, Kacanov(iterations=1)), UNIT).module().double()
    rng = np.random.default_rng(0)
    for _ in range(50):
        u, data = (torch.from_numpy(rng.normal(size=(1, 1, 12)) * rng.uniform(0.1, 9)) for _ in "uf")
        v = net(u, f=data)
        assert v.max() <= max(u.max(), data.max()) + 1e-12 and v.min() >= min(u.min(), data.min()) - 1e-12


def test_prefactors_that_vary_are_not_symmetric():
    c = sp.Function("c", nonnegative=True)(x)
    declared = problem(c * laplacian(u1))
    assert status(declared, Implicit(1, 1, Kacanov(iterations=1)), "l2_stability") == "unknown"


# -- Picard ---------------------------------------------------------------------------------------


def picard(z, theta, count):
    """p_l(z) by its recursion."""
    p = np.ones_like(z)
    for _ in range(count):
        p = 1 - (1 - theta) * z - theta * z * p
    return p


@pytest.mark.parametrize("theta", [sp.Integer(1), HALF, QUARTER, sp.Rational(3, 4), sp.Rational(1, 10)])
def test_reach_of_picard_polynomials(theta):
    from pde2net.verify.theorems.picard import _reach

    for count in range(1, 10):
        reach = float(_reach(theta, count))
        z = np.linspace(0, reach, 4001)
        assert abs(picard(z, float(theta), count)).max() <= 1 + 1e-9
        if count % 2 or theta >= HALF:  # else it is a lower bound of the reach
            assert abs(picard(np.array([reach * (1 + 1e-6)]), float(theta), count))[0] > 1


@pytest.mark.parametrize("count,limit", [(2, QUARTER), (3, 0.3383), (4, QUARTER), (5, 0.3037), (None, QUARTER)])
def test_picard_iterates_of_the_heat_equation(count, limit):
    solver = FixedPoint(iterations=count) if count else FixedPoint(tol=1e-4)
    claim = claims(HEAT, Implicit(tau, 1, solver))["l2_stability"]
    assert claim.status == "proved if" and abs(float(claim.limit) - float(limit)) < 1e-3
    if count:
        for factor, wanted in ((1, "proved"), (sp.Rational(101, 100), "refuted")):
            found = claims(HEAT, Implicit(claim.limit * factor, 1, solver))
            assert str(found["l2_stability"].status) == str(found["frozen_stability"].status) == wanted
            assert str(found["nonexpansive"].status) == wanted


def test_one_picard_iteration_is_an_explicit_step():
    for theta in (1, HALF):
        found = claims(rational(), Theta(HALF, 2, theta, FixedPoint(iterations=1)))
        same = claims(rational(), p2n.Explicit(HALF, 2))
        for name in same:
            if name != "solver_convergence":
                assert found[name] == same[name] or found[name].status == "refuted", name


@pytest.mark.parametrize("count,limit", [(2, QUARTER), (3, sp.Rational(1, 8)), (6, sp.Rational(1, 8)), (None, sp.Rational(1, 8))])
def test_nonlinear_picard_iterates_below_their_limit(count, limit):
    solver = FixedPoint(iterations=count) if count else FixedPoint(tol=1e-3)
    declared, scheme = rational(), Implicit(limit, 1, solver)
    claim = claims(declared, scheme)["l2_stability"]
    assert claim.status == "proved" and claim.limit == limit
    run = module(declared, scheme)
    for u in inputs():
        assert np.linalg.norm(run(u)) <= np.linalg.norm(u) * (1 + 1e-12)


def test_picard_lipschitz_constant_and_growth():
    scheme = Implicit(QUARTER, 1, FixedPoint(iterations=3))
    claim = claims(charbonnier(), scheme)["well_posed"]
    assert claim.status == "proved" and claim.factor == 4  # 1 + q + q² + q³, q = 1
    growing = problem(laplacian(u1) + kappa * u1, parameters={kappa: HALF})
    claim = claims(growing, Implicit(QUARTER / 2, 1, FixedPoint(iterations=2)))["frozen_stability"]
    z = sp.Rational(1, 16)
    assert claim.status == "linearised" and claim.factor == 1 + z + z**2
    run = module(growing, Implicit(QUARTER / 2, 1, FixedPoint(iterations=2)))
    assert abs(run(np.ones(6))[0] - float(claim.factor)) < 1e-12


def test_acceleration_proves_the_mean_alone():
    scheme = Implicit(QUARTER / 2, 1, FixedPoint(iterations=5, anderson=2))
    found = claims(charbonnier(), scheme)
    assert found["mean_preservation"].status == "proved"
    assert found["solver_convergence"].status == "linearised"
    assert all(found[n].status != "proved" for n in ("l2_stability", "well_posed", "consistency", "frozen_stability"))
    run = module(charbonnier(), scheme)
    assert all(abs(run(u).mean() - u.mean()) < 1e-11 * abs(u).max() for u in inputs())


# -- solvers --------------------------------------------------------------------------------------


def test_contraction_is_strict():
    for step, wanted in ((QUARTER - sp.Rational(1, 10**9), "proved"), (QUARTER, "unknown"), (1, "refuted")):
        claim = claims(HEAT, Implicit(step, 1, FixedPoint(iterations=4)))["solver_convergence"]
        assert str(claim.status) == wanted
    assert claims(HEAT, Implicit(0.2, 1, FixedPoint()))["solver_convergence"].factor == sp.Rational(4, 5)
    witness = claim.witness
    u = np.array(witness["u0"])
    run, one = interpreted(HEAT, Implicit(1, 1, FixedPoint(iterations=4))), interpreted(HEAT, p2n.Explicit(1))
    v = run(u)
    left = np.linalg.norm(v - u - (one(v) - v)) / np.linalg.norm(one(u) - u)
    assert abs(left - 1 - witness["excess"]) < 1e-9 * left and left > 2


def test_symbolic_steps_state_the_condition():
    claim = claims(HEAT, Implicit(tau, 1, FixedPoint()), p2n.Grid(spacing=h))["solver_convergence"]
    assert claim.status == "proved if" and claim.condition == sp.Lt(tau, h**2 / 4)
    assert claims(HEAT, Implicit(tau), p2n.Grid(spacing=h))["l2_stability"].status == "proved"


@pytest.mark.parametrize("declared", [charbonnier(), rational()])
def test_local_factor_of_lagged_diffusivities(declared):
    step = 0.2 if declared == rational() else 5
    claim = claims(declared, Implicit(step, 1, Kacanov()))["solver_convergence"]
    assert claim.status == "linearised" and claim.factor < 1
    sigma = 2 if "sqrt" not in str(declared.rhs) else 1
    z = 4 * step
    assert abs(float(claim.factor) - sigma * z / (1 + z)) < 1e-12
    n, rng = 12, np.random.default_rng(3)
    K = np.diff(np.eye(n), axis=0)
    g = (lambda s: 1 / (1 + s / 0.16)) if sigma == 2 else (lambda s: 1 / np.sqrt(1 + s / 0.16))
    for size in (0.1, 0.5, 2.0):
        rhs = size * rng.normal(size=n)

        def after(v, rhs=rhs):
            return np.linalg.solve(np.eye(n) + step * K.T @ np.diag(g((K @ v) ** 2)) @ K, rhs)

        v = rhs
        for _ in range(400):
            v = after(v)
        J = np.stack([(after(v + 1e-6 * e) - after(v - 1e-6 * e)) / 2e-6 for e in np.eye(n)], axis=1)
        assert abs(np.linalg.eigvals(J)).max() <= float(claim.factor) + 1e-6
    assert status(rational(), Implicit(1, 1, Kacanov()), "solver_convergence") == "unknown"


def test_convergence_of_the_other_solvers():
    found = {s: claims(d, s)["solver_convergence"] for d, s in [(HEAT, Implicit(9)), (HEAT, Implicit(9, 1, Newton()))]}
    assert all(c.status == "proved" and c.factor == 0 for c in found.values())
    newton = claims(charbonnier(), Implicit(9, 1, Newton()))["solver_convergence"]
    assert newton.status == "linearised" and newton.factor == 0
    assert status(rational(), Implicit(9, 1, Newton()), "solver_convergence") == "unknown"
    assert status(HEAT2, AOS(3), "solver_convergence") == "not applicable"


def test_steady_states_have_no_claims_about_steps():
    declared = problem(laplacian(u1) + 2 * (f(x) - u1))
    found = claims(declared, Implicit(sp.oo))
    for name, claim in found.items():
        wanted = "proved" if name == "solver_convergence" else "not applicable"
        assert str(claim.status) == wanted, name


# -- consistency ----------------------------------------------------------------------------------

SOLVED = [
    (Implicit, {}, Kacanov, 1),
    (Implicit, {}, Kacanov, 3),
    (Implicit, {}, Newton, 1),
    (Implicit, {}, FixedPoint, 2),
    (Theta, {"theta": HALF}, Kacanov, 1),
    (Theta, {"theta": HALF}, Kacanov, 2),
    (Theta, {"theta": HALF}, Newton, 1),
    (Theta, {"theta": HALF}, FixedPoint, 2),
    (Theta, {"theta": HALF}, FixedPoint, 3),
    (Theta, {"theta": sp.Rational(3, 4)}, FixedPoint, 3),
]


@pytest.mark.parametrize("scheme,options,solver,count", SOLVED)
def test_order_in_time_of_what_is_emitted(scheme, options, solver, count):
    """The local error of one step against the exact flow u' = F(u), by many small Runge-Kutta steps."""
    declared = charbonnier()
    u = 0.5 * np.cos(np.pi * (np.arange(8) + 0.5) / 8) + 0.1 * np.arange(8) % 0.3
    rate = interpreted(declared, p2n.Explicit(sp.Rational(1, 64)))

    def F(w):
        return 64 * (rate(w) - w)

    errors = []
    for step in (sp.Rational(1, 20), sp.Rational(1, 40), sp.Rational(1, 80)):
        v, dt = u, float(step) / 8
        for _ in range(8):
            k1 = F(v)
            k2 = F(v + dt / 2 * k1)
            k3 = F(v + dt / 2 * k2)
            v = v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + F(v + dt * k3))
        made = scheme(step, 1, solver=solver(iterations=count), **options)
        errors.append((v - interpreted(declared, made)(u)) / float(step))
    claim = claims(declared, made)["consistency"]
    figures = {k: v for e in claim.hypotheses for k, v in e.figures.items()}
    order = np.log2(np.linalg.norm(errors[1]) / np.linalg.norm(errors[2]))
    assert claim.status == "proved" and abs(order - int(figures["order in tau"])) < 0.15
    leading = figures.get("leading error in tau")
    if leading is not None and order < 1.5:  # against u_tt = F'(u) F(u), by differences
        utt = (F(u + 1e-5 * F(u)) - F(u - 1e-5 * F(u))) / 2e-5
        predicted = float(leading.coeff(sp.Symbol("u_tt", real=True)).subs(tau, 1 / 80)) * utt
        assert np.linalg.norm(errors[2] - predicted) < 0.2 * np.linalg.norm(predicted)


def test_what_a_tolerance_leaves_is_assumed_to_be_small():
    for scheme, assumed in ((Implicit(1, 1, Kacanov(iterations=2)), False), (Implicit(1, 1, Kacanov()), True)):
        claim = claims(charbonnier(), scheme)["consistency"]
        assert claim.status == "proved" and any(e.name == "solver" for e in claim.hypotheses) == assumed


def test_the_subject_names_iteration_and_systems():
    line = p2n.verify(charbonnier(2), Implicit(5, 1, Kacanov()), UNIT).subject["scheme"]
    assert line == (
        "implicit, tau = 5, 1 step, Kacanov iteration to 1e-06, at most 50 (a warning beyond), conjugate gradients "
        "to 1e-08, at most 200: v = u + tau F(v); F(u) = -K^T Phi(K u)"
    )

"""Steady states by descent, and constants that training keeps: independent formulas, and attacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from learned_models import R, norms, t, unknown, wild, x, y

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.graph.interpret import Interpreter

u = unknown(2)
f = sp.Function("f")(x, y)
beta = sp.Symbol("beta", positive=True)
K = p2n.LinearOperator("K", out_channels=4, kernel_size=3)
PHI = p2n.Spline("phi", knots=11, reach=R(1, 2), slopes=(-R(1, 10), 1), filters=K)
MONOTONE = p2n.Spline("phi", knots=11, reach=R(1, 2), slopes=(0, 1), filters=K)


def charbonnier() -> p2n.Problem:
    flux = grad(u) / sp.sqrt(1 + norm2(grad(u)))
    return p2n.Problem(sp.Eq(u.diff(t), div(flux) + beta * (f - u)), parameters={beta: R(1, 5)})


def learned(phi: p2n.Spline, weight: Any = 1) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(phi(K(u))) + beta * (f - u)), parameters={beta: weight})


def steady(**options: Any) -> p2n.Implicit:
    return p2n.Implicit(tau=sp.oo, steps=1, solver=p2n.Descent(**options))


def images(seed: int, size: int = 9, batch: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 1, size, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("weights", ["none", "nesterov", "fsi"])
@pytest.mark.parametrize("stop", [{"tol": 1e-9}, {"iterations": 30}])
def test_descent_is_the_interpreted_graph_and_bounds_its_error(weights: str, stop: dict[str, Any]) -> None:
    network = p2n.compile(charbonnier(), steady(weights=weights, **stop))
    module, v = network.module().double(), images(0)
    out = module(v, f=v)
    data = v[0, 0].numpy()
    wanted = Interpreter(network.looped)(data, {"f": data})
    np.testing.assert_allclose(out[0, 0].numpy(), wanted, rtol=0, atol=1e-8)  # restarts may be a step apart
    exact = p2n.compile(charbonnier(), steady(tol=1e-13, max_iterations=20000)).module().double()(v, f=v)
    assert (norms(out - exact) <= module.error + 1e-10).all() and (module.error > 0).all()


def test_the_contraction_is_that_of_the_certificate() -> None:
    """q = (M - m)/(M + m) with M = 8 + 1/5, m = 1/5: no step reduces the error by less."""
    network = p2n.compile(charbonnier(), steady(iterations=1))
    claim = network.certificate.claims["solver_convergence"]
    assert claim.status == "proved" and claim.factor == R(20, 21)
    module, v = network.module().double(), images(1)
    exact = p2n.compile(charbonnier(), steady(tol=1e-13, max_iterations=20000)).module().double()(v, f=v)
    now = torch.zeros_like(v)
    for _ in range(20):
        following = module(now, f=v)
        assert (norms(following - exact) <= 20 / 21 * norms(now - exact) + 1e-10).all()
        now = following


def test_gradients_are_those_of_the_solution() -> None:
    module = p2n.compile(charbonnier(), steady(tol=1e-11, max_iterations=20000)).module().double()
    v = images(2, size=3, batch=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: module(w, f=w), v, atol=1e-5)


def test_a_kept_constant_is_that_of_solutions_to_a_tolerance() -> None:
    """The claim stays open, for the number of steps depends on the data; its reason has the constant."""
    options: dict[str, Any] = {"trainable": [K, PHI], "keep_stable": True, "lipschitz": 3}
    network = p2n.compile(learned(PHI), steady(tol=1e-6), **options)
    claim = network.certificate.claims["lipschitz_in_data"]
    assert claim.status == "unknown" and "with the constant 3" in claim.reason
    p2n.recheck(network.certificate.to_json())
    module = network.module()
    assert module.error is None
    assert not any(name.startswith("_") for name in p2n.learn.values(module))


def test_claims_of_a_descent() -> None:
    def status(problem: p2n.Problem, **options: Any) -> dict[str, str]:
        claims = p2n.verify(problem, steady(**options), p2n.Grid()).claims
        return {name: str(claim.status) for name, claim in claims.items()}

    plain = status(charbonnier(), iterations=50)
    proved = ("well_posed", "solver_convergence", "energy_decay", "bounded_by_data", "lipschitz_in_data")
    assert all(plain[name] == "proved" for name in proved), plain
    tolerance = status(charbonnier(), tol=1e-6)
    assert tolerance["lipschitz_in_data"] == "unknown" and tolerance["bounded_by_data"] == "proved"
    fast = status(charbonnier(), iterations=50, weights="nesterov")
    assert fast["solver_convergence"] == "unknown" and fast["well_posed"] == "proved"
    s2 = norm2(grad(u))
    rhs = div(grad(u) / (1 + s2)) + beta * (f - u)
    weak = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={beta: R(1, 10)})
    found = status(weak, iterations=50)
    assert found["well_posed"] == "refuted"
    assert all(found[name] == "unknown" for name in ("solver_convergence", "lipschitz_in_data"))
    open_ = p2n.Problem(sp.Eq(u.diff(t), rhs))
    claim = p2n.verify(open_, steady(iterations=5), p2n.Grid()).claims["well_posed"]
    assert claim.status == "proved if" and claim.condition == (beta - 1 > 0)


def test_two_steady_states_are_not_unique() -> None:
    """Two cells, rational, beta = 1/10, f = (0, 10): jumps 0.683 and 7.317 both solve the equation."""
    v, g = unknown(1), sp.Function("f")(x)
    flux = v.diff(x) / (1 + v.diff(x) ** 2)
    problem = p2n.Problem(
        sp.Eq(v.diff(t), sp.Derivative(flux, x) + beta * (g - v)), parameters={beta: R(1, 10)}
    )
    network = p2n.compile(problem, steady(tol=1e-12, max_iterations=50000), on_unstable="ignore")
    claim = network.certificate.claims["well_posed"]
    assert claim.status == "refuted" and claim.witness is not None
    a, b = (np.array(claim.witness[k]) for k in ("u0", "v0"))

    def slope(state: Any) -> Any:  # -F without the data, written down again
        jumps = np.diff(state)
        flux = np.pad(jumps / (1 + jumps**2), 1)
        return state / 10 - np.diff(flux)

    assert (slope(a) - slope(b)) @ (a - b) < 0
    p2n.recheck(network.certificate.to_json())
    forged = network.certificate.to_json().replace('"u0": [', '"u0": [0.5, ', 1)
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(forged)
    module, data = network.module().double(), torch.tensor([[[0.0, 10.0]]], dtype=torch.float64)
    jumps = [float(module(torch.tensor([[[5 - j, 5 + j]]]).double(), f=data).diff()) for j in (0.1, 4.0)]
    np.testing.assert_allclose(jumps, [0.683, 7.317], atol=1e-3)
    assert module.error.isinf().all()


@pytest.mark.parametrize(("weight", "status"), [(R(49, 100), "refuted"), (R(51, 100), "proved")])
def test_the_threshold_of_uniqueness(weight: Any, status: str) -> None:
    """4 sup(-Phi') = 1/2 is reached in the limit of many cells only: close to it nothing may be found."""
    v, g = unknown(1), sp.Function("f")(x)
    flux = v.diff(x) / (1 + v.diff(x) ** 2)
    right = sp.Derivative(flux, x) + beta * (g - v)
    for size, expected in ((weight, {status, "unknown"}), (R(1, 4) if status == "refuted" else 1, {status})):
        problem = p2n.Problem(sp.Eq(v.diff(t), right), parameters={beta: size})
        assert p2n.verify(problem, steady(iterations=5), p2n.Grid()).claims["well_posed"].status in expected


@pytest.mark.parametrize("constant", [R(3, 2), 5])
def test_a_lipschitz_constant_is_kept_by_steady_states(constant: Any) -> None:
    options = {"trainable": [K, PHI, beta], "keep_stable": True, "lipschitz": constant}
    network = p2n.compile(learned(PHI), steady(iterations=400), **options)
    claim = network.certificate.claims["lipschitz_in_data"]
    assert claim.status == "proved" and claim.factor == constant
    assert network.certificate.claims["well_posed"].status == "proved"
    p2n.recheck(network.certificate.to_json())
    for seed in range(3):
        module = wild(network.module().double(), 1.0, seed)
        _attack(module, float(constant), seed)


@pytest.mark.parametrize("fidelity", ["explicit", "implicit"])
def test_a_lipschitz_constant_is_kept_by_explicit_steps(fidelity: str) -> None:
    scheme = p2n.Explicit(tau=None, steps=6, fidelity=fidelity)
    options = {"trainable": [K, PHI], "shared": False, "keep_stable": True, "lipschitz": 2}
    network = p2n.compile(learned(PHI), scheme, **options)
    claim = network.certificate.claims["lipschitz_in_data"]
    assert claim.status == "proved" and claim.factor == 2
    for seed in range(3):
        _attack(wild(network.module().double(), 1.0, seed), 2.0, seed)


def _attack(module: torch.nn.Module, constant: float, seed: int) -> None:
    """Ascent on the ratio of differences, from u = f."""
    a, d = images(seed), 0.1 * images(seed + 50)
    for _ in range(8):
        d = d.detach().requires_grad_()
        ratio = norms(module(a + d, f=a + d) - module(a, f=a)) / norms(d)
        assert (ratio <= constant * (1 + 1e-9)).all()
        (slope,) = torch.autograd.grad(ratio.sum(), d)
        d = d + 0.1 * norms(d).view(-1, 1, 1, 1) * slope / norms(slope).clamp(min=1e-12).view(-1, 1, 1, 1)


@pytest.mark.parametrize("tau", [None, R(1, 10), 2])
@pytest.mark.parametrize("data", [True, False])
def test_averages_are_kept(tau: Any, data: bool) -> None:
    rhs = -K.adjoint(MONOTONE(K(u))) + (R(1, 2) * (f - u) if data else 0)
    fidelity = {"fidelity": "implicit"} if data else {}
    options = {"trainable": [K, MONOTONE], "shared": False, "keep_stable": True, "averaged": R(3, 5)}
    network = p2n.compile(
        p2n.Problem(sp.Eq(u.diff(t), rhs)), p2n.Explicit(tau=tau, steps=3, **fidelity), **options
    )
    claim = network.certificate.claims["averaged"]
    assert claim.status == "proved" and claim.factor == R(3, 5)
    p2n.recheck(network.certificate.to_json())
    for seed in range(3):
        module = wild(network.module().double(), 2.0, seed)
        a, b = images(seed), images(seed + 60)
        known = [{"f": v} if data else {} for v in (a, b)]
        d, e = (a - b).flatten(1), (module(a, **known[0]) - module(b, **known[1])).flatten(1)
        assert (((e - 0.4 * d) / 0.6).norm(dim=1) <= d.norm(dim=1) * (1 + 1e-9)).all()
        assert not torch.allclose(e, d, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lipschitz": R(1, 2)}, "below what is possible"),
        ({"lipschitz": 1}, "more than 1"),
        ({"averaged": 1}, "between 0 and 1"),
        ({"averaged": R(1, 2)}, "monotone flux"),
        ({"lipschitz": 2, "keep_stable": False}, "keep_stable=True"),
        ({"lipschitz": "two"}, "number"),
    ],
)
def test_constants_that_cannot_be_kept_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=message):
        scheme = p2n.Explicit(tau=None, steps=2, fidelity="implicit")
        p2n.compile(learned(PHI), scheme, trainable=[K], **{"keep_stable": True, **options})


REAL = sp.Symbol("c", real=True)
UNSIGNED = {
    "fidelity": -K.adjoint(PHI(K(u))) + REAL * (f - u),
    "part of a fidelity": -K.adjoint(PHI(K(u))) + (beta + REAL) * (f - u),
    "prefactor": -REAL * K.adjoint(PHI(K(u))) + beta * (f - u),
    "diffusivity": div(REAL * grad(u)) - K.adjoint(K(u)) + beta * (f - u),
}

STARTS = {name: {REAL: R(1, 10), **({beta: R(1, 5)} if e.has(beta) else {})} for name, e in UNSIGNED.items()}


@pytest.mark.parametrize(
    ("scheme", "keep"),  # without, nothing follows what is trained but the step of a descent
    [("descent", True), ("descent", False), ("explicit", True), ("proximal", True)],
)
@pytest.mark.parametrize("name", UNSIGNED)
def test_what_has_a_sign_by_its_value_alone_is_not_trained(name: str, scheme: str, keep: bool) -> None:
    """Steps, bounds of errors and claims would be those of the value to start from."""
    problem = p2n.Problem(sp.Eq(u.diff(t), UNSIGNED[name]), parameters=STARTS[name])
    schemes = {
        "descent": steady(iterations=20),
        "explicit": p2n.Explicit(tau=R(1, 100)),
        "proximal": p2n.Explicit(tau=R(1, 100), fidelity="implicit"),
    }
    with pytest.raises(p2n.DeclarationError, match=r"value of c alone|nothing to keep"):
        p2n.compile(problem, schemes[scheme], trainable=[K, REAL], keep_stable=keep)


def test_descent_is_for_steady_states() -> None:
    with pytest.raises(p2n.DeclarationError, match="steady state"):
        p2n.Implicit(tau=R(1, 2), solver=p2n.Descent(iterations=3))
    with pytest.raises(p2n.DeclarationError, match="Theta takes"):
        p2n.Theta(tau=R(1, 2), solver=p2n.Descent(iterations=3))
    with pytest.raises(p2n.DeclarationError, match="weights"):
        p2n.Descent(iterations=3, weights="fast")


@pytest.mark.parametrize("solver", [p2n.Kacanov(iterations=3), p2n.Newton(iterations=3), None], ids=str)
@pytest.mark.parametrize(("weight", "status"), [(R(1, 4), "refuted"), (2, "proved")])
def test_uniqueness_is_that_of_the_equation(solver: Any, weight: Any, status: str) -> None:
    """Whatever finds steady states; None stands for multigrid."""
    s2 = norm2(grad(u))
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + s2)) + beta * (f - u)), parameters={beta: weight}
    )
    scheme = p2n.Implicit(tau=sp.oo, solver=solver) if solver else p2n.Multigrid(tau=sp.oo)
    certificate = p2n.verify(problem, scheme, p2n.Grid())
    assert certificate.claims["well_posed"].status == status
    p2n.recheck(certificate.to_json())


def test_a_constant_that_is_proved_without_bounds_is_not_worsened() -> None:
    scheme = p2n.Explicit(tau=None, steps=3, fidelity="implicit")
    options: dict[str, Any] = {"trainable": [K, MONOTONE], "keep_stable": True, "lipschitz": 10}
    certificate = p2n.compile(learned(MONOTONE), scheme, **options).certificate
    assert certificate.claims["lipschitz_in_data"].factor == 1
    p2n.recheck(certificate.to_json())

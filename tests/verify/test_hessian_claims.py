"""Claims about Hessians and mixed orders: limits from both sides, attacks, and the audit."""

import itertools

import numpy as np
import pytest
import sympy as sp
from discretise.test_mixed_differences import a, b, hessian_flow, mixed_flow, step
from support import attacks, equation, h, tau, unknown, x, y, z

import pde2net as p2n
from pde2net import Status, div, hessian, norm2
from pde2net.graph.interpret import Interpreter

CASES = [(dim, boundary) for dim in (2, 3) for boundary in ("reflecting", "periodic")]


def radial(s):
    return 1 / (1 + s)


def verified(problem, scheme, grid=None):
    return p2n.verify(problem, scheme, grid or p2n.Grid())


@pytest.mark.parametrize("order,norm", [(2, (4, 16)), (4, (sp.Rational(49, 9), sp.Rational(256, 9)))])
def test_limits_are_symbolic(order, norm):
    """2/sum_ij ‖K_ij‖²; (sum 4/h_i²)² for order 2, so h⁴/32 in 2D and h⁴/72 in 3D."""
    for dim in (2, 3):
        claims = verified(hessian_flow(dim, radial), p2n.Explicit(tau=tau), p2n.Grid(h, order=order)).claims
        total = dim * norm[1] + dim * (dim - 1) * norm[0] ** 2
        for name in ("l2_stability", "energy_decay", "frozen_stability"):
            assert claims[name].status == Status.PROVED_IF
            assert sp.simplify(claims[name].limit - 2 * h**4 / total) == 0
        assert claims["mean_preservation"].status == claims["well_posed"].status == Status.PROVED
        assert claims["maximum_principle"].status == Status.UNKNOWN
        if order == 2:
            assert sp.simplify(claims["l2_stability"].limit - h**4 / (8 * dim**2)) == 0


def test_unequal_spacing_and_a_reaction():
    grid = p2n.Grid({x: h, y: 2 * h})
    claim = verified(hessian_flow(2, radial), p2n.Explicit(tau=tau), grid).claims["l2_stability"]
    assert sp.simplify(claim.limit - 2 / (4 / h**2 + 1 / h**2) ** 2) == 0
    u = unknown(2)
    H = hessian(u)
    damped = p2n.Problem(equation(-div(div(radial(norm2(H)) * H)) - 3 * u, 2))
    claim = verified(damped, p2n.Explicit(tau=tau)).claims["l2_stability"]
    assert sp.simplify(claim.limit - sp.Rational(2, 67)) == 0


@pytest.mark.parametrize("dim,boundary", CASES)
def test_the_limit_is_sharp_from_both_sides(dim, boundary):
    limit = sp.Rational(1, 8 * dim**2)
    problem = hessian_flow(dim, radial, boundary=boundary)
    assert verified(problem, p2n.Explicit(tau=limit)).stable
    n = 12
    places = np.meshgrid(*[np.arange(n)] * dim, indexing="ij")
    for factor, grows in ((1, False), (sp.Rational(107, 100), True)):
        run = step(problem, limit * factor)
        found = []
        for wave in (
            (-1.0) ** sum(places),
            np.prod([np.cos(np.pi * 11 * (p + 0.5) / n) for p in places], axis=0),
        ):
            small = 1e-6 * wave
            found.append(np.linalg.norm(run(small)) / np.linalg.norm(small))
        assert (max(found) > 1.01) == grows
    if dim == 3:
        return
    beyond = verified(problem, p2n.Explicit(tau=limit * sp.Rational(6, 5))).claims
    assert beyond["l2_stability"].status == Status.REFUTED
    assert beyond["maximum_principle"].status in (Status.REFUTED, Status.UNKNOWN)


@pytest.mark.parametrize("dim,boundary", CASES)
def test_nothing_that_is_proved_fails(dim, boundary):
    """Norm and energy on hard inputs of all sizes, with an energy written down here."""
    problem = hessian_flow(dim, radial, boundary=boundary)
    run = step(problem, sp.Rational(1, 8 * dim**2))
    mode = "wrap" if boundary == "periodic" else "symmetric"

    def energy(u):
        total = np.zeros(u.shape)
        for i, j in itertools.product(range(dim), repeat=2):
            if i == j:
                wide = np.pad(u, [(1, 1) if k == i else (0, 0) for k in range(dim)], mode=mode)
                total += np.diff(wide, 2, axis=i) ** 2
            else:
                d = u
                for k in (i, j):
                    d = np.diff(
                        np.pad(d, [(0, 1) if m == k else (0, 0) for m in range(dim)], mode=mode), axis=k
                    )
                total += d**2
        return np.log1p(total).sum() / 2

    for shape, scale in itertools.product([(3,) * dim, (7, 4, 3)[:dim]], (0.01, 1.0, 30.0)):
        for u in attacks(shape):
            v = run(scale * u)
            assert np.linalg.norm(v) <= np.linalg.norm(scale * u) * (1 + 1e-12)
            assert energy(v) <= energy(scale * u) + 1e-10
            assert abs(v.mean() - scale * u.mean()) < 1e-12 * max(1, scale)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_mixed_orders(boundary):
    """2/(a²/h² + 16 b²/h⁴), which is called an upper bound."""
    certificate = verified(mixed_flow(boundary=boundary), p2n.Explicit(tau=tau), p2n.Grid(h))
    claim = certificate.claims["l2_stability"]
    assert sp.simplify(claim.condition.rhs - 2 / (a**2 / h**2 + 16 * b**2 / h**4)) == 0
    text = " ".join(str(certificate).split())
    assert "by the Fourier symbol, an upper bound" in text and "attained" not in text
    at_limit = verified(mixed_flow(boundary=boundary), p2n.Explicit(tau=None))
    assert at_limit.stable
    assert at_limit.claims["maximum_principle"].status != Status.PROVED
    run = step(mixed_flow(boundary=boundary), at_limit.tau)
    for n, scale in itertools.product((3, 4, 9, 20), (1e-3, 1.0, 50.0)):
        for u in attacks((n,)):
            assert np.linalg.norm(run(scale * u)) <= np.linalg.norm(scale * u) * (1 + 1e-12)


def test_channels_share_one_norm():
    problem = hessian_flow(2, radial, channels=3)
    scheme = p2n.Explicit(tau=sp.Rational(1, 32))
    assert verified(problem, scheme).stable
    network = p2n.compile(problem, scheme, p2n.Grid())
    u = np.random.default_rng(3).normal(size=(3, 6, 5))
    alike = np.stack([u[0]] * 3)
    out = Interpreter(network.graph)(alike)
    single = step(hessian_flow(2, lambda s: 1 / (1 + 3 * s)), sp.Rational(1, 32))(u[0])
    assert np.allclose(out, np.stack([single] * 3), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "problem,scheme,grid",
    [
        (hessian_flow(2, radial), p2n.Explicit(tau=tau), p2n.Grid(h)),
        (
            hessian_flow(3, radial, boundary={x: "periodic", y: "reflecting", z: "periodic"}),
            p2n.Explicit(tau=None),
            p2n.Grid(2),
        ),
        (hessian_flow(2, radial), p2n.DuFortFrankel(tau=sp.Rational(1, 40), steps=2), p2n.Grid()),
        (mixed_flow(), p2n.DuFortFrankel(tau=sp.Rational(1, 99), steps=2), p2n.Grid()),
        (mixed_flow(boundary="dirichlet"), p2n.RKL(order=2, tau=None, stages=3), p2n.Grid()),
        (
            hessian_flow(2, radial),
            p2n.Implicit(tau=1, solver=p2n.Kacanov(tol=1e-9, preconditioner="none")),
            p2n.Grid(),
        ),
    ],
    ids=["explicit", "3d", "dff", "mixed-dff", "mixed-rkl", "kacanov"],
)
def test_certificates_are_rechecked(problem, scheme, grid):
    certificate = verified(problem, scheme, grid)
    again = p2n.recheck(certificate.to_json())
    assert {n: c.status for n, c in again.claims.items()} == {
        n: c.status for n, c in certificate.claims.items()
    }
    if scheme.tau == tau:
        text = certificate.to_json()
        for old, new in (
            ("h**4/32", "h**4/16"),
            ("64/h**4", "32/h**4"),
            ("attained in the limit of", "bounded on"),
        ):
            assert old in text
            with pytest.raises(p2n.RecheckError):
                p2n.recheck(text.replace(old, new))


def test_what_is_not_offered_says_so():
    for scheme, word in (
        (p2n.Multigrid(tau=1, levels=2), "Hessian"),
        (p2n.AOS(tau=1), "AOS"),
        (p2n.Implicit(tau=1, solver=p2n.Kacanov(tol=1e-6, preconditioner="diagonal")), "preconditioner"),
    ):
        for problem in (hessian_flow(2, radial), mixed_flow()):
            if word == "preconditioner" and len(problem.space) == 1:
                continue
            with pytest.raises(p2n.Pde2NetError, match=word):
                verified(problem, scheme)

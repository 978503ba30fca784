"""Smoothed diffusivities and diffusion tensors, against NumPy and SciPy-free formulas of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
import torch
from support import AXES, RNG, attacks, lam, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, norm2, smooth, structure_tensor, tensor
from pde2net.graph.interpret import EXACT, Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.text.build import read
from pde2net.normalise.recognise import recognise
from pde2net.normalise.tensors import spectrum

FIFTH = p2n.Explicit(tau=sp.Rational(1, 5), steps=2)


def flow(matrix: sp.Matrix, dim: int = 2, **options: object) -> p2n.Problem:
    """u_t = div(D grad u)."""
    u = unknown(dim)
    free = {s for e in matrix for s in e.free_symbols if s == lam}
    values = {lam: 0.5} if free else {}
    return p2n.Problem(sp.Eq(u.diff(t), div(matrix * grad(u))), parameters=values, **options)


def edge_enhancing(dim: int = 2, **options: object) -> p2n.Problem:
    v = grad(smooth(unknown(dim), 1))
    return flow(tensor(v, 1 / (1 + norm2(v) / lam**2), 1), dim, **options)


def coherence_enhancing(**options: object) -> p2n.Problem:
    j, alpha = structure_tensor(unknown(2), sp.Rational(1, 2), 2), sp.Rational(1, 100)
    kappa = p2n.coherence(j)
    across = sp.Piecewise((alpha, sp.Eq(kappa, 0)), (alpha + (1 - alpha) * sp.exp(-lam / kappa), True))
    return flow(tensor(p2n.principal_direction(j), alpha, across), **options)


def catte(**options: object) -> p2n.Problem:
    u = unknown(2)
    g = 1 / (1 + norm2(grad(smooth(u, 1))) / lam**2)
    return p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.5}, **options)


# -- a second implementation --------------------------------------------------------------------


def gaussian(u: np.ndarray, sigma: float, boundary: str) -> np.ndarray:
    radius = int(4 * sigma + 0.5)
    k = np.arange(-radius, radius + 1)
    w = np.exp(-(k**2) / (2 * sigma**2))
    w /= w.sum()
    mode = {"reflecting": "symmetric", "periodic": "wrap", "dirichlet": "constant"}[boundary]
    for axis in range(u.ndim):
        pad = [(radius, radius) if a == axis else (0, 0) for a in range(u.ndim)]
        u = np.apply_along_axis(lambda line: np.convolve(line, w, "valid"), axis, np.pad(u, pad, mode=mode))
    return u


def slopes(u: np.ndarray) -> list[np.ndarray]:
    return [np.diff(u, axis=a, append=np.take(u, [-1], a)) for a in range(u.ndim)]


def minus_adjoint(fluxes: list[np.ndarray]) -> np.ndarray:
    """div of fluxes that vanish at the last index of their axis."""
    total = np.zeros_like(fluxes[0])
    for axis, flux in enumerate(fluxes):
        flux = flux.copy()
        flux[tuple(-1 if a == axis else slice(None) for a in range(flux.ndim))] = 0
        total += flux - np.roll(flux, 1, axis)
    return total


def edge_step(u: np.ndarray, tau: float, contrast: float) -> np.ndarray:
    v = slopes(gaussian(u, 1.0, "reflecting"))
    square = sum(p**2 for p in v)
    along = 1 / (1 + square / contrast**2)
    p = slopes(u)
    fluxes = []
    for i in range(u.ndim):
        flux = p[i].copy()
        for j in range(u.ndim):
            with np.errstate(all="ignore"):
                flux += (along - 1) * np.where(square == 0, 0, v[i] * v[j] / square) * p[j]
        fluxes.append(flux)
    return u + tau * minus_adjoint(fluxes)


@pytest.mark.parametrize("dim", [2, 3])
def test_edge_enhancing_steps_are_those_of_numpy(dim: int) -> None:
    u0 = RNG.normal(size=(7, 6, 5)[:dim])
    network = uncertified(edge_enhancing(dim), p2n.Explicit(tau=sp.Rational(1, 10), steps=2))
    want = edge_step(edge_step(u0, 0.1, 0.5), 0.1, 0.5)
    np.testing.assert_allclose(Interpreter(network.graph)(u0), want, rtol=0, atol=1e-13)
    out = network.module().double()(torch.from_numpy(u0)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-13)


def test_presmoothed_diffusivity_is_that_of_numpy() -> None:
    u0 = RNG.normal(size=(9, 7))
    network = uncertified(catte(), p2n.Explicit(tau=sp.Rational(1, 5)))
    g = 1 / (1 + sum(p**2 for p in slopes(gaussian(u0, 1.0, "reflecting"))) / 0.25)
    want = u0 + 0.2 * minus_adjoint([g * p for p in slopes(u0)])
    np.testing.assert_allclose(Interpreter(network.graph)(u0), want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("shape", [(3, 12), (3, 3)])
def test_smoothing_of_wide_scales_on_small_images(boundary: str, shape: tuple[int, int]) -> None:
    """The Gaussian may be wider than the image; of the diffusivity u_sigma itself, read off one step."""
    u = unknown(2)
    c = smooth(u, sp.Rational(3, 2))
    problem = p2n.Problem(sp.Eq(u.diff(t), div((2 + c) * grad(u))), boundary=boundary)
    network = uncertified(problem, p2n.Explicit(tau=sp.Rational(1, 10)), p2n.Grid(gradient="central"))
    u0 = RNG.normal(size=shape)
    out = network.module().double()(torch.from_numpy(u0)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(out, Interpreter(network.graph)(u0), rtol=0, atol=1e-13)
    inner = Interpreter(network.graph)
    inner(u0)
    node = next(n for n, d in network.graph.nodes(data=True) if d["node"].role == "Gaussian")
    found = inner.gaussian(network.graph.nodes[node]["node"], u0)
    np.testing.assert_allclose(found, gaussian(u0, 1.5, boundary), rtol=0, atol=1e-13)


CASES = [edge_enhancing, coherence_enhancing, catte]
SCHEMES = [
    FIFTH,
    p2n.FSI(tau=sp.Rational(1, 5), cycle_length=3, cycles=2),
    p2n.FED(tau=sp.Rational(1, 5), cycle_length=3, cycles=1, freeze="step"),
    p2n.RKL(order=2, tau=1, stages=5, steps=1),
    p2n.DuFortFrankel(tau=1, alpha=2, steps=3),
    p2n.Implicit(tau=1, steps=1, solver=p2n.FixedPoint(iterations=3)),
    p2n.Implicit(tau=2, steps=1, solver=p2n.Kacanov(iterations=2, linear_tol=1e-12)),
]


@pytest.mark.parametrize("make", CASES)
@pytest.mark.parametrize("gradient", ["forward", "staggered", "central"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_modules_agree_with_the_interpreter(
    make: Callable[..., p2n.Problem], gradient: str, scheme: object
) -> None:
    problem = make(boundary={x: "dirichlet", y: "reflecting"})
    network = uncertified(problem, scheme, p2n.Grid(gradient=gradient))
    u0 = RNG.normal(size=(6, 7))
    out = network.module().double()(torch.from_numpy(u0)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(out, Interpreter(network.graph)(u0), rtol=0, atol=1e-9)
    back = from_json(to_json(network.looped))
    np.testing.assert_array_equal(Interpreter(back)(u0), Interpreter(network.graph)(u0))


# -- the operator A ------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["forward", "staggered", "central"])
@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("dim", [2, 3])
def test_operator_is_symmetric_with_eigenvalues_in_the_proved_interval(
    gradient: str, boundary: str, dim: int
) -> None:
    """A is read off column by column for a tensor field that varies strongly, with eigenvalues 1/10 and 2."""
    fields = [sp.Function(f"f{i}")(*AXES[:dim]) for i in range(dim)]
    problem = flow(tensor(sp.Matrix(fields), sp.Rational(1, 10), 2), dim, boundary=boundary)
    network = uncertified(problem, p2n.Explicit(tau=sp.Integer(1)), p2n.Grid(gradient=gradient))
    run, shape = Interpreter(network.graph), (5, 4, 3)[:dim]
    data = {f"f{i}": RNG.normal(size=shape) for i in range(dim)}
    columns = []
    for index in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[index] = 1
        columns.append((unit - run(unit, data)).ravel())
    a = np.stack(columns, axis=1)
    np.testing.assert_allclose(a, a.T, rtol=0, atol=1e-13)
    eigenvalues = np.linalg.eigvalsh(a)
    norm = {"central": 1}.get(gradient, 4) * dim
    assert eigenvalues.min() >= -1e-12 and eigenvalues.max() <= 2 * norm + 1e-12
    if boundary != "dirichlet":
        np.testing.assert_allclose(a.sum(0), 0, atol=1e-13)


@pytest.mark.parametrize("make", CASES)
@pytest.mark.parametrize("gradient", ["forward", "staggered"])
def test_proved_steps_do_not_grow(make: Callable[..., p2n.Problem], gradient: str) -> None:
    problem, grid = make(), p2n.Grid(gradient=gradient)
    network = p2n.compile(problem, p2n.Explicit(tau=None, steps=2), grid)
    claims = network.certificate.claims
    assert claims["l2_stability"].status == "proved" and claims["l2_stability"].limit == sp.Rational(1, 4)
    assert claims["mean_preservation"].status == "proved"
    for name in ("nonexpansive", "energy_decay", "well_posed", "consistency"):
        assert claims[name].status not in ("proved", "proved if")
    run = Interpreter(network.graph)
    for u0 in attacks((7, 6)):
        for scale in (1e-3, 1.0, 1e3):
            u1 = run(scale * u0)
            assert np.linalg.norm(u1) <= np.linalg.norm(scale * u0) * (1 + 1e-12)
            assert abs((u1 - scale * u0).sum()) <= 1e-9 * scale * abs(u0).sum()
    p2n.recheck(network.certificate.to_json())


def test_tensors_have_no_maximum_principle_but_smoothed_diffusivities_do() -> None:
    scheme = p2n.Explicit(tau=sp.Rational(1, 5))
    assert p2n.verify(edge_enhancing(), scheme).claims["maximum_principle"].status == "refuted"
    assert p2n.verify(catte(), scheme).claims["maximum_principle"].status == "proved"


def test_limit_scales_with_the_largest_eigenvalue() -> None:
    v = grad(smooth(unknown(2), 1))
    certificate = p2n.verify(flow(tensor(v, 3, sp.Rational(1, 7))), p2n.Explicit(tau=None))
    assert certificate.claims["l2_stability"].limit == sp.Rational(1, 12)
    beyond = p2n.verify(flow(tensor(v, 3, 3)), p2n.Explicit(tau=sp.Rational(1, 10)))
    assert beyond.claims["l2_stability"].status == "refuted"


def test_negative_eigenvalues_are_not_proved() -> None:
    v = grad(smooth(unknown(2), 1))
    for along, across in ((-1, 1), (1, -sp.Rational(1, 100)), (1 - norm2(v), 1)):
        claim = p2n.verify(flow(tensor(v, along, across)), p2n.Explicit(tau=sp.Rational(1, 100)))
        assert claim.claims["l2_stability"].status in ("refuted", "unknown")


@pytest.mark.parametrize(
    "b,status", [(sp.Rational(1, 2), "proved"), (sp.Integer(1), "proved"), (2, "refuted")]
)
def test_constant_tensors(b: sp.Expr, status: str) -> None:
    """u_xx + 2 b u_xy + u_yy has the eigenvalues 1 - b and 1 + b."""
    u = unknown(2)
    rhs = u.diff(x, 2) + 2 * b * u.diff(x, y) + u.diff(y, 2)
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs))
    claims = p2n.verify(problem, p2n.Explicit(tau=sp.Rational(1, 40))).claims
    assert claims["l2_stability"].status == status
    if status == "proved":
        assert claims["l2_stability"].limit == 1 / (4 * (1 + sp.sympify(b)))
        assert claims["nonexpansive"].status == "proved" and claims["energy_decay"].status == "proved"


@pytest.mark.parametrize("dim", [2, 3])
def test_certificates_of_constant_tensors_are_rechecked(dim: int) -> None:
    """In 3D the eigenvalues lie in Gershgorin's discs, which are wider."""
    u = unknown(dim)
    rhs = p2n.laplacian(u) + sp.Rational(2, 5) * u.diff(x, y)
    certificate = p2n.verify(p2n.Problem(sp.Eq(u.diff(t), rhs)), p2n.Explicit(tau=sp.Rational(1, 20)))
    assert certificate.claims["l2_stability"].limit == 1 / (2 * dim * sp.Rational(6, 5))
    p2n.recheck(certificate.to_json())


def test_directions_may_be_constant() -> None:
    """D = R diag(a, 1) R^T of an angle: against the rotated matrix, with the eigenvalues a and 1."""
    phi = sp.Symbol("phi", real=True)
    u = unknown(2)
    matrix = tensor(sp.Matrix([sp.cos(phi), 2 * sp.sin(phi)]), sp.Rational(1, 10), 1)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(matrix * grad(u))), parameters={phi: 0.7})
    network = p2n.compile(problem, p2n.Explicit(tau=None, steps=2), trainable=[phi])
    claim = network.certificate.claims["l2_stability"]
    assert claim.status == "proved" and claim.limit == sp.Rational(1, 4)
    p2n.recheck(network.certificate.to_json())
    v = np.array([np.cos(0.7), 2 * np.sin(0.7)])
    d = np.eye(2) - 0.9 * np.outer(v, v) / (v @ v)
    u0 = RNG.normal(size=(6, 7))
    want = u0
    for _ in range(2):
        p = slopes(want)
        want = want + minus_adjoint([d[i, 0] * p[0] + d[i, 1] * p[1] for i in range(2)]) / 4
    np.testing.assert_allclose(Interpreter(network.graph)(u0), want, rtol=0, atol=1e-13)
    module = network.module().double()
    out = module(torch.from_numpy(u0)[None, None])
    np.testing.assert_allclose(out[0, 0].detach().numpy(), want, rtol=0, atol=1e-13)
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite() for p in module.parameters())


def test_given_tensor_fields_are_not_bounded() -> None:
    a, b, c = (sp.Function(n)(x, y) for n in "abc")
    claims = p2n.verify(flow(sp.Matrix([[a, b], [b, c]])), p2n.Explicit(tau=sp.Rational(1, 40))).claims
    assert claims["l2_stability"].status != "proved"
    with pytest.raises(p2n.EquationError, match="not symmetric"):
        p2n.verify(flow(sp.Matrix([[a, b], [-b, c]])), FIFTH)


def test_unsmoothed_directions_are_explained() -> None:
    with pytest.raises(p2n.EquationError, match="smooth it"):
        p2n.verify(flow(tensor(grad(unknown(2)), lam, 1)), FIFTH)


def test_spectrum_needs_projections_of_one_vector() -> None:
    form = recognise(edge_enhancing())
    found = spectrum(form.terms[0].matrix)
    assert found is not None and found.isotropic == 1 and len(found.weights) == 1
    ((a, b), (_, d)) = form.terms[0].matrix
    assert spectrum(((a + 1, b), (b, d))) is None  # no multiple of the identity is left over


def test_principal_direction_is_an_eigenvector() -> None:
    entries = sp.symbols("a b c", real=True)
    matrix = sp.Matrix([[entries[0], entries[1]], [entries[1], entries[2]]])
    vector, gap = p2n.principal_direction(matrix), p2n.coherence(matrix)
    for values in [*RNG.normal(size=(50, 3)).tolist(), [1, 0, 2], [2, 0, 1], [1, 1, 1], [0, -1, 0]]:
        at = dict(zip(entries, map(sp.Rational, map(str, values)), strict=True))
        numbers = np.array(matrix.subs(at), dtype=float)
        low, high = np.linalg.eigvalsh(numbers)
        v = np.array(vector.subs(at), dtype=float)[:, 0]
        assert np.linalg.norm(v) > 0
        np.testing.assert_allclose(numbers @ v, high * v, atol=1e-9)
        assert float(gap.subs(at)) == pytest.approx((high - low) ** 2)


# -- channels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [coherence_enhancing, catte])
def test_channels_share_the_structure_tensor_and_norms(make: Callable[..., p2n.Problem]) -> None:
    network = uncertified(make(channels=3), FIFTH)
    u0 = RNG.normal(size=(3, 6, 7))
    run = Interpreter(network.graph)
    out = network.module().double()(torch.from_numpy(u0)[None])[0].numpy()
    np.testing.assert_allclose(out, run(u0), rtol=0, atol=1e-12)
    rotation, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    turned = run(np.tensordot(rotation, u0, 1))
    np.testing.assert_allclose(turned, np.tensordot(rotation, run(u0), 1), rtol=0, atol=1e-10)


def test_channels_need_a_common_direction() -> None:
    with pytest.raises(p2n.EquationError, match="structure_tensor"):
        p2n.verify(edge_enhancing(channels=3), FIFTH)


# -- refusals and text ---------------------------------------------------------------------------


def test_smoothing_is_refused_where_it_has_no_meaning() -> None:
    u = unknown(2)
    with pytest.raises(p2n.DeclarationError, match="positive"):
        smooth(u, 0)
    with pytest.raises(p2n.EquationError, match="scalar"):
        smooth("u", 1)
    with pytest.raises(p2n.EquationError, match="only diffusivities"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), p2n.laplacian(u) + smooth(u, 1) - u)), FIFTH)
    with pytest.raises(p2n.DeclarationError, match="order 2"):
        p2n.verify(edge_enhancing(), FIFTH, p2n.Grid(order=4, gradient="staggered"))


@pytest.mark.parametrize("make", CASES)
def test_text_round_trip(make: Callable[..., p2n.Problem]) -> None:
    problem = make()
    assert read(problem.to_text(), "text")[0] == problem


def test_tensors_in_text() -> None:
    text = """
unknown   u(x, y, t)
parameter lambda > 0 = 0.5
let       J = structure_tensor(u, 1/2, 2)
let       c = 1/100 if coherence(J) == 0 else 1/100 + 99/100 * exp(-lambda / coherence(J))
equation  u_t = div(tensor(principal_direction(J), 1/100, c) * grad u)
"""
    assert recognise(read(text, "text")[0]).terms == recognise(coherence_enhancing()).terms


def test_a_structure_tensor_is_its_dominant_direction() -> None:
    """In Python and in texts; of numbers, the eigenvectors are those of NumPy."""
    j = structure_tensor(unknown(2), sp.Rational(1, 2), 2)
    assert tensor(j, 3, 5) == tensor(p2n.principal_direction(j), 3, 5)
    lines = (
        "unknown u(x, y, t)\nlet J = structure_tensor(u, 1/2, 2)\nequation u_t = div(tensor({}, 3, 5)*grad u)"
    )
    short, long = (read(lines.format(v), "text")[0] for v in ("J", "principal_direction(J)"))
    assert short == long == flow(tensor(j, 3, 5))
    for entries in ((3, 1, 2), (1, -2, 5), (0, 1, 0), (4, 0, 1), (1, 0, 4)):
        a, b, c = entries
        _, vectors = np.linalg.eigh(np.array([[a, b], [b, c]], dtype=float))
        expected = vectors @ np.diag([5.0, 3.0]) @ vectors.T  # eigenvalues ascend: the last is the largest
        found = tensor(sp.Matrix([[a, b], [b, c]]), 3, 5)
        np.testing.assert_allclose(np.array(found.evalf(), dtype=float), expected, rtol=0, atol=1e-12)
    assert tensor(sp.eye(2), 3, 5) == 5 * sp.eye(2)  # no direction stands out
    with pytest.raises(p2n.EquationError, match="symmetric 2 x 2"):
        tensor(sp.Matrix([[1, 2], [3, 4]]), 3, 5)
    with pytest.raises(p2n.EquationError, match="in two dimensions, a structure tensor"):
        tensor(structure_tensor(unknown(3), 1, 1), 3, 5)


def test_exact_interpreter_smooths_exactly() -> None:
    network = uncertified(catte(), p2n.Explicit(tau=sp.Rational(1, 5)))
    u0 = [[0, 1], [3, 2]]
    exact = Interpreter(network.graph, arithmetic=EXACT)(u0)
    np.testing.assert_allclose(
        np.array([[float(v) for v in row] for row in exact]), Interpreter(network.graph)(u0), atol=1e-14
    )


def test_gradients_are_finite_where_directions_vanish() -> None:
    for make in CASES:
        module = uncertified(make(), FIFTH).module().double()
        u0 = torch.zeros(1, 1, 6, 5, dtype=torch.float64)
        u0[..., 3:, 2:] = 1.0
        u0.requires_grad_()
        module(u0).square().sum().backward()
        assert torch.isfinite(u0.grad).all(), make.__name__

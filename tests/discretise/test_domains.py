"""Domains of any shape: networks on parts of an image, from outside."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import AXES, equation, t, uncertified, unknown, unproved

import pde2net as p2n
from pde2net import div, flux, grad, hessian, laplacian, norm2, smooth, tensor, value
from pde2net.graph.build import build
from pde2net.graph.interpret import EXACT, Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.text.build import read

R = sp.Rational
x, y, z = AXES
one, u = sp.Function("u")(x, t), sp.Function("u")(x, y, t)
v = sp.Function("v")(x, y, t)
f, m = (sp.Function(n)(x, y) for n in "fm")
SIZES, BOX = (8, 9, 7), (slice(2, 6), slice(3, 8), slice(1, 5))


def known(name: str, dim: int) -> Any:
    return sp.Function(name)(*AXES[:dim])


def perona_malik(w: Any, dim: int) -> sp.Expr:
    return div(grad(w) / (1 + norm2(grad(w))))


def charbonnier(w: Any, dim: int) -> sp.Expr:
    return div(grad(w) / sp.sqrt(1 + norm2(grad(w)))) + (known("f", dim) - w) / 4


EQUATIONS = {
    "linear": lambda w, dim: laplacian(w),
    "perona-malik": perona_malik,
    "fidelity": charbonnier,
    "by axes": lambda w, dim: sum((w.diff(a) / sp.sqrt(1 + w.diff(a) ** 2)).diff(a) for a in AXES[:dim]),
    "of a field": lambda w, dim: (
        div(grad(w) * (1 + known("f", dim) ** 2) / (1 + norm2(grad(known("f", dim))))) - w**3
    ),
    "of the state": lambda w, dim: 2 * div(grad(w) / (1 + w**2)),
}
SCHEMES = [
    p2n.Explicit(R(1, 20), 3),
    p2n.DuFortFrankel(tau=R(1, 20), steps=3, alpha=5),
    p2n.FED(tau=R(1, 20), cycle_length=3),
    p2n.FSI(tau=R(1, 20), cycle_length=3, freeze="step"),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
    p2n.Implicit(1, 1, solver=p2n.Kacanov(tol=R(1, 10**11), linear_tol=R(1, 10**13))),
    p2n.Implicit(R(1, 2), 2, solver=p2n.Newton(tol=R(1, 10**10), linear_tol=R(1, 10**12))),
    p2n.Implicit(R(1, 10), 1, solver=p2n.FixedPoint(iterations=3)),
    p2n.Theta(R(1, 2), 1, solver=p2n.Kacanov(iterations=2, linear_tol=R(1, 10**13))),
    p2n.AOS(1, 2),
]
STEADY = [
    p2n.Implicit(sp.oo, 1, solver=p2n.Kacanov(tol=R(1, 10**12), linear_tol=R(1, 10**13))),
    p2n.Implicit(sp.oo, 1, solver=p2n.Newton(tol=R(1, 10**11), linear_tol=R(1, 10**12))),
    p2n.Implicit(sp.oo, 1, solver=p2n.Descent(tol=R(1, 10**10))),
]


def label(scheme: Any) -> str:
    solver = getattr(scheme, "solver", None)
    return f"{scheme.label} {solver.label if solver else ''} {'steady' * (scheme.tau == sp.oo)}".strip()


def fields_of(problem: Any, mask: Any, seed: int = 0) -> dict[str, torch.Tensor]:
    """Noise in the domain, large numbers outside."""
    rng = torch.Generator().manual_seed(seed)
    shape = (1, 1, *mask.shape[2:])
    names = [str(g.func) for g in problem.equation_fields]
    return {
        n: torch.where(mask == 1, torch.rand(shape, generator=rng, dtype=torch.float64), 1e3) for n in names
    }


def box(dim: int) -> tuple[torch.Tensor, tuple[Any, ...]]:
    mask = torch.zeros(1, 1, *SIZES[:dim], dtype=torch.float64)
    place = (slice(None), slice(None), *BOX[:dim])
    mask[place] = 1
    return mask, place


def same_as_alone(rhs: Any, scheme: Any, dim: int, bounded: bool = False) -> None:
    """In a box, whatever is outside, a network does what that of the box alone does; the rest is kept."""
    w, domain = unknown(dim), known("m", dim)
    problem = p2n.Problem(sp.Eq(w.diff(t), rhs(w, dim)), domain=domain)
    mask, place = box(dim)
    rng = torch.Generator().manual_seed(dim)
    image = torch.rand(2, 1, *SIZES[:dim], generator=rng, dtype=torch.float64)
    image = torch.where(mask == 1, image, 1e6 * (image - 0.3))
    given = fields_of(problem, mask)
    network, plain = (compiled(p, scheme, bounded) for p in (problem, problem.changed(domain=None)))
    alone = plain.module().double()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = network.module().double()(image, m=mask, **given)
        wanted = alone(image[place].contiguous(), **{n: a[place].contiguous() for n, a in given.items()})
    torch.testing.assert_close(found[place], wanted, rtol=0, atol=tolerance(scheme))
    assert torch.equal(torch.where(mask == 1, image, found), image)


def compiled(problem: Any, scheme: Any, bounded: bool) -> Any:
    """`bounded` for schemes that take their step from bounds."""
    with unproved(bounded):
        return p2n.compile(problem, scheme)


def tolerance(scheme: Any) -> float:
    """Systems are solved to a tolerance, in the box alone with another preconditioner."""
    solved = isinstance(scheme, p2n.Implicit | p2n.Theta) and scheme.solver.label != "fixed point"
    return 1e-8 if solved else 1e-13


@pytest.mark.parametrize(
    ("scheme", "equation"),
    [(s, e) for k, s in enumerate(SCHEMES) for n, e in enumerate(EQUATIONS) if k == 0 or (k + n) % 3 == 0],
    ids=lambda p: p if isinstance(p, str) else label(p),
)
def test_a_box_in_an_image_is_the_box_alone(scheme: Any, equation: str) -> None:
    same_as_alone(EQUATIONS[equation], scheme, 2)


@pytest.mark.parametrize(("scheme", "dim"), [(s, 1) for s in SCHEMES] + [(s, 3) for s in SCHEMES[::3]])
def test_in_one_and_three_dimensions(scheme: Any, dim: int) -> None:
    same_as_alone(perona_malik, scheme, dim)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("scheme", STEADY, ids=label)
def test_steady_states_of_a_box(scheme: Any, dim: int) -> None:
    same_as_alone(charbonnier, scheme, dim, bounded=True)


def diffused(image: np.ndarray, cells: np.ndarray, tau: float, steps: int, wraps: bool, zero: bool) -> Any:
    """u_t = div(g grad u), g = 1/(1 + s²), cell by cell, over pairs of neighbours that are in `cells`."""
    rows, columns = image.shape

    def neighbour(i: int, j: int, axis: int) -> tuple[int, int] | None:
        k = [i, j]
        k[axis] += 1
        if wraps:
            k = [k[0] % rows, k[1] % columns]
        return tuple(k) if k[0] < rows and k[1] < columns else None

    def slope(a: np.ndarray, i: int, j: int, axis: int) -> float:
        other = neighbour(i, j, axis)
        if not cells[i, j] or (other is None and not zero) or (other is not None and not cells[other]):
            return 0.0
        return (0.0 if other is None else a[other]) - a[i, j]

    for _ in range(steps):
        change = np.zeros_like(image)
        for i, j in np.ndindex(image.shape):
            slopes = [slope(image, i, j, axis) for axis in (0, 1)]
            g = 1 / (1 + slopes[0] ** 2 + slopes[1] ** 2)
            for axis, d in enumerate(slopes):
                other = neighbour(i, j, axis)
                change[i, j] += g * d
                if other is not None:
                    change[other] -= g * d
        if zero:  # edges from the zeros before the first cells; the other slope there is one of zeros
            for line in ((0, slice(None)), (slice(None), 0)):
                d = np.where(cells[line], image[line], 0.0)
                change[line] -= d / (1 + d**2)
        image = image + tau * change
    return image


L = np.ones((9, 8), dtype=bool)
L[:5, 4:] = False
SHAPES = {"L": L, "parts": np.random.default_rng(2).random((9, 8)) < 0.6}


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_independent_implementation(shape: str, boundary: str) -> None:
    cells = SHAPES[shape]
    image = np.random.default_rng(0).normal(size=cells.shape) * 2
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), boundary, domain=m)
    network = p2n.compile(problem, p2n.Explicit(R(1, 5), 4))
    found = network.module().double()(*map(_image, [image]), m=_image(cells))[0, 0].numpy()
    wanted = diffused(image, cells, 0.2, 4, boundary == "periodic", boundary == "dirichlet")
    np.testing.assert_allclose(found, np.where(cells, wanted, image), rtol=0, atol=1e-13)


def _image(a: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(a, dtype=float))[None, None]


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_operator_is_a_symmetric_laplacian(dim: int, boundary: str) -> None:
    """I - tau A, exactly: symmetric, off-diagonals of one sign, row sums 1 on the parts, identity outside."""
    shape = (7,) if dim == 1 else (4, 3) if dim == 2 else (3, 2, 3)
    cells = np.random.default_rng(dim).random(shape) < 0.7
    problem = p2n.Problem(
        sp.Eq(unknown(dim).diff(t), laplacian(unknown(dim))), boundary, domain=known("m", dim)
    )
    graph = uncertified(problem, p2n.Explicit(R(1, 12), 1)).graph
    run, count = Interpreter(graph, arithmetic=EXACT), cells.size
    columns = []
    for k in range(count):
        basis = np.zeros(count, dtype=int)
        basis[k] = 1
        columns.append(run(basis.reshape(shape), {"m": cells.astype(int)}).ravel())
    matrix, inner = sp.Matrix(columns).T, np.flatnonzero(cells.ravel())
    assert matrix == matrix.T
    assert all(matrix[i, j] >= 0 for i in range(count) for j in range(count) if i != j)
    if boundary != "dirichlet":
        assert all(sum(matrix.row(i)) == 1 for i in range(count))
    for k in np.flatnonzero(~cells.ravel()):
        assert matrix[k, k] == 1 and sum(matrix.row(int(k))) == 1
    assert all(matrix[int(i), int(k)] == 0 for i in inner for k in np.flatnonzero(~cells.ravel()))


@pytest.mark.parametrize("scheme", [SCHEMES[0], SCHEMES[2], SCHEMES[4], p2n.AOS(5, 3)], ids=label)
def test_the_mean_of_each_part_is_kept(scheme: Any) -> None:
    cells = np.ones((8, 9), dtype=bool)
    cells[:, 4] = cells[5, :4] = False  # three parts
    labels = np.zeros(cells.shape, dtype=int)
    labels[:5, :4], labels[6:, :4], labels[:, 5:] = 1, 2, 3
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    network = p2n.compile(problem, scheme)
    assert str(network.certificate.claims["mean_preservation"].status) == "proved"
    image = np.random.default_rng(1).random(cells.shape)
    found = network.module().double()(_image(image), m=_image(cells))[0, 0].numpy()
    for part in (1, 2, 3):
        assert found[labels == part].mean() == pytest.approx(image[labels == part].mean(), abs=1e-14)
    assert abs(found - image)[labels > 0].max() > 1e-3


def test_truncated_solves_keep_no_means() -> None:
    """One mean is not that of each part, so it is not set, and nothing is claimed."""
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    scheme = p2n.Implicit(2, 1, solver=p2n.Kacanov(iterations=1))
    claims = p2n.verify(problem, scheme).claims
    assert str(claims["mean_preservation"].status) != "proved"
    assert (
        str(p2n.verify(problem.changed(domain=None), scheme).claims["mean_preservation"].status) == "proved"
    )


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
def test_the_norm_at_and_beyond_the_limit(boundary: str) -> None:
    """The limit of a whole image is that of a domain: never growth below, growth in a large part beyond."""
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary, domain=m)
    limit = p2n.verify(problem, p2n.Explicit(R(1, 10))).claims["l2_stability"].limit
    assert limit == R(1, 4)
    cells = np.zeros((26, 24))
    cells[2:24, 3:23] = 1
    cells[2, 3] = cells[10:12, 10] = 0
    parity = (-1.0) ** np.add(*np.indices(cells.shape)) * cells
    for tau, grows in ((limit, False), (limit * R(103, 100), True)):
        module = uncertified(problem, p2n.Explicit(tau, 60)).module().double()
        found = module(_image(parity), m=_image(cells))
        assert bool(found.norm() > np.linalg.norm(parity)) == grows
    with pytest.raises(p2n.StabilityError):
        p2n.compile(problem, p2n.Explicit(R(3, 10)))


def test_reactions_act_in_the_domain_alone() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + 3 + u / 2), domain=m)
    module = uncertified(problem, p2n.Explicit(R(1, 10), 5)).module().double()
    cells = _image(SHAPES["L"])
    image = torch.rand(1, 1, 9, 8, dtype=torch.float64)
    found = module(image, m=cells)
    assert torch.equal(found[cells == 0], image[cells == 0])
    assert bool((found[cells == 1] > image.max()).all())


def test_no_data_outside() -> None:
    """Values that are no numbers stay where they are."""
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    cells = _image(SHAPES["L"])
    image = torch.where(cells == 1, torch.rand(1, 1, 9, 8, dtype=torch.float64), torch.nan)
    for scheme in (p2n.Explicit(R(1, 5), 3), p2n.Implicit(1, 1)):
        found = uncertified(problem, scheme).module().double()(image, m=cells)
        assert torch.equal(found.isfinite(), cells == 1)


SOLVERS = {
    "Kacanov": p2n.Kacanov(tol=R(1, 10**10), linear_tol=R(1, 10**12)),
    "Newton": p2n.Newton(tol=R(1, 10**10), linear_tol=R(1, 10**12)),
    "Picard": p2n.FixedPoint(tol=R(1, 10**10), max_iterations=200),
}


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("solver", SOLVERS)
def test_implicit_steps_solve_their_equation(solver: str, dim: int, boundary: str) -> None:
    """v = u + tau F(v), with F from an explicit step."""
    w, tau = unknown(dim), R(1, 10) if solver == "Picard" else R(2)
    problem = p2n.Problem(sp.Eq(w.diff(t), charbonnier(w, dim)), boundary, domain=known("m", dim))
    cells = SHAPES["parts"][:, :1].T.reshape(9)[None, None] if dim == 1 else SHAPES["parts"][None, None]
    mask = torch.from_numpy(cells.astype(float))
    image = torch.rand(mask.shape, dtype=torch.float64)
    given = {"m": mask, **fields_of(problem, mask)}
    v = uncertified(problem, p2n.Implicit(tau, 1, solver=SOLVERS[solver])).module().double()(image, **given)
    step = uncertified(problem, p2n.Explicit(R(1, 8), 1)).module().double()
    rate = 8 * (step(v, **given) - v)
    torch.testing.assert_close(v - float(tau) * rate, image, rtol=0, atol=1e-7)
    assert bool((v - image)[mask == 1].abs().max() > 1e-2)


def test_conditions_at_sides_act_in_the_domain() -> None:
    """A flux comes in through the faces of cells of the domain; a value is that of a bar of them."""
    through = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), {x: (flux(2), flux(-1)), y: "periodic"}, domain=m)
    cells = _image(SHAPES["parts"])
    image = torch.rand(1, 1, 9, 8, dtype=torch.float64)
    found = uncertified(through, p2n.Explicit(R(1, 10), 1)).module().double()(image, m=cells)
    rate = 2 * cells[..., 0, :].sum() - cells[..., -1, :].sum()
    torch.testing.assert_close((found - image).sum(), rate / 10)
    bar = np.zeros((9, 5))
    bar[:, 2] = 1
    held = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), {x: (value(0), value(1)), y: "reflecting"}, domain=m)
    scheme = p2n.Implicit(1000, 5, solver=p2n.Kacanov(iterations=1, linear_tol=R(1, 10**10)))
    settled = uncertified(held, scheme).module().double()(torch.ones(1, 1, 9, 5).double(), m=_image(bar))
    np.testing.assert_allclose(settled[0, 0, :, 2].detach(), (np.arange(9) + 0.5) / 9, atol=1e-6)
    assert bool((settled[0, 0, :, 1] == 1).all())


SYSTEM = [sp.Eq(u.diff(t), laplacian(u) - u * v**2), sp.Eq(v.diff(t), laplacian(v) / 2 + u * v**2 - v)]


@pytest.mark.parametrize(
    "scheme", [SCHEMES[0], SCHEMES[2], p2n.Implicit(R(1, 2), 1), p2n.AOS(1, 1)], ids=label
)
@pytest.mark.parametrize("kind", ["system", "channels"])
def test_channels_have_one_domain(kind: str, scheme: Any) -> None:
    equation = SYSTEM if kind == "system" else sp.Eq(u.diff(t), perona_malik(u, 2))
    problem = p2n.Problem(equation, channels=2, domain=m)
    network = uncertified(problem, scheme)
    mask, place = box(2)
    image = torch.rand(1, 2, *SIZES[:2], dtype=torch.float64)
    with torch.no_grad():
        found = network.module().double()(image, m=mask)
        alone = uncertified(problem.changed(domain=None), scheme).module().double()(image[place].contiguous())
    torch.testing.assert_close(
        found[place], alone, rtol=0, atol=1e-6 if "implicit" in label(scheme) else 1e-13
    )
    assert torch.equal(torch.where(mask == 1, image, found), image)
    reference = Interpreter(network.graph)(image[0].numpy(), {"m": mask[0, 0].numpy()})
    np.testing.assert_allclose(found[0], reference, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="they must agree"):
        network.module().double()(image, m=mask.expand(1, 2, *SIZES[:2]))


@pytest.mark.parametrize("scheme", [*SCHEMES, *STEADY[:2]], ids=label)
def test_modules_compute_what_graphs_say(scheme: Any) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), charbonnier(u, 2)), {x: "dirichlet", y: "periodic"}, domain=m)
    network = uncertified(problem, scheme)
    cells = SHAPES["parts"]
    image = np.random.default_rng(4).random(cells.shape)
    given = {"m": cells.astype(float), "f": np.random.default_rng(5).random(cells.shape)}
    reference = Interpreter(from_json(to_json(network.looped)))(image, given)
    for backend in ("torch", "numba"):
        module = pickle.loads(pickle.dumps(network.module(backend).double()))
        start = _image(image).requires_grad_()
        found = module(start, **{n: _image(a) for n, a in given.items()})
        np.testing.assert_allclose(found.detach()[0, 0], reference, rtol=0, atol=1e-12)
        (slope,) = torch.autograd.grad(found.square().sum(), start)
        if backend == "torch":
            torch_slope = slope
    torch.testing.assert_close(slope, torch_slope, rtol=0, atol=1e-10)
    outside = torch.from_numpy(~cells)
    torch.testing.assert_close(slope[0, 0, outside], 2 * _image(image)[0, 0, outside])


def test_kernels_run_domains() -> None:
    """They are not passed by."""
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    module = p2n.compile(problem, p2n.Explicit(R(1, 5), 3)).module("numba").double()
    image, cells = torch.rand(2, 1, 9, 8, dtype=torch.float64), _image(SHAPES["L"])
    assert module.by_kernels(image, cells) is not None


def test_gradients() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), charbonnier(u, 2)), domain=m)
    cells = _image(SHAPES["parts"][:5, :4])
    for scheme in (p2n.Explicit(R(1, 10), 2), p2n.Implicit(1, 1, solver=p2n.Kacanov(tol=R(1, 10**10)))):
        module = uncertified(problem, scheme).module().double()
        image = torch.rand(1, 1, 5, 4, dtype=torch.float64, requires_grad=True)
        data = torch.rand(1, 1, 5, 4, dtype=torch.float64)

        def result(w: torch.Tensor, module: Any = module, data: torch.Tensor = data) -> torch.Tensor:
            return module(w, m=cells, f=data)

        assert torch.autograd.gradcheck(result, image, atol=1e-5)
        (moved,) = torch.autograd.grad(result(image)[cells == 1].sum(), image)
        assert not moved[cells == 0].any()


def test_transforms() -> None:
    """jvp, vmap over images and over domains, torch.compile."""
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    module = p2n.compile(problem, p2n.Explicit(R(1, 5), 2)).module().double()
    images, cells = torch.rand(3, 1, 9, 8, dtype=torch.float64), _image(SHAPES["parts"])
    change = torch.rand_like(images)
    found, slope = torch.func.jvp(lambda w: module(w, m=cells), (images,), (change,))
    moved = (module(images + 1e-6 * change, m=cells) - module(images - 1e-6 * change, m=cells)) / 2e-6
    torch.testing.assert_close(slope, moved, rtol=0, atol=1e-7)
    each = torch.func.vmap(lambda w: module(w[None], m=cells)[0])(images)
    torch.testing.assert_close(each, found, rtol=0, atol=1e-14)
    domains = torch.stack([cells, torch.ones_like(cells)])
    both = torch.func.vmap(lambda c: module(images, m=c))(domains)
    torch.testing.assert_close(both[1], module(images, m=domains[1]), rtol=0, atol=1e-14)
    whole = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(images, m=cells), found, rtol=0, atol=1e-14)


def test_blocks_of_large_arrays() -> None:
    da = pytest.importorskip("dask.array")
    problem = p2n.Problem(sp.Eq(u.diff(t), perona_malik(u, 2)), domain=m)
    network = p2n.compile(problem, p2n.Explicit(R(1, 5), 3))
    rng = np.random.default_rng(0)
    image, cells = rng.random((20, 24)), (rng.random((20, 24)) < 0.7).astype(float)
    whole = network.module().double()(_image(image), m=_image(cells))[0, 0].numpy()
    chunks = {"chunks": (10, 12)}
    found = network.map_blocks(da.from_array(image, **chunks), m=da.from_array(cells, **chunks)).compute()
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-14)


def test_a_network_checks_the_values_of_its_domain() -> None:
    module = p2n.compile(
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), domain=m), p2n.Explicit(R(1, 5))
    ).module()
    image, cells = torch.rand(1, 1, 4, 5), torch.ones(1, 1, 4, 5)
    cells[0, 0, 2, 3] = 0.5
    with pytest.raises(ValueError, match=r"m was declared to lie in \{0, 1\}, and is 0.5 at \(0, 0, 2, 3\)"):
        module(image, m=cells)
    exported = torch.export.export(module, (image,), {"m": torch.ones_like(image)})
    torch.testing.assert_close(
        exported.module()(image, m=torch.ones_like(image)), module(image, m=torch.ones_like(image))
    )


@pytest.mark.parametrize("scheme", [SCHEMES[0], SCHEMES[2], p2n.Implicit(1, 1), p2n.AOS(1, 1)], ids=label)
def test_certificates(scheme: Any) -> None:
    """What is proved is that of whole images, and says what it is about; it is accepted, forged it is not."""
    problem = p2n.Problem(sp.Eq(u.diff(t), charbonnier(u, 2)), domain=m)
    network = p2n.compile(problem, scheme)
    certificate = network.certificate
    whole = p2n.verify(problem.changed(domain=None), scheme).claims
    for name, claim in certificate.claims.items():
        assert claim.limit == whole[name].limit and claim.factor == whole[name].factor, name
        if str(claim.status) == "proved" and name != "consistency":
            assert any(h.name == "domain" and "m is 0 or 1" in h.statement for h in claim.hypotheses)
    assert "border of m = 1" in str(certificate.claims["consistency"])
    text = certificate.to_json()
    p2n.recheck(text, network.source())
    declared = json.loads(text)
    assert declared["declaration"]["domain"] == "m"
    for name in ("f", "u", None):
        forged = json.loads(text)
        forged["declaration"]["domain"] = name
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(json.dumps(forged))
    del declared["declaration"]["domain"]
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(json.dumps(declared))


def test_round_trips() -> None:
    problem = p2n.Problem(
        sp.Eq(u.diff(t), charbonnier(u, 2)),
        {x: (value(1), flux(0)), y: "periodic"},
        domain=m,
        bounds={f: (0, 1)},
    )
    assert "domain    m(x, y)" in problem.to_text() and "in m = 1" in str(problem)
    for again in (read(problem.to_text(), "text")[0], pickle.loads(pickle.dumps(problem)), problem.changed()):
        assert again == problem and hash(again) == hash(problem)
    assert problem != problem.changed(domain=None)
    with pytest.raises(p2n.TextError, match="a domain is a function of the axes of the unknown"):
        read("unknown u(x, t)\ndomain m(t)\nequation u_t = laplacian(u)\n", "text")
    with pytest.raises(p2n.TextError, match="second domain"):
        read("unknown u(x, t)\ndomain m(x)\ndomain n(x)\nequation u_t = laplacian(u)\n", "text")


REFUSED: list[tuple[str, dict[str, Any], Any, str]] = [
    ("central", {"gradient": "central"}, laplacian(u), "differences of two neighbours"),
    ("staggered", {"gradient": "staggered"}, laplacian(u), "differences of two neighbours"),
    ("order 4", {"order": 4}, laplacian(u), "differences of two neighbours"),
    ("tensor", {}, div(tensor(grad(smooth(u, 1)), 1, R(1, 2)) * grad(u)), "scalar diffusivities"),
    ("biharmonic", {}, -laplacian(laplacian(u)), "two conditions at the border"),
    ("hessian", {}, -div(div(hessian(u) / (1 + norm2(hessian(u))))), "two conditions at the border"),
    ("smooth", {}, div(grad(u) / (1 + norm2(grad(smooth(u, 1))))), "sees what is outside"),
    ("no value", {}, laplacian(u) + 1 / u, "a value at u = 0"),
    ("no value of g", {}, div(grad(u) / u), "a value at u = 0"),
]


@pytest.mark.parametrize(("options", "rhs", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_sees_across_the_border_is_refused(options: Any, rhs: Any, message: str) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), domain=m)
    with pytest.raises(p2n.DeclarationError, match=message):
        p2n.compile(problem, p2n.Explicit(R(1, 100)), p2n.Grid(**options))


def test_learned_filters_are_refused() -> None:
    operator = p2n.LinearOperator("K", out_channels=4, kernel_size=3)
    problem = p2n.Problem(sp.Eq(u.diff(t), -operator.adjoint(operator(u))), domain=m)
    with pytest.raises(p2n.DeclarationError, match="not for learned operators"):
        p2n.compile(problem, p2n.Explicit(R(1, 10)))


def test_coarse_grids_are_refused() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), charbonnier(u, 2)), domain=m)
    with pytest.raises(p2n.DeclarationError, match="no coarse grids"):
        p2n.compile(problem, p2n.Multigrid(1, 1))
    with pytest.raises(p2n.DeclarationError, match='preconditioner="diagonal"'):
        p2n.compile(problem, p2n.Implicit(1, 1, solver=p2n.Kacanov(iterations=1, preconditioner="multigrid")))


@pytest.mark.parametrize("pull", [0, f * (f - u), u - u**3])
def test_steady_states_need_a_pull_everywhere(pull: Any) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + pull), "dirichlet", domain=m)
    with pytest.raises(p2n.EquationError, match="pull in every cell"):
        p2n.compile(problem, p2n.Implicit(sp.oo, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domain": 1}, "domain is a known field"),
        ({"domain": f}, "f is the domain"),
        ({"domain": m, "bounds": {m: (0, 1)}}, "takes no bounds"),
        ({"domain": sp.Function("m", positive=True)(x, y)}, "declare no other sign"),
        ({"domain": sp.Function("m")(x)}, "all the spatial arguments"),
        ({"domain": sp.Function("u_x")(x, y)}, "name that the compiler uses"),
    ],
)
def test_what_is_no_domain(options: Any, message: str) -> None:
    with pytest.raises(p2n.Pde2NetError, match=message):
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + f - u), **options)


def test_plans_and_searches_take_domains() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), charbonnier(u, 2)), domain=m)
    assert "domains have no coarse grids" in str(p2n.advise(problem, time=1)).lower()


def test_what_is_proved_does_not_know_of_the_domain() -> None:
    """The graph of a certificate is that of the image; `in_domain` adds the field and nothing else."""
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), domain=m)
    network = p2n.compile(problem, p2n.Explicit(R(1, 5), 2))
    plain = build(network.semidiscrete, R(1, 5), network.update)
    image = np.random.default_rng(0).random((5, 6))
    everywhere = Interpreter(network.graph)(image, {"m": np.ones_like(image)})
    np.testing.assert_array_equal(Interpreter(plain)(image), everywhere)


def test_the_page_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(p2n.__file__).parent.parent / "docs" / "domains.md").read_text()
    program, output = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.S).groups()  # type: ignore[union-attr]
    exec(program, {})
    assert capsys.readouterr().out == output


@pytest.mark.parametrize(
    "g", [lambda u: 1 / (u + norm2(grad(u))), lambda u: 1 / (u**2 + norm2(grad(u)))], ids="ab"
)
def test_diffusivities_have_values_at_the_states_outside(g):
    """They are 0 there, whatever range is declared of u."""
    u, m = unknown(2), sp.Function("m")(*unknown(2).args[:2])
    problem = p2n.Problem(equation(div(g(u) * grad(u)), 2), bounds={u: (1, 2)}, domain=m)
    with pytest.raises(p2n.DeclarationError, match="needs a value at u = 0"):
        p2n.compile(problem, p2n.Explicit(R(1, 20), 2))

"""Methods of cells and U-nets, and what leads from grid to grid: kernels against those of torch."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from typing import Any

import pytest
import sympy as sp
import torch
from emit.test_module import declared
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

R = sp.Rational
AXES = sp.symbols("x y z", real=True)
x, y = AXES[:2]
t = sp.Symbol("t", real=True)
u = sp.Function("u")(x, y, t)


def methods_agree(network: Any, shape: tuple[int, ...], **known: torch.Tensor) -> set[str]:
    """The methods of cells and operators that ran by kernels, with the results of torch, once a grid."""
    module = network.module(backend="numba")
    text = vars(sys.modules[type(module).__module__])
    by_kernels, seen, done = text["by_kernels"], set[str](), set[object]()

    def both(method: Any) -> Any:
        def compared(self: Any, *arguments: Any, **options: Any) -> Any:
            asked: list[str] = []
            shapes = (a.shape for a in arguments if torch.is_tensor(a))
            key = type(self), method.__name__, *shapes, *options.items()
            if key in done:
                return method(self, *arguments, **options)
            done.add(key)

            def noted(name: str, *handed: Any) -> Any:
                found = by_kernels(name, *handed)
                asked.extend([name] if found is not None else [])
                return found

            text["by_kernels"] = noted
            fast = method(self, *arguments, **options)
            text["by_kernels"] = lambda *handed: None
            plain = method(self, *arguments, **options)
            for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (fast, plain)), strict=True):
                assert close(a, b, 1e-12)
            seen.update(asked)
            return plain

        return compared

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setitem(text, "by_kernels", lambda *handed: None)
        for name in ("DiffusionOperator", "ImplicitCell"):
            for method in ("linearised", "diagonal", "frozen", "product", "relaxed", "defect", "residual"):
                if hasattr(text.get(name), method):
                    patch.setattr(text[name], method, both(getattr(text[name], method)))
        fields = [str(f.func) for f in network.semidiscrete.form.problem.fields]
        u = torch.rand(*shape, dtype=torch.float64)
        known = {f: torch.rand(*shape, dtype=torch.float64) for f in fields} | known
        module.double()(u, **known)
        module.residuals(u, **known)
    return seen


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return bool(((a - b).abs() <= tolerance * (1 + b.abs().max())).all())


CELLS = {
    "multigrid": p2n.Multigrid(1, 1),
    "red-black": p2n.Multigrid(1, 1, smoother="red-black"),
    "implicit": p2n.Implicit(1, 1, solver=p2n.Kacanov(iterations=1)),
    "newton": p2n.Implicit(R(1, 4), 1, solver=p2n.Newton(iterations=1)),
    "fixed point": p2n.Implicit(R(1, 10**4), 1, solver=p2n.FixedPoint()),
    "theta": p2n.Theta(R(1, 4), 1, solver=p2n.Kacanov(iterations=1)),
}


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("scheme", CELLS)
def test_methods_of_cells_and_operators(scheme: str, dim: int, boundary: str, uncompiled: None) -> None:
    """On all grids whose cells are whole, whatever the borders; on others torch runs."""
    found = set[str]()
    for name in ("charbonnier", "known field", "of position"):
        problem, grid = declared(name, dim, boundary)
        try:
            network = uncertified(problem, CELLS[scheme], grid)
            network.source("numba")
        except p2n.Pde2NetError:
            continue
        for shape in ((16, 8, 4), (6, 7, 5)):
            found |= methods_agree(network, (2, 1, *shape[:dim]))
    wanted = {"relaxed", "defect"} if scheme == "multigrid" else {"residual"}
    assert wanted <= {name.rpartition(" ")[2] for name in found} or scheme == "red-black"
    assert found


NUMBERS_ALONE = [  # diffusivities of the time alone, a reaction whose derivative is on the diagonal
    (sp.exp(-t) * laplacian(u), p2n.Implicit(1, 2, solver=p2n.Kacanov(iterations=2))),
    (sp.exp(-t) * laplacian(u), p2n.Multigrid(1, 2, smoother="red-black")),
    ((sp.sin(t) + 2) * laplacian(u), p2n.Multigrid(1, 2)),
    (
        -laplacian(laplacian(u)) / 4 + u * sp.sin(t) / 5,
        p2n.Implicit(R(1, 8), 1, solver=p2n.Kacanov(iterations=2)),
    ),
    (laplacian(u), p2n.Multigrid(1, 1)),
]


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("right,scheme", NUMBERS_ALONE)
def test_operators_of_numbers_alone(right: Any, scheme: Any, boundary: str, uncompiled: None) -> None:
    network = uncertified(p2n.Problem(sp.Eq(u.diff(t), right), boundary=boundary), scheme)
    for shape in ((8, 8), (6, 4)):
        methods_agree(network, (1, 1, *shape))
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        module = network.module(backend="numba").double()
        assert close(module(torch._neg_view(image)), module(-image), 1e-12)


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("diffusivity", [1 / (1 + norm2(grad(u))), sp.S.One])
@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_operators_tied_to_known_values(
    steady: bool, diffusivity: Any, boundary: str, uncompiled: None
) -> None:
    """Inpainting: cells that are known, and ties of coarser grids to them."""
    f, c = (sp.Function(name)(x, y) for name in "fc")
    rhs = (1 - c) * div(diffusivity * grad(u)) + c * (f - u)
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), boundary=boundary)
    network = uncertified(problem, p2n.Multigrid(sp.oo if steady else 2, 1, cycles=2))
    mask = (torch.rand(2, 1, 16, 12, dtype=torch.float64) < 0.2).double()
    found = methods_agree(network, (2, 1, 16, 12), c=mask)
    assert {"relaxed", "defect", "product"} <= {name.rpartition(" ")[2] for name in found}
    image = torch.rand(2, 1, 16, 12, dtype=torch.float64)
    fast, plain = (network.module(backend=b).double()(image, f=image, c=mask) for b in ("numba", "torch"))
    assert close(fast, plain, 1e-12)


SIZES = {1: [(64,), (37,), (2,), (6,)], 2: [(16, 24), (9, 14), (3, 2), (32, 5)], 3: [(8, 4, 12), (5, 6, 7)]}
CASES = [(d, b, h) for d in SIZES for b in ("reflecting", "periodic", "dirichlet") for h in (1, 3)]


def functions(dim: int, boundary: str, spacing: int) -> tuple[torch.nn.Module, dict[str, Any]]:
    axes = AXES[:dim]
    u = sp.Function("u")(*axes, t)
    grid = p2n.Grid(spacing={axes[0]: sp.Integer(spacing), **dict.fromkeys(axes[1:], sp.S.One)})
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), boundary=boundary)
    scheme = p2n.Multigrid(1, 1, cycles=2)
    made = p2n.compile(problem, scheme, grid, on_unstable="ignore").module(backend="numba")
    return made, type(made).forward.__globals__


@pytest.mark.parametrize("dim,boundary,spacing", CASES)
def test_means_and_corrections(dim: int, boundary: str, spacing: int, uncompiled: None) -> None:
    module, named = functions(dim, boundary, spacing)
    taken, asked, real = set(), 0, named["in_lines"]
    named["in_lines"] = lambda function, *given: (taken.add(function.__name__), real(function, *given))
    for sizes in SIZES[dim]:
        for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
            image = torch.randn(2, 1, *sizes, dtype=dtype)
            grids = module.net.operator.grids(image, 12)
            for fine, coarse in pairwise(grids):
                v, e, start = (torch.randn(2, 1, *g.sizes, dtype=dtype) for g in (fine, coarse, coarse))
                mean = named["pooled"](v, fine, coarse)
                torch.testing.assert_close(
                    mean, named["pooled_by_torch"](v, fine, coarse), rtol=tolerance, atol=tolerance
                )
                better = named["corrected"](v, e, start, coarse, fine)
                want = v + named["prolong"](e - start, coarse, fine)
                torch.testing.assert_close(better, want, rtol=tolerance, atol=tolerance)
                asked += 1
    assert asked and taken == {"join_lines"} | ({"add_lines"} if boundary != "dirichlet" else set())


@pytest.mark.parametrize("sizes", [(40, 48), (33, 50)])
def test_derivatives_views_and_odd_values(sizes: tuple[int, int], uncompiled: None) -> None:
    module, named = functions(2, "reflecting", 1)
    u = torch.randn(1, 1, *sizes, dtype=torch.float64)
    fine, coarse = module.net.operator.grids(u, 2)
    e = torch.randn(1, 1, *coarse.sizes, dtype=torch.float64)
    for v in (u, torch.randn(1, 1, *sizes[::-1], dtype=torch.float64).mT, u.expand(3, -1, -1, -1)):
        w, start = e.expand(len(v), -1, -1, -1), torch.randn(len(v), 1, *coarse.sizes[::-1]).double().mT
        assert torch.allclose(named["pooled"](v, fine, coarse), named["pooled_by_torch"](v, fine, coarse))
        better, want = (
            named["corrected"](v, w, start, coarse, fine),
            named["prolong"](w - start, coarse, fine),
        )
        assert torch.allclose(better, v + want)
    u[0, 0, 3, 3], u[0, 0, 20, 20] = torch.nan, torch.inf
    found, want = named["pooled"](u, fine, coarse), named["pooled_by_torch"](u, fine, coarse)
    assert torch.equal(found.isfinite(), want.isfinite())
    v = u.nan_to_num(0, 1).requires_grad_()

    def slope(pooled: Any, corrected: Any) -> torch.Tensor:
        made = corrected(v, pooled(v, fine, coarse), e, coarse, fine)
        return torch.autograd.grad(made.square().sum(), v)[0]

    def by_torch(v: torch.Tensor, w: torch.Tensor, start: torch.Tensor, *grids: Any) -> torch.Tensor:
        return v + named["prolong"](w - start, *grids)

    want = slope(named["pooled_by_torch"], by_torch)
    assert torch.allclose(slope(named["pooled"], named["corrected"]), want)


def test_subclasses_of_tensors_take_the_way_of_torch(
    uncompiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has more than values may have none: tensors of FakeTensorMode, say."""

    class Own(torch.Tensor):
        pass

    module, named = functions(2, "reflecting", 1)
    image = torch.rand(1, 1, 24, 16, dtype=torch.float64)
    want = module.double()(image)
    monkeypatch.setitem(named, "divided", None)  # so that kernels would fail
    with torch.no_grad():
        assert torch.allclose(module(image.as_subclass(Own)), want)


def test_a_cycle_is_that_of_the_torch_module(uncompiled: None) -> None:
    for boundary in ("reflecting", "periodic"):
        module, _ = functions(2, boundary, 1)
        u = torch.rand(2, 1, 24, 40, dtype=torch.float64)
        x, y = AXES[:2]
        f = sp.Function("u")(x, y, t)
        problem = p2n.Problem(sp.Eq(f.diff(t), div(grad(f) / (1 + norm2(grad(f))))), boundary=boundary)
        other = p2n.compile(problem, p2n.Multigrid(1, 1, cycles=2), on_unstable="ignore").module()
        torch.testing.assert_close(module.double()(u), other.double()(u), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_norms_of_what_is_large_and_small(dim: int, uncompiled: None) -> None:
    _, named = functions(dim, "reflecting", 1)
    a = torch.randn(7, 1, *SIZES[dim][0])
    factors = (1.0, 1e-42, 1e-30, 0.0, 1e36, math.inf, math.nan)
    a *= torch.tensor(factors).reshape(-1, *[1] * (dim + 1))
    found, want = named["norm"](a), torch.linalg.vector_norm(a.double().flatten(1), dim=1).float()
    assert found.dtype == a.dtype and found.shape == (7, *[1] * (dim + 1))
    torch.testing.assert_close(found.flatten(), want, rtol=1e-6, atol=0, equal_nan=True)
    torch.testing.assert_close(found[:5], named["norm_by_torch"](a)[:5], rtol=1e-5, atol=1e-43)
    turned = named["norm"](a.transpose(1, -1))
    torch.testing.assert_close(turned.flatten(), want, rtol=1e-6, atol=0, equal_nan=True)


def test_what_is_constant_to_the_compiler_is_marked_as_torch_marks_it(uncompiled: None) -> None:
    def own() -> None: ...

    _, named = functions(2, "reflecting", 1)
    marked = vars(torch.compiler.assume_constant_result(own))
    assert marked and marked.items() <= vars(named["is_transformed"]).items()

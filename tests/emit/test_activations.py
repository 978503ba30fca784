"""K^T phi(K u) of learned filters by kernels: what the torch module computes, and its derivatives."""

from __future__ import annotations

import math
import re
import sys
from copy import deepcopy
from itertools import count
from typing import Any

import learned_models as lm
import pytest
import sympy as sp
import torch
from emit.test_learned import PENALISERS, SCHEMES, learned
from emit.test_learned_cells import SOLVERS
from hypothesis import given, settings
from hypothesis import strategies as st
from support import equation, lam, uncertified, unknown
from torch import nn

import pde2net as p2n
from pde2net import laplacian
from pde2net.emit.execute import execute
from pde2net.errors import EmissionError

R = sp.Rational
SHAPES = {1: (19,), 2: (9, 11), 3: (6, 5, 7)}
NUMBERS = count()  # of operators, which texts that are equal have in common
STEP = p2n.Explicit(tau=R(1, 20), steps=2)


def texts(module: nn.Module) -> dict[str, Any]:
    return vars(sys.modules[type(module).__module__])


def pair(network: Any, longest: int = 0) -> tuple[nn.Module, nn.Module, list[int]]:
    """The module of torch, and that with kernels of equal weights; how often these were asked for what."""
    torch.manual_seed(0)
    plain = network.module().double()
    source = re.sub(r"\bfilters_(?=[0-9a-f]{16})", f"filters_{next(NUMBERS)}_", network.source("numba"))
    fast = execute(source, anew=True).double()
    fast.load_state_dict(plain.state_dict())
    found, asked = texts(fast), list[int]()
    found["LONGEST"] = longest or found["LONGEST"]
    found["tiles_of"].cache_clear()
    filtering = found["filtering"]

    def counted(kind: int, *arguments: Any) -> Any:
        asked.append(kind)
        return filtering(kind, *arguments)

    found["filtering"] = counted
    return plain, fast, asked


def slopes(module: nn.Module, image: torch.Tensor, fields: dict[str, Any]) -> list[torch.Tensor]:
    """The result, and derivatives of a functional by everything."""
    u = image.clone().requires_grad_()
    known = {n: a.clone().requires_grad_() for n, a in fields.items()}
    out = module(u, **known)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    asked = [u, *known.values(), *(p for p in module.parameters() if p.requires_grad)]
    found = torch.autograd.grad((out * weights).sum(), asked, allow_unused=True)
    return [out.detach(), *(torch.zeros(()) if a is None else a for a in found)]


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Relative to the largest value; NaN and infinity in the same places."""
    finite = torch.isfinite(b)
    same = torch.equal(a[~finite].nan_to_num(7.0), b[~finite].nan_to_num(7.0))
    scale = b[finite].abs().max().item() if finite.any() else 0.0
    return same and bool(((a - b)[finite].abs() <= tolerance * max(scale, 1e-12)).all())


def agree(network: Any, shape: tuple[int, ...], longest: int = 0, **fields: Any) -> list[int]:
    """Results and derivatives are equal, and made by kernels: how often."""
    plain, fast, asked = pair(network, longest)
    image = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert close(fast(image, **fields), plain(image, **fields), 1e-12)
    for a, b in zip(slopes(fast, image, fields), slopes(plain, image, fields), strict=True):
        assert a.shape == b.shape and close(a, b, 1e-10)
    assert asked
    return asked


CASES = [
    (1, "reflecting", {}),
    (1, "periodic", {}),
    (2, "reflecting", {}),
    (2, "dirichlet", {}),
    (2, "reflecting", {"border": "continued"}),
    (2, "reflecting", {"border": "continued", "zero_mean": True}),
    (3, "periodic", {}),
    (3, "reflecting", {"border": "continued"}),
]


@pytest.mark.parametrize("name", lm.MODELS)
@pytest.mark.parametrize(("dim", "boundary", "options"), CASES)
def test_models(name: str, dim: int, boundary: str, options: Any, uncompiled: None) -> None:
    model = lm.MODELS[name](dim, boundary, **options)
    problem = lm.with_values(model, 3)
    network = uncertified(problem, STEP, trainable=list(model.shapes), shared=False)
    fields = {n: torch.tensor([v, 2 * v]).double() for n, v in model.given.items()}
    agree(network, (2, 1, *SHAPES[dim]), longest=16, **fields)


@pytest.mark.parametrize("flux", [*PENALISERS, "Tukey", "linear", "shrinkage", "sum with a spline"])
def test_activations(flux: str, uncompiled: None) -> None:
    """Those that are elementary, with pieces, of nothing but the response, of splines."""
    K = p2n.LinearOperator("K", 3, 3)
    phi = p2n.Spline("phi", knots=5, reach=R(1, 2), slopes=(0, 1), filters=K)
    more = {
        "Tukey": lambda q: sp.Piecewise((q * (1 - q**2 / lam**2) ** 2, q**2 < lam**2), (0, True)),
        "linear": lambda q: q,
        "shrinkage": lambda q: sp.Max(q - lam, 0) - sp.Max(-q - lam, 0),
        "sum with a spline": lambda q: phi(q) + q / (1 + q**2),
    }
    made = {**PENALISERS, **more}[flux]
    own = {"linear": [K], "sum with a spline": [K, phi]}
    parameters = {} if flux in own else {lam: R(1, 5)}
    problem = learned(2, made, K, parameters=parameters)
    trained = own.get(flux, [K, lam])
    agree(uncertified(problem, STEP, trainable=trained, shared=False), (2, 1, 8, 9))


@given(
    dim=st.integers(1, 3),
    filters=st.integers(1, 9),
    size=st.integers(1, 5),
    channels=st.integers(1, 3),
    longest=st.integers(3, 70),
    images=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=25, deadline=None)
def test_sizes(
    dim: int, filters: int, size: int, channels: int, longest: int, images: int, data: st.DataObject
) -> None:
    """Odd and even sizes, tiles of parts of rows, of rows, of whole images."""
    shape = tuple(data.draw(st.integers(size, size + 6)) for _ in range(dim))
    K = p2n.LinearOperator("K", filters, size)
    problem = learned(dim, PENALISERS["Perona-Malik"], K, channels=channels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.DISABLE_JIT", True)
        agree(
            uncertified(problem, p2n.Explicit(tau=R(1, 20)), trainable=[K, lam]),
            (images, channels, *shape),
            longest,
        )


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_schemes(scheme: Any, uncompiled: None) -> None:
    """Beside other operators, which stay those of torch."""
    K, M, u = p2n.LinearOperator("K", 4, 3), p2n.LinearOperator("M", 2, 2), unknown(2)
    rhs = -K.adjoint(PENALISERS["exponential"](K(u))) - M.adjoint(M(u)) / 3 + laplacian(u) / 10 - u / 7
    problem = p2n.Problem(equation(rhs, 2), parameters={lam: R(1, 5)})
    agree(uncertified(problem, scheme, trainable=[K, M, lam]), (1, 1, 7, 9))


@pytest.mark.parametrize("scheme", SOLVERS.values(), ids=SOLVERS)
def test_cells(scheme: Any, uncompiled: None) -> None:
    """Residuals and iterations of implicit steps, with implicit gradients."""
    K = p2n.LinearOperator("K", 4, 3)
    network = uncertified(learned(2, PENALISERS["Charbonnier"], K), scheme, trainable=[K])
    plain, fast, asked = pair(network)
    image = torch.randn(1, 1, 7, 9, dtype=torch.float64)
    for a, b in zip(slopes(fast, image, {}), slopes(plain, image, {}), strict=True):
        assert close(a, b, 1e-8)
    assert asked or not isinstance(scheme.solver, p2n.FixedPoint)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_spreads_as_in_torch(bad: float, uncompiled: None) -> None:
    K = p2n.LinearOperator("K", 3, 3)
    plain, fast, _ = pair(uncertified(learned(2, operator=K), STEP, trainable=[K]))
    image = torch.rand(1, 1, 20, 24, dtype=torch.float64)
    image[0, 0, 7, 5] = bad
    with torch.no_grad():
        a, b = fast(image), plain(image)
    assert torch.equal(torch.isnan(a), torch.isnan(b)) and close(a, b, 1e-12)
    assert 0 < torch.isnan(b).sum() < b.numel()


def network_of_noise() -> Any:
    """Trained contrasts, a level of noise, several blocks: what one compilation has to serve."""
    u, K = unknown(2), p2n.LinearOperator("K", 5, 3, border="continued", zero_mean=True)
    phi = p2n.Spline("phi", knots=7, reach=R(1, 2), slopes=(0, 1), filters=K)
    w, sigma = K.parameter("w", nonnegative=True), p2n.Input("sigma", positive=True)
    flux = w * K(u) * sp.exp(-(K(u) ** 2) / sigma**2) + phi(K(u))
    problem = p2n.Problem(equation(-K.adjoint(flux), 2), parameters={w: [0.1, 0.2, 0.3, 0.2, 0.1]})
    options = {"trainable": [K, w, phi], "shared": False, "keep_stable": True}
    return uncertified(problem, p2n.Explicit(tau=None, steps=2), **options)


def test_compiled() -> None:
    """Both precisions, threads of images and of bands, layouts of memory, and what torch asks for."""
    network = network_of_noise()
    plain, fast, asked = pair(network)
    sigma = torch.tensor(0.4)
    texts(fast)["ENOUGH"] = 1
    for images, threads in ((1, 1), (1, 2), (3, 2)):
        torch.set_num_threads(threads)
        image, fields = torch.rand(images, 1, 40, 53), {"sigma": sigma}
        single = [slopes(module.float(), image, fields) for module in (plain, fast)]
        image, fields = image.double(), {"sigma": sigma.double()}
        double = [slopes(module.double(), image, fields) for module in (plain, fast)]
        for a, b, c, exact in zip(*single, double[1], double[0], strict=True):
            assert close(c, exact, 1e-10)
            scale = exact.abs().max()
            assert (b - exact).abs().max() <= 4 * (a - exact).abs().max() + 1e-6 * scale
        assert close(single[1][0], single[0][0], 1e-5)
    count = len(asked)
    image = torch.rand(2, 1, 9, 8, dtype=torch.float64)
    turned = image.transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.equal(fast(turned, sigma=0.3), fast(image, sigma=0.3))
    assert fast(image[:0], sigma=0.3).shape == (0, 1, 9, 8)
    small = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: fast(u, sigma=0.3), (small,))
    (slope,) = torch.autograd.grad(fast(small, sigma=0.3).sum(), small, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        slope.sum().backward()
    assert len(asked) > count
    count = len(asked)
    plain.requires_grad_(False), fast.requires_grad_(False)
    by_torch = torch.func.vmap(lambda u: fast(u[None], sigma=0.3)[0])(image)
    assert close(by_torch, plain(image, sigma=0.3), 1e-12)
    _, tangent = torch.func.jvp(lambda u: fast(u, sigma=0.3), (image,), (image,))
    _, wanted = torch.func.jvp(lambda u: plain(u, sigma=0.3), (image,), (image,))
    assert close(tangent, wanted, 1e-12)
    half = deepcopy(fast).bfloat16()(image.bfloat16(), sigma=0.3)
    assert half.dtype == torch.bfloat16 and len(asked) == count
    program = torch.export.export(fast, (image,), {"sigma": sigma.double()})
    assert close(program.module()(image, sigma=sigma.double()), plain(image, sigma=sigma.double()), 1e-12)
    whole = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert close(whole(image, sigma=sigma.double()), plain(image, sigma=sigma.double()), 1e-12)
    assert len(asked) > count


def test_what_has_no_kernel_says_so() -> None:
    """Filters of averages."""
    K, u = p2n.LinearOperator("K", 2, 3, scale=2), unknown(2)
    problem = p2n.Problem(equation(-K.adjoint(K(u) / (1 + K(u) ** 2)), 2))
    with pytest.raises(EmissionError, match="no kernels of this use of learned filters"):
        uncertified(problem, STEP, trainable=[K]).source(backend="numba")


def test_exponentials_of_octaves_are_powers(uncompiled: None) -> None:
    """e^(4x) and e^(16x) from e^x, others by themselves: as accurate as exponentials, nearly."""
    K, u = p2n.LinearOperator("K", 2, 3), unknown(2)
    squares = [K(u) ** 2 * 4**j for j in range(6)]
    rhs = -K.adjoint(K(u) * sp.Add(*(sp.exp(-s) / 6 for s in squares)))
    network = uncertified(p2n.Problem(equation(rhs, 2)), STEP, trainable=[K])
    agree(network, (1, 1, 6, 7))
    text = network.source(backend="numba")
    loop = text[text.index("def flux_0") :].partition("@line")[0]
    assert loop.count("exp(") == 2


@pytest.mark.parametrize("filters", [1, 5, 9])
def test_operators_are_what_they_say(filters: int) -> None:
    """Shapes, strides and derivatives as torch.library checks them; gradients of compiled modules."""
    K = p2n.LinearOperator("K", filters, 3)
    network = uncertified(learned(2, operator=K), p2n.Explicit(tau=R(1, 20)), trainable=[K])
    plain, fast, _ = pair(network)
    found = texts(fast)
    u = torch.rand(2, 1, 7, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(filters, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    numbers = torch.rand(1, filters, 1, dtype=torch.float64, requires_grad=True)
    checks = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(found["activated"], (0, weight, [u], numbers), test_utils=checks)
    handed = (0, weight.detach(), [u.detach()], numbers.detach(), torch.rand_like(u))
    torch.library.opcheck(found["products"], handed, test_utils=checks[:2])
    image = torch.rand(2, 1, 7, 8, dtype=torch.float64)
    torch.compile(fast, fullgraph=True, backend="aot_eager")(image).sum().backward()
    plain(image).sum().backward()
    for a, b in zip(fast.parameters(), plain.parameters(), strict=True):
        assert close(a.grad, b.grad, 1e-10)


def test_transformations_inside_of_what_is_compiled() -> None:
    """Tangents and batches take the way of torch, also while torch.compile traces."""
    K, u = p2n.LinearOperator("K", 2, 3), unknown(2)
    diffusion = p2n.Problem(equation(p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u)))), 2))
    networks = (
        uncertified(learned(2, operator=K), STEP, trainable=[K]),
        uncertified(diffusion, STEP),
        uncertified(diffusion, p2n.AOS(tau=1, steps=1)),
    )
    image = torch.rand(2, 1, 7, 8, dtype=torch.float64)
    for network in networks:
        module = network.module("numba").double().requires_grad_(False)

        def tangent(z: torch.Tensor, module: nn.Module = module) -> torch.Tensor:
            return torch.func.jvp(module, (z,), (2 * z,))[1]

        def batched(z: torch.Tensor, module: nn.Module = module) -> torch.Tensor:
            return torch.func.vmap(lambda q: module(q[None])[0])(z)

        for function in (tangent, batched):
            assert close(torch.compile(function, backend="aot_eager")(image), function(image), 1e-12)


def test_long_filters(uncompiled: None) -> None:
    """Loops read no further than the zeros after an image."""
    K = p2n.LinearOperator("K", 2, 101)
    agree(uncertified(learned(1, operator=K), p2n.Explicit(tau=R(1, 20)), trainable=[K]), (1, 1, 130))


def test_exponentials_of_both_signs(uncompiled: None) -> None:
    K, u = p2n.LinearOperator("K", 2, 3), unknown(2)
    q = K(u)
    rhs = -K.adjoint(q * (sp.exp(q) + sp.exp(-q) + sp.exp(-2 * q) + sp.exp(-(q**2))))
    agree(uncertified(p2n.Problem(equation(rhs, 2)), p2n.Explicit(tau=R(1, 20)), trainable=[K]), (1, 1, 6, 7))

"""Kernels compute what the torch module computes, and its derivatives, for all there is in the language."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask.array as da
import numba
import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_methods import close, methods_agree
from emit.test_module import SHAPES, declared, inputs_of, rows
from hypothesis import given
from hypothesis import strategies as st
from support import uncertified
from torch import nn

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.emit.blocks import shifted
from pde2net.emit.execute import execute
from pde2net.emit.kernel_text import separated

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(name)(x, y, t) for name in "uv")
lam = sp.Symbol("lambda", positive=True)
TAU = sp.Symbol("tau", positive=True)
SCHEMES = [
    p2n.Explicit(tau=R(1, 40), steps=7),
    p2n.DuFortFrankel(tau=R(1, 20), alpha=4, steps=6),
    p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.FSI(tau=R(1, 50), cycle_length=5, freeze="step"),
    p2n.FED(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
]


GALLERY = Path(p2n.__file__).parent.parent / "examples" / "gallery"


NUMBERS = count()


def modules(
    network: Any,
    steps: tuple[int, int] = (3, 2),
    bands: Sequence[tuple[int, int]] = (),
    backend: str = "numba",
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """That of torch, and that with kernels, in double precision; these with operators of their own."""
    text = network.source(backend, steps=steps)
    source = re.sub(r"\bnet_(?=[0-9a-f]{16})", f"net_{next(NUMBERS)}_", text)
    fast = execute(source, anew=True).double()
    if bands:
        vars(sys.modules[type(fast).__module__])["bands"] = lambda *_: bands
    return network.module().double(), fast


def slopes(module: torch.nn.Module, u0: torch.Tensor, fields: dict[str, torch.Tensor]) -> list[Any]:
    """The result, and derivatives of a functional of it by everything."""
    image = u0.clone().requires_grad_()
    known = {n: a.clone().requires_grad_() for n, a in fields.items()}
    out = module(image, **known)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    asked = [image, *known.values(), *module.parameters()]
    found = torch.autograd.grad((out * weights).sum(), asked, allow_unused=True)
    return [out.detach(), *(torch.zeros(1) if a is None else a for a in found)]


def agree(
    network: Any, u0: Any, fields: Any, tolerance: float = 1e-10, kernels: bool = True, **how: Any
) -> None:
    """Results, with and without what derivatives need, and derivatives are equal."""
    plain, fast = modules(network, **how)
    image, known = torch.as_tensor(u0), {n: torch.as_tensor(a) for n, a in fields.items()}
    with torch.no_grad():
        found = fast.by_kernels(image, *known.values())
        assert (found is not None) == kernels
        want = plain(image, **known)
        if kernels:
            assert close(found, want, max(1e-12, tolerance / 100))
    for a, b in zip(slopes(fast, image, known), slopes(plain, image, known), strict=True):
        assert close(a, b, tolerance)


@pytest.mark.parametrize("name,dim,boundary,gradient,order", rows())
def test_equations_borders_and_stencils(
    name: str, dim: int, boundary: str, gradient: str, order: int, uncompiled: None
) -> None:
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    network = uncertified(problem, p2n.Explicit(tau=R(1, 100), steps=5), grid)
    agree(network, *inputs_of(network, SHAPES[dim]))


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_schemes(scheme: Any, boundary: str, uncompiled: None) -> None:
    for name in ("perona-malik", "known field", "you-kaveh"):
        problem, grid = declared(name, 2, boundary)
        trained = [TAU, *problem.parameters]
        network = uncertified(problem, scheme, grid, trainable=trained)
        agree(network, *inputs_of(network, SHAPES[2]))


COUPLED = {
    "1d": p2n.Problem(sp.Eq(sp.Function("u")(x, t).diff(t), div(grad(sp.Function("u")(x, t))))),
    "colour": p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), channels=3),
    "joint": p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))),
        channels=3,
        boundary="periodic",
    ),
    "system": p2n.Problem(
        [
            sp.Eq(u.diff(t), laplacian(u) / 5 - u * v**2),
            sp.Eq(v.diff(t), div(grad(v) / (1 + norm2(grad(u)))) + u * v**2 - v / 10),
        ]
    ),
    "smoothed": p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(p2n.smooth(u, R(1, 2)))))))),
    "of time": p2n.Problem(sp.Eq(u.diff(t), sp.exp(-t) * div(grad(u) / (1 + norm2(grad(u)))))),
    "mixed borders": p2n.Problem(
        sp.Eq(u.diff(t), div((1 + x**2) * grad(u))), boundary={x: "dirichlet", y: "reflecting"}
    ),
}


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("name", COUPLED)
def test_channels_systems_and_what_changes(name: str, scheme: Any, uncompiled: None) -> None:
    problem = COUPLED[name]
    try:
        network = uncertified(problem, scheme, p2n.Grid(), trainable=[TAU])
    except p2n.Pde2NetError as error:
        pytest.skip(str(error))
    channels = max(problem.channels, len(problem.equations))
    u0 = np.random.default_rng(0).uniform(size=(2, channels, *(9, 7)[: len(problem.space)]))
    agree(network, u0, {})


def shortened(path: Path) -> tuple[Any, Any]:
    """A declaration, and its network with two steps at most."""
    made = p2n.load(path)
    scheme = made.scheme
    for name in ("steps", "cycles"):
        if getattr(scheme, name, 0) > 2:
            scheme = replace(scheme, **{name: 2})
    return made, uncertified(made.problem, scheme, made.grid)


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.pde")), ids=lambda p: p.stem)
def test_models_of_the_gallery(path: Path, uncompiled: None) -> None:
    """A few steps of each that is a stack; others say that they have no kernels."""
    made, network = shortened(path)
    if network.architecture != "residual stack":
        shape = (1, 1, *(32, 24)[: len(made.problem.space)])
        if isinstance(made.scheme, p2n.AOS):  # tridiagonal systems alone
            u0 = torch.rand(shape, dtype=torch.float64)
            found, want = (network.module(backend=b).double()(u0) for b in ("numba", "torch"))
            assert "eliminate" in network.source("numba") and close(found, want, 1e-12)
            return
        assert methods_agree(network, shape)
        return
    problem = made.problem
    channels = max(problem.channels, len(problem.equations))
    rng = np.random.default_rng(0)
    shape = (1, channels, *(20, 22)[: len(problem.space)])
    agree(network, rng.uniform(size=shape), {str(f.func): rng.uniform(size=shape) for f in problem.fields})


def test_memory_is_used_again_once_nobody_has_it(uncompiled: None) -> None:
    problem, grid = declared("heat", 2)
    _, fast = modules(uncertified(problem, p2n.Explicit(R(1, 100), 1), grid))
    text = vars(sys.modules[type(fast).__module__])
    memory = text["Memory"](8, 1000)
    first = torch.from_numpy(memory.array((2, 5), np.dtype(np.float64)))
    place, part, lines = first.data_ptr(), first[1:].detach(), first.numpy()
    for _ in range(2):  # whatever is left of it keeps it
        other = memory.array((5, 2), np.dtype(np.float64))
        assert other.ctypes.data != place
        del first, other
        first = part
    del first, part
    assert memory.array((10,), np.dtype(np.float64)).ctypes.data != place
    lines[:] = 3
    del lines
    again = [memory.array((10,), np.dtype(np.float64)) for _ in range(3)]
    assert len({a.ctypes.data for a in again}) == 3 and place in {a.ctypes.data for a in again}
    del again
    view = memory.array((2, 5), np.dtype(np.float64)).reshape(-1)[1:].reshape(3, 3)  # nothing else is kept
    assert not np.shares_memory(memory.array((2, 5), np.dtype(np.float64)), view)
    del view
    many = [memory.array((10 + k,), np.dtype(np.float64)) for k in range(20)]
    del many
    large = memory.array((200,), np.dtype(np.float64))
    del large
    assert sum(a.nbytes for same in memory.free.values() for a in same) <= 1000


def pieces(weight: sp.Expr) -> dict[str, sp.Expr]:
    """Coefficients at cells and at half-points; squared norms of gradients count `weight` times."""
    v, f = p2n.smooth(u, R(1, 2)), sp.Function("f")(x, y)
    made = {"of the field": f, "of the smoothed": v, "of the state": u}
    found = {name: 1 / (1 + weight * norm2(grad(w))) for name, w in made.items()}
    return found | {"in the state": 1 / (1 + u**2), "in x": 1 + x**2 / 50}


@pytest.mark.parametrize("gradient", ["forward", "central", "staggered"])
def test_products_of_coefficients_of_several_channels(gradient: str, uncompiled: None) -> None:
    """Two equal channels are one whose squared slopes count twice."""
    rng = np.random.default_rng(0)
    for names in combinations(pieces(R(1)), 2):
        networks = []
        for channels, weight in ((1, R(2)), (2, R(1))):
            a, b = (pieces(weight)[name] for name in names)
            problem = p2n.Problem(sp.Eq(u.diff(t), div(a * b * grad(u))), channels=channels)
            grid = p2n.Grid(gradient=gradient)
            networks.append(uncertified(problem, p2n.Explicit(R(1, 40), 3), grid))
        fields = [str(f.func) for f in networks[0].semidiscrete.form.problem.fields]
        image = torch.from_numpy(rng.uniform(size=(1, 1, 8, 9)))
        known = {name: torch.from_numpy(rng.uniform(size=(1, 1, 8, 9))) for name in fields}
        one = networks[0].module().double()(image, **known).expand(1, 2, 8, 9)
        image, *arrays = (a.repeat(1, 2, 1, 1) for a in (image, *known.values()))
        both = dict(zip(known, arrays, strict=True))
        assert close(networks[1].module().double()(image, **both), one, 1e-12)
        agree(networks[1], image.numpy(), {n: a.numpy() for n, a in both.items()})


@pytest.mark.parametrize(
    "boundary", ["dirichlet", {x: "periodic", y: "dirichlet"}, {x: "dirichlet", y: "reflecting"}]
)
@pytest.mark.parametrize("steps", [(4, 2), (20, 8)])
def test_arrays_wider_than_images_between_passes(boundary: Any, steps: Any, uncompiled: None) -> None:
    """What a pass reads beyond the frame of an array in memory counts for nothing."""
    mu = sp.Symbol("mu", positive=True)
    v = p2n.smooth(u, R(1, 2))
    for rate, channels in ((mu + x**2 / 50, 1), ((mu + u**2) * (1 + x**2 / 50), 3), (mu / (1 + v**2), 1)):
        equation = sp.Eq(u.diff(t), div(rate * grad(u)))
        problem = p2n.Problem(equation, boundary=boundary, channels=channels, parameters={mu: R(1, 4)})
        network = uncertified(problem, p2n.Explicit(R(1, 400), 10), trainable=[mu, "tau"])
        agree(network, np.random.default_rng(0).uniform(size=(2, channels, 6, 7)), {}, steps=steps)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_rows_of_large_images_are_fetched(
    boundary: str, channels: int, uncompiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cells of all rows but the first, once, before they are copied; periodic images begin earlier."""
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), boundary=boundary, channels=channels
    )
    _, fast = modules(uncertified(problem, p2n.Explicit(R(1, 8), 3)), steps=(3, 2))
    own = vars(sys.modules[type(fast).__module__])["sweep"].__globals__
    asked, copied = set[tuple[int, int]](), set[int]()

    def ask_for(a: np.ndarray, index: int) -> None:
        channel, row, _, column = np.unravel_index(index, a.shape)  # raises for cells that are not there
        cell = a[channel, row].ctypes.data, int(column)
        assert cell not in asked and (cell[0] not in copied or boundary == "periodic")
        asked.add(cell)

    def duplicate(n: int, a: np.ndarray, b: np.ndarray) -> None:
        copied.update((a.ctypes.data, b.ctypes.data))
        b[:n] = a[:n]

    for name, value in {"FAR": 1, "ask_for": ask_for, "duplicate": duplicate}.items():
        monkeypatch.setitem(own, name, value)
    with torch.no_grad():
        image = torch.rand(1, channels, 5, 500, dtype=torch.float64)
        result = fast(image)
    for line in (row for a in (image, result) for channel in a[0] for row in channel[1:]):
        places = sorted(column for start, column in asked if start == line.data_ptr())
        assert places[0] == 0 and max(np.diff([*places, 500])) <= 8


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("name,dim", [("heat", 1), ("biharmonic", 2), ("heat", 3)])
def test_lines_of_rings_begin_lines_of_caches(
    name: str, dim: int, kind: torch.dtype, uncompiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first cells of the image in all lines of all rings, and results."""
    problem, grid = declared(name, dim)
    _, fast = modules(uncertified(problem, p2n.Explicit(R(1, 100), 2), grid))
    text = vars(sys.modules[type(fast).__module__])
    sweep, starts = text["sweep"], list[np.ndarray]()

    def noted(*handed: Any) -> None:
        rings, places, memory = handed[5], handed[6], handed[14]
        first = memory.ctypes.data + memory.itemsize * (places[:, 0] + rings[:, 6])
        starts.extend([first, *(memory.itemsize * places[:, 1:].T)])
        sweep(*handed)

    monkeypatch.setitem(text, "sweep", noted)
    result = fast.to(kind)(torch.rand(1, 1, *(5, 6, 7)[:dim], dtype=kind))
    assert starts and not (np.concatenate([*starts, [result.data_ptr()]]) % 64).any()


@given(data=st.data())
def test_sizes_steps_and_bands(data: Any) -> None:
    """Whatever the number of steps in a pass, wherever bands begin, for images down to the smallest."""
    name = data.draw(st.sampled_from(["perona-malik", "you-kaveh", "of position", "known field"]))
    boundary = data.draw(st.sampled_from(["reflecting", "periodic", "dirichlet"]))
    order = data.draw(st.sampled_from([2, 4]))
    dim = data.draw(st.sampled_from([1, 2, 3]))
    problem, grid = declared(name, dim, boundary, gradient=data.draw(st.sampled_from(GRADIENTS)), order=order)
    network = uncertified(problem, data.draw(st.sampled_from(SCHEMES)), grid)
    steps = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    least = network.semidiscrete.smallest
    shape = [data.draw(st.integers(n, n + 5)) for n in least]
    cuts = (
        sorted(data.draw(st.sets(st.integers(1, shape[0]), max_size=2)) | {0, shape[0]})
        if dim > 1
        else [0, 1]
    )
    bands = list(pairwise(cuts))
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, np.errstate(all="ignore"):
        patch.setattr(numba.config, "DISABLE_JIT", True)
        patch.setenv("PDE2NET_CACHE", folder)
        u0, fields = inputs_of(network, shape)
        source = network.source("numba", steps=steps)
        smallest = [int(n) for n in re.search(r"^SMALLEST = \((.*)\)$", source, re.M)[1].split(",") if n]
        suited = all(n >= m for n, m in zip(shape, smallest, strict=True))
        agree(network, u0, fields, kernels=suited, steps=steps, bands=bands)


GRADIENTS = ["forward", "central", "staggered"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, torch.nn.Module, Path]]:
    """A network, and its module with compiled kernels, which are kept in a folder."""
    folder = tmp_path_factory.mktemp("kernels")
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: R(1, 2)}
    )
    network = p2n.compile(problem, p2n.Explicit(tau=R(1, 5), steps=10), trainable=[lam, "tau"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PDE2NET_CACHE", str(folder))
        yield network, network.module(backend="numba").double(), folder


def test_threads_strides_and_odd_values(compiled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network, fast, _ = compiled
    plain = network.module().double()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    rng = torch.Generator().manual_seed(0)
    for shape in ((1, 1, 400, 31), (2, 1, 31, 400), (5, 1, 17, 9), (1, 1, 2, 2), (0, 1, 8, 8)):
        image = torch.rand(shape, generator=rng, dtype=torch.float64)
        for a, b in zip(slopes(fast, image, {}), slopes(plain, image, {}), strict=True):
            assert close(a, b, 1e-10) if a.numel() else a.shape == b.shape
    image = torch.rand(1, 1, 40, 30, dtype=torch.float64, generator=rng)
    for changed in (image.transpose(2, 3), image[..., ::2], image.expand(3, 1, 40, 30)):
        assert close(fast(changed), plain(changed), 1e-12)
    for value in (math.nan, math.inf, -math.inf, 1e300):
        image[0, 0, 20, 15] = value
        assert _same(fast(image), plain(image))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True))


def test_derivatives_and_transformations(compiled: Any) -> None:
    network, fast, _ = compiled
    image = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(fast, image)
    (slope,) = torch.autograd.grad(fast(image).square().sum(), image, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        slope.sum().backward()
    plain = network.module().double()
    images = torch.rand(3, 1, 1, 6, 6, dtype=torch.float64)
    assert close(torch.vmap(fast)(images), torch.stack([plain(i) for i in images]), 1e-12)
    traced = torch.export.export(fast, (images[0],))
    assert close(traced.module()(images[1]), plain(images[1]), 1e-12)
    for dtype in (torch.float16, torch.bfloat16):
        assert fast(images[0].to(dtype)).dtype == dtype, "without kernels"
    again = network.module(backend="numba")
    again.steps = 3
    assert again(images[0]).isfinite().all(), "another number of steps runs without kernels"


def test_weights_are_those_of_the_torch_module(compiled: Any) -> None:
    """What kernels learned is certified in the module of torch, which takes their weights."""
    network, fast, _ = compiled
    with pytest.raises(p2n.CertificateError, match="Claims are about the text of torch"):
        p2n.learn.certify(fast)
    plain = network.module().double()
    with torch.no_grad():
        fast.block.lambda_ += 0.25
    plain.load_state_dict(fast.state_dict())
    image = torch.rand(1, 1, 9, 7, dtype=torch.float64)
    assert close(fast(image), plain(image), 1e-12)
    assert p2n.learn.certify(plain).claims["l2_stability"].status == "proved"
    with torch.no_grad():
        fast.block.lambda_ -= 0.25


def test_kernels_are_kept_on_disk(compiled: Any) -> None:
    """A second process compiles nothing; where nothing can be written, each compiles and says so."""
    network, fast, folder = compiled
    fast(torch.rand(1, 1, 8, 8, dtype=torch.float64))
    (source,) = folder.glob("*.py")
    assert source.read_text() == separated(network.source("numba")).kernels
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.nb?")}
    assert before
    program = f"""
import torch, numba.core.compiler
from pde2net.emit.execute import execute
def none(*args, **options): raise AssertionError("compiled again")
numba.core.compiler.compile_extra = none
net = execute({network.source("numba")!r})
print(net.double()(torch.rand(1, 1, 8, 8, dtype=torch.float64)).shape)
"""
    environment = {**os.environ, "PDE2NET_CACHE": str(folder), "PYTHONPATH": str(GALLERY.parent.parent)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, env=environment)
    assert done.returncode == 0 and "torch.Size" in done.stdout, done.stderr
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.nb?")} == before


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    network = p2n.compile(p2n.Problem(sp.Eq(u.diff(t), laplacian(u))), p2n.Explicit(tau=R(1, 8), steps=2))
    with pytest.warns(UserWarning, match="compiled again in each process"):
        fast = execute(network.source("numba"), anew=True)
    assert close(fast(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4), 1e-6)


def test_the_text_is_the_same_each_time() -> None:
    """Whatever the order of sets is."""
    program = (
        "import pde2net as p2n, sympy as sp\n"
        "x, y, t = sp.symbols('x y t', real=True); u = sp.Function('u')(x, y, t)\n"
        "rhs = p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u)) * u**2))\n"
        "s = p2n.FSI(tau=sp.Rational(1, 50), cycle_length=3, cycles=2)\n"
        "n = p2n.compile(p2n.Problem(sp.Eq(u.diff(t), rhs)), s, trainable=['tau'], on_unstable='ignore')\n"
        "print(n.source(backend='numba'))"
    )
    found = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program]
        own = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, env=own, timeout=3600)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def test_exponentials_of_both_precisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own series, for arguments from 0 to beyond all underflow, and NaN."""
    monkeypatch.setenv("PDE2NET_CACHE", str(tmp_path))
    w = sp.Function("w")(x, t)
    problem = p2n.Problem(sp.Eq(w.diff(t), div(sp.exp(-norm2(grad(w))) * grad(w))))
    network = uncertified(problem, p2n.Explicit(tau=R(1, 4), steps=1), p2n.Grid())
    fast, plain = network.module(backend="numba"), network.module()
    steps = torch.cat(
        [torch.linspace(0, 12, 301), torch.linspace(12, 40, 301), torch.tensor([math.nan, 1, 1e30])]
    )
    image = torch.cumsum(steps * torch.tensor([1, -1]).repeat(303)[:605], 0)[None, None]
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-14)):
        found, want = fast(image.to(dtype)), plain(image.to(dtype))
        assert torch.equal(found.isnan(), want.isnan()) and found.isnan().sum() > 0
        error = (found - want).abs() / want.abs().clamp_min(1)
        assert error[~found.isnan()].max() < tolerance


def test_texts_have_operators_of_their_own(uncompiled: None) -> None:
    """Blocks of an array differ in their first position alone."""
    rhs = div((1 + x**2) * grad(u))
    network = uncertified(
        p2n.Problem(sp.Eq(u.diff(t), rhs)), p2n.Explicit(tau=R(1, 9999), steps=3), p2n.Grid()
    )
    moved = replace(network, looped=shifted(network.looped, (20, 0)))
    image = torch.rand(1, 1, 6, 5, dtype=torch.float64)
    first, second = (execute(n.source("numba"), anew=True).double() for n in (network, moved))
    for fast, other in ((first, network), (second, moved)):
        assert close(fast(image), other.module().double()(image), 1e-12)
    array = np.random.default_rng(0).random((40, 9))
    blocks = network.map_blocks(da.from_array(array, chunks=(20, 9)), backend="numba")
    whole = network.module().double()(torch.from_numpy(array)[None, None])[0, 0]
    assert close(torch.from_numpy(blocks.compute(scheduler="synchronous")), whole, 1e-12)


def test_widths_that_change_are_not_those_that_were_compiled(uncompiled: None) -> None:
    rhs = div(grad(u) / (1 + 100 * norm2(grad(p2n.smooth(u, lam)))))
    image = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    for trained in ([lam], []):
        problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={lam: R(7, 10)})
        network = uncertified(problem, p2n.Explicit(tau=R(1, 8), steps=3), p2n.Grid(), trainable=trained)
        plain, fast = modules(network)
        with torch.no_grad():
            assert fast.by_kernels(image) is not None and fast.float().double().by_kernels(image) is not None
            assert close(fast(image), plain(image), 1e-6)
            for module in (plain, fast):
                module.block.lambda_ = nn.Parameter(torch.tensor(1.4).double()) if trained else 1.4
            assert close(fast(image), plain(image), 1e-12)


def test_sums_over_channels_of_a_field_of_one_channel(uncompiled: None) -> None:
    f = sp.Function("f")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(f))))), channels=2)
    network = uncertified(problem, p2n.Explicit(tau=R(1, 40), steps=2), p2n.Grid())
    rng = np.random.default_rng(0)
    u0, grey, colour = (rng.random((2, c, 5, 6)) for c in (2, 1, 2))
    agree(network, u0, {"f": colour})
    agree(network, u0, {"f": grey}, kernels=False)


def test_why_there_are_no_passes_backward(uncompiled: None) -> None:
    """Then results are those of kernels, derivatives those of torch, and the text says why."""
    problem, grid = declared("known field", 2, "dirichlet")
    network = uncertified(problem, p2n.Explicit(tau=R(1, 40), steps=2), grid)
    assert "# Derivatives by torch: There is no kernel of the adjoint of Pad yet." in network.source("numba")
    agree(network, *inputs_of(network, SHAPES[2]))


def test_parameters_of_each_block_and_the_time(uncompiled: None) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), sp.exp(-t) * laplacian(u)))
    for scheme in SCHEMES[:2]:
        network = uncertified(problem, scheme, p2n.Grid(), trainable=[TAU], shared=False)
        agree(network, np.random.default_rng(0).random((1, 1, 7, 6)), {})


@pytest.mark.parametrize("rhs", ["sign", "pieces"])
def test_fields_on_which_nothing_depends_smoothly(rhs: str, uncompiled: None) -> None:
    f = sp.Function("f")(x, y)
    half = R(1, 2)
    found = {
        "sign": laplacian(u) + sp.sign(f - half),
        "pieces": div(sp.Piecewise((1, f > half), (R(1, 10), True)) * grad(u)),
    }
    network = uncertified(p2n.Problem(sp.Eq(u.diff(t), found[rhs])), p2n.Explicit(R(1, 40), 2), p2n.Grid())
    rng = np.random.default_rng(0)
    agree(network, rng.random((1, 1, 6, 5)), {"f": rng.random((1, 1, 6, 5))})


def test_derivatives_that_are_equal(uncompiled: None) -> None:
    """By two parameters, or two fields, of which the equation has the sum alone: one number, one array."""
    a, b = sp.symbols("a b", positive=True)
    f, g = (sp.Function(n)(x, y) for n in "fg")
    rhs = div(grad(u) / (1 + (a + b) * norm2(grad(u)))) + f + g
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={a: R(1, 3), b: R(1, 2)})
    network = uncertified(problem, p2n.Explicit(tau=R(1, 40), steps=3), p2n.Grid(), trainable=[a, b, TAU])
    rng = np.random.default_rng(0)
    shape = (1, 1, 7, 6)
    agree(network, rng.random(shape), {n: rng.random(shape) for n in "fg"})


@pytest.mark.parametrize("name", ["range", "square", "memory", "real", "found", "line"])
def test_words_of_the_text_as_parameters(name: str, uncompiled: None) -> None:
    own = sp.Symbol(name, positive=True)
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(sp.exp(-norm2(grad(u)) / own**2) * grad(u))), parameters={own: R(7, 10)}
    )
    network = uncertified(problem, p2n.Explicit(tau=R(1, 40), steps=3), p2n.Grid(), trainable=[own])
    agree(network, np.random.default_rng(0).random((1, 1, 7, 6)), {})


def test_transformations_of_parameters_and_batches_of_gradients(uncompiled: None) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: 1})
    network = uncertified(problem, p2n.Explicit(tau=R(1, 5), steps=3), p2n.Grid(), trainable=[lam, TAU])
    image, results = torch.rand(1, 1, 6, 5, dtype=torch.float64), []
    for module in modules(network):
        own = {k: v.detach() for k, v in module.named_parameters()}
        of = lambda p, module=module: torch.func.functional_call(module, p, (image,))  # noqa: E731
        ones = {k: torch.ones_like(v) for k, v in own.items()}
        found = [
            torch.func.jvp(of, (own,), (ones,))[1],
            torch.func.grad(lambda p, of=of: of(p).sum())(own)["block.tau"],
        ]
        found.append(torch.vmap(of)({k: torch.stack([v, 2 * v]) for k, v in own.items()}))
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(image, torch.ones_like(image))
            found.append(torch.autograd.forward_ad.unpack_dual(module(dual)).tangent)
        with torch.inference_mode():
            given = image.clone()
        found.append(module(given).detach())
        results.append(found)
        jacobian = partial(torch.autograd.functional.jacobian, module, image, vectorize=True)
    assert all(close(a, b, 1e-10) for a, b in zip(*results, strict=True))
    with pytest.raises(RuntimeError, match="Batching rule not implemented"):
        jacobian()


@pytest.mark.parametrize("steps", [(0, 1), (3,), 5, ("a", 1), (-1, 2), (2.5, 1)])
def test_steps_that_are_none(steps: Any) -> None:
    network = p2n.compile(p2n.Problem(sp.Eq(u.diff(t), laplacian(u))), p2n.Explicit(tau=R(1, 8), steps=2))
    with pytest.raises(p2n.DeclarationError, match="a pair of numbers of steps"):
        network.source("numba", steps=steps)


def test_damaged_files_are_made_anew(compiled: Any) -> None:
    """And torch.compile has kernels in whole graphs."""
    network, fast, folder = compiled
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    want = fast(image).detach()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert close(traced(image), want, 1e-12)
    for kept, text in zip(sorted(folder.rglob("*.nb?")), [b"", b"garbage"] * 99, strict=False):
        kept.write_bytes(text)
    program = (
        "import torch\nfrom pde2net.emit.execute import execute\n"
        f"net = execute({network.source('numba')!r}).double()\n"
        "print(float(net(torch.ones(1, 1, 8, 8, dtype=torch.float64)).mean()))"
    )
    environment = {**os.environ, "PDE2NET_CACHE": str(folder), "PYTHONPATH": str(GALLERY.parent.parent)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, env=environment)
    assert done.returncode == 0 and abs(float(done.stdout) - 1) < 1e-12, done.stderr

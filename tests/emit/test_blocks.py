"""Large arrays block by block: the result is that of the whole array, to the border."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, declared
from support import equation, lam, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, norm2

da = pytest.importorskip("dask.array")
R = sp.Rational
u2 = unknown(2)
SIZES = {1: (97,), 2: (41, 58), 3: (19, 14, 17)}
CHUNKS = {1: (20,), 2: (13, 20), 3: (8, 7, 9)}
STACKS = [
    p2n.Explicit(tau=R(1, 40), steps=2),
    p2n.FSI(tau=R(1, 50), cycle_length=3),
    p2n.FED(tau=R(1, 50), cycle_length=3),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=1),
]


def whole(network: Any, u: Any, fields: dict[str, Any]) -> Any:
    known = {n: torch.from_numpy(f)[None, None] for n, f in fields.items()}
    with torch.no_grad():
        return network.module().double()(torch.from_numpy(u)[None, None], **known)[0, 0].numpy()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("name", ["perona-malik", "you-kaveh", "inpainting", "of position"])
def test_blocks_are_parts_of_the_whole(name: str, dim: int, boundary: str) -> None:
    problem, grid = declared(name, dim, boundary)
    network = uncertified(problem, STACKS[(dim + len(name)) % len(STACKS)], grid)
    rng = np.random.default_rng(0)
    u = rng.uniform(size=SIZES[dim])
    fields = {str(f.func): rng.uniform(size=SIZES[dim]) for f in problem.fields}
    if name == "of position" and boundary == "periodic":
        with pytest.raises(p2n.DeclarationError, match="one block"):
            network.map_blocks(da.from_array(u, chunks=CHUNKS[dim]))
        u = da.from_array(u, chunks=(-1, *CHUNKS[dim][1:]))
        np.testing.assert_allclose(
            network.map_blocks(u).compute(), whole(network, u.compute(), {}), atol=1e-12
        )
        return
    blocks = network.map_blocks(da.from_array(u, chunks=CHUNKS[dim]), **fields)
    assert blocks.chunks == da.from_array(u, chunks=CHUNKS[dim]).chunks
    np.testing.assert_allclose(blocks.compute(scheduler="sync"), whole(network, u, fields), atol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("gradient", ["forward", "central"])
@pytest.mark.parametrize("scheme", STACKS, ids=lambda s: s.label)
def test_the_halo_is_what_a_value_reaches(scheme: Any, gradient: str, order: int) -> None:
    """A value that is NaN is seen so far, and not further; smoothing and sides that differ included."""
    smooth = p2n.smooth(u2, R(1, 2))
    for g in (1 / (1 + norm2(grad(u2)) / lam**2), 1 / (1 + norm2(grad(smooth)) / lam**2)):
        problem = p2n.Problem(equation(div(g * grad(u2)), 2), parameters={lam: R(1, 3)})
        network = uncertified(problem, scheme, p2n.Grid(order=order, gradient=gradient))
        n = 2 * max(network.halo) + 21
        u = torch.rand(1, 1, n, n, dtype=torch.float64)
        u[..., n // 2, n // 2] = math.nan
        with torch.no_grad():
            places = (network.module().double()(u)[0, 0].isnan().nonzero() - n // 2).abs().amax(0)
        assert tuple(places.tolist()) == network.halo


def test_a_width_without_a_value_is_told() -> None:
    width = sp.Symbol("s", positive=True)
    rhs = div(grad(u2) / (1 + norm2(grad(p2n.smooth(u2, width)))))
    network = uncertified(p2n.Problem(equation(rhs, 2)), p2n.Explicit(tau=R(1, 10), steps=2))
    with pytest.raises(p2n.EmissionError, match="width s"):
        _ = network.halo


def test_images_channels_and_learned_filters() -> None:
    K = p2n.LinearOperator("K", 3, 5)
    rhs = -K.adjoint(K(u2) / (1 + K(u2) ** 2))
    problem = p2n.Problem(equation(rhs, 2), channels=2)
    network = p2n.compile(problem, p2n.Explicit(tau=R(1, 50), steps=2), trainable=[K], on_unstable="ignore")
    module = network.module()
    u = torch.rand(2, 2, 40, 31)
    blocks = network.map_blocks(da.from_array(u.numpy(), chunks=(1, 2, 16, 11)), module=module)
    assert blocks.dtype == np.float32 and network.halo == (8, 8)
    np.testing.assert_allclose(blocks.compute(), module(u).detach().numpy(), atol=1e-6)
    with pytest.raises(p2n.DeclarationError, match="module="):
        network.map_blocks(u.numpy())
    with pytest.raises(p2n.DeclarationError, match="not those of a module of this network"):
        network.map_blocks(u.numpy(), module=torch.nn.Linear(2, 2))
    with pytest.raises(p2n.DeclarationError, match="Dask or NumPy"):
        network.map_blocks(u, module=module)


def test_weights_fields_and_numbers_are_those_of_the_whole() -> None:
    """Weights in float64, one field for all images, and a number at the call."""
    K, sigma, f = p2n.LinearOperator("K", 2, 3), p2n.Input("sigma", positive=True), sp.Function("f")(x, y)
    rhs = -K.adjoint(K(u2) / (1 + K(u2) ** 2 / sigma**2)) + (f - u2) / 2
    network = p2n.compile(p2n.Problem(equation(rhs, 2)), p2n.Explicit(tau=R(1, 50), steps=3), trainable=[K])
    module = network.module().double()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p) / 3)
    u, known = torch.rand(3, 1, 20, 23, dtype=torch.float64), torch.rand(1, 1, 20, 23, dtype=torch.float64)
    lazy = da.from_array(u.numpy(), chunks=(2, 1, 9, 8))
    blocks = network.map_blocks(lazy, module=module, f=known.numpy(), sigma=0.3)
    wanted = module(u, f=known.expand(3, 1, 20, 23), sigma=0.3).detach().numpy()
    np.testing.assert_allclose(blocks.compute(), wanted, rtol=0, atol=1e-13)
    with pytest.raises(p2n.DeclarationError, match="needs the number sigma"):
        network.map_blocks(lazy, module=module, f=known.numpy())


def test_systems() -> None:
    t = sp.Symbol("t", real=True)
    a, b = (sp.Function(name)(x, y, t) for name in "ab")
    first = sp.Eq(a.diff(t), p2n.laplacian(a) / 5 - a * b**2 + (1 - a) / 25)
    second = sp.Eq(b.diff(t), p2n.laplacian(b) / 10 + a * b**2 - b / 10)
    network = uncertified(p2n.Problem([first, second], boundary="periodic"), p2n.Explicit(tau=1, steps=4))
    u = torch.rand(3, 2, 30, 22, dtype=torch.float64)
    blocks = network.map_blocks(da.from_array(u.numpy(), chunks=(2, 2, 11, 7)))
    with torch.no_grad():
        np.testing.assert_allclose(blocks.compute(), network.module().double()(u).numpy(), atol=1e-12)


def test_files_are_read_block_by_block(tmp_path: Any) -> None:
    network = uncertified(*declared("perona-malik", 2)[:1], p2n.Explicit(tau=R(1, 10), steps=3))
    u = np.random.default_rng(0).uniform(size=(50, 40))
    np.save(tmp_path / "u.npy", u)
    lazy = network.map_blocks(np.load(tmp_path / "u.npy", mmap_mode="r"))
    np.testing.assert_allclose(lazy[7:9].compute(), whole(network, u, {})[7:9], atol=1e-12)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "integers": (np.zeros((8, 8), dtype=int), {}, "float32 or float64"),
    "half precision": (np.zeros((8, 8), dtype=np.float16), {}, "float32 or float64"),
    "another order of bytes": (np.zeros((8, 8), dtype=">f4"), {}, "float32 or float64"),
    "unknown blocks": (da.ones((8, 8))[da.ones(8) > 0], {}, "not known"),
    "axes": (np.zeros((8, 8, 8)), {}, "of 2 axes"),
    "no field": (np.zeros((8, 8)), {}, "needs the field f"),
    "another field": (np.zeros((8, 8)), {"f": np.zeros((8, 8)), "g": 0}, "takes no field g"),
    "a field of another type": (np.zeros((8, 8)), {"f": np.zeros((8, 8), np.float32)}, "the type of u"),
    "more images": (np.zeros((3, 1, 8, 8)), {"f": np.zeros((4, 1, 8, 8))}, "must agree"),
    "more channels": (np.zeros((3, 1, 8, 8)), {"f": np.zeros((3, 3, 8, 8))}, "must agree"),
    "a field of another shape": (np.zeros((8, 8)), {"f": np.zeros((8, 7))}, "must agree"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    f = sp.Function("f")(x, y)
    problem = p2n.Problem(equation(p2n.laplacian(u2) + f, 2))
    array, fields, message = REFUSED[name]
    with pytest.raises(p2n.DeclarationError, match=message):
        uncertified(problem, p2n.Explicit(tau=R(1, 10), steps=2)).map_blocks(array, **fields)
    implicit = uncertified(problem, p2n.Implicit(tau=1, steps=1))
    assert implicit.halo == (math.inf, math.inf)
    with pytest.raises(p2n.DeclarationError, match="depend on all cells"):
        implicit.map_blocks(np.zeros((8, 8)), f=np.zeros((8, 8)))


def test_the_page_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(p2n.__file__).parent.parent / "docs" / "blocks.md").read_text()
    program, output = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.S).groups()  # type: ignore[union-attr]
    exec(program, {})
    assert capsys.readouterr().out == output


def test_channels_are_not_parts() -> None:
    network = uncertified(declared("perona-malik", 2)[0], p2n.Explicit(tau=R(1, 10), steps=1))
    with pytest.raises(p2n.DeclarationError, match="1 channels in one block, not 4 in 2"):
        network.map_blocks(da.zeros((1, 4, 8, 8), chunks=(1, 2, 8, 8)))

"""The models that are shipped: their files, and what is proved about them, attacked from outside."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import sys
from pathlib import Path

import pytest
import torch

import pde2net as p2n

FOLDER = Path(p2n.__file__).parent / "models"
ROOT = Path(__file__).parents[2]
NAMES = p2n.models.names()
SIZES = [(16, 16), (17, 40), (97, 33)]
A = 0.99


@functools.cache
def shipped(name: str) -> p2n.models.Denoiser:
    return p2n.models.denoiser(name)


def norms(u: torch.Tensor) -> torch.Tensor:
    return u.flatten(1).norm(dim=1)


def wild(shape: tuple[int, ...]) -> list[torch.Tensor]:
    """Noise, a checkerboard, an edge, a spike, a constant, values of all magnitudes."""
    board = torch.ones(shape)
    board[..., ::2, 1::2] = board[..., 1::2, ::2] = -1
    edge, spike = torch.zeros(shape), torch.zeros(shape)
    edge[..., shape[-1] // 2 :], spike[..., 3, 4] = 1, 100
    heavy = torch.randn(shape) * 10 ** torch.empty(shape).uniform_(-4, 3)
    found = [torch.rand(shape), torch.randn(shape), board, board / 50, edge, spike, torch.ones(shape), heavy]
    return [u.double() for u in found]


@pytest.mark.parametrize("name", NAMES)
def test_the_claim_is_proved_for_the_weights_in_the_file(name: str) -> None:
    claims = shipped(name).certificate.claims
    assert claims["bounded_by_data"].status == p2n.Status.PROVED
    if name == "t3":
        assert claims["averaged"].status == p2n.Status.PROVED
        assert float(claims["averaged"].factor) <= A
    assert shipped(name).certificate is shipped(name).certificate


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_small_and_described(name: str) -> None:
    assert (FOLDER / f"{name}.safetensors").stat().st_size < 1_000_000
    assert f"`{name}.safetensors`" in (FOLDER / "README.md").read_text()


def test_the_photographs_are_listed_with_their_licences() -> None:
    script = (ROOT / "benchmarks" / "ship.py").read_text()
    names = re.findall(r'"(\w+)": "[0-9a-f]{16}"', script)
    rows = re.findall(
        r"^\| (\w+) \| .*(?:CC0|public domain|CC BY 2.0|no known|BSD)",
        (FOLDER / "README.md").read_text(),
        re.M,
    )
    assert len(names) == 12 and set(names) <= set(rows)


@pytest.mark.parametrize("sigma", [1e-3, 0.1, 2.0])
@pytest.mark.parametrize("name", NAMES)
def test_results_are_bounded_by_the_data(name: str, sigma: float) -> None:
    with torch.no_grad():
        for size in SIZES:
            for u in wild((2, 1, *size)):
                assert (norms(shipped(name)(u, sigma)) <= norms(u) * (1 + 1e-12)).all()


@pytest.mark.parametrize("sigma", [1e-3, 0.1, 2.0])
def test_t3_is_averaged(sigma: float) -> None:
    """R = (N - (1 - a) I)/a moves no two images apart: those far away, and those in the worst direction."""
    denoiser = shipped("t3")

    def R(u: torch.Tensor) -> torch.Tensor:
        return (denoiser(u, sigma) - (1 - A) * u) / A

    with torch.no_grad():
        for size in SIZES[:2]:
            images = wild((1, 1, *size))
            for u, v in zip(images, [*images[1:], images[0]], strict=True):
                assert (norms(R(u) - R(v)) <= norms(u - v) * (1 + 1e-12)).all()
    u = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    d = torch.randn_like(u)
    for _ in range(6):  # power iteration on J^T J, J the derivative of R
        d = d / d.norm()
        _, Jd = torch.func.jvp(R, (u,), (d,))
        assert Jd.norm() <= 1 + 1e-9
        step = 1e-4 * d
        with torch.no_grad():
            assert (norms(R(u + step) - R(u)) <= norms(step) * (1 + 1e-7)).all()
        (d,) = torch.func.vjp(R, u)[1](Jd)


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_removed_at_every_level_of_the_training(name: str) -> None:
    clean = p2n.learn.photographs("test")["camera"][None, :, 100:228, 180:308]
    for sigma in (10 / 255, 25 / 255, 50 / 255):
        noisy = clean + sigma * torch.randn_like(clean)
        with torch.no_grad():
            error = (shipped(name)(noisy, sigma) - clean).square().mean()
        assert error < (0.65 * sigma) ** 2


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_filtered_one_by_one(name: str) -> None:
    u = torch.rand(2, 3, 20, 17)
    level = torch.tensor([0.05, 0.2])
    with torch.no_grad():
        whole = shipped(name)(u, level)
        assert torch.equal(whole, shipped(name)(u, level.view(2, 1, 1, 1)))
        for k in range(2):
            for c in range(3):
                alone = shipped(name)(u[k : k + 1, c : c + 1], float(level[k]))
                torch.testing.assert_close(alone, whole[k : k + 1, c : c + 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision(kind: torch.dtype) -> None:
    u = torch.rand(1, 1, 18, 16, dtype=torch.float64).to(kind)
    with torch.no_grad():
        exact, found = shipped("t1")(u.double(), 0.1), shipped("t1")(u, 0.1)
    assert found.dtype == kind
    # Filters are kept in float32, and half precision is computed in it.
    error = (found.double() - exact).abs().max()
    assert error <= 2 * torch.finfo(kind).eps + 2e-6


def test_noise_of_another_unit_of_grey_values() -> None:
    u = torch.rand(1, 1, 20, 20, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(shipped("t3")(255 * u, 25), 255 * shipped("t3")(u, 25 / 255))


def test_gradients_with_respect_to_images() -> None:
    denoiser = shipped("t1")
    u = torch.rand(1, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: denoiser(v, 0.1), (u,))


def test_copies_and_pickles_compute_the_same() -> None:
    denoiser = p2n.models.denoiser("t1", sigma=0.1)
    u = torch.rand(1, 1, 12, 13)
    for other in (copy.deepcopy(denoiser), pickle.loads(pickle.dumps(denoiser))):
        assert torch.equal(other(u), denoiser(u)) and other.name == "t1" and not other.training


def test_images_without_room_for_the_stencil_are_told() -> None:
    for name in NAMES:
        with pytest.raises(
            p2n.DeclarationError, match="An image of 9 x 1 cells is too small: the stencil needs 2"
        ):
            shipped(name)(torch.rand(1, 1, 9, 1), 0.1)


def test_unknown_names_and_missing_files_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(p2n.DeclarationError, match=r'no model "t4": there are t1, t3'):
        p2n.models.denoiser("t4")
    monkeypatch.setattr(sys.modules["pde2net.models.shipped"], "FOLDER", tmp_path)
    with pytest.raises(p2n.FileError, match=r"t1\.safetensors of t1 are missing"):
        p2n.models.denoiser("t1")

"""Signals, photographs, folders, and the networks to compare with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pde2net as p2n
from pde2net.learn import baselines, images, photographs, signals
from pde2net.learn.photographs import SPLITS


def test_signals_are_piecewise_smooth_in_the_unit_interval() -> None:
    found = signals(200, 256, seed=3)
    assert found.shape == (200, 1, 256) and found.dtype == torch.float32
    assert torch.equal(found[:7], signals(7, 256, seed=3)) and not torch.equal(
        found, signals(200, 256, seed=4)
    )
    assert torch.allclose(found.amin(2), torch.zeros(())) and torch.allclose(found.amax(2), torch.ones(()))
    steps = found.diff(dim=2).abs()[:, 0]
    jumps = (steps > 0.1).sum(1)
    assert jumps.max() <= 12 and (jumps >= 1).float().mean() > 0.8  # few, and nearly all have one
    assert steps.median() < 0.01
    for count, length in ((0, 4), (3, 0), (2.5, 4)):
        with pytest.raises(p2n.DeclarationError):
            signals(count, length)


def test_no_photograph_is_in_two_splits() -> None:
    names = [name for split in SPLITS.values() for name in split]
    assert len(names) == len(set(names))
    found = {split: photographs(split) for split in SPLITS}
    assert all(len(found[split]) >= 2 for split in SPLITS)
    for pictures in found.values():
        for picture in pictures.values():
            assert picture.dim() == 3 and picture.shape[0] == 1 and picture.dtype == torch.float32
            assert float(picture.min()) >= 0 and float(picture.max()) <= 1 and min(picture.shape[1:]) > 100
    assert {p.shape[0] for p in photographs("train", colour=True).values()} == {3}
    with pytest.raises(p2n.DeclarationError, match='Did you mean "train"'):
        photographs("trian")


def test_folders_have_pictures_and_arrays_of_all_dimensions(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "b.png")
    for name, shape in (("a", (10,)), ("c", (4, 5)), ("d", (3, 4, 5))):
        np.save(tmp_path / f"{name}.npy", random.random(shape))
    (tmp_path / "notes.txt").write_text("no picture")
    found = images(tmp_path)
    assert [tuple(i.shape) for i in found] == [(1, 10), (1, 8, 9), (1, 4, 5), (1, 3, 4, 5)]
    luma = (colours / 255) @ [0.2125, 0.7154, 0.0721]
    np.testing.assert_allclose(found[1][0], luma, atol=1e-6)
    assert images(tmp_path / "b.png", colour=True)[0].shape == (3, 8, 9)
    assert len(images([tmp_path / "a.npy", tmp_path / "c.npy"])) == 2
    Image.fromarray(colours[..., 0]).save(tmp_path / "grey.png")
    with pytest.raises(p2n.FileError, match="is grey"):
        images(tmp_path / "grey.png", colour=True)
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing", tmp_path / "notes.txt"):
        with pytest.raises(p2n.FileError):
            images(path)


MAKERS = (baselines.residual, baselines.unet, baselines.dncnn)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_baselines_keep_shapes_of_every_size(make: Callable[..., nn.Module], dimension: int) -> None:
    made = make(dimension=dimension, channels=3, image_channels=2).eval()
    u = torch.rand(2, 2, *(13, 10, 9)[:dimension])
    assert made(u).shape == u.shape
    made(u).sum().backward()
    assert all(p.grad is not None for p in made.parameters())


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("budget", [2000, 20_000])
def test_baselines_have_as_many_parameters_as_are_allowed(
    make: Callable[..., nn.Module], budget: int
) -> None:
    found = sum(p.numel() for p in make(parameters=budget).parameters())
    widths = [sum(p.numel() for p in make(channels=k).parameters()) for k in range(1, 130)]
    assert found <= budget and found == max(w for w in widths if w <= budget)
    with pytest.raises(p2n.DeclarationError, match="more than 3"):
        make(parameters=3)


def test_blocks_are_what_they_say() -> None:
    """u + W2 relu(W1 u + b1) + b2, with arithmetic of one's own."""
    torch.manual_seed(0)
    made = baselines.residual(1, 2, blocks=1, kernel_size=3).double()
    u = torch.rand(1, 1, 9, dtype=torch.float64)
    inner, outer = made.blocks[0].inner, made.blocks[0].outer
    padded = np.pad(u[0, 0].numpy(), 1)
    responses = []
    for k in range(2):
        w, b = inner.weight[k, 0].detach().numpy(), float(inner.bias[k].detach())
        responses.append(np.maximum(np.correlate(padded, w, "valid") + b, 0))
    total = u[0, 0].numpy() + float(outer.bias.detach())
    for k in range(2):
        total = total + np.correlate(np.pad(responses[k], 1), outer.weight[0, k].detach().numpy(), "valid")
    np.testing.assert_allclose(made(u)[0, 0].detach().numpy(), total, atol=1e-12)
    for options in ({"kernel_size": 4}, {"dimension": 4}, {"channels": 0}):
        with pytest.raises(p2n.DeclarationError):
            baselines.residual(**options)
    with pytest.raises(p2n.DeclarationError, match="depth"):
        baselines.dncnn(depth=1)

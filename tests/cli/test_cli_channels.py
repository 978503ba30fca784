"""`pde2net run` on vector-valued images and on systems."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pde2net as p2n

COLOUR = """
unknown  u(x, y, t)
channels 3
equation u_t = div(grad u / (1 + |grad u|^2))
scheme   explicit(tau = 1/5, steps = 2)
"""
SYSTEM = """
unknown  u(x, t)
unknown  v(x, t)
equation u_t = u_xx + v
equation v_t = v_xx - u
scheme   explicit(tau = 1/5, steps = 2)
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "colour.pde").write_text(COLOUR)
    (tmp_path / "system.pde").write_text(SYSTEM)
    pixels = np.random.default_rng(0).integers(0, 255, size=(9, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "colour.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    np.save(tmp_path / "state.npy", np.random.default_rng(1).normal(size=(2, 12)))
    return tmp_path


def test_colours_share_a_diffusivity(command, files: Path):
    assert command("run", files / "colour.pde", files / "colour.png", files / "out.png").status == 0
    loaded = p2n.load(files / "colour.pde")
    module = p2n.compile(loaded.problem, loaded.scheme, loaded.grid).module().double()
    import torch

    pixels = np.moveaxis(np.asarray(Image.open(files / "colour.png")), -1, 0) / 255
    want = module(torch.from_numpy(pixels)[None])[0].numpy()
    got = np.moveaxis(np.asarray(Image.open(files / "out.png")), -1, 0)
    assert abs(got - want * 255).max() <= 1


def test_systems_take_and_give_arrays_with_channels_first(command, files: Path):
    assert command("run", files / "system.pde", files / "state.npy", files / "out.npy").status == 0
    u, v = np.load(files / "state.npy")
    for _ in range(2):
        lap = [np.diff(np.diff(w, prepend=w[0], append=w[-1])) for w in (u, v)]
        u, v = u + 0.2 * (lap[0] + v), v + 0.2 * (lap[1] - u)
    np.testing.assert_allclose(np.load(files / "out.npy"), [u, v], atol=1e-6)


@pytest.mark.parametrize(
    "arguments,words",
    [
        (("colour.pde", "grey.png", "out.png"), "has 1 channel, the equation 3"),
        (("system.pde", "colour.png", "out.npy"), "dimension 2, the equation 1"),
    ],
)
def test_other_numbers_of_channels_are_refused(command, files: Path, arguments, words):
    done = command("run", *(files / a for a in arguments))
    assert done.status == 2 and words in done.err


def test_two_channels_make_no_picture(command, files: Path):
    (files / "plane.pde").write_text(SYSTEM.replace("(x, t)", "(x, y, t)"))
    np.save(files / "plane.npy", np.zeros((2, 6, 5)))
    done = command("run", files / "plane.pde", files / "plane.npy", files / "out.png")
    assert done.status == 2 and "2 channels make no picture" in done.err

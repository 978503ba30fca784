"""Images in, images out: kinds, values, rules, and what the page about them says."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from PIL import Image

import pde2net as p2n
from pde2net.restore import denoise, enhance, inpaint
from pde2net.restore.level import estimated

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "restoring.md").read_text()
SIGMA = 0.1


def picture(*shape: int) -> np.ndarray:
    """Smooth, with an edge."""
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    return 0.2 + 0.2 * axes[0] + 0.5 * (sum((a - 0.5) ** 2 for a in axes) < 0.1)


def with_noise(clean: np.ndarray, sigma: float = SIGMA, seed: int = 0) -> np.ndarray:
    return clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


def error(found: Any, clean: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.asarray(found) - clean) ** 2)))


@pytest.mark.parametrize("shape", [(400,), (64, 64), (20, 24, 28)])
@pytest.mark.parametrize("sigma", [0.02, 0.2])
def test_the_noise_is_estimated(shape: tuple[int, ...], sigma: float) -> None:
    ramp = np.linspace(0, 1, math.prod(shape)).reshape(shape)
    noisy = torch.from_numpy(with_noise(ramp, sigma))[None]
    assert estimated(noisy) == pytest.approx(sigma, rel=0.15)
    constant = noisy.clone()
    constant[:, : shape[0] // 4] = 0  # a margin without noise says nothing
    assert estimated(constant) == pytest.approx(sigma, rel=0.2)
    assert estimated(torch.zeros(1, *shape)) == 0


@pytest.mark.parametrize("method", denoise.METHODS)
def test_every_method_removes_noise(method: str) -> None:
    clean = picture(48, 48)
    found = p2n.denoise(with_noise(clean), method)
    assert found.method == method and error(found, clean) < 0.6 * SIGMA
    assert found.values["sigma"] == pytest.approx(SIGMA, rel=0.1)


@pytest.mark.parametrize(
    ("method", "shape"),
    [*((m, (120,)) for m in (*denoise.FLOWS, "rof")), ("perona_malik", (14, 15, 16)), ("rof", (14, 15, 16))],
)
def test_signals_and_volumes(method: str, shape: tuple[int, ...]) -> None:
    clean = picture(*shape)
    found = p2n.denoise(with_noise(clean), method, spacing=1)
    assert np.asarray(found).shape == shape and error(found, clean) < 0.8 * SIGMA


@pytest.mark.parametrize("method", ["perona_malik", "edge_enhancing", "rof"])
def test_the_network_makes_the_image_in_one_call(method: str) -> None:
    noisy = with_noise(picture(24, 20)).astype(np.float32)
    found = p2n.denoise(noisy, method)
    u = torch.from_numpy(noisy)[None, None]
    fields = {"f": u} if method == "rof" else {}
    with torch.no_grad():
        again = found.made_by.module()(u, **fields)[0, 0]
    np.testing.assert_allclose(found.image, again, atol=1e-6)
    assert found.certificate is found.made_by.certificate
    assert method == "rof" or found.certificate.claims["l2_stability"].status == p2n.Status.PROVED


def test_numbers_of_numpy_and_torch() -> None:
    noisy = with_noise(picture(12, 12))
    plain = p2n.denoise(noisy, sigma=0.125, spacing=2.0, contrast=0.25, time=1.5)
    for kind in (np.float32, np.float64, torch.tensor):
        found = p2n.denoise(noisy, sigma=kind(0.125), spacing=kind(2.0), contrast=kind(0.25), time=kind(1.5))
        np.testing.assert_array_equal(found.image, plain.image)
    several = p2n.denoise(noisy, sigma=0.125, spacing=np.full(2, 2.0, np.float32), contrast=0.25, time=1.5)
    np.testing.assert_array_equal(several.image, plain.image)


def test_what_is_removed_is_the_noise() -> None:
    noisy = with_noise(picture(64, 64))
    for method in ("charbonnier", "catte", "heat"):
        found = p2n.denoise(noisy, method, sigma=SIGMA)
        assert error(found, noisy) == pytest.approx(0.95 * SIGMA, rel=0.03), method


@pytest.mark.parametrize("method", denoise.METHODS[:-2])
def test_units_of_values_and_of_length_do_not_matter(method: str) -> None:
    """c u on a grid of spacing h is denoised as u on one of spacing 1; with what was chosen, too."""
    noisy = with_noise(picture(24, 20))
    plain = np.asarray(p2n.denoise(noisy, method, spacing=(1, 1.5)))
    for unit in (0.5, 1e-20, 30.0):
        found = p2n.denoise(40 * noisy, method, spacing=(unit, 1.5 * unit))
        np.testing.assert_allclose(np.asarray(found) / 40, plain, atol=2e-3)
    asked = {"time": found.values["time"]}
    if "lambda" in found.values or "epsilon" in found.values:
        asked["contrast"] = found.values["epsilon" if method == "rof" else "lambda"]
    again = p2n.denoise(40 * noisy, method, spacing=(unit, 1.5 * unit), **asked)
    np.testing.assert_allclose(np.asarray(again), np.asarray(found), atol=1e-3)
    assert again.values == pytest.approx({k: v for k, v in found.values.items() if k in again.values})


@pytest.mark.parametrize("method", list(enhance.METHODS))
def test_enhancement_does_not_depend_on_the_unit_of_length(method: str) -> None:
    image = picture(24, 20)
    plain = p2n.enhance(image, method)
    timed = np.asarray(p2n.enhance(image, method, time=plain.values["time"]))
    for unit in (0.1, 10.0):
        found = p2n.enhance(image, method, spacing=unit)
        np.testing.assert_allclose(np.asarray(found), np.asarray(plain), atol=1e-9)
        again = p2n.enhance(image, method, spacing=unit, time=found.values["time"])
        np.testing.assert_allclose(np.asarray(again), timed, atol=1e-6)


def test_contrast_and_time_are_those_that_are_asked_for() -> None:
    noisy = with_noise(picture(24, 20))
    found = p2n.denoise(noisy, contrast=0.25, time=2)
    assert found.values == pytest.approx({"lambda": 0.25, "time": 2})
    assert found.made_by.scheme.tau <= sp.Rational(1, 8)
    assert p2n.denoise(noisy, "rof", sigma=0.2, time=0.5).values["time"] == 0.5
    assert "sigma" in p2n.denoise(noisy, time=2).values


KINDS = {
    "float64": (lambda a: a, np.float64, 1.0),
    "float32": (lambda a: a.astype(np.float32), np.float32, 1.0),
    "float16": (lambda a: a.astype(np.float16), np.float32, 1.0),
    "big-endian": (lambda a: a.astype(">f8"), np.float64, 1.0),
    "uint8": (lambda a: (255 * a).astype(np.uint8), np.float64, 1.0),
    "uint16": (lambda a: (65535 * a).astype(np.uint16), np.float64, 1.0),
    "int16": (lambda a: (32767 * a).astype(np.int16), np.float64, 1.0),
    "list": (lambda a: a.tolist(), np.float64, 1.0),
    "strided": (lambda a: np.repeat(a, 2, 1)[:, ::2], np.float64, 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_numpy(kind: str) -> None:
    make, dtype, scale = KINDS[kind]
    noisy = np.clip(with_noise(picture(20, 24), 0.05), 0, 1)
    found = p2n.denoise(make(noisy), sigma=0.05)
    assert isinstance(found.image, np.ndarray) and found.image.dtype == dtype and found.dtype == dtype
    plain = p2n.denoise(noisy, sigma=0.05).image
    np.testing.assert_allclose(found.image * scale, plain, atol=6e-3)
    assert found.shape == (20, 24) and found.ndim == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.uint8])
def test_tensors(dtype: torch.dtype) -> None:
    values = torch.from_numpy(np.clip(with_noise(picture(20, 24), 0.05), 0, 1))
    given = (255 * values).to(dtype) if dtype == torch.uint8 else values.to(dtype)
    given.requires_grad_(dtype.is_floating_point)
    found = p2n.denoise(given, sigma=0.05).image
    assert isinstance(found, torch.Tensor) and not found.requires_grad
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "F", "I;16"])
def test_images_of_pil(mode: str) -> None:
    grey = np.clip(with_noise(picture(20, 24), 0.05), 0, 1)
    if mode == "F":
        given = Image.fromarray(grey.astype(np.float32))
    elif mode == "I;16":
        given = Image.fromarray((65535 * grey).astype(np.uint16))
    else:
        given = Image.fromarray((255 * grey).astype(np.uint8)).convert(mode)
    if mode in ("RGBA", "LA"):
        given.putalpha(77)
    found = p2n.denoise(given, sigma=0.05).image
    assert isinstance(found, Image.Image) and found.size == given.size
    assert found.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    if mode in ("RGBA", "LA"):
        assert set(np.unique(found.getchannel("A"))) == {77}


def test_channels_lie_where_they_are_said_to() -> None:
    colours = np.stack([with_noise(picture(20, 24), seed=k) for k in range(3)])
    first = p2n.denoise(colours, sigma=SIGMA, channel_axis=0)
    for axis in (1, -1):
        moved = p2n.denoise(np.moveaxis(colours, 0, axis), sigma=SIGMA, channel_axis=axis)
        np.testing.assert_allclose(np.moveaxis(moved.image, axis, 0), first.image, atol=1e-12)
    alone = p2n.denoise(colours[0], sigma=SIGMA, contrast=first.values["lambda"], time=first.values["time"])
    assert np.abs(alone.image - first.image[0]).max() > 1e-3  # they have one diffusivity
    each = p2n.denoise(colours, "edge_enhancing", sigma=SIGMA, time=1, channel_axis=0)
    np.testing.assert_allclose(
        p2n.denoise(colours[1], "edge_enhancing", sigma=SIGMA, time=1).image, each.image[1], atol=1e-12
    )
    trained = p2n.denoise(colours, "t1", sigma=SIGMA, channel_axis=0)
    assert trained.shape == colours.shape and "proved" not in repr(trained)


REFUSED = [
    ({"image": np.zeros((9, 9))}, "No noise is seen"),
    ({"image": np.zeros((9, 9, 3))}, "channel_axis=-1 says"),
    ({"image": np.zeros((3, 9, 9))}, "channel_axis=0 says"),
    ({"image": np.zeros((9, 9)), "channel_axis": 2}, "one of the 2 axes"),
    ({"image": np.zeros((0, 9))}, "no cells"),
    ({"image": np.full((9, 9), np.nan)}, "not finite"),
    ({"image": np.zeros((2, 3, 4, 5))}, "one to three axes"),
    ({"image": np.zeros((9, 9), complex)}, "complex"),
    ({"image": "photograph.png"}, "not a path"),
    ({"image": None}, "of numbers, not of"),
    ({"image": Image.new("CMYK", (9, 9))}, "CMYK"),
    ({"method": "perona"}, "perona_malik"),
    ({"sigma": 0}, "must be positive"),
    ({"sigma": "guess"}, "sigma is"),
    ({"sigma": math.nan}, "must be finite"),
    ({"contrast": -1.0, "sigma": 0.1}, "contrast must be positive"),
    ({"time": 0, "sigma": 0.1}, "time must be positive"),
    ({"method": "heat", "contrast": 1.0, "sigma": 0.1}, "heat has no contrast"),
    ({"method": "t1", "time": 1.0, "sigma": 0.1}, "takes no contrast, time or spacing"),
    ({"method": "t1", "image": np.zeros(30), "sigma": 0.1}, "trained on images"),
    ({"spacing": (1, 2, 3), "sigma": 0.1}, "each of 2 axes"),
    ({"image": with_noise(picture(12, 12)), "sigma": 40.0}, "more than there is to remove"),
    ({"spacing": 0, "sigma": 0.1}, "spacing must be positive"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=message):
        p2n.denoise(**{"image": np.zeros((9, 8)), **arguments})


def test_harmonic_inpainting_stays_between_known_values() -> None:
    """Exactly: the solution does, and a solver ends within its tolerance."""
    for seed in range(3):
        image = np.random.default_rng(seed).random((1, 11))
        mask = image > 0.5
        found = p2n.inpaint(image, mask).image
        known = image[~mask]
        assert known.min() <= found.min() and found.max() <= known.max()
    colours = np.random.default_rng(0).random((9, 8, 3))
    hole = np.zeros((9, 8), bool)
    hole[2:8, 1:] = True
    found = p2n.inpaint(colours, hole, channel_axis=-1).image
    for k in range(3):
        known = colours[~hole][:, k]
        assert known.min() <= found[..., k].min() and found[..., k].max() <= known.max()


@pytest.mark.parametrize("method", inpaint.METHODS)
@pytest.mark.parametrize("shape", [(60,), (24, 20), (10, 11, 12)])
def test_inpainting_keeps_what_is_known(method: str, shape: tuple[int, ...]) -> None:
    clean = picture(*shape)
    mask = np.random.default_rng(0).random(shape) < 0.4
    found = p2n.inpaint(np.where(mask, np.nan, clean), mask, method)
    assert (found.image[~mask] == clean[~mask]).all() and np.isfinite(found.image).all()
    assert found.values["filled"] == pytest.approx(mask.mean())
    if method == "harmonic":
        assert clean[~mask].min() <= found.image.min() and found.image.max() <= clean[~mask].max()


def test_harmonic_functions_of_one_axis_are_straight() -> None:
    """Between known cells the solution of u_xx = 0 is linear, that of u_xxxx = 0 cubic."""
    x = np.linspace(0, 1, 21)
    mask = np.ones(21, bool)
    mask[[0, 10, 20]] = False
    line = p2n.inpaint(np.where(mask, 0, 3 * x - 1), mask)
    np.testing.assert_allclose(line.image, 3 * x - 1, atol=1e-4)
    bent = np.ones(21, bool)
    bent[[0, 1, 19, 20]] = False
    cubic = p2n.inpaint(np.where(bent, 0, x**3), bent, "biharmonic")
    np.testing.assert_allclose(cubic.image, x**3, atol=1e-3)


def test_masks_of_all_kinds_of_images() -> None:
    clean, mask = picture(20, 24), np.random.default_rng(0).random((20, 24)) < 0.3
    colours = np.stack([clean, clean / 2, clean / 3], -1)
    found = p2n.inpaint(np.where(mask[..., None], np.nan, colours), mask, channel_axis=-1)
    np.testing.assert_allclose(found.image[..., 1], found.image[..., 0] / 2, atol=1e-4)
    tensor = p2n.inpaint(torch.from_numpy(clean), torch.from_numpy(mask))
    np.testing.assert_array_equal(tensor.image, p2n.inpaint(clean, mask.astype(int)).image)
    pil = p2n.inpaint(Image.fromarray((255 * colours).astype(np.uint8)), Image.fromarray(mask))
    assert pil.image.mode == "RGB"
    assert (np.asarray(pil)[~mask] == (255 * colours).astype(np.uint8)[~mask]).all()
    np.testing.assert_array_equal(p2n.inpaint(clean, np.zeros((20, 24))).image, clean)
    for wrong, message in ((np.ones((20, 24)), "no cell"), (np.zeros((20, 23)), "mask has the shape")):
        with pytest.raises(p2n.DeclarationError, match=message):
            p2n.inpaint(clean, wrong)
    with pytest.raises(p2n.DeclarationError, match="harmonic"):
        p2n.inpaint(clean, mask, "harmonc")


@pytest.mark.parametrize("method", enhance.METHODS)
def test_enhancement_smooths_regions_and_keeps_edges(method: str) -> None:
    clean = np.where(np.arange(32) < 16, 0.3, 0.7) * np.ones((32, 1))
    found = p2n.enhance(with_noise(clean, 0.03), method).image
    assert error(found[:, [5, 6, 25, 26]], clean[:, [5, 6, 25, 26]]) < 0.025
    assert np.diff(found.mean(0))[15] > 0.25
    colours = p2n.enhance(with_noise(np.stack([clean] * 3), 0.03), method, time=1, channel_axis=0)
    assert colours.shape == (3, 32, 32)


def test_what_enhancement_refuses() -> None:
    for arguments, message in (
        ({"image": np.zeros(30)}, "two axes"),
        ({"method": "weickert"}, "no slope"),
        ({"method": "weickert", "contrast": 0}, "positive"),
        ({"time": -1}, "positive"),
        ({"method": "coherence"}, "coherence_enhancing"),
    ):
        with pytest.raises(p2n.DeclarationError, match=message):
            p2n.enhance(**{"image": np.zeros((16, 16)), **arguments})


def test_a_picture_of_before_and_after() -> None:
    png = p2n.denoise(with_noise(picture(24, 20)))._repr_png_()
    assert png is not None and png.startswith(b"\x89PNG")


def test_the_page_says_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs are run one after the other, and print what it quotes."""
    pytest.importorskip("skimage")
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    names: dict[str, Any] = {"print": lambda *what: lines.append(" ".join(map(str, what)))}
    for program, quoted in re.findall(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE, re.S):
        lines.clear()
        exec(program, names)
        assert "\n".join(lines) == quoted.strip()
    assert PAGE.count("```python") == PAGE.count("\nprints\n")
    written = {"way.npz", "way.gif", "way.png", "way.csv"}
    assert {file.name for file in tmp_path.iterdir()} == written


def test_the_page_has_the_factors_and_the_methods() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (?:lambda|epsilon|none) \| ([\d.]*) ?\|", PAGE, re.M))
    models = {**denoise.FLOWS, "rof": denoise.ROF}
    assert {n: float(v) for n, v in rows.items() if v} == {
        n: m.factor for n, m in models.items() if m.contrast
    }
    assert set(rows) == set(models)
    measured = re.findall(r"^\| (\w+) \| \d\d\.\d\d", PAGE, re.M)
    assert set(measured) == {*denoise.METHODS, *inpaint.METHODS}


@pytest.mark.parametrize("value", [1.0, 0.3, 0.0, 200.0])
@pytest.mark.parametrize("method", ["harmonic", "biharmonic"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_what_is_constant_is_filled_by_the_constant(value: float, method: str, dtype: type) -> None:
    mask = np.random.default_rng(0).random((40, 33)) < 0.5
    found = p2n.inpaint(np.full((40, 33), value, dtype=dtype), mask, method).image
    assert np.abs(found - value).max() <= 20 * np.finfo(dtype).eps * value


A = np.random.default_rng(0).random((20, 16))
RGB, HOLES = np.stack([A] * 3, -1), A < 0.3
REFUSED = {
    "path": (lambda: p2n.denoise("a.png"), "not a path: PIL.Image.open"),
    "masked": (lambda: p2n.denoise(np.ma.masked_array(A, HOLES)), "inpaint"),
    "masked too": (lambda: p2n.inpaint(np.ma.masked_array(A, HOLES), HOLES), "inpaint"),
    "batch": (lambda: p2n.denoise(torch.rand(1, 1, 9, 9)), "one by one: image"),
    "sparse": (lambda: p2n.denoise(torch.rand(8, 8).to_sparse()), "to_dense"),
    "number": (lambda: p2n.denoise(np.array(3.0)), "not one number"),
    "huge": (lambda: p2n.denoise((A * 1e38).astype(np.float32)), "scale the image"),
    "tiny": (lambda: p2n.denoise((A * 1e-40).astype(np.float32)), "scale the image"),
    "mask without colours": (lambda: p2n.inpaint(RGB, HOLES), "channel_axis=-1 says"),
    "mask of colours": (lambda: p2n.inpaint(RGB, RGB < 0.3, channel_axis=-1), r"one of \(20, 16\) is due"),
    "short mask": (lambda: p2n.inpaint(A, HOLES[1:]), r"\(19, 16\), and one of \(20, 16\)"),
    "mask of words": (lambda: p2n.inpaint(A, HOLES.astype(str)), "bool or numbers"),
    "known nan": (lambda: p2n.inpaint(np.where(A > 0.9, np.nan, A), HOLES), "which are known"),
    "integers": (
        lambda: p2n.denoise((A * 3000).astype(np.int16), sigma=60.0),
        "Integers are divided by the largest",
    ),
    "contrast": (lambda: p2n.denoise(A, contrast=1e200, sigma=0.05), "too large for floating point"),
    "beyond floats": (lambda: p2n.denoise(A, sigma=10**400), "beyond the numbers"),
    "spacing": (lambda: p2n.denoise(A, spacing=1e-200), "1e-50 to 1e50"),
}


@pytest.mark.filterwarnings("always")
def test_warnings_of_others_are_passed_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tolerances that were missed say something of the image."""
    own = inpaint.applied

    def noisy(*given: Any) -> Any:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        warnings.warn("relative residual 0.1 after 2 iterations", UserWarning, stacklevel=1)
        return own(*given)

    monkeypatch.setattr(inpaint, "applied", noisy)
    with pytest.warns() as told:
        p2n.inpaint(A, HOLES)
    found = {str(w.message): w.category for w in told}
    assert found["old"] is DeprecationWarning
    assert any(m.startswith("relative residual 0.1") and "near the steady state" in m for m in found)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_do(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(p2n.Pde2NetError, match=words):
        call()

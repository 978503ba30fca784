"""`run`: every kind of picture keeps its mode and depth, and what cannot be run is refused in words."""

import os
import re
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from PIL import Image
from support import RNG

import pde2net as p2n
from pde2net.cli.applying import How, apply
from pde2net.cli.options import USAGE
from pde2net.cli.say import Say

INPAINTING = {"rhs": "c * (f - u) + (1 - c) * p2n.laplacian(u)", "tau": "sp.Rational(1, 5)"}


def heat_steps(u: np.ndarray, tau: float, steps: int) -> np.ndarray:
    """Explicit heat conduction with reflecting borders along all axes, written down independently."""
    for _ in range(steps):
        change = np.zeros_like(u)
        for axis in range(u.ndim):
            wide = np.concatenate([u.take([0], axis), u, u.take([-1], axis)], axis)
            change += np.diff(wide, n=2, axis=axis)
        u = u + tau * change
    return u


@pytest.mark.parametrize(
    "mode,shape,suffix",
    [
        ("L", (9, 7), "png"),
        ("L", (9, 7), "bmp"),
        ("LA", (9, 7, 2), "png"),
        ("RGB", (9, 7, 3), "png"),
        ("RGB", (9, 7, 3), "ppm"),
        ("RGB", (9, 7, 3), "webp"),
        ("RGBA", (9, 7, 4), "png"),
        ("RGBA", (9, 7, 4), "tif"),
        ("I;16", (9, 7), "png"),
        ("I;16", (9, 7), "tif"),
        ("I;16", (9, 7), "pgm"),
    ],
)
def test_images_keep_their_mode_and_depth(command, heat, tmp_path: Path, mode, shape, suffix):
    top = 65535 if mode == "I;16" else 255
    values = RNG.integers(0, top + 1, shape).astype(np.uint16 if top == 65535 else np.uint8)
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    Image.fromarray(values).save(source, **({"lossless": True} if suffix == "webp" else {}))
    result = command("run", heat(), source, target, "--dtype", "float64")
    assert result.status == 0, result.err
    with Image.open(source) as before, Image.open(target) as after:
        assert (before.mode, before.size) == (after.mode, after.size)
        got = np.asarray(after)
    stack = values.reshape(9, 7, -1)
    colours = stack[..., :-1] if mode.endswith("A") else stack
    want = [np.rint(heat_steps(colours[..., k] / top, 0.25, 3) * top) for k in range(colours.shape[-1])]
    want += [stack[..., -1]] if mode.endswith("A") else []
    np.testing.assert_array_equal(got.reshape(stack.shape), np.stack(want, -1))


@pytest.mark.parametrize("axes,shape", [("x", (20,)), ("x, y", (8, 9)), ("x, y, z", (5, 6, 7))])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, ">f8"])
def test_arrays_keep_their_type_and_range(command, heat, tmp_path: Path, axes, shape, dtype):
    array = (1000 * RNG.normal(size=shape)).astype(dtype)
    np.save(tmp_path / "in.npy", array)
    result = command(
        "run", heat(axes=axes, tau="sp.Rational(1, 8)"), "in.npy", "out.npy", "--dtype", "float64"
    )
    assert result.status == 0, result.err
    out = np.load(tmp_path / "out.npy")
    assert out.dtype == array.dtype
    np.testing.assert_allclose(out, heat_steps(array.astype(float), 1 / 8, 3), rtol=1e-6, atol=1e-3)


def test_the_report_tells_time_and_range(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", np.array([[0.0, 1.0], [0.0, 1.0]]))
    lines = command("run", heat(steps=1), "in.npy", "out.npy").out.splitlines()
    assert re.fullmatch(r"1 step of tau = 1/4, to time 1/4, in \d+\.\d\d s", lines[0])
    assert lines[1:] == [
        "before  min 0.0000  mean 0.5000  max 1.0000",
        "after   min 0.2500  mean 0.5000  max 0.7500",
        "out.npy",
    ]


@pytest.mark.parametrize(
    "tau,stop,said",
    [
        ("sp.Rational(1, 4)", "1", "4 steps of tau = 1/4, to time 1,"),
        ("sp.Rational(1, 4)", "1.1", "5 steps of tau = 11/50, to time 11/10,"),
        ("sp.Rational(1, 4)", "0.1", "1 step of tau = 1/10, to time 1/10,"),
        ("0.1", "0.3", "3 steps of tau = 1/10, to time 3/10,"),
        ("None", "0.6", "3 steps of tau = 1/5, to time 3/5,"),
    ],
)
def test_stop_at_takes_the_fewest_equal_steps(command, heat, tmp_path: Path, tau, stop, said):
    np.save(tmp_path / "in.npy", RNG.random((6, 6)))
    result = command("run", heat(tau=tau), "in.npy", "out.npy", "--stop-at", stop)
    assert result.status == 0 and result.out.startswith(said), result


@pytest.mark.parametrize(
    "tau,stop,words",
    [
        ("0.1", "0", "positive"),
        ("0.1", "-1", "positive"),
        ("0.1", "nan", "finite"),
        ("0.1", "inf", "finite"),
        ("0.1", "1e9", "at most 1000000, not 10000000000"),
        ("0.1", "soon", "Invalid value for '--stop-at'"),
        ("tau", "1", "needs a number for tau"),
    ],
)
def test_bad_stopping_times_are_refused(command, heat, tmp_path: Path, tau, stop, words):
    np.save(tmp_path / "in.npy", RNG.random((6, 6)))
    result = command("run", heat(tau=tau), "in.npy", "out.npy", "--stop-at", stop)
    assert result.status == USAGE and words in result.err and not (tmp_path / "out.npy").exists()


def test_known_fields_go_to_every_channel(command, heat, tmp_path: Path):
    picture = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    Image.fromarray(np.full((8, 8), 51, np.uint8)).save(tmp_path / "f.png")
    np.save(tmp_path / "c.npy", np.ones((8, 8), bool))
    fields = ("--field", "f=f.png", "--field", "c=c.npy")
    result = command("run", heat(steps=40, **INPAINTING), "in.png", "out.png", *fields)
    assert result.status == 0, result.err
    assert np.abs(np.asarray(Image.open(tmp_path / "out.png")).astype(int) - 51).max() <= 1


@pytest.mark.parametrize("name", ["lambda", "self", "a b"])
def test_a_field_that_could_not_be_passed_by_its_name_is_refused_in_words(
    command, heat, tmp_path: Path, name
):
    np.save(tmp_path / "in.npy", np.zeros((4, 4)))
    file = heat(rhs=f"p2n.laplacian(u) + sp.Function('{name}')(x, y)", tau="0.1", steps=1)
    result = command("run", file, "in.npy", "out.npy", "--field", f"{name}=in.npy")
    assert result.status == 2
    assert f'"{name}"' in result.err and "rename it" in result.err


@pytest.mark.parametrize("name", ["F", "input", "training", "levels"])
def test_fields_are_passed_by_names_that_the_source_uses(command, heat, tmp_path: Path, name):
    np.save(tmp_path / "in.npy", np.zeros((4, 4)))
    np.save(tmp_path / "given.npy", np.ones((4, 4)))
    file = heat(rhs=f"p2n.laplacian(u) + sp.Function('{name}')(x, y)", tau="0.1", steps=1)
    assert command("run", file, "in.npy", "out.npy", "--field", f"{name}=given.npy").status == 0
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    "fields,words",
    [
        ((), "fields c, f: add --field c=PATH --field f=PATH"),
        (("f=ok.npy",), "field c: add --field c=PATH"),
        (("ff=ok.npy",), 'no known field "ff". Did you mean "f"?'),
        (("f",), 'NAME=PATH, not "f"'),
        (("f=ok.npy", "f=ok.npy"), "twice"),
        (("f=none.npy",), "none.npy"),
        (("f=small.npy",), "(4, 4), the input (6, 6)"),
        (("f=colour.png",), "3 channels"),
    ],
)
def test_wrong_fields_are_named(command, heat, tmp_path: Path, fields, words):
    np.save(tmp_path / "in.npy", RNG.random((6, 6)))
    np.save(tmp_path / "ok.npy", RNG.random((6, 6)))
    np.save(tmp_path / "small.npy", RNG.random((4, 4)))
    Image.new("RGB", (6, 6)).save(tmp_path / "colour.png")
    given = [part for entry in fields for part in ("--field", entry)]
    result = command("run", heat(**INPAINTING), "in.npy", "out.npy", *given)
    assert result.status == USAGE and words in result.err and not (tmp_path / "out.npy").exists()


NOISE = """
unknown u(x, y, t)
input sigma > 0
operator K(out = 2, size = 3) = [
    [[[0, 0, 0], [0, 1, -1], [0, 0, 0]]],
    [[[0, 0, 0], [0, 1, 0], [0, -1, 0]]]
]
equation u_t = -adjoint K(K(u)/(1 + K(u)^2/sigma^2))
scheme explicit(tau = 1/10, steps = 3)
"""


def test_inputs_of_the_equation_are_numbers(command, tmp_path: Path) -> None:
    """Within the window each step is u - tau K^T Phi(K u), written down again."""
    (tmp_path / "noise.pde").write_text(NOISE)
    u = RNG.random((6, 7))
    np.save(tmp_path / "in.npy", u)
    for sigma in (0.1, 2.0):
        arguments = ("noise.pde", "in.npy", "out.npy", "--input", f"sigma={sigma}", "--dtype", "float64")
        result = command("run", *arguments)
        assert result.status == 0, result.err
        v = u
        for _ in range(3):
            a, b = (v[1:-1, 1:-1] - v[1:-1, 2:], v[1:-1, 1:-1] - v[2:, 1:-1])
            a, b = (d / (1 + d**2 / sigma**2) / 10 for d in (a, b))
            v = v.copy()
            v[1:-1, 1:-1] -= a + b
            v[1:-1, 2:] += a
            v[2:, 1:-1] += b
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), v, rtol=1e-9)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((), "input sigma: add --input sigma=NUMBER"),
        (("sigma=x",), 'a number, 0.05 or 1/20, not "x"'),
        (("sigma=inf",), 'a number, 0.05 or 1/20, not "inf"'),
        (("sgma=1",), 'no input "sgma". Did you mean "sigma"?'),
        (("sigma=1", "sigma=1"), "twice"),
        (("sigma=-1",), "sigma has to be finite and > 0, not -1"),
    ],
)
def test_wrong_inputs_are_named(command, tmp_path: Path, inputs, words) -> None:
    (tmp_path / "noise.pde").write_text(NOISE)
    np.save(tmp_path / "in.npy", RNG.random((6, 6)))
    given = [part for entry in inputs for part in ("--input", entry)]
    result = command("run", "noise.pde", "in.npy", "out.npy", *given)
    assert result.status == USAGE and words in result.err and not (tmp_path / "out.npy").exists()


def png_16_bit_colour() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(26))) + chunk(b"IEND", b"")


INPUTS = {
    "none.png": (None, "There is no file"),
    ".": (None, "is a folder without DICOM files"),
    "text.png": (lambda p: p.write_text("no picture"), "is not an image"),
    "cut.png": (lambda p: p.write_bytes(png_16_bit_colour()[:40]), "is not an image"),
    "deep.ppm": (lambda p: p.write_bytes(b"P6 2 2 65535\n" + bytes(24)), "16 bits per channel"),
    "cmyk.tif": (lambda p: Image.new("CMYK", (4, 4)).save(p), "mode CMYK"),
    "film.gif": (
        lambda p: Image.new("L", (4, 4)).save(p, save_all=True, append_images=[Image.new("L", (4, 4), 9)]),
        "several pictures",
    ),
    "wide.tif": (lambda p: Image.fromarray(np.full((4, 4), 70000, np.int32)).save(p), "outside 0 to 65535"),
    "text.npy": (lambda p: p.write_text("no array"), "is not an .npy array"),
    "object.npy": (lambda p: np.save(p, np.array([{}]), allow_pickle=True), "is not an .npy array"),
    "complex.npy": (lambda p: np.save(p, np.zeros((4, 4), complex)), "complex128"),
    "long.npy": (lambda p: np.save(p, np.zeros((4, 4), np.int64)), "int64"),
    "nan.npy": (lambda p: np.save(p, np.full((4, 4), np.nan)), "NaN"),
    "empty.npy": (lambda p: np.save(p, np.zeros((0, 4))), "empty"),
    "line.npy": (lambda p: np.save(p, np.zeros(4)), "dimension 1, the equation 2 (in x, y)"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_unusable_input_is_one_message(command, heat, tmp_path: Path, name):
    make, words = INPUTS[name]
    if make is not None:
        make(tmp_path / name)
    result = command("run", heat(), name, "out.npy")
    assert result.status == USAGE and words in result.err
    assert result.err.count("\n") == 1 and not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    "mode,target,words",
    [
        ("L", "none/out.png", "there is no folder none"),
        ("L", ".", "it is what was read"),
        ("L", "out", "choose .npy or one of .nii, .nii.gz, .png"),
        ("L", "out.gz", "choose .npy or one of .nii, .nii.gz, .png"),
        ("RGBA", "out.jpg", "cannot hold transparency"),
        ("RGBA", "out.bmp", "cannot hold transparency"),
        ("I;16", "out.jpg", "cannot hold 16 bits"),
        ("I;16", "out.webp", "cannot hold 16 bits"),
    ],
)
def test_unusable_output_is_refused_before_any_work(command, heat, tmp_path: Path, mode, target, words):
    Image.new(mode, (4, 4)).save(tmp_path / "in.png")
    result = command("run", heat(), "in.png", target)
    assert result.status == USAGE and words in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["heat.py", "in.png"]


def test_a_line_makes_no_image(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", np.zeros(9))
    result = command("run", heat(axes="x"), "in.npy", "out.png")
    assert result.status == USAGE and "use .npy" in result.err


def test_palettes_transparency_rotation_and_profiles_are_honoured(command, heat, tmp_path: Path):
    colours = Image.fromarray(RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8))
    colours.quantize(8).save(tmp_path / "palette.png")
    assert command("run", heat(), "palette.png", "out.png").status == 0
    assert Image.open(tmp_path / "out.png").mode == "RGB"

    colours.save(tmp_path / "keyed.png", transparency=(0, 0, 0))
    assert command("run", heat(), "keyed.png", "out.png").status == 0
    assert Image.open(tmp_path / "out.png").mode == "RGBA"

    exif = Image.Exif()
    exif[0x0112] = 6
    colours.save(tmp_path / "turned.jpg", exif=exif, icc_profile=b"a profile")
    assert command("run", heat(), "turned.jpg", "out.jpg").status == 0
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.size == (4, 6) and out.info["icc_profile"] == b"a profile"
        assert 0x0112 not in out.getexif()


def test_floats_become_eight_bit_images_and_stay_floats_in_tiff(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert command("run", heat(tau="0.001", steps=1), "in.npy", "out.png").status == 0
    assert np.asarray(Image.open(tmp_path / "out.png")).tolist() == [[0, 0], [255, 255]]
    np.save(tmp_path / "in.npy", np.array([[-1.0, -1.0], [2.0, 2.0]]))
    assert command("run", heat(tau="0.001", steps=1), "in.npy", "out.tif").status == 0
    assert Image.open(tmp_path / "out.tif").mode == "F"
    assert command("run", heat(tau="0.001", steps=1), "out.tif", "again.tif").status == 0
    np.testing.assert_allclose(np.asarray(Image.open(tmp_path / "again.tif"))[0, 0], -0.994, atol=1e-4)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("values", [(0, 255), (-1, 1), (0, 65535)])
def test_floats_out_of_range_make_no_picture(command, heat, tmp_path: Path, suffix, values):
    np.save(tmp_path / "in.npy", RNG.uniform(*values, (8, 8)))
    result = command("run", heat(), "in.npy", f"out{suffix}")
    assert result.status == 2 and "range" in result.err and not (tmp_path / f"out{suffix}").exists()
    assert command("run", heat(), "in.npy", "out.tif").status == 0


def test_what_is_clipped_of_a_result_is_said(command, heat, tmp_path: Path):
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(tmp_path / "in.png")
    result = command("run", heat(rhs="p2n.laplacian(u) + 1", tau="0.2", steps=4), "in.png", "out.png")
    assert result.status == 0 and "100 %" in result.err and "range" in result.err


def test_contrasts_of_pictures_meet_other_values_with_a_word(command, heat, tmp_path: Path):
    g = "p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u)) / sp.Rational(1, 100)))"
    np.save(tmp_path / "in.npy", RNG.uniform(0, 255, (8, 8)))
    (tmp_path / "pm.pde").write_text(
        "unknown u(x, y, t)\nparameter lambda > 0 = 0.07\n"
        "equation u_t = div(grad u / (1 + |grad u|^2 / lambda^2))\nscheme explicit(tau = 1/5, steps = 2)\n"
    )
    result = command("run", "pm.pde", "in.npy", "out.npy")
    assert result.status == 0 and "lambda = 7/100" in result.err
    assert "lambda" not in command("run", heat(), "in.npy", "out.npy").err
    assert "nonlinear" not in command("run", heat(rhs=g), "in.npy", "out.npy").err  # no parameter to name


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_arrays_that_were_written_are_read_again(command, tmp_path: Path, channels, mode):
    shape = (6, 9, 3 if mode == "RGB" else 4)
    Image.fromarray(RNG.integers(0, 255, shape, dtype=np.uint8), mode).save(tmp_path / "in.png")
    (tmp_path / "heat.pde").write_text(
        f"unknown u(x, y, t)\nchannels {channels}\nequation u_t = laplacian(u)\n"
        "scheme explicit(tau = 1/5, steps = 2)\n"
    )
    assert command("run", "heat.pde", "in.png", "a.npy").status == 0
    assert np.load(tmp_path / "a.npy").shape == (6, 9, 3)
    result = command("run", "heat.pde", "a.npy", "b.npy")
    assert result.status == 0, result.err
    once = np.load(tmp_path / "b.npy")
    assert once.shape == (6, 9, 3)
    np.save(tmp_path / "first.npy", np.moveaxis(np.load(tmp_path / "a.npy"), -1, 0))
    assert command("run", "heat.pde", "first.npy", "c.npy").status == 0
    np.testing.assert_array_equal(np.moveaxis(np.load(tmp_path / "c.npy"), 0, -1), once)


def test_suffixes_say_what_is_written_and_inputs_are_kept(command, heat, tmp_path: Path):
    file = heat()
    text = Path(file).read_text()
    np.save(tmp_path / "in.npy", RNG.random((4, 4)))
    for arguments, word in (
        (("draw", file, "-o", "h.png"), ".svg"),
        (("compile", file, "-o", "net.onnx"), ".py"),
        (("compile", file, "-o", file), "overwritten"),
        (("run", file, "in.npy", "in.npy"), "overwritten"),
    ):
        result = command(*arguments)
        assert result.status == 2 and word in result.err, arguments
    assert Path(file).read_text() == text


def test_unstable_networks_run_only_when_told(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", RNG.random((8, 8)))
    file = heat(tau="1", steps=20)
    refused = command("run", file, "in.npy", "out.npy")
    assert refused.status == 1 and "unstable" in refused.err and not (tmp_path / "out.npy").exists()
    assert command("run", file, "in.npy", "out.npy", "--on-unstable", "ignore").status == 0
    overflowing = command("run", heat(tau="1", steps=200), "in.npy", "no.npy", "--on-unstable", "ignore")
    assert overflowing.status == USAGE and "NaN or infinite" in overflowing.err
    assert not (tmp_path / "no.npy").exists()


def test_a_wrong_device_is_refused(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", RNG.random((8, 8)))
    for device in ("gpu", "cuda:99"):
        result = command("run", heat(), "in.npy", "out.npy", "--device", device)
        assert result.status == USAGE and f'The device "{device}" cannot be used' in result.err


def test_a_terminal_gets_a_progress_bar_and_a_pipe_none(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", RNG.random((8, 8)))
    assert command("run", heat(steps=7), "in.npy", "out.npy").err == ""
    pty = pytest.importorskip("pty", reason="terminals are emulated on Unix only")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def drain() -> None:
        while True:
            try:
                shown.append(os.read(ours, 4096))
            except OSError:
                return

    reader = threading.Thread(target=drain)
    reader.start()
    program = [sys.executable, "-m", "pde2net", "run", "heat.py", "in.npy", "out.npy"]
    done = subprocess.run(program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert done.returncode == 0 and done.stdout.startswith("7 steps")
    assert b"7/7" in b"".join(shown)


def test_the_result_is_that_of_the_module(command, heat, tmp_path: Path):
    import torch

    array = RNG.random((6, 6)).astype(np.float32)
    np.save(tmp_path / "in.npy", array)
    file = heat()
    assert command("run", file, "in.npy", "out.npy").status == 0
    declared = p2n.load(file)
    module = p2n.compile(declared.problem, declared.scheme, declared.grid).module()
    want = module(torch.from_numpy(array)[None, None])[0, 0].numpy()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), want)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_trained_weights_run_by_the_backend_that_is_asked_for(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    x, y, t = sp.symbols("x y t", real=True)
    u, K = sp.Function("u")(x, y, t), p2n.LinearOperator("K", 2, 3)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2))))
    options = {"trainable": [K], "on_unstable": "ignore"}
    network = p2n.compile(problem, p2n.Explicit(sp.Rational(1, 20), 2), **options)
    trained, asked = network.module(), []
    with torch.no_grad():
        for p in trained.parameters():
            p.copy_(torch.rand_like(p))
    request = type(network).request
    monkeypatch.setattr(type(network), "request", lambda self, b: (asked.append(b), request(self, b))[1])
    image = np.random.default_rng(0).uniform(size=(2, 8, 9))
    found, _ = apply(network, image, {}, {}, How("float64", backend=backend, module=trained), Say())
    want = trained.double()(torch.from_numpy(image)[:, None]).detach().numpy()
    np.testing.assert_allclose(found.final, want, atol=1e-12)
    assert asked == [backend]

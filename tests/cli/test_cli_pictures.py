"""What pictures and arrays can hold: each kind is written whole, or refused with the name of one that can."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import RNG

from pde2net import images
from pde2net.errors import FileError

TYPES = ("bool", "uint8", "uint16", ">u2", "float16", "float32", "float64", ">f8")
MAGIC = {".pgm": b"P5", ".ppm": b"P6", ".png": b"\x89PNG", ".bmp": b"BM"}


def array_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = np.dtype(dtype).kind
    return (RNG.random(shape) * (np.iinfo(dtype).max if kind == "u" else 1.9 if kind == "b" else 1)).astype(
        dtype
    )


def writes(target: Path, picture: images.Picture) -> str:
    """Empty, or why the picture is refused; what is written is compared with it."""
    try:
        images.check_writable(target, picture)
    except FileError as error:
        return str(error)
    images.write(target, picture.channels, picture)
    if target.suffix in MAGIC:
        assert target.read_bytes().startswith(MAGIC[target.suffix])
    if target.suffix == ".npy":
        array = np.load(target)
        assert array.dtype == picture.dtype
        assert array.shape == (6, 7, len(picture.channels))[: 2 if len(picture.channels) == 1 else 3]
        return ""
    again = images.read(target)
    deep = picture.dtype.itemsize == 2 and picture.dtype.kind == "u"
    assert (again.dtype == np.uint16) == deep
    if target.suffix not in (".jpg", ".jpeg"):  # which loses by design
        atol = 1e-3 if again.dtype.kind == "f" else 0.51 / again.top
        np.testing.assert_allclose(
            again.channels, np.broadcast_to(picture.channels, again.channels.shape), atol=atol
        )
    return ""


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_array_is_written_as_it_is_or_refused_with_what_can_hold_it(tmp_path: Path, dtype, count):
    np.save(tmp_path / "in.npy", array_of(dtype, (6, 7, count)))
    read = images.read(tmp_path / "in.npy")
    picture = images.Picture(np.moveaxis(read.channels[0], -1, 0), read.dtype, read.top)
    for suffix in (*images.SUFFIXES, ".npy"):
        refused = writes(tmp_path / f"out{suffix}", picture)
        assert ("use " in refused and ".npy" in refused) if refused else True
        for other in re.findall(r"\.\w+", refused.partition("use ")[2]):
            assert not writes(tmp_path / f"other{other}", picture)
    if count in (1, 3) and read.dtype != np.uint16 and not dtype.endswith("u2"):
        assert not writes(tmp_path / "out.png", picture)
    held = [suffix for suffix in images.SUFFIXES if not writes(tmp_path / f"out{suffix}", picture)]
    if count == 3 and dtype in ("uint16", ">u2"):
        assert held == [".png", ".tif", ".tiff"]
    elif count not in (1, 3):
        assert not held


@pytest.mark.parametrize("count", [1, 3])
def test_what_can_hold_floats_out_of_range_is_named(tmp_path: Path, count):
    picture = images.Picture(3 * RNG.random((count, 6, 7)), np.dtype(np.float32))
    for suffix in images.SUFFIXES:
        refused = writes(tmp_path / f"out{suffix}", picture)
        assert refused or (suffix in (".tif", ".tiff") and count == 1)
        named = re.findall(r"\.[a-z]+", refused.partition(f"out{suffix}")[2])
        for other in set(named) - {suffix}:
            assert not writes(tmp_path / f"other{other}", picture)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_netpbm_names_say_what_is_in_them(command, heat, tmp_path: Path, count, alpha):
    values = array_of("uint8", (5, 6, count + alpha))
    Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values).save(tmp_path / "in.png")
    file = heat()
    for suffix, fits in ((".pgm", count == 1), (".ppm", count == 3), (".pbm", False), (".pfm", False)):
        result = command("run", file, "in.png", f"out{suffix}")
        assert (result.status == 0) == (fits and not alpha), result
        assert result.status == 0 or ".png" in result.err


# -- masks and known fields ------------------------------------------------------------------------

INPAINTING = {"rhs": "c * (f - u) + (1 - c) * p2n.laplacian(u)", "tau": "sp.Rational(1, 5)"}
FIELDS = ("--field", "f=f.npy", "--field")


@pytest.mark.parametrize("name", ["mask.npy", "mask.png", "mask.tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_of_which_the_largest_is_1_are_no_picture(command, heat, tmp_path: Path, name, dtype):
    file = heat(**INPAINTING)
    known, mask = RNG.random((8, 9)), (RNG.random((8, 9)) < 0.3).astype(dtype)

    def save(values: np.ndarray) -> None:
        if name.endswith(".npy"):
            np.save(tmp_path / name, values)
        else:
            Image.fromarray(values).save(tmp_path / name)

    np.save(tmp_path / "f.npy", known)
    save(mask)
    for arguments in (("f.npy", "out.npy", *FIELDS, f"c={name}"), (name, "out.npy", *FIELDS, "c=f.npy")):
        result = command("run", file, *arguments)
        top = np.iinfo(dtype).max
        assert result.status == 2 and f"0 and {top}, or" in result.err and "bool" in result.err
    save(mask * np.iinfo(dtype).max)
    assert command("run", file, "f.npy", "scaled.npy", *FIELDS, f"c={name}").status == 0
    np.save(tmp_path / "bool.npy", mask.astype(bool))
    assert command("run", file, "f.npy", "bools.npy", *FIELDS, "c=bool.npy").status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "scaled.npy"), np.load(tmp_path / "bools.npy"))
    save(0 * mask)  # black in any scale
    assert command("run", file, "f.npy", "out.npy", *FIELDS, f"c={name}").status == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_known_fields_go_channel_by_channel_or_with_all(command, tmp_path: Path, channels):
    """The colours of a linear equation do not meet, whether they are channels or a batch."""
    (tmp_path / "grey.pde").write_text(
        "unknown u(x, y, t)\nfield f(x, y)\nfield c(x, y)\n"
        "equation u_t = c * (f - u) + (1 - c) * laplacian(u)\nscheme explicit(tau = 1/5, steps = 4)\n"
    )
    text = (tmp_path / "grey.pde").read_text()
    (tmp_path / "colour.pde").write_text(text.replace("field f", f"channels {channels}\nfield f"))
    u, f, mask = RNG.random((8, 9, 3)), RNG.random((8, 9, 3)), RNG.random((8, 9)) < 0.3
    np.save(tmp_path / "u.npy", u)
    np.save(tmp_path / "f.npy", f)
    np.save(tmp_path / "first.npy", np.moveaxis(f, -1, 0))
    np.save(tmp_path / "c.npy", mask)
    for k in range(3):
        np.save(tmp_path / "uk.npy", u[..., k])
        np.save(tmp_path / "fk.npy", f[..., k])
        fields = ("--field", "f=fk.npy", "--field", "c=c.npy")
        assert command("run", "grey.pde", "uk.npy", f"want{k}.npy", *fields).status == 0
    want = np.stack([np.load(tmp_path / f"want{k}.npy") for k in range(3)], -1)
    for known in ("f.npy", "first.npy"):
        fields = ("--field", f"f={known}", "--field", "c=c.npy")
        result = command("run", "colour.pde", "u.npy", "out.npy", *fields)
        assert result.status == 0 and not result.err, result
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), want, atol=1e-6)


@pytest.mark.usefixtures("unproved")
def test_inpainting_takes_a_colour_picture(command, tmp_path: Path):
    example = Path(__file__).parents[2] / "examples" / "inpainting.py"
    rows, columns = np.mgrid[:12, :14]
    colours = np.stack([9 * rows, 200 - 9 * columns, 5 * (rows + columns)], -1).astype(np.uint8)
    mask = RNG.random((12, 14)) < 0.3
    Image.fromarray(colours).save(tmp_path / "f.png")
    Image.fromarray(colours * mask[..., None].astype(np.uint8)).save(tmp_path / "in.png")
    Image.fromarray(mask).save(tmp_path / "c.png")
    result = command("run", example, "in.png", "out.png", "--field", "f=f.png", "--field", "c=c.png")
    assert result.status == 0 and not result.err, result
    got = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert (got[mask] == colours[mask]).all()
    assert np.abs(got - colours).mean(axis=(0, 1)).max() < 8


def test_fields_of_systems_have_one_channel(command, tmp_path: Path):
    (tmp_path / "two.pde").write_text(
        "unknown u(x, y, t)\nunknown v(x, y, t)\nfield f(x, y)\nequation u_t = laplacian(u) + f\n"
        "equation v_t = laplacian(v) - u\nscheme explicit(tau = 1/5, steps = 2)\n"
    )
    np.save(tmp_path / "u.npy", RNG.random((2, 6, 7)))
    np.save(tmp_path / "f.npy", RNG.random((6, 7)))
    assert command("run", "two.pde", "u.npy", "out.npy", "--field", "f=f.npy").status == 0
    refused = command("run", "two.pde", "u.npy", "out.npy", "--field", "f=u.npy")
    assert refused.status == 2 and "of length 1" in refused.err


def test_fields_out_of_range_are_named(command, heat, tmp_path: Path):
    file = heat(steps=200, **INPAINTING)
    np.save(tmp_path / "f.npy", RNG.random((8, 9)))
    np.save(tmp_path / "c.npy", 255.0 * (RNG.random((8, 9)) < 0.3))
    result = command("run", file, "f.npy", "out.npy", *FIELDS, "c=c.npy")
    assert result.status == 2
    warning, error = result.err.splitlines()
    for line in (warning, error):
        assert "of c from 0 to 255" in line and "f from" not in line
    np.save(tmp_path / "f.npy", 255 * RNG.random((8, 9)))  # known pixels in the range of the input
    np.save(tmp_path / "c.npy", (RNG.random((8, 9)) < 0.3).astype(float))
    assert not command("run", file, "f.npy", "out.npy", *FIELDS, "c=c.npy").err


def test_an_array_without_an_axis_of_channels_is_told_the_rule(command, heat, tmp_path: Path):
    np.save(tmp_path / "in.npy", RNG.random((16, 8, 9)))
    result = command("run", heat(), "in.npy", "out.npy")
    assert result.status == 2
    assert "(16, 8, 9); an axis of channels is the last one, or else the first one, of length at most 4" in (
        result.err
    )


@pytest.mark.usefixtures("unproved")
@pytest.mark.parametrize(
    "scheme,remedy",
    [
        ("implicit(tau = 1, solver = kacanov(max_iterations = 1))", "more iterations (max_iterations)"),
        ("multigrid(tau = 1, tol = 1e-6, cycles = 1)", "more cycles"),
    ],
)
def test_a_tolerance_that_is_missed_says_what_the_result_is_not(command, tmp_path: Path, scheme, remedy):
    (tmp_path / "slow.pde").write_text(
        "unknown u(x, y, t)\nfield f(x, y)\nequation u_t = div((1 + u^2) * grad u) + f - u\n"
        f"scheme {scheme}\n"
    )
    np.save(tmp_path / "f.npy", RNG.random((12, 12)))
    result = command("run", "slow.pde", "f.npy", "out.npy", "--field", "f=f.npy")
    assert result.status == 0, result
    assert "the result is not that of the scheme" in result.err and remedy in result.err
    assert "relative residual" in result.err and "smaller tau" in result.err and "solver" in result.err


@pytest.mark.usefixtures("unproved")
def test_a_solver_that_diverges_names_remedies(command, tmp_path: Path):
    (tmp_path / "far.pde").write_text(
        "unknown u(x, y, t)\nequation u_t = laplacian(u)\n"
        "scheme implicit(tau = 100, solver = fixed_point(max_iterations = 5))\n"
    )
    np.save(tmp_path / "in.npy", RNG.random((8, 9)))
    result = command("run", "far.pde", "in.npy", "out.npy", "--on-unstable", "ignore")
    assert result.status == 2 and "diverges" in result.err and "To converge, allow more" in result.err
    assert not (tmp_path / "out.npy").exists()

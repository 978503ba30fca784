"""`run` with states on the way, rules that end it, several inputs, pipes and blocks."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import RNG

import pde2net as p2n

TWO_STEPS = {"steps": 8, "tau": "sp.Rational(1, 5)"}


@pytest.fixture
def grey(tmp_path: Path) -> np.ndarray:
    """in.npy, an image with noise."""
    u = 0.5 + 0.1 * RNG.standard_normal((16, 18))
    np.save(tmp_path / "in.npy", u)
    return u


def states(file: Path, u: np.ndarray, every: int) -> p2n.Trajectory:
    found = p2n.load(file)
    network = p2n.compile(found.problem, found.scheme, found.grid)
    return network.run(u.astype(np.float32), every=every, track=["mean", "energy"])


# -- what is written -------------------------------------------------------------------------------


def test_numbered_files_stand_beside_the_result(command, heat, grey, tmp_path: Path) -> None:
    result = command("run", heat(**TWO_STEPS), "in.npy", "out.npy", "--every", 3)
    assert result.status == 0, result.err
    assert result.out.splitlines()[-3:] == ["out_0003.npy", "out_0006.npy", "out.npy"]
    way = states(heat(**TWO_STEPS), grey, 3)
    for name, state in zip(("out_0003", "out_0006", "out"), way.states[1:, 0, 0], strict=True):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), state, rtol=1e-6)
    assert len(list(tmp_path.glob("out*"))) == 3


def test_an_input_is_not_replaced_by_a_state(command, heat, grey, tmp_path: Path) -> None:
    (tmp_path / "in.npy").rename(tmp_path / "out_0003.npy")
    result = command("run", heat(**TWO_STEPS), "out_0003.npy", "out.npy", "--every", 3)
    assert result.status == 2 and "overwritten" in result.err
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize("every", [None, 2])
def test_a_trajectory_is_read_again(command, heat, grey, tmp_path: Path, every) -> None:
    more = () if every is None else ("--every", every)
    result = command("run", heat(**TWO_STEPS), "in.npy", "way.npz", "--track", "mean", *more)
    assert result.status == 0, result.err
    way = p2n.Trajectory.load(tmp_path / "way.npz")
    assert way.repeats.tolist() == list(range(0, 9, every or 1)) and list(way.values) == ["mean"]
    np.testing.assert_allclose(way.states, states(heat(**TWO_STEPS), grey, every or 1).states, rtol=1e-6)


def test_films_show_colours(command, heat, tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (200, 210, 3)).astype(np.uint8)).save(tmp_path / "in.png")
    result = command("run", heat(**TWO_STEPS), "in.png", "film.gif", "--every", 4)
    assert result.status == 0, result.err
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3 and film.size == (210, 200)
        pixels = np.asarray(film.convert("RGB")).astype(int)
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() > 30


def test_a_table_is_printed_or_written(command, heat, grey, tmp_path: Path) -> None:
    arguments = ("run", heat(**TWO_STEPS), "in.npy", "out.npy", "--every", 4, "--track", "mean, energy")
    printed = command(*arguments, "-q")
    head, *rows = printed.out.splitlines()
    assert head.split() == ["step", "time", "mean", "energy"] and len(rows) == 3
    way = states(heat(**TWO_STEPS), grey, 4)
    for row, mean, energy, time in zip(rows, way["mean"], way["energy"], way.times, strict=True):
        assert [*map(float, row.split())][1:] == pytest.approx([time, mean[0], energy[0]], rel=1e-4)
    assert command(*arguments, "--table", "t.csv").status == 0
    with (tmp_path / "t.csv").open() as stream:
        assert [r["repeat"] for r in csv.DictReader(stream)] == ["0", "4", "8"]


def test_channels_have_rows_of_their_own(command, heat, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", RNG.random((8, 9, 3)))
    result = command("run", heat(), "in.npy", "out.npy", "--track", "mean", "-q")
    assert result.out.splitlines()[0].split() == ["step", "time", "channel", "mean"]
    assert len(result.out.splitlines()) == 1 + 4 * 3


def test_psnr_is_against_a_reference(command, heat, grey, tmp_path: Path) -> None:
    clean = np.full(grey.shape, 0.5)
    np.save(tmp_path / "clean.npy", clean)
    np.save(tmp_path / "small.npy", clean[:4])
    arguments = ("run", heat(**TWO_STEPS), "in.npy", "out.npy", "--track", "psnr", "--json")
    result = command(*arguments, "--reference", "clean.npy")
    rows = json.loads(result.out)["results"][0]["track"]
    assert rows[0]["psnr"] == pytest.approx(-10 * np.log10(np.mean((grey - clean) ** 2)), rel=1e-5)
    assert "(1, 4, 18), the input (1, 16, 18)" in command(*arguments, "--reference", "small.npy").err
    assert "add --reference PATH" in command(*arguments).err


# -- where it ends ---------------------------------------------------------------------------------


def test_the_discrepancy_rule_ends_a_run(command, heat, grey) -> None:
    arguments = ("run", heat(**(TWO_STEPS | {"steps": 50})), "in.npy", "out.npy", "--until-removed")
    result = command(*arguments, "9/100")
    assert result.status == 0 and not result.err
    removed = np.sqrt(np.mean((np.load("out.npy") - grey) ** 2))
    assert removed >= 0.09 and "of 50 steps" in result.out.splitlines()[0]
    assert "what is removed has reached the noise, sigma = 0.09" in result.out
    steps = int(result.out.split()[0])
    assert command(*arguments[:-1], "--steps", steps - 1, "--every", steps).status == 0
    assert np.sqrt(np.mean((np.load("out.npy") - grey) ** 2)) < 0.09
    late = command(*arguments, "0.5")
    assert late.status == 0 and "less than --until-removed 0.5: take more --steps" in late.err
    assert "must be positive" in command(*arguments, "0").err


def test_steady_states_have_iterates(command, tmp_path: Path) -> None:
    (tmp_path / "rest.pde").write_text(
        "unknown u(x, y, t)\nfield f(x, y)\nequation u_t = laplacian(u) + f - u\nscheme implicit(tau = oo)\n"
    )
    np.save(tmp_path / "in.npy", RNG.random((8, 9)))
    plain = command("run", "rest.pde", "in.npy", "out.npy", "--field", "f=INPUT")
    assert plain.status == 0 and "to the steady state" in plain.out
    tracked = command("run", "rest.pde", "in.npy", "way.npz", "--field", "f=INPUT", "--track", "mean")
    assert tracked.status == 0 and "iterations" in tracked.out
    way = p2n.Trajectory.load(tmp_path / "way.npz")
    assert len(way) >= 2
    np.testing.assert_allclose(way.final[0, 0], np.load(tmp_path / "out.npy"), rtol=1e-6)


# -- several inputs --------------------------------------------------------------------------------


def test_several_inputs_go_to_a_folder(command, heat, tmp_path: Path) -> None:
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", RNG.random((6, 7)))
    (tmp_path / "b.npy").write_text("damaged")
    result = command("run", heat(), "a.npy", "b.npy", "c.npy", "results/")
    assert result.status == 2 and "b.npy is not an .npy array" in result.err
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["a.npy", "c.npy"]
    assert result.out.splitlines()[0].startswith("a.npy: 3 steps")
    for name in "ac":
        assert command("run", heat(), f"{name}.npy", "one.npy").status == 0
        np.testing.assert_array_equal(
            np.load(tmp_path / "one.npy"), np.load(tmp_path / "results" / f"{name}.npy")
        )
    found = command("run", heat(), "a.npy", "b.npy", "results", "--json")
    data = json.loads(found.out)
    assert [r["output"] for r in data["results"]] == [["results/a.npy"]]
    assert data["failed"][0]["input"] == "b.npy" and data["failed"][0]["kind"] == "FileError"
    assert json.loads(found.err)["kind"] == "FileError"
    assert command("run", heat(), "a.npy", "results").out.endswith("results/a.npy\n")


def test_an_unstable_network_runs_on_none_of_them(command, heat, grey, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", grey)
    result = command("run", heat(), "in.npy", "other.npy", "out/", "--tau", 1)
    assert result.status == 1 and result.err.count("is unstable") == 1
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("in.npy", "deep/in.npy", "out/"), "Two results would be out/in.npy"),
        (("in.npy", "other.npy", "taken"), "taken is a file"),
        (("in.npy", "other.npy", "none/out"), "there is no folder none"),
        (("in.npy", "other.npy", "-"), "takes one result"),
        (("in.npy", "-", "out/"), "has no name"),
        (("-", "-", "out/"), "stdin has one INPUT"),
        (("in.npy", "other.npy", "out/", "--track", "mean", "--table", "t.csv"), "that of one INPUT"),
    ],
)
def test_folders_that_cannot_be(command, heat, grey, tmp_path: Path, arguments, words) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "taken").touch()
    result = command("run", heat(), *arguments)
    assert result.status == 2 and words in result.err and not (tmp_path / "out").exists()


# -- pipes -----------------------------------------------------------------------------------------


class Stream(io.TextIOWrapper):
    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), write_through=True)

    @property
    def data(self) -> bytes:
        self.seek(0)
        return self.buffer.read()


def piped(command, monkeypatch, data: bytes, *arguments: object):
    """The result of a command with this on stdin, and the bytes on its stdout."""
    out = Stream()
    monkeypatch.setattr("sys.stdin", Stream(data))
    monkeypatch.setattr("sys.stdout", out)
    return command(*arguments), out.data


@pytest.mark.parametrize("form", ["png", "npy"])
def test_pictures_go_through_pipes(command, heat, monkeypatch, tmp_path: Path, form) -> None:
    values = RNG.integers(0, 256, (9, 8), dtype=np.uint8)
    if form == "png":
        Image.fromarray(values).save(tmp_path / "in.png")
    else:
        np.save(tmp_path / "in.npy", values)
    file = heat()
    assert command("run", file, f"in.{form}", f"want.{form}").status == 0
    data, want = ((tmp_path / f"{name}.{form}").read_bytes() for name in ("in", "want"))
    result, found = piped(command, monkeypatch, data, "run", file, "-", "-", "--format", form)
    assert result.status == 0 and found == want
    assert "3 steps of tau = 1/4" in result.err
    result, found = piped(command, monkeypatch, data, "run", file, "-", "-", "--format", form, "--json")
    assert found == want and json.loads(result.err)["results"][0]["output"] == ["-"]
    quiet, found = piped(command, monkeypatch, data, "run", file, "-", "-", "--format", form, "-q")
    assert found == want and not quiet.err


def test_pipes_of_something_else(command, heat, monkeypatch, grey) -> None:
    result, found = piped(command, monkeypatch, b"GIF89a", "run", heat(), "-", "out.png")
    assert result.status == 2 and "neither a PNG nor an .npy" in result.err and not found
    result, found = piped(command, monkeypatch, b"", "run", heat(axes="x"), "in.npy", "-")
    assert result.status == 2 and not found
    result = command("run", heat(), "in.npy", "-", "--every", "2")
    assert result.status == 2 and "takes one result" in result.err


# -- blocks ----------------------------------------------------------------------------------------


def test_blocks_are_as_the_whole(command, heat, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", RNG.random((40, 37, 3)))
    file = heat(
        rhs="p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u)))) + (f - u) / 10", tau="sp.Rational(1, 5)"
    )
    options = ("--dtype", "float64", "--field", "f=INPUT")
    assert command("run", file, "in.npy", "whole.npy", *options).status == 0
    result = command("run", file, "in.npy", "blocks.npy", *options, "--tile", 16)
    assert result.status == 0 and not result.err
    np.testing.assert_allclose(np.load(tmp_path / "blocks.npy"), np.load(tmp_path / "whole.npy"), atol=1e-14)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--track", "mean"), "leave out --track"),
        (("--every", 2), "leave out --every"),
        (("--until-removed", "0.1"), "leave out --until-removed"),
        (("--device", "cuda"), "not on cuda"),
    ],
)
def test_what_blocks_have_not(command, heat, grey, tmp_path: Path, options, words) -> None:
    result = command("run", heat(), "in.npy", "out.npy", "--tile", 8, *options)
    assert result.status == 2 and words in result.err and not (tmp_path / "out.npy").exists()


def test_implicit_steps_have_no_blocks(command, tmp_path: Path, grey) -> None:
    (tmp_path / "a.pde").write_text(
        "unknown u(x, y, t)\nequation u_t = laplacian(u)\nscheme implicit(tau = 1)\n"
    )
    result = command("run", "a.pde", "in.npy", "out.npy", "--tile", 8)
    assert result.status == 2 and "depend on all cells" in result.err


def test_without_dask_blocks_say_what_to_install(command, heat, grey, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dask.array", None)
    result = command("run", heat(), "in.npy", "out.npy", "--tile", 8)
    assert result.status == 2 and 'pip install "pde2net[dask]"' in result.err


# -- options that exclude each other, targets that cannot be ---------------------------------------


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("out.npy", ("--track", "men"), 'nothing called "men" to track. Did you mean "mean"?'),
        ("out.npy", ("--table", "t.csv"), "add --track mean"),
        ("out.npy", ("--track", "mean", "--table", "t.txt"), "must end in .csv"),
        ("out.npy", ("--reference", "in.npy"), "add --track psnr"),
        ("out.npy", ("--stop-at", "1", "--steps", "3"), "leave out --steps"),
        ("out.npy", ("--until-removed", "x"), "--until-removed is a number"),
        ("out.npy", ("--every", "0"), "--every"),
        ("none/way.npz", (), "there is no folder none"),
        ("way.zip", (), "choose .npy or one of"),
    ],
)
def test_refused_before_anything_is_written(
    command, heat, grey, tmp_path: Path, target, options, words
) -> None:
    result = command("run", heat(), "in.npy", target, *options)
    assert result.status == 2 and words in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["heat.py", "in.npy"]


def test_what_films_and_stores_need_is_said_first(command, heat, grey, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pde2net.cli.results.which", lambda name: None)
    monkeypatch.setattr("pde2net.cli.results.find_spec", lambda name: None)
    for target, words in (("film.mp4", "needs ffmpeg"), ("way.zarr", 'pip install "pde2net[dask]"')):
        result = command("run", heat(), "in.npy", target)
        assert result.status == 2 and words in result.err and not (tmp_path / target).exists()

"""docs/learning.md and `pde2net train`: what the page says is run."""

from __future__ import annotations

import inspect
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import pde2net as p2n
from pde2net.cli.main import app
from pde2net.learn import configuration

PAGE = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
BLOCKS = [(m[1], m[2]) for m in re.finditer(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)]
(PROGRAM, SHIPPED, PLUGGED), (TOML,), (TEXT,) = (
    [text for k, text in BLOCKS if k == kind] for kind in ("python", "toml", "text")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "denoiser.pde").write_text(TEXT)
    (tmp_path / "denoiser.toml").write_text(TOML)
    return tmp_path


def test_the_program_trains_and_certifies(folder: Path) -> None:
    names: dict[str, Any] = {}
    out = []
    exec(PROGRAM, {**names, "print": lambda *what: out.append(what)}, names)
    (status, best), history = out[0], names["history"]
    assert status == "proved" and best in (1, 2)
    assert history.validation[-1] < history.validation[0]
    written = {"best.safetensors", "last.safetensors", "history.csv", "loss.png"}
    assert all(f"`{name}`" in PAGE and (folder / "run" / name).stat().st_size for name in written)
    module = p2n.learn.module(folder / "run" / "best.safetensors")
    image = torch.rand(1, 1, 20, 30)
    assert torch.equal(module(image, f=image), names["denoiser"](image, f=image))


def test_shipped_denoisers_denoise_and_are_plugged_in() -> None:
    out: list[Any] = []
    names: dict[str, Any] = {"torch": torch, "photographs": p2n.learn.photographs, "print": out.append}
    exec(SHIPPED, names)
    assert str(out[0]) == "proved"
    image, noisy, restored = (names[name] for name in ("image", "noisy", "restored"))
    assert (restored - image).norm() < (noisy - image).norm() / 2
    again = names["Denoiser"](names["restore"].module, sigma=25 / 255)
    with torch.no_grad():
        assert torch.equal(again(noisy), restored)
    exec(PLUGGED, names)
    distances = names["distances"]
    rounding = torch.finfo(torch.float32).eps * float(image.norm())
    assert all(b <= a * (1 + 1e-5) + rounding for a, b in itertools.pairwise(distances))
    assert (names["x"] - image).norm() < (names["y"] - image).norm() / 2


def test_the_command_trains_resumes_and_verifies(folder: Path) -> None:
    runner = CliRunner()
    first = runner.invoke(app, ["train", "denoiser.toml"])
    assert first.exit_code == 0, first.output
    assert "Stable: frozen stability is proved" in first.output
    again = runner.invoke(app, ["train", "denoiser.toml", "--quiet"])
    assert isinstance(again.exception, p2n.FileError)
    assert "resume" in str(again.exception)
    done = runner.invoke(app, ["train", "denoiser.toml", "--json", "--resume"])
    said = json.loads(done.output)
    assert done.exit_code == 0 and said["epochs"] == 2 and said["certificate"]["claims"]
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
    (row,) = re.findall(r"^\| `train` \| (.*) \|$", page, re.M)
    assert set(re.findall(r"`(\w+)`", row)) == set(said)
    verified = runner.invoke(app, ["verify", "run/best.safetensors"])
    assert verified.exit_code == 0 and "bounded by data" in verified.output
    noisy = np.random.default_rng(0).random((20, 30))
    Image.fromarray((255 * noisy).astype(np.uint8)).save(folder / "noisy.png")
    (command,) = re.findall(r"`pde2net (run run/best[^`]*)`", PAGE)
    ran = runner.invoke(app, command.split())
    assert ran.exit_code == 0, ran.output
    given, found = (np.asarray(Image.open(folder / name)) / 255 for name in ("noisy.png", "clean.png"))
    module, image = p2n.learn.module("run/best.safetensors"), torch.tensor(given)[None, None]
    with torch.no_grad():
        expected = module.double()(image, f=image)[0, 0].clamp(0, 1)
    np.testing.assert_allclose(found, expected, atol=0.51 / 255)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 2", "epocs = 2", r'no "epocs" in \[training\]. Did you mean "epochs"'),
        ("[data]", "[date]", 'no "date". Did you mean "data"'),
        ("noise = 0.1", "", "neither noise nor inputs"),
        ("noise = 0.1", "noise = -1", "positive number"),
        ('file = "denoiser.pde"', "", r"lacks file in \[network\]"),
        ('file = "denoiser.pde"', 'file = "other.pde"', "no file"),
        ("patch = 48", "patch = 4800", "fewer than a patch"),
        ('targets = "photographs.train"', 'targets = "pictures"', "no folder"),
        ('targets = "photographs.train"', "targets = 3", "not 3"),
        ("keep_stable = true", "keep_stable = tru", "no TOML"),
        ('file = "denoiser.pde"', "file = 3", r"file in \[network\] is a path, not 3"),
        ('fields = { f = "input" }', "fields = 3", r"fields in \[data\] is a table"),
        ("epochs = 2", 'epochs = "2"', "epochs is a whole number"),
        ("keep_stable = true", 'keep_stable = "yes"', "True or False"),
    ],
)
def test_bad_configurations_are_told(folder: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    (folder / "denoiser.toml").write_text(TOML.replace(old, new, 1))
    result = CliRunner().invoke(app, ["train", "denoiser.toml", "--quiet"])
    assert isinstance(result.exception, p2n.Pde2NetError) and re.search(message, str(result.exception))
    assert not (folder / "run" / "last.safetensors").exists()


def test_keys_on_the_page_are_those_that_are_read() -> None:
    for table, keys in configuration.TABLES.items():
        row = re.search(rf"^\| `{table}` \| (.*) \|$", PAGE, re.M)
        assert row is not None
        named = set(re.findall(r"`(\w+)`", row[1]))
        assert named >= ({"epochs"} if table == "training" else set(keys))
    options = set(inspect.signature(p2n.learn.fit).parameters)
    assert set(configuration.TRAINING) <= options


def test_signals_pairs_and_folders(folder: Path) -> None:
    from PIL import Image

    for kind in ("clean", "noisy"):
        (folder / kind).mkdir()
        for k in range(2):
            pixels = (torch.rand(20, 30, generator=torch.Generator().manual_seed(k)) * 255).to(torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / kind / f"{k}.png")
    text = TOML.replace('"photographs.train"', '"clean"').replace('"photographs.validation"', '"clean"')
    text = text.replace("noise = 0.1", 'inputs = "noisy"\nvalidation_inputs = "noisy"').replace(
        "patch = 48", "patch = 16"
    )
    (folder / "pairs.toml").write_text(text)
    found = configuration.read(folder / "pairs.toml")
    inputs, targets = found.data
    assert all(torch.equal(a, b) for a, b in zip(inputs, targets, strict=True)) and len(targets) == 2
    assert CliRunner().invoke(app, ["train", "pairs.toml", "--quiet"]).exit_code == 0
    (folder / "line.pde").write_text(TEXT.replace("(x, y, t)", "(x, t)").replace("(x, y)", "(x)"))
    text = text.replace('inputs = "noisy"\nvalidation_inputs = "noisy"', "noise = [0.05, 0.2]").replace(
        "denoiser.pde", "line.pde"
    )
    text = text.replace('targets = "clean"', 'targets = "signals"\nsignals = { count = 12, length = 40 }')
    (folder / "line.toml").write_text(text.replace('"clean"', '"signals"').replace('"run"', '"line"'))
    assert CliRunner().invoke(app, ["train", "line.toml", "--quiet"]).exit_code == 0

"""`demo`: a photograph is denoised by at least 7 dB, and what is written is what the example compiles to."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pde2net as p2n

EXAMPLE = Path(__file__).parents[2] / "examples" / "perona_malik.py"


def test_the_demo_denoises_and_writes_everything(command, tmp_path: Path):
    skimage = pytest.importorskip("skimage")
    result = command("demo", "--output", "deep/results")
    assert result.status == 0 and not result.err
    gain = float(re.search(r"gain ([\d.]+) dB", result.out).group(1))
    assert gain >= 7.0
    before, after = map(float, re.search(r"SSIM +([\d.]+) -> ([\d.]+)", result.out).groups())
    assert after > 2 * before
    assert "Stable: l2 stability is proved" in result.out and "input u" in result.out
    assert max(map(len, result.out.splitlines())) <= 80

    folder = tmp_path / "deep" / "results"
    assert sorted(p.name for p in folder.iterdir()) == [
        "certificate.json",
        "denoised.png",
        "graph.svg",
        "net.py",
    ]
    declared = p2n.load(EXAMPLE)
    network = p2n.compile(declared.problem, declared.scheme, declared.grid)
    assert (folder / "net.py").read_text() == network.source()
    text = (folder / "certificate.json").read_text()
    assert p2n.Certificate.from_json(text).stable
    assert ET.parse(folder / "graph.svg").getroot().tag.endswith("svg")

    picture = np.asarray(Image.open(folder / "denoised.png")) / 255
    clean = skimage.data.camera() / 255
    assert picture.shape == (512, 2 * 512 + 4) and (picture[:, 512:516] == 1).all()
    errors = [np.sqrt(np.mean((half - clean) ** 2)) for half in (picture[:, :512], picture[:, 516:])]
    assert 0.95 * 20 / 255 < errors[0] < 20 / 255, "unclipped noise, clipped in the picture only"
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(
    ("options", "model", "claim"),
    [(["--trained"], "t1", "bounded by data"), (["--model", "t3"], "t3", "averaged")],
)
def test_trained_models_do_better(command, tmp_path: Path, options: list[str], model: str, claim: str):
    skimage = pytest.importorskip("skimage")
    result = command("demo", *options, "-o", "trained")
    assert result.status == 0 and not result.err
    gain = float(re.search(r"gain ([\d.]+) dB", result.out).group(1))
    assert gain >= 7.8
    assert re.search(rf"^ {claim} +│ proved", result.out, re.M)
    assert max(map(len, result.out.splitlines())) <= 80

    folder = tmp_path / "trained"
    certificate = p2n.Certificate.from_json((folder / "certificate.json").read_text())
    assert certificate.claims[claim.replace(" ", "_")].status == p2n.Status.PROVED
    assert (folder / "net.py").read_text() == p2n.models.network(model).source()
    picture = np.asarray(Image.open(folder / "denoised.png")) / 255
    clean = skimage.data.camera() / 255
    error = np.sqrt(np.mean((picture[:, 516:] - clean) ** 2))
    before = np.sqrt(np.mean((picture[:, :512] - clean) ** 2))
    assert error < before / 2.3


def test_a_model_that_is_not_shipped_is_told(command):
    result = command("demo", "--model", "t2")
    assert result.status == 2 and "t1" in result.err


def test_the_example_states_the_rule_that_it_follows():
    declared = p2n.load(EXAMPLE)
    (contrast,) = declared.problem.parameters.values()
    assert float(contrast) == pytest.approx(0.9 * 20 / 255, rel=0.02)
    assert float(declared.scheme.tau * declared.scheme.steps) == pytest.approx(2.4)


def test_a_folder_that_cannot_be_made_is_refused(command, tmp_path: Path):
    (tmp_path / "taken").write_text("")
    result = command("demo", "-o", "taken")
    assert result.status == 2 and "Cannot make the folder taken" in result.err


def test_without_scikit_image_it_says_what_to_install(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    result = command("demo")
    assert result.status == 2 and 'pip install "pde2net[demo]"' in result.err

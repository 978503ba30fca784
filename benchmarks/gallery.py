"""Compiles, certifies and runs the models of examples/gallery; writes docs/gallery.md and its picture."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from skimage import data

import pde2net as p2n
from pde2net.language.text.printer import written

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend without a screen

ROOT = Path(__file__).parent.parent
CLAIMS = ("l2_stability", "maximum_principle", "energy_decay", "mean_preservation", "frozen_stability")
CLAIMS += ("well_posed", "bounded_by_data", "lipschitz_in_data")
SIZE, NOISE, KNOWN = 128, 0.08, 0.08
COLUMNS = 7
# What models start from, if not from the noisy photograph.
STARTS = {
    "inpainting": "sparse",
    "biharmonic_inpainting": "sparse",
    "allen_cahn": "random",
    "cahn_hilliard": "random",
    "swift_hohenberg": "random",
    "fisher_kpp": "seeds",
    "porous_medium": "seeds",
    "p_laplacian": "photograph",
    "coherence_enhancing": "flow",
    "gray_scott": "substances",
    "vector_perona_malik": "colours",
}

Array = np.ndarray


@dataclass(frozen=True)
class Shown:
    """A model with the picture it starts from and the one it makes."""

    name: str
    title: str
    reference: str
    declared: p2n.Declaration
    certificate: p2n.Certificate
    start: Array
    end: Array
    seconds: float


def pictures() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    photograph = data.camera()[64:320:2, 150:406:2] / 255.0
    known = rng.random((SIZE, SIZE)) < KNOWN
    seeds = np.zeros((SIZE, SIZE))
    for i, j in rng.integers(16, SIZE - 16, size=(6, 2)):
        seeds[i - 4 : i + 4, j - 4 : j + 4] = 1.0
    i, j = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    ridges = 0.5 + 0.5 * np.sin(60 * np.hypot(i + 0.15 * np.sin(5 * j), 0.7 * j + 0.1 * np.cos(4 * i)))
    torn = np.where(rng.random((SIZE, SIZE)) < 0.25, 0.5, ridges) + 0.15 * rng.normal(size=(SIZE, SIZE))
    spots = seeds + 0.02 * rng.normal(size=(SIZE, SIZE))
    colours = np.moveaxis(data.astronaut()[20:276:2, 100:356:2] / 255.0, -1, 0)
    return {
        "flow": torn,
        "substances": np.stack([1 - 0.5 * spots, 0.25 * spots]),
        "colours": colours + 1.5 * NOISE * rng.normal(size=colours.shape),
        "photograph": photograph,
        "noisy": photograph + NOISE * rng.normal(size=photograph.shape),
        "sparse": photograph * known,
        "mask": known.astype(float),
        "random": 0.2 * rng.normal(size=(SIZE, SIZE)),
        "seeds": seeds,
    }


def shown() -> Iterator[Shown]:
    images = pictures()
    for file in sorted((ROOT / "examples" / "gallery").glob("*.pde")):
        title, reference = (line.removeprefix("# ").rstrip(".") for line in file.read_text().splitlines()[:2])
        start = images[STARTS.get(file.stem, "noisy")]
        declared = p2n.load(file)
        begun = time.perf_counter()
        network = p2n.compile(declared.problem, declared.scheme, declared.grid, on_unstable="ignore")
        inpaints = "c" in {str(f.func) for f in declared.problem.fields}
        fields = {
            "f": images["sparse" if inpaints else "noisy"],
            "c": images["mask"],
            "e": images["photograph"],
        }
        known = {str(f.func): tensor(fields[str(f.func)]) for f in declared.problem.fields}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # a solver that stops short is no gallery piece
            end = network.module().double()(tensor(start), **known)[0].numpy().reshape(start.shape)
        seconds = time.perf_counter() - begun
        print(f"{file.stem:28}{seconds:6.1f} s   range {end.min():6.2f} to {end.max():5.2f}")
        yield Shown(file.stem, title, reference, declared, network.certificate, start, end, seconds)


def tensor(image: Array) -> torch.Tensor:
    """A batch of one image, whose first axis is that of channels if it has three."""
    return torch.from_numpy(np.ascontiguousarray(image))[None if image.ndim == 3 else (None, None)]


def sheet(models: list[Shown]) -> None:
    """Start above, result below, for each model."""
    rows = -(-len(models) // COLUMNS)
    figure = plt.figure(figsize=(2.0 * COLUMNS, 4.3 * rows), layout="constrained")
    for row, part in enumerate(np.atleast_1d(figure.subfigures(rows, 1, hspace=0.03))):
        axes = part.subplots(2, COLUMNS)
        for axis in axes.flat:
            axis.set_axis_off()
        for column, model in enumerate(models[row * COLUMNS : (row + 1) * COLUMNS]):
            for axis, image in zip(axes[:, column], (model.start, model.end), strict=True):
                image = visible(image)
                low, high = (0.0, 1.0) if model.name in IN_RANGE else (image.min(), image.max())
                axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes[0, column].set_title(model.name.replace("_", " "), fontsize=9)
    figure.savefig(ROOT / "docs" / "gallery.png", dpi=100)


def visible(image: Array) -> Array:
    """Three channels as colours, of two the second, which is the substance that forms the pattern."""
    if image.ndim == 2:
        return image
    return image[1] if len(image) == 2 else np.clip(np.moveaxis(image, 0, -1), 0, 1)


IN_RANGE = {f.stem for f in (ROOT / "examples" / "gallery").glob("*.pde")} - {
    *("allen_cahn", "cahn_hilliard", "swift_hohenberg", "fisher_kpp", "porous_medium", "gray_scott")
}


def page(models: list[Shown]) -> str:
    lines = [
        "# Gallery",
        "",
        "Generated by `make gallery` (benchmarks/gallery.py); do not edit. Models of the literature, each a "
        "text of a few lines in [examples/gallery](../examples/gallery), compiled, certified and run on a "
        "photograph, on sparse pixels of it, or on noise. Above the start, below the result.",
        "",
        "![contact sheet](gallery.png)",
        "",
        f"| model | network | {' | '.join(c.replace('_', ' ') for c in CLAIMS)} |",
        "| --- " * (len(CLAIMS) + 2) + "|",
    ]
    for m in models:
        statuses = [str(m.certificate.claims[c].status).replace("not applicable", "n/a") for c in CLAIMS]
        scheme = m.declared.scheme.label
        lines.append(f"| [{m.name}](../examples/gallery/{m.name}.pde) | {scheme} | {' | '.join(statuses)} |")
    lines += ["", "| model | equation | reference |", "| --- | --- | --- |"]
    for m in models:
        lines.append(f"| {m.title} | <code>{shown_equations(m.declared.problem)}</code> | {m.reference} |")
    return "\n".join(lines) + "\n"


def shown_equations(problem: p2n.Problem) -> str:
    equations, definitions = written(problem)
    text = "<br>".join([*equations, *(f"where {name} = {what}" for name, what in definitions)])
    return text.replace("|", "&#124;").replace("*", "&#42;")


def main() -> None:
    torch.set_num_threads(2)
    models = list(shown())
    sheet(models)
    (ROOT / "docs" / "gallery.md").write_text(page(models), encoding="utf-8")


if __name__ == "__main__":
    main()

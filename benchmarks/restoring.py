"""Measures `p2n.denoise` and `p2n.inpaint` on photographs; writes the tables of docs/restoring.md.

PSNR in dB, means over the photographs, by the defaults: nothing but the noisy image is given. Beside them
what is best for each image and level among all times, found with the clean image, which users do not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import color, data, restoration

import pde2net as p2n
from pde2net.restore import denoise, inpaint

PAGE = Path(__file__).parent.parent / "docs" / "restoring.md"
LEVELS = (10, 25, 50)
MISSING = (0.5, 0.9)
SIZE = 256
MARK = "<!-- {}: written by benchmarks/restoring.py -->\n"

Array = np.ndarray


def photographs() -> dict[str, Array]:
    grey = {
        "camera": data.camera() / 255.0,
        "coins": data.coins() / 255.0,
        "astronaut": color.rgb2gray(data.astronaut()),
        "coffee": color.rgb2gray(data.coffee()),
    }
    corner = {name: [(n - SIZE) // 2 for n in image.shape] for name, image in grey.items()}
    return {n: image[i : i + SIZE, j : j + SIZE] for n, image in grey.items() for i, j in [corner[n]]}


def psnr(clean: Array, found: Any) -> float:
    return float(-10 * np.log10(np.mean((np.asarray(found) - clean) ** 2)))


def noisy(clean: Array, level: int) -> Array:
    return clean + level / 255 * np.random.default_rng(0).normal(size=clean.shape)


def best(found: p2n.Restored, clean: Array, image: Array) -> float:
    """The best PSNR on the way of a flow, to three times the time at which it was ended."""
    network = found.made_by
    assert isinstance(network, p2n.Network)
    scheme = p2n.Explicit(tau=network.scheme.tau, steps=3 * network.scheme.steps)
    longer = p2n.compile(network.semidiscrete.form.problem, scheme, network.semidiscrete.grid)
    way = longer.run(image, every=1, track=["psnr"], reference=clean, keep=False, backend="torch")
    return float(way["psnr"].max())


def rows() -> Iterator[list[str]]:
    images = photographs()
    others: dict[str, Callable[[Array, float], Array]] = {
        "scikit-image, TV": lambda f, s: restoration.denoise_tv_chambolle(f, weight=s),
        "scikit-image, non-local means": lambda f, s: restoration.denoise_nl_means(
            f, h=0.8 * s, sigma=s, fast_mode=True
        ),
    }
    for name in (*denoise.METHODS, *others):
        cells, start = [name], time.process_time()
        for level in LEVELS:
            values, limits = [], []
            for clean in images.values():
                image = noisy(clean, level)
                if name in others:
                    values.append(psnr(clean, others[name](image, level / 255)))
                    continue
                found = p2n.denoise(image, name)
                values.append(psnr(clean, found))
                if name in denoise.FLOWS:
                    limits.append(max(values[-1], best(found, clean, image)))
            cells.append(f"{np.mean(values):.2f}" + (f" ({np.mean(limits):.2f})" if limits else ""))
        print(*cells, f"{time.process_time() - start:.0f} s", flush=True)
        yield cells


def filled() -> Iterator[list[str]]:
    images = photographs()
    holes = {share: np.random.default_rng(0).random((SIZE, SIZE)) < share for share in MISSING}
    others = {"scikit-image, biharmonic": restoration.inpaint_biharmonic}
    for name in (*inpaint.METHODS, *others):
        cells = [name]
        for share, mask in holes.items():
            values = []
            for clean in images.values():
                image = np.where(mask, 0, clean)
                restore = others.get(name, lambda i, m, n=name: p2n.inpaint(i, m, n))
                values.append(psnr(clean, restore(image, mask)))
            cells.append(f"{np.mean(values):.2f}")
            print(name, share, cells[-1], flush=True)
        yield cells


def table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(head)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))


def written(page: str, name: str, text: str) -> str:
    mark = MARK.format(name)
    before, _, after = page.partition(mark)
    assert after, f"{PAGE} has no place for {name}"
    return f"{before}{mark}{text}\n{after.partition(chr(10) * 2)[2]}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    page = PAGE.read_text()
    page = written(page, "denoising", table(["method", *(f"sigma {s}/255" for s in LEVELS)], list(rows())))
    head = ["method", *(f"{100 * s:.0f} % missing" for s in MISSING)]
    PAGE.write_text(written(page, "inpainting", table(head, list(filled()))))

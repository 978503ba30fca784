"""`pde2net demo`: a photograph, from the declaration to the result."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

import pde2net
from pde2net import compiler
from pde2net.cli.run import apply
from pde2net.cli.verify import show
from pde2net.errors import FileError
from pde2net.files import write_text, write_with
from pde2net.graph.draw import to_svg, to_text
from pde2net.load import load

SIGMA, SEED = 20 / 255, 0


def demo(folder: Path) -> None:
    """Denoise scikit-image's camera with examples/perona_malik.py and write the results to `folder`.

    The noise is Gaussian of standard deviation SIGMA on a scale of [0, 1], not clipped.
    """
    console = Console()
    clean = photograph()
    noisy = clean + np.random.default_rng(SEED).normal(0, SIGMA, clean.shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror}.") from error

    file = example("perona_malik.py")
    declared = load(file)
    console.print(f"[bold]Declaration[/]  examples/{file.name}\n")
    network = compiler.compile(declared.problem, declared.scheme, declared.grid)
    show(network.certificate, console)
    console.print("\n[bold]Network[/]\n")
    console.print(to_text(network.graph), markup=False, highlight=False)

    tau, steps = network.certificate.tau, network.scheme.steps
    console.print(f"\n[bold]Run[/]  {steps} steps, stopping time {sp.N(tau * steps, 3)}")
    start = time.perf_counter()
    denoised = apply(network, noisy[None], {}, "float32", "cpu")[0]
    seconds = time.perf_counter() - start
    removed = float(np.sqrt(np.mean((denoised - noisy) ** 2)))
    console.print(f"{clean.shape[0]} x {clean.shape[1]} pixels in {seconds:.2f} s, loading torch included")
    console.print(f"removed {removed * 255:.1f} of 255 (root mean square); the noise has {SIGMA * 255:.0f}")
    report(console, clean, noisy, denoised)

    write_with(folder / "denoised.png", lambda path: picture(noisy, denoised).save(path))
    network.save(folder / "net.py")
    write_text(folder / "graph.svg", to_svg(network.graph, title=network.certificate.subject["equation"]))
    write_text(folder / "certificate.json", network.certificate.to_json() + "\n")
    names = ("denoised.png", "net.py", "graph.svg", "certificate.json")
    console.print("\nwritten: " + ", ".join(str(folder / name) for name in names), highlight=False)


def photograph() -> NDArray[np.float64]:
    """The photograph, in [0, 1]."""
    try:
        from skimage import data
    except ImportError as error:
        raise FileError("The demo needs scikit-image: pip install 'pde2net[demo]'.") from error
    return np.asarray(data.camera(), dtype=np.float64) / 255


def example(name: str) -> Path:
    """A file of examples/, which an installed package carries and a checkout has beside it."""
    package = Path(pde2net.__file__).parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / name).is_file():
            return folder / name
    raise FileError(f"The example {name} is not installed.")


def report(
    console: Console,
    clean: NDArray[np.float64],
    noisy: NDArray[np.float64],
    denoised: NDArray[np.float64],
) -> None:
    """Peak signal-to-noise ratio and structural similarity, before and after."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr = [peak_signal_noise_ratio(clean, v, data_range=1) for v in (noisy, denoised)]
    ssim = [structural_similarity(clean, v, data_range=1) for v in (noisy, denoised)]
    console.print(
        f"PSNR {psnr[0]:.2f} dB -> {psnr[1]:.2f} dB (gain {psnr[1] - psnr[0]:.2f} dB)", highlight=False
    )
    console.print(f"SSIM {ssim[0]:.3f} -> {ssim[1]:.3f}", highlight=False)


def picture(left: NDArray[np.float64], right: NDArray[np.float64]) -> Image.Image:
    """Two grey images side by side with a white line between."""
    line = np.ones((left.shape[0], 4))
    joined = np.concatenate([left, line, right], axis=1)
    return Image.fromarray(np.rint(np.clip(joined, 0, 1) * 255).astype(np.uint8))

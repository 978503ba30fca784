"""`pde2net demo`: a photograph, from the declaration to the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

import pde2net
from pde2net import compiler
from pde2net.cli.replaced import check_replaced
from pde2net.cli.run import apply
from pde2net.cli.verify import show
from pde2net.cli.wording import course
from pde2net.errors import FileError
from pde2net.files import write_text, write_with
from pde2net.graph.draw import to_svg, to_text
from pde2net.load import load

SIGMA, SEED = 20 / 255, 0
SEPARATOR = 4
RESULTS = ("denoised.png", "net.py", "graph.svg", "certificate.json")


def demo(folder: Path) -> None:
    """Denoise scikit-image's camera with examples/perona_malik.py and write the results to `folder`.

    The noise is Gaussian with standard deviation SIGMA on a scale of [0, 1], from a fixed seed. It is not
    clipped: clipping would make its mean depend on the picture, which no diffusion could undo.
    """
    console = Console()
    clean = photograph()
    noisy = clean + np.random.default_rng(SEED).normal(0, SIGMA, clean.shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror}.") from error

    for name in RESULTS[1::2]:
        check_replaced(folder / name)

    def heading(text: str) -> None:
        console.print(f"\n[bold underline]{text}[/]\n")

    file = example("perona_malik.py")
    declared = load(file)
    network = compiler.compile(declared.problem, declared.scheme, declared.grid)
    heading(f"What examples/{file.name} declares, and what is proved about it")
    show(network.certificate, console)
    heading("The network")
    console.print(to_text(network.looped), markup=False, highlight=False, end="")

    heading("Denoising")
    result, seconds = apply(network, noisy[None], {}, "float32", "cpu", {})
    denoised = result[0]
    rows, columns = clean.shape
    removed = float(np.sqrt(np.mean((denoised - noisy) ** 2)))
    lines = (
        f"Picture  camera, {rows} x {columns}, with Gaussian noise of sigma = {SIGMA * 255:.0f}/255",
        f"Run      {course(network)}, in {seconds:.2f} s",
        f"Removed  {removed * 255:.1f}/255 root mean square, where the noise has {SIGMA * 255:.0f}/255",
        *quality(clean, noisy, denoised),
    )
    console.print("\n".join(lines), markup=False, highlight=False)

    write_with(folder / RESULTS[0], lambda path: picture(noisy, denoised).save(path))
    network.save(folder / RESULTS[1])
    write_text(folder / RESULTS[2], to_svg(network.looped, title=network.certificate.subject["equation"]))
    write_text(folder / RESULTS[3], network.certificate.to_json() + "\n")
    heading("Written")
    for name in RESULTS:
        console.print(str(folder / name), markup=False, highlight=False, soft_wrap=True)


def photograph() -> NDArray[np.float64]:
    """The photograph, in [0, 1]. Raises FileError if scikit-image, which has it, is not installed."""
    try:
        from skimage import data
    except ImportError as error:
        raise FileError("The demo needs scikit-image: pip install 'pde2net[demo]'") from error
    return np.asarray(data.camera(), dtype=np.float64) / 255


def example(name: str) -> Path:
    """A file of examples/, which an installed package carries and a checkout has beside it."""
    package = Path(pde2net.__file__).parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / name).is_file():
            return folder / name
    raise FileError(f"The example {name} is not installed.")


def quality(
    clean: NDArray[np.float64], noisy: NDArray[np.float64], denoised: NDArray[np.float64]
) -> tuple[str, str]:
    """Peak signal-to-noise ratio and structural similarity, before and after."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr = [peak_signal_noise_ratio(clean, v, data_range=1) for v in (noisy, denoised)]
    ssim = [structural_similarity(clean, v, data_range=1) for v in (noisy, denoised)]
    return (
        f"PSNR     {psnr[0]:.2f} dB -> {psnr[1]:.2f} dB (gain {psnr[1] - psnr[0]:.2f} dB)",
        f"SSIM     {ssim[0]:.3f} -> {ssim[1]:.3f}",
    )


def picture(left: NDArray[np.float64], right: NDArray[np.float64]) -> Image.Image:
    """Two grey images side by side with a white line between."""
    line = np.ones((left.shape[0], SEPARATOR))
    joined = np.concatenate([left, line, right], axis=1)
    return Image.fromarray(np.rint(np.clip(joined, 0, 1) * 255).astype(np.uint8))

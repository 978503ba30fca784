"""`pde2net demo`: a photograph, from the declaration to the result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from pde2net import compiler
from pde2net.cli.applying import How, apply, result
from pde2net.cli.replaced import check_replaced
from pde2net.cli.say import Say
from pde2net.cli.verify import show
from pde2net.cli.wording import course, size
from pde2net.errors import FileError
from pde2net.files import write_text, write_with
from pde2net.gallery import example
from pde2net.graph.draw import to_text
from pde2net.load import load
from pde2net.network import Network
from pde2net.verify.certificate import Certificate

SIGMA, SEED = 20 / 255, 0
SEPARATOR = 4
RESULTS = ("denoised.png", "net.py", "graph.svg", "certificate.json")


def demo(folder: Path, model: str | None, say: Say) -> None:
    """Denoise scikit-image's camera with examples/perona_malik.py and write the results to `folder`.

    model  the name of one of `p2n.models` instead of the example

    The noise is Gaussian with standard deviation SIGMA on a scale of [0, 1], from a fixed seed. It is not
    clipped: clipping would make its mean depend on the picture, which no diffusion could undo.
    """
    console = Console(quiet=not say.remarks)
    clean = photograph()
    noisy = clean + np.random.default_rng(SEED).normal(0, SIGMA, clean.shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror}.") from error

    for name in RESULTS[1::2]:
        check_replaced(folder / name)

    shown = _declared(noisy, console, say) if model is None else _trained(model, noisy, console)
    rows, columns = clean.shape
    removed = float(np.sqrt(np.mean((shown.denoised - noisy) ** 2)))
    ratios, similarities = quality(clean, noisy, shown.denoised)
    lines = (
        f"Picture  camera, {rows} x {columns}, with Gaussian noise of sigma = {SIGMA * 255:.0f}/255",
        f"Run      {shown.course}, in {shown.seconds:.2f} s",
        f"Removed  {removed * 255:.1f}/255 root mean square, where the noise has {SIGMA * 255:.0f}/255",
        f"PSNR     {ratios[0]:.2f} dB -> {ratios[1]:.2f} dB (gain {ratios[1] - ratios[0]:.2f} dB)",
        f"SSIM     {similarities[0]:.3f} -> {similarities[1]:.3f}",
    )
    console.print("\n".join(lines), markup=False, highlight=False)

    write_with(folder / RESULTS[0], lambda path: picture(noisy, shown.denoised).save(path))
    shown.network.save(folder / RESULTS[1])
    shown.network.draw(folder / RESULTS[2])
    write_text(folder / RESULTS[3], shown.network.certificate.to_json() + "\n")
    _heading("Written", console)
    for name in RESULTS:
        console.print(str(folder / name), markup=False, highlight=False, soft_wrap=True)
    say.data(
        output=[str(folder / name) for name in RESULTS],
        course=shown.course,
        seconds=shown.seconds,
        removed=removed,
        psnr=ratios,
        ssim=similarities,
    )


class Shown(NamedTuple):
    """What a demo ran, what is proved about it, and what came out."""

    network: Network
    certificate: Certificate
    denoised: NDArray[np.float64]
    course: str
    seconds: float


def _declared(noisy: NDArray[np.float64], console: Console, say: Say) -> Shown:
    """The example, compiled and run."""
    file = example("perona_malik.py")
    declared = load(file)
    network = compiler.compile(declared.problem, declared.scheme, declared.grid)
    _introduce(f"What examples/{file.name} declares, and what is proved about it", network, console)
    way, seconds = apply(network, noisy[None], {}, {}, How(), say)
    denoised = result(network, way.final)[0]
    return Shown(network, network.certificate, denoised, course(network), seconds)


def _trained(model: str, noisy: NDArray[np.float64], console: Console) -> Shown:
    """A shipped denoiser, certified for its weights and run."""
    import torch

    from pde2net.models import denoiser, network

    loaded, compiled = denoiser(model, SIGMA), network(model)
    title = f"What the model {model} declares, and what is proved for its weights"
    _introduce(title, compiled, console, loaded.certificate)
    start = time.perf_counter()
    with torch.no_grad():
        result = loaded(torch.from_numpy(noisy).float()[None, None])
    seconds = time.perf_counter() - start
    return Shown(compiled, loaded.certificate, result[0, 0].double().numpy(), size(compiled), seconds)


def _introduce(
    title: str, network: Network, console: Console, certificate: Certificate | None = None
) -> None:
    _heading(title, console)
    show(certificate or network.certificate, console)
    _heading("The network", console)
    console.print(to_text(network.looped), markup=False, highlight=False, end="")
    _heading("Denoising", console)


def _heading(text: str, console: Console) -> None:
    console.print(f"\n[bold underline]{text}[/]\n")


def photograph() -> NDArray[np.float64]:
    """The photograph, in [0, 1]. Raises FileError if scikit-image, which has it, is not installed."""
    try:
        from skimage import data
    except ImportError as error:
        raise FileError('The demo needs scikit-image: pip install "pde2net[demo]".') from error
    return np.asarray(data.camera(), dtype=np.float64) / 255


def quality(
    clean: NDArray[np.float64], noisy: NDArray[np.float64], denoised: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Peak signal-to-noise ratio and structural similarity, before and after."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    shown = (noisy, denoised)
    ratios = [float(peak_signal_noise_ratio(clean, v, data_range=1)) for v in shown]
    return ratios, [float(structural_similarity(clean, v, data_range=1)) for v in shown]


def picture(left: NDArray[np.float64], right: NDArray[np.float64]) -> Image.Image:
    """Two grey images side by side with a white line between."""
    line = np.ones((left.shape[0], SEPARATOR))
    joined = np.concatenate([left, line, right], axis=1)
    return Image.fromarray(np.rint(np.clip(joined, 0, 1) * 255).astype(np.uint8))

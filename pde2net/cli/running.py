"""Commands that run networks, or train them: their options and help; what they do lives beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pde2net.cli.options import (
    DONE,
    USAGE,
    Backend,
    File,
    Json,
    OnUnstable,
    Piped,
    Precision,
    Quiet,
    Steps,
    Tau,
    Trained,
    Unstable,
    Values,
)


def run_(
    file: File,
    source: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT", help="Images, arrays, volumes; - for one on stdin.", show_default=False
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT", help="The file to write, a folder, or - for stdout.", show_default=False
        ),
    ],
    stop_at: Annotated[
        float | None, typer.Option(metavar="T", help="Stop at time T, in the fewest equal steps within tau.")
    ] = None,
    until_removed: Annotated[
        str | None,
        typer.Option(metavar="SIGMA", help="Stop when that much is removed, the level of the noise."),
    ] = None,
    every: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Write the states after each N steps, too.")
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Print a table of min, max, mean, removed, residual, energy or psnr."
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write that table, in place of printing it.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="What psnr compares with: a file, or a folder with one of the name of each INPUT.",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(metavar="CELLS", min=1, help="Run in blocks of so many cells along each axis."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="A known field; repeat for several.")
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=NUMBER", help="An input of the equation; repeat for several."),
    ] = None,
    spacing: Annotated[
        str,
        typer.Option(
            metavar="WHICH", help="Of cells: declared, file (the voxels of INPUT), or numbers: 3,1,1."
        ),
    ] = "declared",
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    dtype: Annotated[Precision, typer.Option(help="Precision.")] = Precision.FLOAT32,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="A torch device.")] = "cpu",
    backend: Annotated[
        Backend, typer.Option(help="torch, kernels of numba or Triton, or what is faster for the picture.")
    ] = Backend.AUTO,
    piped: Annotated[Piped, typer.Option("--format", help="Of a result on stdout.")] = Piped.PNG,
    on_unstable: Unstable = OnUnstable.ERROR,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run the network of FILE on pictures.

    FILE may be weights that were trained, net.safetensors; data that the network
    is pulled to is given too: --field f=INPUT.

    Images are grey or in colour, of 8 or 16 bit; the values of integers are
    scaled to \\[0, 1], and clipped and rounded to the same mode and depth on the
    way out. The channels of a colour image are filtered one by one, unless the
    equation has several; transparency is kept as it is. The first axis of the
    equation runs down the rows of an image. A picture holds floats from 0 to 1:
    others are refused, or said to be clipped.

    Arrays are .npy of 1, 2 or 3 dimensions (float, bool, uint8 or uint16) and
    keep their type, but bool. One axis more than the equation has holds
    channels: the last one, if it is as long as the equation has channels (for
    an equation of one channel, at most 4 long), or else the first one.

    Volumes are NIfTI (.nii, .nii.gz), TIFF of several pages, whose first axis
    counts them, and DICOM, a .dcm or a folder with a series, whose first axis
    counts slices. The values of NIfTI and DICOM are those that are meant, not
    scaled. NIfTI keeps its header and affine; DICOM is read only.

    A known field has one channel, which goes with all of the input, or as many
    as the input. A mask is bool, a float of 0 and 1, or an image of 0 and 255,
    white where it is 1: in inpainting by c*(f - u) the pixels that are known;
    integers of which the largest is 1 are refused. An input of the equation,
    the level of the noise say, is a number: --input sigma=0.1.

    Example: pde2net run examples/perona_malik.py noisy.png clean.png --stop-at 4

    Example: pde2net run inpaint.py start.png full.png --field f=known.png
    --field c=mask.png

    Example: pde2net run heat.pde noisy.png film.gif --every 2 --track mean,energy

    Example: pde2net run heat.pde *.png results/ --steps 40

    With --stop-at T the network has the fewest equal steps that reach T, none
    longer than tau of the scheme, or than the proved limit if that is open. For
    FSI and FED these are cycles: their length stays, number and tau change.

    An OUTPUT .gif, .mp4, .npz or .zarr holds states on the way, ten of them or
    one each N steps; beside others --every N writes out_0010.png and so on.
    A folder takes a result of the name of each INPUT, and what fails is
    reported while the others go on.

    Exit status: 0 written; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input, of one INPUT at least. Nothing is written of an
    INPUT unless all went well with it.
    """
    from pde2net.cli.inputs import PIPE, Given
    from pde2net.cli.run import Choices, run_file
    from pde2net.cli.say import Say

    choices = Choices(
        stop_at=stop_at,
        until_removed=until_removed,
        every=every,
        track=track,
        table=table,
        reference=reference,
        tile=tile,
        fields=field or [],
        numbers=number or [],
        spacing=spacing,
        dtype=dtype,
        device=device,
        backend=backend,
        on_unstable=on_unstable,
        piped=piped,
    )
    say = Say(quiet, json, aside=target == PIPE)
    given = Given(file, values or [], tau, steps)
    raise typer.Exit(DONE if run_file(given, source, target, choices, say) else USAGE)


def train(
    file: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="A TOML file: network, data, training.", show_default=False),
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in its folder.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train the network of CONFIG and say what is proved for its weights.

    CONFIG has the tables network (file, trainable, shared, keep_stable), data
    (targets, noise or inputs, validation), training (epochs and the other
    options of p2n.learn.fit) and output (folder). Its paths are relative to it.

    The folder gets last.safetensors after each epoch, from which --resume goes
    on to the same bits, best.safetensors with the weights, history.csv and
    loss.png. Under torchrun several processes share each batch.

    Example: pde2net train denoiser.toml

    Exit status: 0 done; 2 for bad usage or input, or a loss that is not finite.
    """
    from pde2net.cli.say import Say
    from pde2net.cli.train import train_file

    train_file(file, resume, Say(quiet, json))


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The folder for the results.")
    ] = Path("demo"),
    trained: Annotated[bool, typer.Option("--trained", help="With a trained model.")] = False,
    model: Annotated[Trained | None, typer.Option(help="Which one, if not t1; implies --trained.")] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Denoise a photograph: declare, verify, compile, run.

    Adds Gaussian noise of sigma = 20/255 to the camera of scikit-image and
    runs examples/perona_malik.py on it, whose values follow from the noise:
    lambda = 0.9 sigma, so that a step must exceed the noise to count as an
    edge, and the time at which what has been removed comes close to sigma.

    Writes denoised.png (noisy on the left, denoised on the right), net.py,
    graph.svg and certificate.json.

    With --trained the denoiser is one that is shipped, t1, bounded by the data,
    or t3, averaged, and its claims are proved again for its weights.

    Example: pde2net demo --output results

    Example: pde2net demo --model t3

    Exit status: 0 done; 2 for bad usage or if scikit-image is not installed.
    """
    from pde2net.cli.demo import demo as run_demo
    from pde2net.cli.say import Say

    chosen = model or (Trained.T1 if trained else None)
    run_demo(output, None if chosen is None else chosen.value, Say(quiet, json))


def studio(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A .pde text to begin with.", show_default=False)
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Of this machine; 0 for a free one.")
    ] = 8765,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Serve a page on this machine, to try equations on.

    It shows errors where they are, the stencil, the limit of the step, the claims
    with their proofs, the graph and the source, runs the network on a picture,
    and has sliders for parameters and the step: claims that change are marked.
    Other machines cannot reach it.

    Example: pde2net studio heat.pde

    Exit status: 0 ended; 2 for bad usage or input, or if NiceGUI is not installed.
    """
    from pde2net.cli.say import Say
    from pde2net.cli.studio import serve_file

    serve_file(file, port, browser, Say(quiet, json))

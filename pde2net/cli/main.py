"""The commands of `pde2net`, one function each; what they do lives beside this file."""

from __future__ import annotations

import enum
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from pde2net import __version__
from pde2net.errors import CertificateError, Pde2NetError, RecheckError, StabilityError

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130

HELP = """Compile a diffusion PDE to a PyTorch network, and prove what can be proved about its stability.

FILE is a text, such as heat.pde:

    unknown  u(x, y, t)
    equation u_t = laplacian(u)
    grid     h = 1
    scheme   explicit(tau = 1/5, steps = 10)

or a Python file (.py) that defines problem, scheme and, unless the spacing is
1, grid. A Python file is executed: use those that you trust; a text is not.
Sketches of Processing, which end in .pde as well, are no texts.

Example: pde2net verify heat.pde

Exit status: 0 done; 1 stability refuted or not proved, or a certificate that
does not hold; 2 bad usage or input.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A .pde text, or a .py file with problem and scheme.", show_default=False
    ),
]


class OnUnstable(enum.StrEnum):
    """What to do with a network whose stability is refuted."""

    ERROR = "error"
    WARN = "warn"
    IGNORE = "ignore"


class Backend(enum.StrEnum):
    """What runs a network."""

    AUTO = "auto"
    TORCH = "torch"
    NUMBA = "numba"
    TRITON = "triton"


class Precision(enum.StrEnum):
    """The floating point type of a run."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Trained(enum.StrEnum):
    """The models that are shipped."""

    T1 = "t1"
    T3 = "t3"


Unstable = Annotated[OnUnstable, typer.Option(help="What to do if stability is refuted.")]


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"pde2net {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def verify(
    file: File,
    json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")] = False,
    proof: Annotated[bool, typer.Option("--proof", help="Print theorems and hypotheses too.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the certificate (.png, .svg, .pdf).")
    ] = None,
) -> None:
    """Print what is proved about the network of FILE.

    FILE may be weights that were trained, net.safetensors: then for these.

    Example: pde2net verify examples/perona_malik.py

    Exit status: 0 if l2 stability is proved (with a source term, which may
    drive the norm up: frozen stability); 1 if it is refuted or not proved;
    2 for bad usage or input.
    """
    from pde2net.cli.verify import verify_file

    raise typer.Exit(DONE if verify_file(file, json, proof, plot) else REFUSED)


@app.command(name="compile")
def compile_(
    file: File,
    output: Annotated[Path, typer.Option("-o", "--output", help="The Python file to write.")] = Path(
        "net.py"
    ),
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="The JSON file of its certificate, to write too.")
    ] = None,
    on_unstable: Unstable = OnUnstable.ERROR,
) -> None:
    """Write the network of FILE as standalone PyTorch source.

    The source imports torch and math only. All symbols need values. The
    certificate carries the digest of the source; recheck checks both. Files
    that pde2net did not write are not replaced.

    Example: pde2net compile examples/perona_malik.py -o net.py

    Exit status: 0 written; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input.
    """
    from pde2net.cli.compile import compile_file

    compile_file(file, output, certificate, on_unstable)


@app.command()
def recheck(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", help="The JSON of a certificate.", show_default=False)
    ],
    source: Annotated[
        Path | None, typer.Argument(metavar="[NET.PY]", help="The source that it must be about.")
    ] = None,
) -> None:
    """Check a certificate from its JSON, and that a source is the one it is about.

    The certificate is derived again from the declaration in it and must be
    the same; its counterexamples are run. NET.PY must be what is emitted.

    Example: pde2net recheck certificate.json net.py

    Exit status: 0 accepted; 1 refused; 2 bad usage or input.
    """
    from pde2net.cli.recheck import recheck_file

    recheck_file(certificate, source)


@app.command(name="run")
def run_(
    file: File,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="An image or an .npy array.", show_default=False)
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The image or .npy file to write.", show_default=False)
    ],
    stop_at: Annotated[
        float | None, typer.Option(metavar="T", help="Stop at time T, in the fewest equal steps within tau.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="A known field; repeat for several.")
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=NUMBER", help="An input of the equation; repeat for several."),
    ] = None,
    dtype: Annotated[Precision, typer.Option(help="Precision.")] = Precision.FLOAT32,
    device: Annotated[str, typer.Option(help="A torch device.")] = "cpu",
    backend: Annotated[
        Backend, typer.Option(help="torch, kernels of numba or Triton, or what is faster for the picture.")
    ] = Backend.AUTO,
    on_unstable: Unstable = OnUnstable.ERROR,
) -> None:
    """Run the network of FILE on a picture.

    FILE may be weights that were trained, net.safetensors; data that the network
    is pulled to is given too: --field f=INPUT.

    Images are grey (8 or 16 bit) or in colour (8 bit); the values of integers
    are scaled to \\[0, 1], and clipped and rounded to the same mode and depth
    on the way out. The channels of a colour image are filtered one by one,
    unless the equation has several; transparency is kept as it is. The first
    axis of the equation runs down the rows of an image. A picture holds floats
    from 0 to 1: others are refused, or said to be clipped.

    Arrays are .npy of 1, 2 or 3 dimensions (float, bool, uint8 or uint16) and
    keep their type, but bool. One axis more than the equation has holds
    channels: the last one, if it is as long as the equation has channels (for
    an equation of one channel, at most 4 long), or else the first one.

    A known field has one channel, which goes with all of the input, or as many
    as the input. A mask is bool, a float of 0 and 1, or an image of 0 and 255;
    integers of which the largest is 1 are refused. An input of the equation,
    the level of the noise say, is a number: --input sigma=0.1.

    Example: pde2net run examples/perona_malik.py noisy.png clean.png --stop-at 4

    Example: pde2net run inpaint.py start.png full.png --field f=known.png
    --field c=mask.png

    With --stop-at T the network has the fewest equal steps that reach T, none
    longer than tau of the scheme, or than the proved limit if that is open. For
    FSI and FED these are cycles: their length stays, number and tau change.

    Exit status: 0 written; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input. Nothing is written unless all went well.
    """
    from pde2net.cli.run import run_file

    run_file(file, source, target, stop_at, field or [], number or [], dtype, device, on_unstable, backend)


@app.command()
def train(
    file: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="A TOML file: network, data, training.", show_default=False),
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in its folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No bar and no certificate.")] = False,
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
    from pde2net.cli.train import train_file

    train_file(file, resume, quiet)


@app.command()
def advise(
    file: File,
    time: Annotated[
        float | None, typer.Option(metavar="T", help="The time to reach; default: that of the scheme.")
    ] = None,
    measure: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Run each on an image with N cells per axis.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """List schemes that reach time T stably, the cheapest first.

    For the equation and the grid of FILE: how many steps each scheme needs,
    its work in evaluations of one block (a model), the cost relative to the
    explicit scheme, what is proved and its order of consistency; what is not
    stable or does not fit the equation is listed below with the reason. With
    --measure N also the seconds for one image, by which it is then sorted.

    Example: pde2net advise examples/perona_malik.py --time 100

    Exit status: 0 done; 2 for bad usage or input.
    """
    from pde2net.cli.advise import advise_file

    advise_file(file, time, measure, json)


@app.command()
def draw(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The .svg or .dot file; without it, text.")
    ] = None,
) -> None:
    """Draw the network of FILE, as SVG, for Graphviz, or as a tree of text.

    Example: pde2net draw examples/perona_malik.py -o graph.svg

    Exit status: 0 done, also if stability is refuted; 2 for bad usage or input.
    """
    from pde2net.cli.draw import draw_file

    draw_file(file, output)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for the results.")] = Path(
        "demo"
    ),
    trained: Annotated[bool, typer.Option("--trained", help="With a trained model.")] = False,
    model: Annotated[Trained | None, typer.Option(help="Which one, if not t1; implies --trained.")] = None,
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

    chosen = model or (Trained.T1 if trained else None)
    run_demo(output, None if chosen is None else chosen.value)


@app.command()
def bench(
    file: File,
    size: Annotated[
        list[int] | None, typer.Option(metavar="CELLS", help="Along each axis; repeat for several.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each backend, of which the median counts.")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="Of all backends; 0 for as many as torch takes.")] = 0,
    picture: Annotated[
        Path | None, typer.Option(help="Draw what memory and the first cache allow, .png, .svg or .pdf.")
    ] = None,
    on_unstable: Unstable = OnUnstable.ERROR,
) -> None:
    """Measure how fast the backends run the network of FILE here.

    The image is noise of 2^20 cells, in single precision. All backends run in
    turns, after one round that compiles: torch, torch.compile, kernels of
    numba where the network has them, and the textbook network, differences as
    convolutions with small kernels, where that computes the same. Beside them
    stand what a copy moves, and how fast the functions of lines are on lines
    that are in the first cache. Bytes are those that go through memory for each
    cell and step; "faster by" is against the slowest.

    Example: pde2net bench examples/perona_malik.py --size 1024 --picture roofline.png

    Exit status: 0 measured; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input.
    """
    from pde2net.cli.bench import bench_file

    bench_file(file, size or [], runs, threads, picture, on_unstable)


def run() -> None:
    """The console script: user errors end in one message on stderr, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A pipe may have an encoding without the Greek letters and box lines.
            stream.reconfigure(errors="replace")
    try:
        app()
    except (StabilityError, RecheckError, CertificateError) as error:
        _fail(error, REFUSED)
    except Pde2NetError as error:
        _fail(error, USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _fail(error: Pde2NetError, status: int) -> None:
    typer.echo(f"pde2net: {error}", err=True)
    sys.exit(status)

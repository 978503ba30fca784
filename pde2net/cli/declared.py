"""Commands that take a declaration: their options and help; what they do lives beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pde2net.cli.options import File, Json, OnUnstable, Precision, Quiet, Steps, Tau, Unstable, Values


def verify(
    file: File,
    require: Annotated[
        str | None, typer.Option(metavar="CLAIM,...", help="The claims that decide the exit status.")
    ] = None,
    proof: Annotated[bool, typer.Option("--proof", help="Print theorems and hypotheses too.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PICTURE", help="Draw the certificate (.png, .svg, .pdf)."),
    ] = None,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON, errors too.")] = False,
) -> None:
    """Print what is proved about the network of FILE.

    FILE may be weights that were trained, net.safetensors: then for these.

    Example: pde2net verify examples/perona_malik.py

    Example: pde2net verify heat.pde --tau 0.2 --require l2_stability,maximum_principle

    Exit status: 0 if l2 stability is proved (with a source term, which may
    drive the norm up: frozen stability), or all that --require names; 1 if one
    of these is refuted; 3 if neither, also if it is proved under a condition;
    2 for bad usage or input.
    """
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say
    from pde2net.cli.verify import verify_file

    given = Given(file, values or [], tau, steps)
    raise typer.Exit(verify_file(given, require, proof, plot, Say(quiet, json)))


def compile_(
    file: File,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="NET.PY", help="The Python file to write.")
    ] = Path("net.py"),
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="JSON", help="The file of its certificate, to write too."),
    ] = None,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    on_unstable: Unstable = OnUnstable.ERROR,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write the network of FILE as standalone PyTorch source.

    The source imports torch and math only. All symbols need values. The
    certificate carries the digest of the source; recheck checks both. Files
    that pde2net did not write are not replaced.

    Example: pde2net compile examples/perona_malik.py -o net.py --set lambda=0.05

    Exit status: 0 written; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input.
    """
    from pde2net.cli.compile import compile_file
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say

    given = Given(file, values or [], tau, steps)
    compile_file(given, output, certificate, on_unstable, Say(quiet, json))


def recheck(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", help="The JSON of a certificate.", show_default=False)
    ],
    source: Annotated[
        Path | None, typer.Argument(metavar="[NET.PY]", help="The source that it must be about.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Check a certificate from its JSON, and that a source is the one it is about.

    The certificate is derived again from the declaration in it and must be
    the same; its counterexamples are run. NET.PY must be what is emitted.

    Example: pde2net recheck certificate.json net.py

    Exit status: 0 accepted; 1 refused; 2 bad usage or input.
    """
    from pde2net.cli.recheck import recheck_file
    from pde2net.cli.say import Say

    recheck_file(certificate, source, Say(quiet, json))


def advise(
    file: File,
    time: Annotated[
        float | None, typer.Option(metavar="T", help="The time to reach; default: that of the scheme.")
    ] = None,
    measure: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Run each on an image with N cells per axis.")
    ] = None,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    quiet: Quiet = False,
    json: Json = False,
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
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say

    advise_file(Given(file, values or [], tau, steps), time, measure, Say(quiet, json))


def export(
    file: File,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="PROGRAM", help="The file to write, .onnx or .pt2."),
    ] = Path("net.onnx"),
    size: Annotated[
        list[int] | None,
        typer.Option(metavar="CELLS", help="For one size alone: along each axis; repeat for several."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="For one number of images alone.")
    ] = None,
    dtype: Annotated[Precision, typer.Option(help="Of all inputs and of the result.")] = Precision.FLOAT32,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    on_unstable: Unstable = OnUnstable.ERROR,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write the network of FILE for other programs: ONNX, or torch.export.

    FILE may be weights that were trained, net.safetensors. The program takes
    images of any size and number, but for networks with coarser grids, which
    need --size; solvers need a fixed number of iterations. It names its inputs
    as the equation does, and holds the certificate. It is run, and has to give
    what the network gives; ONNX where onnxruntime is installed.

    Example: pde2net export examples/perona_malik.py -o net.onnx

    Exit status: 0 written; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input.
    """
    from pde2net.cli.export import export_file
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say

    given = Given(file, values or [], tau, steps)
    export_file(given, output, size or [], batch, dtype.value, on_unstable, Say(quiet, json))


def draw(
    file: File,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PICTURE", help="The .svg or .dot file; without it, text."),
    ] = None,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw the network of FILE, as SVG, for Graphviz, or as a tree of text.

    Example: pde2net draw examples/perona_malik.py -o graph.svg

    Exit status: 0 done, also if stability is refuted; 2 for bad usage or input.
    """
    from pde2net.cli.draw import draw_file
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say

    draw_file(Given(file, values or [], tau, steps), output, Say(quiet, json))


def bench(
    file: File,
    size: Annotated[
        list[int] | None, typer.Option(metavar="CELLS", help="Along each axis; repeat for several.")
    ] = None,
    runs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Runs of each backend, of which the median counts.")
    ] = 5,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of all backends; 0 for as many as torch takes.")
    ] = 0,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE", help="Draw what memory and the first cache allow, .png, .svg or .pdf."
        ),
    ] = None,
    values: Values = None,
    tau: Tau = None,
    steps: Steps = None,
    on_unstable: Unstable = OnUnstable.ERROR,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure how fast the backends run the network of FILE here.

    The image is noise of 2^20 cells, in single precision. All backends run in
    turns, after one round that compiles: torch, torch.compile where the network
    is a stack, kernels of numba where it has them, and the textbook network,
    differences as convolutions with small kernels, where that computes the same.
    Beside them stand what a copy moves, and how fast the functions of lines are
    on lines that are in the first cache. Bytes are those that go through memory
    for each cell and step; "faster by" is against the slowest.

    Example: pde2net bench examples/perona_malik.py --size 1024 --picture roofline.png

    Exit status: 0 measured; 1 stability is refuted and --on-unstable is error;
    2 for bad usage or input.
    """
    from pde2net.cli.bench import bench_file
    from pde2net.cli.inputs import Given
    from pde2net.cli.say import Say

    given = Given(file, values or [], tau, steps)
    bench_file(given, size or [], runs, threads, picture, on_unstable, Say(quiet, json))


def gallery(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model, whose text is printed or written.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="TEXT", help="The .pde file to write.")
    ] = None,
    dimension: Annotated[
        int, typer.Option(metavar="N", min=1, max=3, help="Of signals, images or volumes.")
    ] = 2,
    channels: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Filtered together, 3 for colours, say.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """List the models of the literature, or print the text of one.

    Each is a declaration of a few lines, with the paper that it is from, to be
    verified, run and changed.

    Example: pde2net gallery perona_malik -o mine.pde

    Example: pde2net gallery weickert --dimension 3 -o volume.pde

    Exit status: 0 done; 2 for bad usage or input.
    """
    from pde2net.cli.gallery import gallery_file, gallery_list
    from pde2net.cli.say import Say

    if name is None and output is None:
        gallery_list(Say(quiet, json))
    else:
        gallery_file(name, output, dimension, channels, Say(quiet, json))

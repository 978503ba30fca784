"""The commands of `pde2net`, one function each; what they do lives beside this file."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer

from pde2net import __version__
from pde2net.errors import Pde2NetError, StabilityError

DONE, REFUSED, USAGE = 0, 1, 2

HELP = """Compile a diffusion PDE to a PyTorch network, and prove what can be proved about its stability.

FILE is a Python file that defines problem (a pde2net.Problem), scheme (a pde2net.Explicit) and, unless \
the spacing is 1, grid (a pde2net.Grid). It is executed: use files that you trust.

Exit status: 0 done; 1 refuted or not proved; 2 bad usage or input."""

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

File = Annotated[Path, typer.Argument(help="A Python file with problem, scheme and grid.")]


class OnUnstable(enum.StrEnum):
    """What to do with a network whose stability is refuted."""

    ERROR = "error"
    WARN = "warn"
    IGNORE = "ignore"


class Precision(enum.StrEnum):
    """The floating point type of a run."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


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
    file: File, json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")] = False
) -> None:
    """Print what is proved about the network of FILE.

    Exit status 0 if it is proved to be stable, 1 if that is refuted or not proved.

    Example: pde2net verify examples/perona_malik.py
    """
    from pde2net.cli.verify import verify_file

    raise typer.Exit(DONE if verify_file(file, json) else REFUSED)


@app.command(name="compile")
def compile_(
    file: File,
    output: Annotated[Path, typer.Option("-o", "--output", help="The Python file to write.")] = Path(
        "net.py"
    ),
    on_unstable: Annotated[OnUnstable, typer.Option(help="If stability is refuted.")] = OnUnstable.ERROR,
) -> None:
    """Write the network of FILE as standalone PyTorch source.

    Example: pde2net compile examples/perona_malik.py -o net.py
    """
    from pde2net.cli.compile import compile_file

    compile_file(file, output, on_unstable)


@app.command(name="run")
def run_(
    file: File,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An image, or an .npy array.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The image or .npy file to write.")],
    stop_at: Annotated[
        float | None,
        typer.Option(help="Stopping time T: steps of T/n, n the fewest with T/n at most the scheme's tau."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="A known field; repeat for several.")
    ] = None,
    dtype: Annotated[Precision, typer.Option(help="Precision.")] = Precision.FLOAT32,
    device: Annotated[str, typer.Option(help="A torch device.")] = "cpu",
    on_unstable: Annotated[OnUnstable, typer.Option(help="If stability is refuted.")] = OnUnstable.ERROR,
) -> None:
    """Run the network of FILE on a picture.

    Integer images are scaled to [0, 1] and written in their mode and depth; the channels of a colour
    image are filtered one by one, its transparency is kept. Arrays are .npy of 1, 2 or 3 dimensions.

    Example: pde2net run examples/perona_malik.py noisy.png clean.png --stop-at 4
    """
    from pde2net.cli.run import run_file

    run_file(file, source, target, stop_at, field or [], dtype, device, on_unstable)


@app.command()
def draw(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The SVG file; without it, text.")
    ] = None,
) -> None:
    """Draw the network of FILE, as SVG or as a tree of text.

    Example: pde2net draw examples/perona_malik.py -o graph.svg
    """
    from pde2net.cli.draw import draw_file

    draw_file(file, output)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for the results.")] = Path(
        "demo"
    ),
) -> None:
    """Denoise a photograph: declare, verify, compile, run.

    Writes denoised.png (noisy and denoised side by side), net.py, graph.svg and certificate.json.
    """
    from pde2net.cli.demo import demo as run_demo

    run_demo(output)


def run() -> None:
    """The console script: user errors end in one message on stderr, never in a traceback."""
    try:
        app()
    except StabilityError as error:
        typer.echo(f"pde2net: {error}", err=True)
        sys.exit(REFUSED)
    except Pde2NetError as error:
        typer.echo(f"pde2net: {error}", err=True)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(130)

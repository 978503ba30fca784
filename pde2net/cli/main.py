"""`pde2net`: its commands, and how they end."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from pde2net import __version__
from pde2net.cli.declared import advise, bench, compile_, draw, export, gallery, recheck, verify
from pde2net.cli.options import INTERRUPTED, REFUSED, USAGE
from pde2net.cli.running import demo, run_, studio, train
from pde2net.cli.say import Say
from pde2net.errors import CertificateError, Pde2NetError, RecheckError, StabilityError

HELP = """Compile a diffusion PDE to a PyTorch network, and prove what can be proved about its stability.

FILE is a text, such as heat.pde:

    unknown  u(x, y, t)
    equation u_t = laplacian(u)
    grid     h = 1
    scheme   explicit(tau = 1/5, steps = 10)

or a Python file (.py) that defines problem, scheme and, unless the spacing is
1, grid. A Python file is executed: use those that you trust; a text is not.
Sketches of Processing, which end in .pde as well, are no texts. Values, step
and number of steps can be others than in FILE: --set, --tau, --steps.

With --json a command prints one JSON object, and its errors and warnings are
objects on stderr, one a line; --quiet leaves what was asked for.

Example: pde2net verify heat.pde

Exit status: 0 done; 1 stability refuted, or a certificate that does not hold;
2 bad usage or input; 3 of verify: neither proved nor refuted.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, Callable[..., None]] = {
    "verify": verify,
    "compile": compile_,
    "recheck": recheck,
    "run": run_,
    "train": train,
    "advise": advise,
    "export": export,
    "draw": draw,
    "gallery": gallery,
    "demo": demo,
    "bench": bench,
    "studio": studio,
}
for name, command in COMMANDS.items():
    app.command(name=name)(command)


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


def run() -> None:
    """The console script: user errors end in one message on stderr, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A pipe may have an encoding without the Greek letters and box lines.
            stream.reconfigure(errors="replace")
    say = Say(as_json="--json" in sys.argv)
    try:
        # Bad usage is shown by Typer, in its frame, unless it is to be an object.
        sys.exit(app(standalone_mode=not say.as_json) or 0)
    except (StabilityError, RecheckError, CertificateError) as error:
        _fail(say, error, REFUSED)
    except Pde2NetError as error:
        _fail(say, error, USAGE)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except Exception as error:
        # Typer has its own copies of Click's errors, or Click's, by version.
        if not hasattr(error, "format_message"):
            raise
        say.error(error.format_message(), "UsageError")
        sys.exit(USAGE)


def _fail(say: Say, error: Pde2NetError, status: int) -> NoReturn:
    say.error(str(error), type(error).__name__)
    sys.exit(status)

"""Arguments and options that several commands have."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

DONE, REFUSED, USAGE, UNPROVED, INTERRUPTED = 0, 1, 2, 3, 130

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A .pde text, - for one on stdin, or a .py file with problem and scheme.",
        show_default=False,
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=NUMBER", help="Another value of a parameter; repeat for several."),
]
Tau = Annotated[
    str | None, typer.Option(metavar="STEP", help="Another step: a number, or largest, the largest proved.")
]
Steps = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Another number of steps (cycles of FSI and FED).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no more than was asked for.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, errors too.")]


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


class Piped(enum.StrEnum):
    """What a result on stdout is."""

    PNG = "png"
    NPY = "npy"


Unstable = Annotated[OnUnstable, typer.Option(help="What to do if stability is refuted.")]

"""From a certificate to its figure, on disk if that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.errors import FileError
from pde2net.figures.sheet import figure
from pde2net.files import write_with
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of
from pde2net.verify.certificate import Certificate
from pde2net.verify.facts import gather
from pde2net.verify.plan import Plan, coefficient

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def certificate_figure(certificate: Certificate, path: str | Path | None) -> Figure:
    """The figure of `certificate`, written to `path` if that is given.

    Raises DeclarationError without matplotlib, and FileError for a path that cannot be written.
    """
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise FileError(f"{path}: a figure is written as {', '.join(FORMATS)}.")
    declared = certificate.declaration
    semi = semidiscretise(recognise(declared.problem), declared.grid)
    facts = gather(semi)
    update = update_of(declared.scheme, coefficient(semi, declared.scheme, facts))
    plan = Plan(semi, declared.scheme, certificate.tau, update)
    drawn = figure(plan, facts, certificate.claims)
    if path is not None:
        write_with(path, drawn.savefig)
    return drawn

"""`pde2net recheck`."""

from __future__ import annotations

from pathlib import Path

import typer

from pde2net.audit import recheck
from pde2net.cli.verify import verdict
from pde2net.errors import FileError
from pde2net.files import read_text


def recheck_file(certificate: Path, source: Path | None) -> None:
    """Confirm the certificate, and say what of the source it is about."""
    texts = read_text(certificate), None if source is None else read_text(source)
    try:
        found = recheck(*texts)
    except FileError as error:
        raise FileError(f"{certificate}: {error}") from error
    about = "" if source is None else f", and {source} is the source that it is about"
    typer.echo(f"{certificate} holds{about}.")
    typer.echo(verdict(found))
    if source is None and found.source is not None:
        typer.echo(f"It is about the source with the SHA-256 {found.source}.")

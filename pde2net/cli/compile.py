"""`pde2net compile`."""

from __future__ import annotations

from pathlib import Path

import typer

from pde2net.cli.inputs import compiled, declaration, in_its_words
from pde2net.cli.replaced import check_replaced
from pde2net.cli.verify import verdict
from pde2net.cli.wording import size
from pde2net.files import check_output


@in_its_words
def compile_file(file: Path, output: Path, certificate: Path | None, on_unstable: str) -> None:
    """Write the source, its certificate where asked for, and say where and how stable it is."""
    check_output(output, (".py",), (file,))
    check_replaced(output)
    if certificate is not None:
        check_output(certificate, (".json",), (file,))
        check_replaced(certificate)
    network = compiled(file, declaration(file), on_unstable)
    network.save(output, certificate)
    typer.echo(f"{output}: {network.architecture}, {size(network)}")
    if certificate is not None:
        typer.echo(f"{certificate}: its certificate")
    typer.echo(verdict(network.certificate))

"""`pde2net draw`."""

from __future__ import annotations

from pathlib import Path

import typer

from pde2net.cli.inputs import compiled, declaration, in_its_words
from pde2net.files import check_output, write_text
from pde2net.graph.draw import to_svg, to_text


@in_its_words
def draw_file(file: Path, output: Path | None) -> None:
    """Write the SVG, or print the tree."""
    if output is not None:
        check_output(output, (".svg",), (file,))
    network = compiled(file, declaration(file), "ignore")
    if output is None:
        typer.echo(to_text(network.looped), nl=False)
        return
    write_text(output, to_svg(network.looped, title=network.certificate.subject["equation"]))
    typer.echo(f"{output}")

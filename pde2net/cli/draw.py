"""`pde2net draw`."""

from __future__ import annotations

from pathlib import Path

import typer

from pde2net.cli.inputs import compiled, declaration, in_its_words
from pde2net.files import check_output
from pde2net.graph.draw import FORMATS, to_text


@in_its_words
def draw_file(file: Path, output: Path | None) -> None:
    """Write the picture, or print the tree."""
    if output is not None:
        check_output(output, tuple(FORMATS), (file,))
    network = compiled(file, declaration(file), "ignore")
    if output is None:
        typer.echo(to_text(network.looped), nl=False)
        return
    network.draw(output)
    typer.echo(f"{output}")

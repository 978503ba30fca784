"""`pde2net draw`."""

from __future__ import annotations

from pathlib import Path

import typer

from pde2net.cli.compile import compiled
from pde2net.files import write_text
from pde2net.graph.draw import to_svg, to_text
from pde2net.load import load


def draw_file(file: Path, output: Path | None) -> None:
    """Write the SVG, or print the tree."""
    network = compiled(load(file), "ignore")
    if output is None:
        typer.echo(to_text(network.graph))
        return
    write_text(output, to_svg(network.graph, title=network.certificate.subject["equation"]))
    typer.echo(f"{output}")

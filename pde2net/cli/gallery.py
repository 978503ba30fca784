"""`pde2net gallery`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from pde2net import gallery
from pde2net.cli.say import Say
from pde2net.errors import DeclarationError, FileError
from pde2net.files import check_output, write_text


def gallery_list(say: Say) -> None:
    """Print the models with a line each."""
    rows = [
        {"name": n, "title": gallery.title(n), "reference": gallery.reference(n)} for n in gallery.names()
    ]
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(Text(row["name"]), Text(row["title"]))
    say.answer(table)
    say.data(models=rows)


def gallery_file(
    name: str | None, output: Path | None, dimension: int, channels: int | None, say: Say
) -> None:
    """Print the text of a model, or write it to a file that does not exist yet."""
    if name is None:
        raise DeclarationError("gallery -o FILE writes the text of a model: give its name as well.")
    text = gallery.text(name, dimension, channels)
    if output is None:
        say.answer(text.rstrip("\n"))
    else:
        check_output(output, (".pde",))
        if output.exists():
            raise FileError(f"Cannot write {output}: there is a file of this name.")
        write_text(output, text)
        say.remark(f"{output}")
    say.data(
        name=name,
        title=gallery.title(name),
        reference=gallery.reference(name),
        text=text,
        output=None if output is None else str(output),
    )

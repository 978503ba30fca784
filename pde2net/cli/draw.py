"""`pde2net draw`."""

from __future__ import annotations

from pathlib import Path

from pde2net.cli.inputs import Given, compiled, declaration, in_its_words
from pde2net.cli.say import Say
from pde2net.cli.wording import size
from pde2net.files import check_output
from pde2net.graph.draw import FORMATS, to_text


@in_its_words
def draw_file(given: Given, output: Path | None, say: Say) -> None:
    """Write the picture, or print the tree."""
    if output is not None:
        check_output(output, tuple(FORMATS), (given.file,))
    network = compiled(given, declaration(given), "ignore", say)
    tree = to_text(network.looped)
    if output is None:
        say.answer(tree.rstrip("\n"))
    else:
        network.draw(output)
        say.remark(f"{output}")
    say.data(
        output=None if output is None else str(output),
        architecture=network.architecture,
        size=size(network),
        tree=tree,
    )

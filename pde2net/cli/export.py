"""`pde2net export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pde2net.cli.inputs import Given, along_axes, compiled, declaration, in_its_words, refuse_changes
from pde2net.cli.say import Say
from pde2net.cli.verify import WEIGHTS, verdict
from pde2net.emit.exportable import FORMATS
from pde2net.files import check_output


@in_its_words
def export_file(
    given: Given,
    output: Path,
    size: Sequence[int],
    batch: int | None,
    dtype: str,
    on_unstable: str,
    say: Say,
) -> None:
    """Write the program, and say what it is called with and how stable the network is."""
    check_output(output, FORMATS, (given.file,))
    module = None
    if given.file.suffix == WEIGHTS:
        from pde2net.learn import checkpoint

        refuse_changes(given, given.file)
        network, module = checkpoint.network(given.file), checkpoint.module(given.file)
    else:
        network = compiled(given, declaration(given), on_unstable, say)
    cells = along_axes(size, len(network.semidiscrete.form.space))
    done = network.export(output, size=cells, batch=batch, dtype=dtype, module=module)
    # Of trained weights `verify` says it: a certificate may be of those at the start.
    found = None if module is not None else verdict(network.certificate)
    say.remark(str(done))
    if found is not None:
        say.remark(found)
    say.data(
        output=str(output),
        inputs={name: list(shape) for name, shape in done.inputs},
        result=done.output,
        compared=done.compared,
        verdict=found,
    )

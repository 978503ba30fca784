"""`pde2net compile`."""

from __future__ import annotations

from pathlib import Path

from pde2net.cli.inputs import Given, compiled, declaration, in_its_words
from pde2net.cli.replaced import check_replaced
from pde2net.cli.say import Say
from pde2net.cli.verify import verdict
from pde2net.cli.wording import size
from pde2net.files import check_output
from pde2net.guidance.trial import deciding


@in_its_words
def compile_file(given: Given, output: Path, certificate: Path | None, on_unstable: str, say: Say) -> None:
    """Write the source, its certificate where asked for, and say where and how stable it is."""
    check_output(output, (".py",), (given.file,))
    check_replaced(output)
    if certificate is not None:
        check_output(certificate, (".json",), (given.file,))
        check_replaced(certificate)
    network = compiled(given, declaration(given), on_unstable, say)
    network.save(output, certificate)
    found = verdict(network.certificate)
    say.remark(f"{output}: {network.architecture}, {size(network)}")
    if certificate is not None:
        say.remark(f"{certificate}: its certificate")
    say.remark(found)
    say.data(
        output=str(output),
        certificate=None if certificate is None else str(certificate),
        architecture=network.architecture,
        size=size(network),
        status=str(deciding(network.certificate.claims).status),
        verdict=found,
    )

"""`pde2net recheck`."""

from __future__ import annotations

from pathlib import Path

from pde2net.audit import recheck
from pde2net.cli.say import Say
from pde2net.cli.verify import verdict
from pde2net.errors import FileError
from pde2net.files import read_text
from pde2net.guidance.trial import deciding


def recheck_file(certificate: Path, source: Path | None, say: Say) -> None:
    """Confirm the certificate, and say what of the source it is about."""
    texts = read_text(certificate), None if source is None else read_text(source)
    try:
        found = recheck(*texts)
    except FileError as error:
        raise FileError(f"{certificate}: {error}") from error
    about = "" if source is None else f", and {source} is the source that it is about"
    say.remark(f"{certificate} holds{about}.", verdict(found))
    if source is None and found.source is not None:
        say.remark(f"It is about the source with the SHA-256 {found.source}.")
    say.data(
        certificate=str(certificate),
        source=None if source is None else str(source),
        sha256=found.source,
        status=str(deciding(found.claims).status),
        verdict=verdict(found),
    )

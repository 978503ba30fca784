"""Sources and certificates replace those that pde2net wrote, and nothing that anybody else did."""

from __future__ import annotations

from pathlib import Path

from pde2net.emit.header import TITLE
from pde2net.errors import FileError
from pde2net.files import read_text
from pde2net.verify.serialise import FAMILY


def check_replaced(path: Path) -> None:
    """Raise FileError if `path` is a file, not empty, that is no source (.py) or no certificate (.json)."""
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    try:
        text = read_text(path)
    except FileError:
        text = ""
    source, certificate = text.startswith(f'"""{TITLE}'), f'"format": "{FAMILY}' in text[:100]  # any version
    if not (source if path.suffix.lower() == ".py" else certificate and text.startswith("{")):
        raise FileError(
            f"Cannot write {path}: there is a file of this name that pde2net did not write; remove it, or "
            "choose another name."
        )

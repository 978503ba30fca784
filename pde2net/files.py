"""Files are written to a temporary name beside the target and moved there, so none is half-written."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pde2net.errors import FileError


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, line ends as they are. Raises FileError if it cannot be read."""
    try:
        return Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise FileError(f"Cannot read {path}: it is no text in UTF-8.") from error


def require_no_name(text: object, what: str) -> None:
    """Raise FileError for a path where the text in the file is expected."""
    short = isinstance(text, str) and re.fullmatch(r"[^{}\n]{0,4000}\.\w+", text)
    if short or isinstance(text, os.PathLike):
        raise FileError(f'{what} is expected, not the name of its file: use Path("{text}").read_text().')


def check_output(path: str | Path, suffixes: Sequence[str], inputs: Sequence[str | Path] = ()) -> None:
    """Raise FileError for a target whose suffix promises another kind of file, or that is one of `inputs`."""
    if Path(path).suffix.lower() not in suffixes:
        raise FileError(f"Cannot write {path}: its name must end in {' or '.join(suffixes)}.")
    check_apart(path, inputs)


def check_apart(path: str | Path, inputs: Sequence[str | Path]) -> None:
    """Raise FileError for a target that is one of `inputs`."""
    target = Path(path)
    for source in map(Path, inputs):
        if target.exists() and source.exists() and target.samefile(source):
            raise FileError(f"Cannot write {target}: it is what was read, and would be overwritten.")


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8. Raises FileError if the path cannot be written."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_with(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file of the same suffix, then move it to `path`."""
    target = Path(path)
    try:
        ending = "".join(target.suffixes[-2:])  # .nii.gz
        handle, name = tempfile.mkstemp(suffix=ending, prefix=".pde2net-", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror or error}.") from error
    temporary = Path(name)
    try:
        write(temporary)
        mode = 0o666 & ~_umask()
        temporary.chmod(mode)
        temporary.replace(target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""The models of the literature that come with the package: texts of a few lines, examples/gallery."""

from __future__ import annotations

import re
from pathlib import Path

from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.language.declaration import Declaration
from pde2net.load import parse

AXES = "xyz"


def example(name: str) -> Path:
    """A file of examples/, which an installed package carries and a checkout has beside it.

    Raises FileError if it is in neither.
    """
    package = Path(__file__).parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / name).exists():
            return folder / name
    raise FileError(f"The example {name} is not installed.")


def names() -> tuple[str, ...]:
    """The names of all models."""
    return tuple(sorted(file.stem for file in example("gallery").glob("*.pde")))


def text(name: str, dimension: int = 2, channels: int | None = None) -> str:
    """The text of a model, for images of so many axes and channels.

    channels  default: as many as the model has

    Raises DeclarationError for a name that no model has.
    """
    if name not in names():
        raise DeclarationError(f'There is no model "{name}".{suggestion(name, names())}')
    found = example(f"gallery/{name}.pde").read_text(encoding="utf-8")
    found = re.sub(r"\(x, y\b", f"({', '.join(AXES[:dimension])}", found)
    if channels is not None:
        found = re.sub(r"(?m)^channels.*\n", "", found)
        if channels > 1:
            found = re.sub(r"(?m)^(unknown .*)$", rf"\1\nchannels  {channels}", found)
    return found


def load(name: str, dimension: int = 2, channels: int | None = None) -> Declaration:
    """The declaration of a model: problem, grid and scheme. Raises as `text` does."""
    return parse(text(name, dimension, channels), f"gallery/{name}.pde")


def title(name: str) -> str:
    """What a model does, in a line."""
    return text(name).splitlines()[0].removeprefix("# ").rstrip(".")


def reference(name: str) -> str:
    """The paper that a model is from."""
    return text(name).splitlines()[1].removeprefix("# ").rstrip(".")

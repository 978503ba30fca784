"""The folder of a training: its state after each epoch, the best weights, a table and a picture."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pde2net.errors import DeclarationError, FileError
from pde2net.learn import checkpoint
from pde2net.learn.history import History
from pde2net.learn.packed import pack, unpack

if TYPE_CHECKING:
    from torch import nn

FORMAT = "pde2net-training-1"
STATE, BEST, TABLE, PICTURE, LOCK = (
    "last.safetensors",
    "best.safetensors",
    "history.csv",
    "loss.png",
    "run.lock",
)


@dataclass(frozen=True)
class Progress:
    """Where a training stands: finished epochs, what they were, the states that go on, the best weights."""

    epoch: int
    history: History
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    best: checkpoint.Tensors | None


class Folder:
    """Files of one training. `last.safetensors` has all that is needed to go on, and is replaced as a whole.

    settings  what a training depends on; one with others is not resumed
    """

    def __init__(self, path: str | Path, settings: dict[str, Any]) -> None:
        self.path, self.settings = Path(path), settings
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Cannot write to {path}: {error.strerror or error}.") from error
        self._lock: Any = None

    def __enter__(self) -> Folder:
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.path / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise FileError(f"Another training writes to {self.path}: give it another folder.") from error
        except OSError as error:
            raise FileError(f"Cannot write to {self.path}: {error.strerror or error}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def state(self) -> Path:
        return self.path / STATE

    @property
    def best(self) -> Path:
        return self.path / BEST

    def save(self, module: nn.Module, progress: Progress) -> None:
        """Write all of it; what was there stays until that is done."""
        tensors = {f"module.{name}": value for name, value in module.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (progress.best or {}).items()}
        states = {"optimiser": progress.optimiser, "schedule": progress.schedule}
        packed = {name: pack(state, name, tensors) for name, state in states.items()}
        document = {"epoch": progress.epoch, "history": asdict(progress.history), **packed}
        metadata = {
            **checkpoint.described(module),
            "format": FORMAT,
            "settings": checkpoint.text_of(self.settings),
            "progress": json.dumps(document),
        }
        checkpoint.write(self.state, tensors, metadata)
        progress.history.to_csv(self.path / TABLE)

    def draw(self, history: History) -> None:
        """The picture of the losses, where matplotlib is installed."""
        with contextlib.suppress(DeclarationError):
            history.plot(self.path / PICTURE)

    def load(self, module: nn.Module) -> Progress:
        """Set the state of the module, and return where its training stands.

        Raises FileError for a damaged file, and for a training of another network or with other settings.
        """
        tensors, metadata = checkpoint.read(self.state)
        if metadata["format"] != FORMAT:
            raise FileError(f"{self.state} holds weights, not the state of a training.")
        checkpoint.require_same(module, metadata, self.state)
        stated = _document(metadata.get("settings", "{}"), self.state)
        now = json.loads(checkpoint.text_of(self.settings))
        others = [name for name in sorted({*stated, *now}) if stated.get(name) != now.get(name)]
        if others:
            name = others[0]
            hint = ' (scheduler="cosine" ends with the last of them)' if name == "epochs" else ""
            raise FileError(
                f"{self.path} holds a training with {name} = {stated.get(name)}, not {now.get(name)}{hint}: "
                "resume it with the same settings, or train in another folder."
            )
        document = _document(metadata.get("progress", ""), self.state)
        try:
            optimiser, schedule = (unpack(document[name], tensors) for name in ("optimiser", "schedule"))
            history = History(**document["history"])
            epoch = int(document["epoch"])
            whole = all(len(column) == epoch for column in history.columns.values())
            if not whole or not isinstance(optimiser, dict) or not isinstance(schedule, dict):
                raise ValueError(f"it does not have the columns of {epoch} epochs")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{self.state} was damaged: {error}.") from error
        own, best = (
            {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            for start in ("module.", "best.")
        )
        if best:
            checkpoint.restore(copy.deepcopy(module), best, self.state)
        checkpoint.restore(module, own, self.state)
        return Progress(epoch, history, optimiser, schedule, best or None)


def _document(text: str, path: Path) -> dict[str, Any]:
    """JSON of an object. Raises FileError for other texts."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FileError(f"{path} was damaged: {error}.") from error
    if not isinstance(found, dict):
        raise FileError(f"{path} was damaged: its settings and progress are no tables.")
    return found

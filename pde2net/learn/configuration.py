"""Trainings that are described in TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pde2net.compiler import compile as compiled
from pde2net.errors import FileError, suggestion
from pde2net.files import read_text
from pde2net.learn.photographs import SPLITS, images, photographs
from pde2net.learn.samples import Noise
from pde2net.learn.signals import signals
from pde2net.load import load_whole
from pde2net.network import Network

if TYPE_CHECKING:
    from torch import Tensor

PHOTOGRAPHS, SIGNALS = "photographs", "signals"
NETWORK = ("file", "trainable", "shared", "keep_stable", "lipschitz", "averaged")
DATA = ("targets", "inputs", "noise", "validation", "validation_inputs", "fields", "colour", "signals")
TRAINING = (
    *("epochs", "loss", "batch", "lr", "optimizer", "scheduler", "patch", "patches", "flips", "crop", "clip"),
    *("patience", "greedy", "seed"),
)
OF_SIGNALS = ("count", "length", "seed")
# What a key is, where nobody else asks.
KINDS: Mapping[str, tuple[type, str]] = {
    "file": (str, "a path"),
    "folder": (str, "a path"),
    "log": (str, "a path"),
    "fields": (dict, "a table"),
    "signals": (dict, "a table"),
    "colour": (bool, "true or false"),
}
TABLES = {"network": NETWORK, "data": DATA, "training": TRAINING, "output": ("folder", "log")}


@dataclass(frozen=True)
class Configuration:
    """What `pde2net train` does.

    options  of `fit`
    data     (inputs, targets), and those of validation or None
    folder   of the checkpoints
    """

    network: Network
    data: tuple[Any, Any]
    validation: tuple[Any, Any] | None
    options: Mapping[str, Any]
    folder: Path
    log: Path | None


def read(path: str | Path) -> Configuration:
    """Read a TOML file; paths in it are relative to it (docs/learning.md has all keys).

    Raises FileError for what is no TOML, unknown keys (with the nearest), and missing ones, and the errors of
    the declaration and of the data.
    """
    file = Path(path)
    try:
        document = tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{file} is no TOML: {error}.") from error
    for name, table in document.items():
        _require_known(file, name, TABLES, "")
        if not isinstance(table, dict):
            raise FileError(f"{file}: {name} is a table, [{name}].")
        for key in table:
            _require_known(file, key, TABLES[name], f" in [{name}]")
            kind, what = KINDS.get(key, (object, ""))
            if not isinstance(table[key], kind):
                raise FileError(f"{file}: {key} in [{name}] is {what}, not {table[key]!r:.60}.")
    for table, key in (
        ("network", "file"),
        ("data", "targets"),
        ("training", "epochs"),
        ("output", "folder"),
    ):
        if key not in document.get(table, {}):
            raise FileError(f"{file} lacks {key} in [{table}].")
    network, data, output = (document[name] for name in ("network", "data", "output"))
    declared = load_whole(file.parent / network["file"])
    options = {key: value for key, value in network.items() if key != "file"}
    made = compiled(declared.problem, declared.scheme, declared.grid, **options)
    targets = _images(file, data["targets"], data)
    pair = _inputs(file, data, "inputs", targets), targets
    own = data.get("fields", {})
    validation = None
    if "validation" in data:
        checked = _images(file, data["validation"], data, seed=1)
        validation = _inputs(file, data, "validation_inputs", checked), checked
    options = {**document["training"], "fields": own}
    log = file.parent / output["log"] if "log" in output else None
    return Configuration(made, pair, validation, options, file.parent / output["folder"], log)


def _inputs(file: Path, data: Mapping[str, Any], key: str, targets: Any) -> Any:
    """Noise, or pictures in the order of the targets."""
    if key in data:
        found = _images(file, data[key], data)
        if len(found) != len(targets):
            raise FileError(f"{file}: {key} has {len(found)} images, and there are {len(targets)} targets.")
        return found
    if "noise" not in data:
        raise FileError(f"{file} has neither noise nor {key} in [data].")
    noise = data["noise"]
    return Noise(tuple(noise) if isinstance(noise, list) else noise)


def _images(file: Path, named: Any, data: Mapping[str, Any], seed: int = 0) -> list[Tensor] | Tensor:
    """A folder, a file, "photographs.train" and the like, or "signals"."""
    colour = data.get("colour", False)
    if named == SIGNALS:
        options = data.get("signals", {})
        for key in options:
            _require_known(file, key, OF_SIGNALS, " in [data.signals]")
        return signals(**{"count": 256, "length": 256, **options, "seed": options.get("seed", 0) + seed})
    if not isinstance(named, str):
        raise FileError(
            f"{file}: data are a folder, a file, {SIGNALS} or {PHOTOGRAPHS}.train, not {named!r}."
        )
    first, _, split = named.partition(".")
    if first == PHOTOGRAPHS and split in SPLITS:
        return list(photographs(split, colour).values())
    return images(file.parent / named, colour)


def _require_known(file: Path, key: str, known: Iterable[str], where: str) -> None:
    if key not in known:
        raise FileError(f'{file}: there is no "{key}"{where}.{suggestion(key, known)}')

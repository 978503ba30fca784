"""Weights on disk: safetensors, with the declaration of the network and its certificate as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pde2net.errors import FileError
from pde2net.files import write_with
from pde2net.learn.declared import declaration_of, declared_network
from pde2net.network import Network

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FORMAT = "pde2net-weights-1"
LONGEST = 100_000_000  # bytes of metadata; safetensors itself refuses as many
Tensors = dict[str, "Tensor"]


def save(module: nn.Module, path: str | Path) -> None:
    """Write the state of a module as safetensors, whole or not at all.

    For a module of pde2net, the file has the declaration and the JSON of the certificate as metadata: what
    was declared can be compiled again from it (`network`), and `certify` says what holds for its weights.
    Raises FileError if it cannot be written.
    """
    write(path, dict(module.state_dict()), described(module))


def load(module: nn.Module, path: str | Path) -> None:
    """Read the state of a module that `save` wrote; the module is unchanged if that fails.

    Raises FileError for what is no such file, or holds the weights of another network, other shapes, or
    values that are not finite.
    """
    tensors, metadata = read(path)
    require_same(module, metadata, path)
    restore(module, tensors, path)


def network(path: str | Path) -> Network:
    """The network that a file of weights declares; `load(network(path).module(), path)` is what was saved.

    Raises FileError for a file without a declaration.
    """
    return declared_network(_declaration(path, read(path)[1]))


def module(path: str | Path) -> nn.Module:
    """The module that was saved: that of `network(path)` with the weights of the file, in their types."""
    tensors, metadata = read(path)
    if metadata["format"] != FORMAT:
        raise FileError(
            f"{path} holds the state of a training; its weights are in best.safetensors beside it."
        )
    made = declared_network(_declaration(path, metadata)).module()
    for name, tensor in (*made.named_parameters(), *made.named_buffers()):
        if name in tensors and {tensors[name].dtype, tensor.dtype} <= floating():
            tensor.data = tensor.data.to(tensors[name].dtype)
    restore(made, tensors, path)
    return made


def described(module: nn.Module) -> dict[str, str]:
    """The metadata of a module."""
    text = declaration_of(module)
    found = {"format": FORMAT}
    if text is not None:
        found |= {"declaration": text, "certificate": declared_network(text).certificate.to_json()}
    return found


def write(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata to a temporary file and move it to `path`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

    def written(temporary: Path) -> None:
        try:
            save_file(whole, temporary, dict(metadata))
        except SafetensorError as error:  # a full disk
            raise OSError(str(error)) from error

    write_with(path, written)


def read(path: str | Path) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata of a file. Raises FileError for what pde2net did not write."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileError(f"There is no file {path}.")
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise FileError(f"{path} is no file of weights, or was damaged: {error}") from error
    if not metadata.get("format", "").startswith("pde2net-"):
        raise FileError(f"{path} holds tensors, but pde2net did not write it: its format is not {FORMAT}.")
    return tensors, metadata


def require_same(module: nn.Module, metadata: Mapping[str, str], path: str | Path) -> None:
    """Raise FileError for a file of a network that was declared otherwise."""
    own = declaration_of(module) or ""
    if metadata.get("declaration", "") != own:
        raise FileError(f"{path} holds the weights of another network. {_difference(own, metadata)}")


def restore(module: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Set the state of a module. Raises FileError, and changes nothing, if it does not fit."""
    wanted = module.state_dict()
    missing, foreign = sorted(wanted.keys() - tensors), sorted(tensors.keys() - wanted)
    if missing or foreign:
        what = f"it lacks {missing[0]}" if missing else f"it has {foreign[0]}"
        raise FileError(f"{path} holds the state of another module: {what}.")
    for name, tensor in tensors.items():
        shape, own = tuple(tensor.shape), tuple(wanted[name].shape)
        if shape != own:
            raise FileError(f"{path} has {name} in the shape {shape}, the module in {own}.")
        if tensor.dtype != wanted[name].dtype and {tensor.dtype, wanted[name].dtype} - floating():
            kinds = f"{tensor.dtype}, the module in {wanted[name].dtype}"
            raise FileError(f"{path} has {name} in the type {kinds}.")
        if not bool(tensor.isfinite().all()):
            raise FileError(f"{path} has values in {name} that are not finite.")
    module.load_state_dict(dict(tensors))


def floating() -> set[torch.dtype]:
    """The types of weights."""
    import torch

    return {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def _declaration(path: str | Path, metadata: Mapping[str, str]) -> str:
    if "declaration" not in metadata:
        raise FileError(f"{path} has weights without a declaration, of a module that pde2net did not make.")
    return metadata["declaration"]


def _difference(own: str, metadata: Mapping[str, str]) -> str:
    """What two declarations differ in, by the keys of their JSON."""
    stated = metadata.get("declaration", "")
    if not own or not stated:
        return "One of the two was not made by pde2net."
    try:
        found: list[str] = []
        mine, other = json.loads(own), json.loads(stated)
        for part in ("declaration", "training"):
            a, b = (d.get(part) or {} for d in (mine, other))
            found += [key for key in sorted({*a, *b}) if a.get(key) != b.get(key)]
    except (ValueError, AttributeError):
        return "Its declaration cannot be read."
    return f"They differ in: {', '.join(found)}." if found else ""


def text_of(value: Any) -> str:
    """JSON on one line, the same text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))

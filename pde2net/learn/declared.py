"""The declaration that a module carries in its source, and the network of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pde2net.audit.rederive import network_of
from pde2net.network import Network
from pde2net.verify.serialise import declared_from_json

if TYPE_CHECKING:
    from torch import nn


def declaration_of(module: nn.Module) -> str | None:
    """The JSON of the declaration in the source of a module; None for modules of others."""
    forward = getattr(type(module), "forward", None)
    found = getattr(forward, "__globals__", {}).get("DECLARATION")
    return found if isinstance(found, str) else None


@functools.lru_cache(maxsize=16)
def declared_network(text: str) -> Network:
    """The network that is compiled from such a text. Raises FileError for other texts."""
    return network_of(*declared_from_json(text))

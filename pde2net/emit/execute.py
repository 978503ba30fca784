"""Executes emitted source in a module of its own."""

from __future__ import annotations

import functools
import hashlib
import linecache
import types
from typing import Any

import torch


def execute(source: str, anew: bool = False) -> torch.nn.Module:
    """An instance of the network class that `source` defines; `anew` of a class that nobody else has.

    The lines are handed to linecache, so tracebacks and inspect show them. Instances carry the source when
    they are pickled or copied, so that they can be read where it was never executed; reading them runs it.
    """
    module = (_module.__wrapped__ if anew else _module)(source)
    network: torch.nn.Module = getattr(module, module.__dict__["__all__"][0])()
    return network


@functools.lru_cache(maxsize=64)
def _module(source: str) -> types.ModuleType:
    """The module of `source`, one for equal texts."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    name = f"pde2net_generated_{digest}"
    filename = f"<{name}>"
    module = types.ModuleType(name)
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), module.__dict__)
    for kind in list(vars(module).values()):
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module) and kind.__module__ == name:
            kind.__reduce__ = functools.partialmethod(reduced, source)  # type: ignore[assignment]
    return module


def reduced(self: torch.nn.Module, source: str) -> tuple[Any, ...]:
    """What pickle stores of an instance: the source, the name of its class, its state."""
    return _blank, (source, type(self).__name__), self.__getstate__()  # type: ignore[no-untyped-call]


def _blank(source: str, name: str) -> torch.nn.Module:
    """An instance without state, which pickle sets."""
    kind = vars(_module(source))[name]
    instance: torch.nn.Module = kind.__new__(kind)
    return instance

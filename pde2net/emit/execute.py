"""Executes emitted source in a module of its own."""

from __future__ import annotations

import hashlib
import linecache
import types

import torch


def execute(source: str) -> torch.nn.Module:
    """An instance of the network class that `source` defines.

    The lines are handed to linecache, so tracebacks and inspect show them.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    name = f"pde2net_generated_{digest}"
    filename = f"<{name}>"
    module = types.ModuleType(name)
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), module.__dict__)
    network: torch.nn.Module = getattr(module, module.__dict__["__all__"][0])()
    return network

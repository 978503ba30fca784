"""Executes emitted source in a module of its own."""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import os
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import torch

from pde2net.emit.kernel_text import separated
from pde2net.errors import EmissionError, FileError
from pde2net.files import write_text


def execute(source: str, anew: bool = False) -> torch.nn.Module:
    """An instance of the network class that `source` defines; `anew` of a class that nobody else has.

    The lines are handed to linecache, so tracebacks and inspect show them. Instances carry the source when
    they are pickled or copied, so that they can be read where it was never executed; reading them runs it.

    Kernels are shared by sources that differ in numbers alone: their text is written to `cache_folder()`,
    where numba finds what it has compiled of it. Raises EmissionError without numba.
    """
    module = (_module.__wrapped__ if anew else _module)(source)
    network: torch.nn.Module = getattr(module, module.__dict__["__all__"][0])()
    return network


@functools.lru_cache(maxsize=64)
def _module(source: str) -> types.ModuleType:
    """The module of `source`, one for equal texts."""
    name = generated(source)
    module = types.ModuleType(name)
    code: str | ast.Module = source
    if "\nimport triton\n" in source:
        require_triton()
        sys.modules[name] = module  # where it looks for what it compiles
    if "\nimport numba\n" in source:
        require_numba()
        parts = separated(source)
        kernels, code = _kernels(parts.kernels), parts.rest
        sys.modules[name] = module  # where its kernels are found by name
        vars(module).update({n: getattr(kernels, n) for n in parts.names})
    _defined(module, code, source, f"<{name}>")
    for kind in list(vars(module).values()):
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module) and kind.__module__ == name:
            kind.__reduce__ = functools.partialmethod(reduced, source)  # type: ignore[assignment]
    return module


@functools.lru_cache(maxsize=64)
def _kernels(text: str) -> types.ModuleType:
    """The module of what numba compiles."""
    name = generated(text)
    module = sys.modules[name] = types.ModuleType(name)  # where numba looks for it
    _defined(module, text, text, _stored(name, text))
    return module


def _defined(module: types.ModuleType, code: str | ast.Module, source: str, filename: str) -> None:
    """Execute `code`, which is `source` or has some of its lines."""
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(code, filename, "exec"), module.__dict__)


def generated(source: str) -> str:
    """The name of the module of a text."""
    return f"pde2net_generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def require_numba() -> None:
    """Raises EmissionError without numba."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise EmissionError('The backend "numba" needs numba: pip install "pde2net[fast]".') from error


def require_triton() -> None:
    """Raises EmissionError without Triton."""
    try:
        import triton  # noqa: F401
    except ImportError as error:
        raise EmissionError('The backend "triton" needs Triton: pip install "pde2net[gpu]".') from error


def cache_folder() -> Path:
    """Where kernels are kept: $PDE2NET_CACHE, or pde2net in the user's folder of caches."""
    own = os.environ.get("PDE2NET_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(own or Path(caches) / "pde2net").expanduser()


def _stored(name: str, source: str) -> str:
    """The file that has a source with kernels; with a warning no file's name, if none can be written."""
    path = cache_folder() / f"{name}.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != source:
            write_text(path, source)
    except (OSError, FileError) as error:
        warnings.warn(f"Kernels are compiled again in each process: {error}", stacklevel=2)
        return f"<{name}>"
    return str(path)


def reduced(self: torch.nn.Module, source: str) -> tuple[Any, ...]:
    """What pickle stores of an instance: the source, the name of its class, its state."""
    return _blank, (source, type(self).__name__), self.__getstate__()  # type: ignore[no-untyped-call]


def _blank(source: str, name: str) -> torch.nn.Module:
    """An instance without state, which pickle sets."""
    kind = vars(_module(source))[name]
    instance: torch.nn.Module = kind.__new__(kind)
    return instance

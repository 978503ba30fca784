"""A module made anew from its declaration, with the weights of one that somebody may have changed."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook as has_any_global_hook

from pde2net.emit.execute import execute
from pde2net.errors import CertificateError
from pde2net.network import Network

KNOWN = "known without gradients"  # what a network keeps in eval(): it is computed anew
Homes = tuple[str, str]  # the names of the modules of both sources
PLAIN = (bool, int, float, str, tuple, list)
PRECISE = (torch.float32, torch.float64)


def rebuilt(module: nn.Module, network: Network) -> nn.Module:
    """The module of `network` with the parameters of `module`.

    Raises CertificateError if the latter is not what the source of the network makes but for these: for
    functions, parts, constants and buffers that were replaced, hooks, parametrisations, and for weights that
    are not finite or of half precision.
    """
    made = execute(network.source(), anew=True)
    if has_any_global_hook():  # type: ignore[no-untyped-call, unused-ignore]
        raise CertificateError(
            "Hooks are registered for all modules; they may change what this one computes."
        )
    _require_code(module, made)
    given, own = dict(module.named_modules()), dict(made.named_modules())
    if given.keys() != own.keys():
        raise _changed(sorted(given.keys() ^ own.keys())[0])
    for name, part in own.items():
        _require_part(name, given[name], part, made, _space(module))
    values = dict(module.named_parameters(remove_duplicate=False))
    for name, parameter in made.named_parameters():
        value = values[name]
        if type(value) is not nn.Parameter or value.shape != parameter.shape:
            raise _changed(name)
        if value.dtype not in PRECISE:
            raise CertificateError(
                f"{name} has the type {value.dtype}: claims are about exact arithmetic, and its rounding is "
                "larger than the margin that they leave. Convert the module by .float()."
            )
        if value.is_meta or not bool(value.isfinite().all()):
            raise CertificateError(f"{name} has values that are not finite: nothing holds for them.")
        parameter.data = value.detach().cpu().clone()
        parameter.requires_grad_(False)
    buffers = dict(module.named_buffers(remove_duplicate=False))
    for name, buffer in made.named_buffers():
        stored = buffers[name].detach().cpu()
        like = buffer.to(stored.dtype) if stored.dtype in PRECISE and buffer.is_floating_point() else buffer
        same = stored.dtype == like.dtype and stored.shape == like.shape
        if not same or not any(torch.equal(stored, v) for v in (like, like.float().to(like.dtype))):
            raise _changed(name)
        buffer.data = stored.clone()  # claims are about what it is rounded to
    return made


def _require_code(module: nn.Module, made: nn.Module) -> None:
    """All that the source defines must be as it defines it."""
    given, own = _space(module), _space(made)
    homes = given["__name__"], own["__name__"]
    for name, thing in own.items():
        if not name.startswith("__") and not _same(given.get(name), thing, homes):
            raise _changed(name)


def _space(module: nn.Module) -> dict[str, Any]:
    """What the source defines."""
    found: dict[str, Any] = type(module).forward.__globals__
    return found


def _same(given: Any, own: Any, homes: Homes) -> bool:
    """Whether two things that sources define are equal; those from elsewhere are one."""
    if isinstance(own, staticmethod | classmethod):
        return type(given) is type(own) and _same(given.__func__, own.__func__, homes)
    if isinstance(own, property):
        return isinstance(given, property) and _same(given.fget, own.fget, homes) and given.fset is None
    if isinstance(own, types.FunctionType):
        return isinstance(given, types.FunctionType) and _function(given, own, homes)
    if isinstance(own, type) and own.__module__ == homes[1]:
        return (
            isinstance(given, type)
            and _bases(given, homes[0]) == _bases(own, homes[1])
            and _members(given, own, homes)
        )
    if isinstance(own, Tensor):
        return isinstance(given, Tensor) and torch.equal(given, own)
    return bool(given is own or (type(given) is type(own) and given == own))


def _bases(kind: type, home: str) -> list[tuple[str, str]]:
    """The classes that it inherits from; the same for a source that stands in a file of another name."""
    return [("" if b.__module__ == home else b.__module__, b.__qualname__) for b in kind.__mro__]


def _function(given: types.FunctionType, own: types.FunctionType, homes: Homes) -> bool:
    """Code, and defaults, which may be functions themselves."""
    defaults = (given.__defaults__ or (), own.__defaults__ or ())
    named = given.__kwdefaults__ or {}, own.__kwdefaults__ or {}
    pairs = [*zip(*defaults, strict=False), *((named[0].get(n), v) for n, v in named[1].items())]
    sizes = len(defaults[0]) == len(defaults[1]) and len(named[0]) == len(named[1])
    return given.__code__ == own.__code__ and sizes and all(_same(a, b, homes) for a, b in pairs)


def _members(given: type, own: type, homes: Homes) -> bool:
    """What a class defines itself; `torch` adds members of its own to functions with derivatives."""
    kinds = types.FunctionType, staticmethod, classmethod, property
    defined = {name: value for name, value in vars(own).items() if isinstance(value, kinds)}
    found = {name for name, value in vars(given).items() if isinstance(value, kinds)}
    return found == defined.keys() and all(_same(vars(given)[n], v, homes) for n, v in defined.items())


def _require_part(
    name: str, given: nn.Module, own: nn.Module, root: nn.Module, space: dict[str, Any]
) -> None:
    """An instance: its class, what it stores, and no hooks; `space` is what its source defines."""
    kind = type(own)
    wanted = space.get(kind.__qualname__) if kind.__module__ == _space(root)["__name__"] else kind
    if type(given) is not wanted:
        raise _changed(name or "the class")
    if "_compiled_call_impl" in vars(given):
        raise CertificateError(
            "The module is compiled by torch, and nothing is proved of what that made: certify the file of "
            "its weights, p2n.learn.save, or load them into a module that is not."
        )
    vars(given).pop(KNOWN, None)
    stored, made = vars(given), vars(own)
    for key in sorted({*stored, *made}):
        where = f"{name}.{key}".removeprefix(".")
        if key not in stored or key not in made:
            raise _changed(where)
        value, declared = stored[key], made[key]
        hooked = "hook" in key and bool(value)
        table = key in ("_parameters", "_buffers", "_modules") and value.keys() != declared.keys()
        constant = key != "training" and isinstance(declared, PLAIN) and not _same(value, declared, ("", ""))
        if hooked or table or constant or isinstance(value, types.FunctionType | types.MethodType):
            raise _changed(where)


def _changed(name: str) -> CertificateError:
    return CertificateError(
        f"{name} is not as the declaration of this module is compiled: it was changed or edited, or another "
        "version of pde2net wrote it. Compile the declaration again and load the weights."
    )

"""A module made anew from its declaration, with the weights of one that somebody may have changed."""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook as has_any_global_hook

from pde2net.emit.execute import execute, reduced
from pde2net.errors import CertificateError
from pde2net.network import Network

KNOWN = "known without gradients"  # what a network keeps in eval(): it is computed anew
Spaces = tuple[dict[str, Any], dict[str, Any]]  # what both sources define
NOWHERE: Spaces = ({"__name__": ""}, {"__name__": ""})  # where nothing is defined
OF_CLASSES = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
PLAIN = (bool, int, float, str, tuple, list)
PRECISE = (torch.float32, torch.float64)


def rebuilt(module: nn.Module, network: Network) -> nn.Module:
    """The module of `network` with the parameters of `module`.

    Raises CertificateError if the latter is not what the source of the network makes but for these: for
    functions, parts, constants and buffers that were replaced, hooks, parametrisations, and for weights that
    are not finite or of half precision.
    """
    if "numba" in _space(module):
        raise CertificateError(
            "Claims are about the text of torch. Kernels compute the same but for rounding, and their code, "
            "which numba may have kept on disk, is not compared: load the weights into the module of torch, "
            "network.module().load_state_dict(module.state_dict())."
        )
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
    """All that the source defines must be as it defines it, and no more, which may hide builtins."""
    spaces = _space(module), _space(made)
    given, own = ({n: v for n, v in space.items() if not n.startswith("__")} for space in spaces)
    for name in sorted(given.keys() | own.keys()):
        if name not in given or name not in own or not _same(given[name], own[name], spaces):
            raise _changed(name)


def _space(module: nn.Module) -> dict[str, Any]:
    """What the source defines."""
    found: dict[str, Any] = type(module).forward.__globals__
    return found


def _same(given: Any, own: Any, spaces: Spaces) -> bool:
    """Whether two things that sources define are equal; those from elsewhere are one."""
    if isinstance(own, staticmethod | classmethod):
        return type(given) is type(own) and _same(given.__func__, own.__func__, spaces)
    if isinstance(own, property):
        return isinstance(given, property) and _same(given.fget, own.fget, spaces) and given.fset is None
    if isinstance(own, types.FunctionType):
        return type(given) is type(own) and _function(given, own, spaces)
    if isinstance(own, type) and own.__module__ == spaces[1]["__name__"]:
        return type(given) is type(own) and _bases(given, own, spaces) and _members(given, own, spaces)
    if isinstance(own, Tensor):
        return isinstance(given, Tensor) and torch.equal(given, own)
    return bool(given is own or (type(given) is type(own) and given == own))


def _bases(given: type, own: type, spaces: Spaces) -> bool:
    """Whether both inherit from the same classes, or from what the sources define by the same names."""

    def alike(a: type, b: type) -> bool:
        name = b.__qualname__
        return a is b or (b is spaces[1].get(name) and a is spaces[0].get(name))

    return len(given.__mro__) == len(own.__mro__) and all(map(alike, given.__mro__, own.__mro__))


def _function(given: types.FunctionType, own: types.FunctionType, spaces: Spaces) -> bool:
    """Code, what its names mean, and defaults, which may be functions themselves."""
    at_home = own.__globals__ is spaces[1]
    around = given.__globals__ is (spaces[0] if at_home else own.__globals__)
    cells = [[c.cell_contents for c in f.__closure__ or ()] for f in (given, own)]
    defaults = (given.__defaults__ or (), own.__defaults__ or ())
    named = given.__kwdefaults__ or {}, own.__kwdefaults__ or {}
    sizes = [len(a) == len(b) for a, b in (cells, defaults, named)]
    hidden = getattr(given, "__builtins__", 0) is not getattr(own, "__builtins__", 1)
    if not around or hidden or given.__code__ != own.__code__ or not all(sizes):
        return False
    pairs = [*zip(*defaults, strict=True), *((named[0].get(n), v) for n, v in named[1].items())]
    return all(_same(a, b, spaces) for a, b in pairs) and all(
        _cell(a, b, spaces) for a, b in zip(*cells, strict=True)
    )


def _cell(given: Any, own: Any, spaces: Spaces) -> bool:
    """What a function has from around it: the class that it is in, or what a decorator was given."""
    if isinstance(own, type) and own.__module__ == spaces[1]["__name__"]:
        return isinstance(given, type) and given is spaces[0].get(own.__qualname__)
    if isinstance(own, types.MethodType):  # of torch.no_grad
        alike = isinstance(given, types.MethodType) and given.__func__ is own.__func__
        return alike and type(given.__self__) is type(own.__self__)
    return isinstance(given, type(own)) and (not callable(own) or _same(given, own, spaces))


def _members(given: type, own: type, spaces: Spaces) -> bool:
    """What a class defines itself. Names that Python or torch give to each class are its own."""
    names = (vars(given).keys() | vars(own).keys()) - OF_CLASSES
    for name in names:
        a, b = (vars(kind).get(name) for kind in (given, own))
        if name == "__reduce__" and (a is None or _pickles(a)) and _pickles(b):
            continue
        of_torch = isinstance(b, type) and name.startswith("_") and type(a) is type(b)
        if name not in vars(given) or name not in vars(own) or not (of_torch or _same(a, b, spaces)):
            return False
    return True


def _pickles(member: Any) -> bool:
    """Whether it is what instances of executed sources are pickled by."""
    return isinstance(member, functools.partialmethod) and member.func is reduced


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
        constant = key != "training" and isinstance(declared, PLAIN) and not _same(value, declared, NOWHERE)
        if hooked or table or constant or isinstance(value, types.FunctionType | types.MethodType):
            raise _changed(where)


def _changed(name: str) -> CertificateError:
    return CertificateError(
        f"{name} is not as the declaration of this module is compiled: it was changed or edited, or another "
        "version of pde2net wrote it. Compile the declaration again and load the weights."
    )

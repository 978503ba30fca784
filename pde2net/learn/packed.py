"""States of optimisers and schedules as JSON and tensors, and back, exactly."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pde2net.errors import DeclarationError

TENSOR, PAIRS, TUPLE, LIST = "tensor", "pairs", "tuple", "list"


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """JSON of nested dictionaries, lists, numbers and text.

    Tensors go to `tensors` under names of their own.
    """
    if isinstance(value, Tensor):
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, dict):
        pairs = [[pack(k, "", tensors), pack(v, f"{name}.{k}", tensors)] for k, v in value.items()]
        return {PAIRS: pairs}
    if isinstance(value, list | tuple):
        kind = TUPLE if isinstance(value, tuple) else LIST
        return {kind: [pack(v, f"{name}.{k}", tensors) for k, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "item"):  # a number of NumPy
        return value.item()
    raise DeclarationError(
        f"{name} is {value!r:.60}, which no checkpoint keeps: an optimizer or scheduler of plain numbers and "
        "tensors can be resumed, or train without checkpoint=."
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `pack`."""
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return tensors[value[TENSOR]]
    if PAIRS in value:
        return {unpack(k, tensors): unpack(v, tensors) for k, v in value[PAIRS]}
    if TUPLE in value:
        return tuple(unpack(v, tensors) for v in value[TUPLE])
    return [unpack(v, tensors) for v in value[LIST]]

"""The values that a module computes with, by the names of the declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pde2net.errors import DeclarationError

if TYPE_CHECKING:
    from torch import Tensor, nn


def values(module: nn.Module) -> dict[str, Tensor]:
    """The effective values of what a network learns, by name, in float64 and without gradients.

    Filters as they are after parities, means and norms are kept, (filters, channels, *size); parameters, a
    number or one per filter; slopes of splines, (filters, pieces + 1), the last the one beyond; the step
    "tau" where the network computes or trains it. Where blocks (or cycles, cells) have values of their own,
    these come along the first axis, one entry per block.

    Raises DeclarationError for a module that pde2net did not make, or that learns nothing.
    """
    import torch

    found = parts(module)
    with torch.no_grad():
        several = len(getattr(module, "blocks", getattr(module, "cells", [None]))) > 1
        if not several and len(found) == 1:
            return {name: value.detach().double() for name, value in found[0].items()}
        return {name: torch.stack([row[name].double() for row in found]) for name in found[0]}


def parts(module: nn.Module) -> list[dict[str, Tensor]]:
    """The values of each part that has some: the network, or its blocks."""
    import torch

    found = [part for part in module.modules() if hasattr(part, "learned_values")]
    if not found:
        raise DeclarationError(
            "This module has no learned values: it is no network of pde2net, or none of its parameters is "
            "trained or learned."
        )
    with torch.no_grad():
        return [part.learned_values() for part in found]  # type: ignore[operator]

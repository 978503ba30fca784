"""Networks of the first blocks of another, for greedy training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

from pde2net.errors import DeclarationError


def separate_blocks(module: nn.Module) -> int:
    """The number of blocks.

    Raises DeclarationError for networks whose blocks cannot be trained one by one.
    """
    blocks = getattr(module, "blocks", None)
    if not isinstance(blocks, nn.ModuleList) or len(blocks) < 2:
        raise DeclarationError(
            "greedy trains block by block; this network has no blocks with parameters of their own: "
            "compile(..., shared=False) with several explicit steps."
        )
    for k, block in enumerate(blocks):
        if not any(p.requires_grad for p in block.parameters()):
            raise DeclarationError(f"greedy trains block by block, and block {k + 1} has nothing to train.")
    own = {id(p) for p in blocks.parameters()}
    if any(id(p) not in own for p in module.parameters()):
        raise DeclarationError(
            "greedy trains block by block; this network has parameters besides its blocks."
        )
    return len(blocks)


@contextlib.contextmanager
def first_blocks(module: nn.Module, last: int | None) -> Iterator[None]:
    """The module without the blocks behind `last`; all of it for None."""
    if last is None:
        yield
        return
    blocks = module.blocks
    assert isinstance(blocks, nn.ModuleList)
    module.blocks = blocks[: last + 1]
    try:
        yield
    finally:
        module.blocks = blocks

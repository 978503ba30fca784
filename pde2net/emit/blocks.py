"""Networks on arrays that are larger than memory, block by block: Dask arrays, files of Zarr, memory maps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pde2net.errors import DeclarationError, suggestion
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import Coordinate

if TYPE_CHECKING:
    import dask.array as da
    import torch

Cut = tuple[slice, slice]  # of an array: what is handed in, and what of the result is kept


def mapped(
    array: Any,
    fields: Mapping[str, Any],
    known: Sequence[str],
    channels: int,
    halo: Sequence[int],
    periodic: Sequence[bool],
    moving: Sequence[bool],
    multiple: int,
    source: Callable[[Sequence[int]], str],
    state: Mapping[str, torch.Tensor] | None,
    inputs: Collection[str],
) -> da.Array:
    """The Dask array of the results, each block made from its cells and `halo` more along each axis.

    known     the fields that there are to give
    channels  of the network
    moving    whether the equation contains the position along an axis
    multiple  of how many cells blocks have to be
    source    of the module for a block whose first cell has these indices
    state     that of the module, None for a new one
    inputs    the numbers that there are to give
    """
    try:
        import dask
        import dask.array as da
    except ImportError as error:
        raise DeclarationError('map_blocks needs Dask: pip install "pde2net[dask]".') from error

    numbers = {name: _number(name, fields[name]) for name in inputs if name in fields}
    fields = {name: value for name, value in fields.items() if name not in inputs}
    missing = sorted(set(inputs) - numbers.keys())
    if missing:
        raise DeclarationError(
            f"The network needs the number {missing[0]}: map_blocks(array, {missing[0]}=...)."
        )
    try:
        given = {name: da.asarray(value) for name, value in {"u": array, **fields}.items()}
    except TypeError as error:
        raise DeclarationError(f"map_blocks takes arrays of Dask or NumPy: {error}.") from error
    _check(given, known, len(halo), channels)
    chunks = given["u"].chunks
    leading = len(chunks) - len(halo)  # axes of images and channels
    if any(n % multiple for axis in chunks[leading:] for n in axis):
        raise DeclarationError(f"Blocks have multiples of {multiple} cells along each axis: rechunk them.")
    several = [len(axis) > 1 for axis in chunks[leading:]]
    if any(s and w and m for s, w, m in zip(several, periodic, moving, strict=True)):
        raise DeclarationError(
            "The equation contains the position along a periodic axis, which has to be one block: rechunk it."
        )
    cells = (s * -(-h // multiple) * multiple for s, h in zip(several, halo, strict=True))
    margin = [0] * leading + list(cells)
    wraps = [False] * leading + [s and w for s, w in zip(several, periodic, strict=True)]
    wide = {name: _wrapped(a, margin, wraps) for name, a in given.items()}
    cuts = [list(_cuts(*axis)) for axis in zip(chunks, margin, wraps, strict=True)]
    run, parts = dask.delayed(_run, pure=True), np.empty(given["u"].numblocks, dtype=object)
    for place in itertools.product(*map(range, parts.shape)):
        own = [cuts[axis][k] for axis, k in enumerate(place)]
        taken = {name: a[_part(a.shape, leading, [c[0] for c in own])] for name, a in wide.items()}
        first = [c[0].start - h * w for c, h, w in zip(own, margin, wraps, strict=True)]
        kept = [c[1] for c in own]
        made = run(source(first[leading:]), state, kept, leading > 0, taken, numbers)
        sizes = [axis[k] for axis, k in zip(chunks, place, strict=True)]
        parts[place] = da.from_delayed(made, sizes, given["u"].dtype)
    found: da.Array = da.block(parts.tolist())
    return found


def shifted(graph: Graph, first: Sequence[int]) -> Graph:
    """The same graph for a block of the grid, whose first cell has these indices."""
    moved = graph.copy()
    for name in moved:
        node = node_of(moved, name)
        if isinstance(node, Coordinate):
            origin = node.origin + first[node.axis] * node.spacing
            moved.nodes[name]["node"] = Coordinate(node.symbol, node.axis, origin, node.spacing, node.margin)
    return moved


def _check(given: Mapping[str, da.Array], known: Sequence[str], dimension: int, channels: int) -> None:
    u = given["u"]
    if u.ndim not in (dimension, dimension + 2) or u.dtype not in (np.float32, np.float64):
        raise DeclarationError(
            f"map_blocks takes arrays of float32 or float64 of {dimension} axes, or with images and channels "
            f"before these, not {u.dtype} of the shape {u.shape}."
        )
    if any(np.isnan(n) for axis in u.chunks for n in axis):
        raise DeclarationError(
            "The sizes of the blocks are not known: array.compute_chunk_sizes() finds them."
        )
    own, parts = (u.shape[1], u.numblocks[1]) if u.ndim > dimension else (1, 1)
    if own != channels or parts > 1:
        raise DeclarationError(
            f"Arrays of this network have {channels} channels in one block, not {own} in {parts}: they are "
            "(images, channels, *spatial)."
        )
    names = given.keys() - {"u"}
    wrong = sorted(names ^ set(known))
    if wrong:
        what = "takes no field" if wrong[0] in names else "needs the field"
        raise DeclarationError(f"The network {what} {wrong[0]}.{suggestion(wrong[0], known)}")
    for name in names:
        f = given[name]
        leading = zip(f.shape[:-dimension], u.shape[:-dimension], strict=False)
        fits = f.ndim == u.ndim and f.shape[-dimension:] == u.shape[-dimension:]
        if not fits or any(n not in (1, m) for n, m in leading):
            raise DeclarationError(f"{name} has the shape {f.shape}, u {u.shape}: they must agree.")
        if f.dtype != u.dtype:
            raise DeclarationError(f"{name} is {f.dtype}, u {u.dtype}: give it the type of u.")


def _part(shape: Sequence[int], leading: int, cuts: Sequence[slice]) -> tuple[slice, ...]:
    """Of an array that may stand for all images, or all channels."""
    return tuple(
        slice(None) if axis < leading and n == 1 else cut
        for axis, (n, cut) in enumerate(zip(shape, cuts, strict=True))
    )


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"{name} is a number, not {value!r:.60}.") from error


def _wrapped(array: da.Array, margin: Sequence[int], periodic: Sequence[bool]) -> da.Array:
    """With the cells of the other end beyond the borders of periodic axes."""
    import dask.array as da

    for axis, (h, wraps) in enumerate(zip(margin, periodic, strict=True)):
        if wraps and h:
            n = array.shape[axis]
            index = np.arange(-h, n + h) % n
            ends = [da.take(array, part, axis=axis) for part in (index[:h], index[-h:])]
            array = da.concatenate([ends[0], array, ends[1]], axis=axis)
    return array


def _cuts(sizes: Sequence[int], margin: int, wraps: bool) -> Iterator[Cut]:
    """For each block along an axis."""
    total, start = sum(sizes), 0
    for size in sizes:
        low, high = (
            (start, start + size + 2 * margin)
            if wraps
            else (
                max(start - margin, 0),
                min(start + size + margin, total),
            )
        )
        inner = margin if wraps else start - low
        yield slice(low, high), slice(inner, inner + size)
        start += size


def _run(
    source: str,
    state: Mapping[str, torch.Tensor] | None,
    kept: Sequence[slice],
    batched: bool,
    taken: Mapping[str, Any],
    numbers: Mapping[str, float],
) -> Any:
    """The result of one block, whose first axes are those of images and channels if it is `batched`."""
    import torch

    from pde2net.emit.execute import execute

    module = execute(source).eval().to(torch.from_numpy(taken["u"][..., :0]).dtype)
    if state is not None:
        module.load_state_dict(state)
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in taken.items()}
    if not batched:
        tensors = {name: a[None, None] for name, a in tensors.items()}
    u = tensors.pop("u")
    with torch.no_grad():
        found = module(u, **tensors, **numbers)
    return (found if batched else found[0, 0])[tuple(kept)].numpy()

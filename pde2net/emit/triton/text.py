"""The text that every module with kernels of Triton has: borders, and passes one kernel after the other."""

from __future__ import annotations

LIBRARIES = ["import triton", "import triton.language as tl", "from torch.autograd import forward_ad"]

# The interpreter of Triton runs on the CPU.
DEVICE = 'DEVICE = "cpu" if triton.knobs.runtime.interpret else "cuda"'
BLOCK = "BLOCK = 1024  # cells that a kernel makes at once"

CELLS = '''
@triton.jit
def square(x) -> float:
    return x * x


@triton.jit
def largest(x, y) -> float:
    """NaN if one of them is."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def least(x, y) -> float:
    """NaN if one of them is."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def tiny(x, POWER: tl.constexpr) -> float:
    """A power of the smallest normal number of a type."""
    return 2.2250738585072014e-308**POWER if x.dtype.is_fp64() else 1.1754943508222875e-38**POWER


@triton.jit
def mirrored(at, n, KIND: tl.constexpr, EDGE: tl.constexpr) -> tuple:
    """The cell that stands for one, perhaps beyond the border, and whether there is one.

    KIND: 0 none, 1 wraps, 2 zero, 3 mirrored, 4 mirrored with the other sign, 5 repeated. If EDGE, the border
    is the last cell, whose value is 0.
    """
    other, there = at, (at >= 0) & (at < n)
    if KIND == 1:
        other, there = (at + n) % n, at < 2 * n
    elif KIND == 5:
        other, there = tl.minimum(tl.maximum(at, 0), n - 1), at < 2 * n
    elif KIND >= 3:
        other = tl.where(at < 0, -1 - EDGE - at, tl.where(there, at, 2 * n - 1 - EDGE - at))
        there = (other >= 0) & (other < n - EDGE)
    return other, there
'''

DRIVE = '''
def travel(
    trips: Sequence[tuple], known: dict[int, Tensor], wanted: Collection[int], numbers: Tensor
) -> Tensor:
    """Follow passes from what is `known`, to which `wanted` arrays are added; derivatives by all numbers.

    A pass is a list of kernels, the line of numbers of each relative to the first, the arrays that it reads,
    those that it makes, with channels and cells beyond the image, and the sums of these that are derivatives.
    """
    like = next(iter(known.values()))
    size, images = like.shape[2:], len(like)
    values = numbers.detach().to(like.device, like.dtype).contiguous()
    found = torch.zeros(numbers.shape, dtype=torch.float64, device=like.device)
    last = {slot: k for k, trip in enumerate(trips) for slot in trip[2]}
    for k, (table, first, given, results) in enumerate(trips):
        launches, returned = TABLES[table]
        arrays = {i: known[slot].contiguous() for i, slot in enumerate(given)}
        for number, line, reads, makes, sums, free in launches:
            for place, channels, *wide in makes:
                sizes = (n + 2 * w for n, w in zip(size, wide, strict=True))
                arrays[place] = like.new_empty(images, channels, *sizes)
            made = [arrays[place] for place, *_ in makes]
            cells = math.prod(made[0].shape[2:])
            grid = (triton.cdiv(cells, BLOCK) * images * CHANNELS[number],)
            handed = (values[first + line], *(arrays[i] for i in reads), *made, *size, cells)
            kernel_of(number)[grid](*handed, BLOCK=BLOCK)
            for place, row, column, factor in sums:
                found[first + row, column] += factor * arrays[place].sum(dtype=torch.float64)
            for place in free:
                del arrays[place]
        known |= {slot: arrays[i] for slot, i in zip(results, returned, strict=True)}
        for slot in [s for s in known if last.get(s, -1) <= k and s not in wanted]:
            del known[slot]
    return found.to(numbers.device, numbers.dtype)
'''

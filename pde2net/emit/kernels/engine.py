"""The text that every module with kernels has: how numba compiles, one loop over rows, borders."""

from __future__ import annotations

import math

from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition

OPTIONS = 'FLAGS = {"fastmath": {"nsz", "arcp", "contract"}, "error_model": "numpy", "nogil": True}'


LIBRARIES = [
    "import numba",
    "import numpy as np",
    "from llvmlite.ir import Constant, FunctionType, IntType, VoidType",
    "from numba import types",
    "from numba.core.compiler import Compiler",
    "from numba.extending import intrinsic, overload",
    "from torch.autograd import forward_ad",
]

HEAD = '''
class Separate(Compiler):
    """Compiles functions of lines: the arrays that they are handed do not overlap."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state.flags.noalias = True


def compiled(function: Callable, **options: Any) -> Callable:
    """By numba, kept on disk beside this file, or in memory where that cannot be written."""
    try:
        return numba.njit(cache=True, **{**FLAGS, **options})(function)
    except RuntimeError:
        return numba.njit(**{**FLAGS, **options})(function)


def kernel(function: Callable) -> Callable:
    """A function of numbers and of all memory that Python calls."""
    return compiled(function)


def inner(function: Callable, **options: Any) -> Callable:
    """A function that compiled ones call."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)


def adding(function: Callable) -> Callable:
    """A function that adds up in any order."""
    return inner(function, fastmath={"nsz", "reassoc"})


@intrinsic
def without_owner(context: Any, a: Any) -> Any:
    """The same array, which does not own its memory."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        array.meminfo = Constant(array.meminfo.type, None)
        return array._getvalue()

    return a(a), made


@intrinsic
def prefer_512_bits(context: Any) -> Any:
    """Lets LLVM use the widest vectors that there are in this function."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), made


def wide() -> None:
    """The function that calls this has the widest vectors that there are, where it is compiled."""


@overload(wide, inline="always")
def compiled_wide() -> Callable:
    return lambda: prefer_512_bits()


def borrowed(a: np.ndarray) -> np.ndarray:
    """The same array; where it is compiled, owners are not counted whenever it is handed on."""
    return a


@overload(borrowed)
def compiled_borrowed(a) -> Callable:
    return lambda a: without_owner(a)


def part(function: Callable) -> Callable:
    """What is compiled where it is called: arguments are many."""
    return inner(function, forceinline=True)


def line(function: Callable) -> Callable:
    """A function of lines, which do not overlap."""
    return inner(function, pipeline_class=Separate)
'''

CELLS = '''
@inner
def square(x) -> float:
    return x * x


@inner
def largest(x, y) -> float:
    """NaN if one of them is."""
    return x if (x > y) | (x != x) else y


@inner
def least(x, y) -> float:
    """NaN if one of them is."""
    return x if (x < y) | (x != x) else y


@inner
def at_least_tiny(x, power, tiny) -> float:
    """x >= 0, kept so far from 0 that the derivative of the quotient by it does not overflow."""
    return largest(x, tiny**power)


@inner
def onto(a, b, square, tiny) -> float:
    """a b/|v|^2 for two components of v, 0 where |v|^2 underflows."""
    return tiny - tiny if square < tiny else a * b / square


@adding
def total(n, a) -> float:
    """The sum of a line, in double precision and in whatever order is fast."""
    found = 0.0
    for j in range(n):
        found += a[j]
    return found


@line
def duplicate(n, a, b) -> None:
    for j in range(n):
        b[j] = a[j]


@line
def clear(n, a) -> None:
    for j in range(n):
        a[j] = 0
'''

POWERS = '''
@intrinsic
def power_of_two(context: Any, n: Any) -> Any:
    """2^n of an integer, float32 of 32 bits and float64 of 64, by its bits."""
    made, bits, bias = (types.float32, 23, 127) if n.bitwidth == 32 else (types.float64, 52, 1023)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        shifted = builder.shl(builder.add(arguments[0], Constant(kind, bias)), Constant(kind, bits))
        return builder.bitcast(shifted, context.get_value_type(made))

    return made(n), code
'''

EXP = '''
def exp(x: float) -> float:
    """e^x; where it is compiled, by instructions that vectors have."""
    return np.exp(x)


@overload(exp)
def compiled_exp(x) -> Callable:
    return (lambda x: exp_single(x)) if x == types.float32 else (lambda x: exp_double(x))
'''

SERIES = '''
@part
def $name(x) -> float:
    """2^n times the Taylor series of the rest; 2^n in halves, for e^x near the ends of the range."""
    real = np.$real
    y = least(largest(x, real($low)), real($high))
    n = np.floor(y * real(1.4426950408889634) + real(0.5))
    r = (y - n * real($large)) - n * real($small)
    found = real(0)
    $terms
    first = np.floor(n * real(0.5))
    return found * power_of_two(np.$whole(first)) * power_of_two(np.$whole(n - first))
'''


def exponentials() -> list[Definition]:
    """exp of both precisions; log 2 is the sum of a number of few digits and a small one."""
    single = {"name": "exp_single", "real": "float32", "whole": "int32", "low": "-104", "high": "89"}
    single |= {"large": "0.693145751953125", "small": "1.4286068203094173e-06"}
    double = {"name": "exp_double", "real": "float64", "whole": "int64", "low": "-746", "high": "710"}
    double |= {"large": "0.6931471804855391", "small": "7.440617110012397e-11"}
    series = (parse(SERIES, terms=_terms(n), **own) for own, n in ((single, 7), (double, 13)))
    return [*parse(POWERS), *(d for own in series for d in own), *parse(EXP)]


def _terms(degree: int) -> list[str]:
    """Horner's rule for the Taylor series of e^r."""
    return [f"found = found * r + real(1 / {math.factorial(k)})" for k in range(degree, -1, -1)]


SWEEP = '''
@intrinsic
def prefetch(context: Any, a: Any, index: Any) -> Any:
    """The instruction of that name, to read, for the second cache."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        kind, number = IntType(8).as_pointer(), IntType(32)
        where = builder.bitcast(builder.gep(array.data, [arguments[1]]), kind)
        own = FunctionType(VoidType(), [kind, number, number, number])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [kind], own)
        builder.call(instruction, [where, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.none(a, index), made


def ask_for(a: np.ndarray, index: int) -> None:
    """Where it is compiled, the processor fetches this entry of an array while it does other things."""


@overload(ask_for, inline="always")
def compiled_ask_for(a, index) -> Callable:
    return lambda a, index: prefetch(a, index)


@inner
def fetch(array, row, first, last) -> None:
    """Ask for cells of the first line of a row of an array, (channels, rows, lines, columns)."""
    if 0 <= row < array.shape[1]:
        for c in range(array.shape[0]):
            start = (c * array.shape[1] + row) * array.shape[2] * array.shape[3]
            for j in range(start + first, start + min(last, array.shape[3]), 64 // array.itemsize):
                ask_for(array, j)


@part
def expect(part, now, share, n, turns, stores, arrays, results, image) -> None:
    """Ask for a part of the rows of images that will be copied, so that these are in a cache by then.

    In parts, since a processor waits for few lines of memory at a time.
    """
    first, last = part * share, (part + 1) * share
    for turn in turns:
        if turn[0] >= 0:
            break
        array = borrowed(arrays[turn[2]])
        fetch(array[image], now - turn[1] + (array.shape[2] - n) // 2, first, last)
    for store in stores:
        array = borrowed(results[store[1]])
        fetch(array[image], now - store[5] + store[2], first, last)


@inner
def begins(ring, channel, row, y, x, rings, places) -> int:
    """Where a cell of a ring is in memory."""
    start = places[ring, 0] + row % rings[ring, 0] * places[ring, 1] + channel * places[ring, 2]
    return start + (y + rings[ring, 4]) * places[ring, 3] + x + rings[ring, 6]


@inner
def mirrored(at, n, rule) -> int:
    """The cell that stands for one beyond the border."""
    kind, edge = rule % 8, rule // 8
    if kind == 1:
        return at % n
    if kind == 5:
        return 0 if at < 0 else n - 1
    return -1 - edge - at if at < 0 else 2 * n - 1 - edge - at


@inner
def move(memory, to, source, n, rule, inside) -> None:
    """A line beyond the border from that which stands for it; 0 if that is outside too."""
    kind = rule % 8
    if kind == 2 or not inside:
        for j in range(n):
            memory[to + j] = 0
    elif kind == 4:
        for j in range(n):
            memory[to + j] = -memory[source + j]
    else:
        for j in range(n):
            memory[to + j] = memory[source + j]


@inner
def columns(memory, to, source, lines, per_line, rule, inside) -> None:
    """As `move`, a column of some lines."""
    factor = 0 if rule % 8 == 2 or not inside else -1 if rule % 8 == 4 else 1
    for y in range(lines):
        if factor == 0:
            memory[to] = 0
        elif factor < 0:
            memory[to] = -memory[source]
        else:
            memory[to] = memory[source]
        to += per_line
        source += per_line


@inner
def close(ring, row, shape, wraps, rings, places, memory) -> None:
    """Fill what is beyond the borders of a row of a ring, and rows above for which this one stands."""
    per_line = places[ring, 3]
    low1, high1, low2, high2 = rings[ring, 4], rings[ring, 5], rings[ring, 6], rings[ring, 7]
    rule0, rule1, rule2 = rings[ring, 8], rings[ring, 9], rings[ring, 10]
    for c in range(rings[ring, 1]):
        first = begins(ring, c, row, -low1, -low2, rings, places)
        if rule1:
            if rule1 >= 8:
                move(memory, first + (low1 + shape[1] - 1) * per_line, 0, per_line, 2, False)
            for k in range(low1 + high1):
                y = k - low1 if k < low1 else shape[1] + k - low1
                other = mirrored(y, shape[1], rule1)
                to, source = first + (low1 + y) * per_line, first + (low1 + other) * per_line
                move(memory, to, source, per_line, rule1, 0 <= other < shape[1])
        if rule2:
            at, lines = first + low2, low1 + shape[1] + high1
            if rule2 >= 8:
                columns(memory, at + shape[2] - 1, 0, lines, per_line, 2, False)
            for k in range(low2 + high2):
                x = k - low2 if k < low2 else shape[2] + k - low2
                other = mirrored(x, shape[2], rule2)
                columns(memory, at + x, at + other, lines, per_line, rule2, 0 <= other < shape[2])
    if rule0 and not wraps:
        whole = places[ring, 1]
        here = begins(ring, 0, row, -low1, -low2, rings, places)
        if rule0 >= 8 and row == shape[0] - 1:
            move(memory, here, 0, whole, 2, False)
        for beyond in range(-rings[ring, 2], 0):
            original = mirrored(beyond, shape[0], rule0)
            to = begins(ring, 0, beyond, -low1, -low2, rings, places)
            if rule0 % 8 != 2 and original == row:
                move(memory, to, here, whole, rule0, True)
            elif original < 0 and row == 0:
                move(memory, to, 0, whole, 2, False)


@inner
def end(ring, row, shape, rings, places, memory) -> None:
    """A row beyond the image."""
    n = shape[0]
    low1, low2, rule = rings[ring, 4], rings[ring, 6], rings[ring, 8]
    after = n <= row < n + rings[ring, 3]
    if rule and (after or (rule % 8 == 2 and -rings[ring, 2] <= row < 0)):
        to = begins(ring, 0, row, -low1, -low2, rings, places)
        original = mirrored(row, n, rule)
        source = begins(ring, 0, original, -low1, -low2, rings, places)
        move(memory, to, source, places[ring, 1], rule, True)


@part
def finish(ring, row, made, shape, wraps, rings, places, memory) -> None:
    """What a rule says of cells beyond the image, after a row was `made`, or would be."""
    if made:
        close(ring, row, shape, wraps, rings, places, memory)
    if not wraps and not (made and 0 <= row < shape[0]):
        end(ring, row, shape, rings, places, memory)


@inner
def load(turn, row, own, shape, array, writes, rings, places, memory) -> None:
    """Copy the row `own` of an array, (channels, rows, lines, columns), perhaps wider than the image.

    Beyond its cells are zeros: what is read there is a cotangent of nothing, or a factor of one.
    """
    ring = writes[turn[17], 0]
    low1, high1, low2, high2 = turn[9], turn[10], turn[11], turn[12]
    first = own + (array.shape[1] - shape[0]) // 2
    cut1, cut2 = (array.shape[2] - shape[1]) // 2 - low1, (array.shape[3] - shape[2]) // 2 - low2
    n = low2 + shape[2] + high2
    before, after = max(0, -cut2), max(0, cut2 + n - array.shape[3])
    for c in range(turn[3]):
        for y in range(low1 + shape[1] + high1):
            to, end = begins(ring, c, row, y - low1, -low2, rings, places), n - after
            if 0 <= first < array.shape[1] and 0 <= cut1 + y < array.shape[2]:
                clear(before, memory[to : to + before])
                line = array[c, first, cut1 + y, cut2 + before : cut2 + end]
                duplicate(end - before, line, memory[to + before : to + end])
                clear(after, memory[to + end : to + n])
            else:
                clear(n, memory[to : to + n])


@inner
def store(stored, row, shape, array, rings, places, memory) -> None:
    """Copy a row of a ring to an array, with the cells beyond the image that this has."""
    ring, wide0, wide1, wide2 = stored[0], stored[2], stored[3], stored[4]
    for c in range(array.shape[0]):
        for y in range(array.shape[2]):
            source, n = begins(ring, c, row, y - wide1, -wide2, rings, places), array.shape[3]
            duplicate(n, memory[source : source + n], array[c, row + wide0, y])


@inner
def copy(ring, to, channel, turn, row, shape, rings, places, memory) -> None:
    """What a turn made in one ring, in another that has the same array."""
    low1, high1, low2, high2 = turn[9], turn[10], turn[11], turn[12]
    for c in range(rings[ring, 1]) if channel < 0 else range(channel, channel + 1):
        for y in range(-low1, shape[1] + high1):
            source = begins(ring, c, row, y, -low2, rings, places)
            target, n = begins(to, c, row, y, -low2, rings, places), low2 + shape[2] + high2
            duplicate(n, memory[source : source + n], memory[target : target + n])


@inner
def owned(row, band, n, wide) -> bool:
    """Whether a row is one of a band, which has those beyond the image, `wide` of them, if it is there."""
    first = -wide if band[0] == 0 else band[0]
    last = n + wide if band[1] == n else band[1]
    return first <= row < last


@inner
def begin(turn, row, reads, writes, rings, places, starts) -> None:
    """What a turn reads and writes when it makes its first row, in lines of `starts`:

    the first cell; how far it moves with each channel, line and row; where rows end; memory of all rows.
    """
    low1, low2, count = turn[9], turn[11], turn[16] - turn[15]
    for k in range(count + turn[18] - turn[17]):
        start = starts[turn[15] + turn[17] + k]
        ahead, y, x = 0, 0, 0
        if k < count:
            read = reads[turn[15] + k]
            ring, channel, ahead, y, x = read[0], read[4], read[1], read[2], read[3]
            moves = channel < 0 and rings[ring, 1] > 1
        else:
            write = writes[turn[17] + k - count]
            ring, channel = write[0], write[1]
            moves = channel < 0 and turn[4] == 0
        if ring < 0:
            start[:] = 0
            start[0] = 64 + (k - count) * places[0, 3]
            continue
        start[0] = begins(ring, max(channel, 0), row + ahead, y - low1, x - low2, rings, places)
        start[1] = places[ring, 2] if moves else 0
        start[2] = places[ring, 3]
        start[3] = places[ring, 1]
        start[5] = rings[ring, 0] * places[ring, 1]
        start[4] = begins(ring, max(channel, 0), 0, y - low1, x - low2, rings, places) + start[5]


@part
def make(turn, shape, inside, writes, places, p, starts, at, where, memory, sums) -> None:
    """A row of what a function of lines makes; sums of what is `inside` the band.

    All lines are one, with what is between them, unless cells are asked for their place, or summed.
    """
    lines = turn[9] + shape[1] + turn[10]
    n, count, made = turn[11] + shape[2] + turn[12], turn[16] - turn[15], turn[18] - turn[17]
    cells, first = shape[2] + 2 * turn[24], turn[15] + turn[17]
    where[2] = -turn[11]
    if turn[21] == 0:
        n, lines = (lines - 1) * places[0, 3] + n, 1
    for c in range(turn[3]):
        for k in range(count + made):
            at[k] = starts[first + k, 0] + c * starts[first + k, 1]
        for k in range(made):
            if writes[turn[17] + k, 5] == 2:
                clear(n, memory[at[count + k] : at[count + k] + n])
        for y in range(lines):
            where[1] = y - turn[9]
            for k in range(made):
                if turn[4] and (c == 0 or writes[turn[17] + k, 0] < 0):
                    clear(n, memory[at[count + k] : at[count + k] + n])
            call(turn[0], n, p, where, memory, at)
            counted = inside and -turn[23] <= where[1] < shape[1] + turn[23]
            for k in range(made):
                if writes[turn[17] + k, 2] >= 0 and counted:
                    own = at[count + k] + turn[11] - turn[24]
                    sums[writes[turn[17] + k, 2]] += total(cells, memory[own : own + cells])
            for k in range(count + made):
                at[k] += starts[first + k, 2]
    for k in range(first, first + count + made):
        starts[k, 0] += starts[k, 3]
        if starts[k, 0] >= starts[k, 4]:
            starts[k, 0] -= starts[k, 5]


@kernel
def sweep(
    turns,
    reads,
    writes,
    copies,
    stores,
    rings,
    places,
    wraps,
    shape,
    band,
    image,
    arrays,
    results,
    numbers,
    memory,
    sums,
    spans,
    starts,
    at,
    where,
) -> None:
    """Make the rows `band` of an image in one pass.

    A turn is

        0        the function of lines; -1: load a row of an array
        1        how many rows it is behind
        2        its line of numbers; the array
        3, 4     channels that it makes, or sums over if the second is 1
        5, 6     rows that it makes before and after the band
        7 - 12   cells that it makes beyond the image, at both ends of each axis
        13, 14   rows beyond the image that its rings have
        15 - 20  its reads, writes and stores: from, to
        21       whether its lines have to be made one by one
        22 - 24  cells beyond the image that its sums are over, for each axis
    """
    turns, reads, writes = borrowed(turns), borrowed(reads), borrowed(writes)
    copies, stores, rings, places = borrowed(copies), borrowed(stores), borrowed(rings), borrowed(places)
    shape, band, numbers, memory = borrowed(shape), borrowed(band), borrowed(numbers), borrowed(memory)
    sums, spans, starts = borrowed(sums), borrowed(spans), borrowed(starts)
    at, where = borrowed(at), borrowed(where)
    n = shape[0]
    early, late = band[1], band[0]
    for k in range(len(turns)):
        turn = turns[k]
        first, last = band[0] - turn[5], band[1] + turn[6]
        if not wraps:
            first, last = max(first, -turn[7]), min(last, n + turn[8])
        spans[k, 0], spans[k, 1] = first, last
        begin(turn, first, reads, writes, rings, places, starts)
        early, late = min(early, first + turn[1] - turn[13]), max(late, last + turn[1] + turn[14])
        for w in range(turn[17], turn[18]):
            if writes[w, 5] == 1:
                ring = writes[w, 0]
                clear(places[ring, 1], memory[places[ring, 0] : places[ring, 0] + places[ring, 1]])
    for k in range(3):
        where[3 + k] = shape[k]
    far = shape[1] == 1 and n * shape[2] * memory.itemsize >= FAR
    share = max(shape[2] // len(turns) + 1, 192)
    for now in range(early, late):
        for k in range(len(turns)):
            if far and k * share < shape[2]:
                expect(k, now + 1, share, n, turns, stores, arrays, results, image)
            turn = turns[k]
            row = now - turn[1]
            there = spans[k, 0] <= row < spans[k, 1]
            where[0] = row % n if wraps else row
            if there and turn[0] < 0:
                array = borrowed(arrays[turn[2]])
                load(turn, row, where[0], shape, array[image], writes, rings, places, memory)
            elif there:
                p = numbers[turn[2]]
                inside = owned(row, band, n, 0 if wraps else turn[22])
                make(turn, shape, inside, writes, places, p, starts, at, where, memory, sums)
            for w in range(turn[17], turn[18]):
                ring = writes[w, 0]
                if ring < 0 or writes[w, 5]:
                    continue
                for c in range(writes[w, 3], writes[w, 4] + 1):
                    copied = c < writes[w, 4]
                    own = copies[c, 0] if copied else ring
                    if there and copied:
                        copy(ring, own, writes[w, 1], turn, row, shape, rings, places, memory)
                    finish(own, row, there, shape, wraps, rings, places, memory)
            if not there:
                continue
            for s in range(turn[19], turn[20]):
                if owned(row, band, n, 0 if wraps else stores[s, 2]):
                    array = borrowed(results[stores[s, 1]])
                    store(stores[s], row, shape, array[image], rings, places, memory)
'''

"""The text of kernels for K^T phi(K u) of learned filters: sums of shifted lines, tile by tile."""

from __future__ import annotations

from pde2net.emit.tree import Function

REGISTERS = 26  # weights and sums that stay in registers of AVX-512, of which there are 32


def group_of(count: int, taps: int) -> int:
    """How many lines of `count` are made at a time, as many in each group as can be."""
    most = max(1, min(8, REGISTERS // taps))
    return -(-count // -(-count // most))


def adding(count: int, taps: int) -> Function:
    """The function that adds shifted copies of one line to some others."""
    made = [f"z{g}" for g in range(count)]
    body = ["wide()", *(f"w{g}_{b} = w[{g}, {b}]" for g in range(count) for b in range(taps))]
    body += ["for j in range(n):", *(f"    x{b} = x[j + {b}]" for b in range(taps))]
    sums = (" + ".join(f"w{g}_{b} * x{b}" for b in range(taps)) for g in range(count))
    body += [f"    {z}[j] += {text}" for z, text in zip(made, sums, strict=True)]
    doc = "z[g][j] += sum of w[g, b] x[j + b] over b."
    return Function(f"add_to_{count}", ["n", "x", "w", *made], "None", doc, body, ["@line"])


def summing(count: int, taps: int) -> Function:
    """The function that sums products of some lines and shifted copies of another."""
    lines, pairs = [f"z{g}" for g in range(count)], [(g, b) for g in range(count) for b in range(taps)]
    body = ["wide()", "zero = x.dtype.type(0)", *(f"s{g}_{b} = zero" for g, b in pairs)]
    body += ["for j in range(n):", *(f"    x{b} = x[j + {b}]" for b in range(taps))]
    body += [f"    s{g}_{b} += x{b} * z{g}[j]" for g, b in pairs]
    body += [f"s[{g}, {b}] += s{g}_{b}" for g, b in pairs]
    doc = "s[g, b] += sum of x[j + b] z[g][j] over j, in whatever order is fast."
    return Function(f"sum_with_{count}", ["n", "x", *lines, "s"], "None", doc, body, ["@summing_line"])


SUMMING = '''
def summing_line(function: Callable) -> Callable:
    """A function of lines that adds up in any order."""
    return compiled(function, pipeline_class=Separate, fastmath={"nsz", "arcp", "contract", "reassoc"})


@line
def add(n, a, b) -> None:
    for j in range(n):
        b[j] += a[j]


@inner
def clear_between(n, m, columns, width, a) -> None:
    """0 in cells of a tile where no filter lies on the image: between rows, and after its n cells."""
    for first in range(columns, n, width):
        a[first : first + width - columns] = 0
    a[n:m] = 0


@inner
def whole(n) -> int:
    """n cells, and more to make vectors whole."""
    return (n + 63) // 64 * 64


@inner
def collect(m, z, first, starts, out) -> None:
    """Add lines of a tile, one for each line of a filter, to the image."""
    for i in range(len(out)):
        for a in range(len(starts)):
            at = first + starts[a]
            add(m, z[i * len(starts) + a, :m], out[i, at : at + m])
'''

SPLINES = '''
@line
def find(n, q, table, width, places, slopes, offsets) -> None:
    """The pieces of a spline that numbers are in, with their slopes and offsets; NaN is in the last one."""
    wide()
    half, width = len(table) // 4, q.dtype.type(width)
    first, last = q.dtype.type(-half), q.dtype.type(half - 1)
    for j in range(n):
        x = q[j] / width
        x = x if x < last else last
        x = np.floor(x if x > first else first)
        places[j] = np.int32(x) + half
        slopes[j] = table[places[j]]
        offsets[j] = table[2 * half + places[j]]


@inner
def gather(n, slopes, offsets, places, found) -> None:
    """Add numbers to those of the pieces that they belong to."""
    half = len(found) // 4
    for j in range(n):
        found[places[j]] += slopes[j]
        found[2 * half + places[j]] += offsets[j]
'''

# Of filters of 1 + `more` columns, `group` of them at a time, and `spread` lines of the result. All loops
# have `m` cells, whole vectors, `more` at least beyond those of a tile; images have zeros after their cells.
RESPONSES = '''
@inner
def respond_$k(x, weights, first, m, starts, q) -> None:
    """K x for a group of filters, of each of some arrays."""
    lines = len(weights)
    for a in range(len(x) // (lines // len(starts))):
        own = q[a * $group : (a + 1) * $group]
        own[:, :m] = 0
        for i in range(lines):
            at = first + starts[i % len(starts)]
            shifted = x[a * (lines // len(starts)) + i // len(starts), at : at + m + $more]
            add_to_$group(m, shifted, weights[i], $of_q)


@inner
def spread_$k(m, p, weights, z) -> None:
    """Add K^T p of one filter to lines of the result, p with $more zeros at both ends."""
    for t in range(len(weights)):
        own = z[t * $spread : (t + 1) * $spread]
        add_to_$spread(m, p[: m + $more], weights[t], $of_z)


@inner
def activate_$k(
    x,
    weights,
    transposed,
    numbers,
    tile,
    starts,
    out,
    q,
    p,
    z,
    pieces,  # if splines
    places,  # if splines
) -> None:
    """Add K^T phi(K x) of a tile to the image; `q` and those after it are memory."""
    x, weights, transposed, numbers = borrowed(x), borrowed(weights), borrowed(transposed), borrowed(numbers)
    starts, out, q, p, z = borrowed(starts), borrowed(out), borrowed(q), borrowed(p), borrowed(z)
    first, n, columns, width = tile[0], tile[1], tile[2], tile[3]
    m = whole(n + $more)
    z[:, :m] = 0
    for g in range(len(weights)):
        respond_$k(x, weights[g], first, m, starts, q)
        for c in range(g * $group, min(len(numbers), (g + 1) * $group)):
            own = c - g * $group
            $find
            $flux
            clear_between(n, m, columns, width, p[$more:])
            spread_$k(m, p, transposed[c], z)
    collect(n + $more, z, first, starts, out)


@kernel
def activated_$k(images, x, weights, transposed, numbers, tiles, starts, out) -> None:
    """Add K^T phi(K x) of some tiles to some images."""
    m = whole(tiles[:, 1].max() + $more) + 80  # lines do not begin at the same place of a cache
    q = np.empty(($arrays * $group, m), x.dtype)
    p = np.zeros(m + $more, x.dtype)
    z = np.empty((transposed.shape[1] * $spread, m), x.dtype)
    pieces, places = np.empty((2 * $kinds, m), x.dtype), np.empty(($kinds, m), np.int32)  # if splines
    for image in range(images[0], images[1]):
        for tile in range(len(tiles)):
            activate_$k(
                x[image],
                weights,
                transposed,
                numbers[image % len(numbers)],
                tiles[tile],
                starts,
                out[image],
                q,
                p,
                z,
                pieces,  # if splines
                places,  # if splines
            )


@inner
def multiply_$k(
    x,
    slope,
    weights,
    transposed,
    numbers,
    tile,
    starts,
    out,
    of_weights,
    of_numbers,
    q,
    s,
    p,
    t,
    of,
    z,
    pieces,  # if splines
    places,  # if splines
) -> None:
    """Add what a tile gives to cotangents of x, weights and numbers; `q` and those after it are memory."""
    x, slope, weights, transposed = borrowed(x), borrowed(slope), borrowed(weights), borrowed(transposed)
    numbers, starts, out = borrowed(numbers), borrowed(starts), borrowed(out)
    of_weights, of_numbers = borrowed(of_weights), borrowed(of_numbers)
    q, s, p, t, of, z = borrowed(q), borrowed(s), borrowed(p), borrowed(t), borrowed(of), borrowed(z)
    first, n, columns, width = tile[0], tile[1], tile[2], tile[3]
    m, inner = whole(n + $more), len(slope)
    z[:, :, :m] = 0
    for g in range(len(weights)):
        respond_$k(x, weights[g], first, m, starts, q)
        respond_$k(slope, weights[g], first, m, starts, s)
        for c in range(g * $group, min(len(numbers), (g + 1) * $group)):
            own = c - g * $group
            $find
            $slopes
            clear_between(n, m, columns, width, p[own, $more:])
            for k in range(len(of)):
                clear_between(n, n, columns, width, of[k])
            for k in range($numbers):
                of_numbers[c, k] += total(n, of[k])
            $gather
            for a in range($arrays):
                clear_between(n, m, columns, width, t[a * $group + own, $more:])
                spread_$k(m, t[a * $group + own], transposed[c], z[a])
        for i in range(weights.shape[1]):
            at, found = first + starts[i % len(starts)], of_weights[g, i]
            sum_with_$group(m, slope[i // len(starts), at : at + m + $more], $of_p, found)
            for a in range($arrays):
                shifted = x[a * inner + i // len(starts), at : at + m + $more]
                sum_with_$group(m, shifted, $of_t, found)
    for a in range($arrays):
        collect(n + $more, z[a], first, starts, out[a * inner : (a + 1) * inner])


@kernel
def product_$k(
    images, x, slope, weights, transposed, numbers, tiles, starts, out, of_weights, of_numbers
) -> None:
    """Add the product of some tiles of some images with the cotangent `slope`: by x, weights and numbers."""
    m = whole(tiles[:, 1].max() + $more) + 80  # lines do not begin at the same place of a cache
    q = np.empty(($arrays * $group, m), x.dtype)
    s = np.empty(($group, m), x.dtype)
    p = np.zeros(($group, m + $more), x.dtype)
    t = np.zeros(($arrays * $group, m + $more), x.dtype)
    of = np.empty(($of, m), x.dtype)
    z = np.empty(($arrays, transposed.shape[1] * $spread, m), x.dtype)
    pieces, places = np.empty((2 * $kinds, m), x.dtype), np.empty(($kinds, m), np.int32)  # if splines
    for image in range(images[0], images[1]):
        for tile in range(len(tiles)):
            multiply_$k(
                x[image],
                slope[image],
                weights,
                transposed,
                numbers[image % len(numbers)],
                tiles[tile],
                starts,
                out[image],
                of_weights[image],
                of_numbers[image],
                q,
                s,
                p,
                t,
                of,
                z,
                pieces,  # if splines
                places,  # if splines
            )
'''

FILTERS = '''
@lru_cache(maxsize=64)
def tiles_of(size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Runs of cells for filters to begin at, as cells of an image, and where lines of a filter begin.

    A run is its first cell, its length, and columns and width of its rows: between rows are cells where
    no filter lies on the image.
    """
    planes, rows, width = size
    valid = [n - k + 1 for n, k in zip(size, kernel, strict=True)]
    columns = min(valid[2], LONGEST)
    height = max(1, LONGEST // width) if columns == valid[2] else 1
    found = []
    for plane in range(valid[0]):
        for row in range(0, valid[1], height):
            for column in range(0, valid[2], columns):
                own = min(columns, valid[2] - column)
                count = (min(height, valid[1] - row) - 1) * width + own
                found.append(((plane * rows + row) * width + column, count, own, width))
    starts = [(a * rows + b) * width for a in range(kernel[0]) for b in range(kernel[1])]
    return np.array(found, np.int64), np.array(starts, np.int64)


def in_groups(weight: np.ndarray, count: int) -> np.ndarray:
    """Weights (lines, ...) with `count` lines in each of some groups, those that are missing 0."""
    groups = -(-len(weight) // count)
    padded = np.zeros((groups * count, *weight.shape[1:]), weight.dtype)
    padded[: len(weight)] = weight
    return padded.reshape(groups, count, *weight.shape[1:])


def filtering(
    kind: int, weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor, slope: Tensor | None
) -> tuple[np.ndarray, ...]:
    """K^T phi(K u), or its product with a cotangent: by arrays, weights and numbers."""
    like, axes = arrays[0], weight.dim() - 2
    size, kernel = ((*[1] * (3 - axes), *a.shape[2:]) for a in (like, weight))
    images, inner = like.shape[:2]
    x = with_zeros(arrays)
    v = None if slope is None else with_zeros([slope])
    lines = in_numpy(weight).reshape(len(weight), -1, kernel[2])
    group, spread = GROUPS[kind]
    weights = np.ascontiguousarray(in_groups(lines, group).swapaxes(1, 2))
    turned = in_groups(lines[:, :, ::-1].swapaxes(0, 1), spread)
    transposed = np.ascontiguousarray(turned.transpose(2, 0, 1, 3))
    values = in_numpy(numbers)
    tiles, starts = tiles_of(size, kernel)
    threads = min(torch.get_num_threads(), 1 + x.size * len(weight) // ENOUGH)
    bands = 1 if images >= threads else min(threads, len(tiles))
    own = np.array_split(tiles, bands)
    cells = math.prod(size)
    made = np.empty((bands, images, inner * (1 if slope is None else len(arrays)), cells), x.dtype)
    of_weights = np.empty((bands, images, *weights.shape[:2], group, kernel[2]))
    of_numbers = np.empty((bands, images, *values.shape[1:]))

    def start() -> None:
        for a in (made, of_weights, of_numbers):
            a[:] = 0

    def part(some: np.ndarray, band: int) -> None:
        activated, product = kernels_of(kind)
        given = weights, transposed, values, own[band], starts, made[band]
        if v is None:
            activated(some, x, *given)
        else:
            product(some, x, v, *given, of_weights[band], of_numbers[band])

    ends = np.array([images * k // threads for k in range(threads + 1)])
    shares = [ends[k : k + 2] for k in range(threads)] if bands == 1 else [np.array([0, images])]
    done([partial(part, some, band) for some in shares for band in range(bands)], threads, start)
    total = made[0] if bands == 1 else made.sum(0)
    if slope is None:
        return (total.reshape(like.shape),)
    by_arrays = np.ascontiguousarray(total.reshape(images, len(arrays), *like.shape[1:]).swapaxes(0, 1))
    by_weights = of_weights.sum((0, 1)).swapaxes(1, 2).reshape(-1, *lines.shape[1:])[: len(weight)]
    by_weights = np.ascontiguousarray(by_weights)
    by_numbers = of_numbers.sum(0)
    by_numbers = by_numbers if len(values) == images else by_numbers.sum(0, keepdims=True)
    return by_arrays, by_weights.reshape(weight.shape), by_numbers


def with_zeros(arrays: Sequence[Tensor]) -> np.ndarray:
    """Channels of all arrays as lines of all cells, and zeros after them."""
    images, inner, *sizes = arrays[0].shape
    cells = math.prod(sizes)
    made = np.empty((images, len(arrays) * inner, cells + ZEROS), in_numpy(arrays[0]).dtype)
    made[:, :, cells:] = 0
    for k, a in enumerate(arrays):
        made[:, k * inner : (k + 1) * inner, :cells] = in_numpy(a).reshape(images, inner, -1)
    return made


def of_filters(
    numbers: Sequence[Tensor | float], tables: Sequence[Tensor], weight: Tensor, u: Tensor
) -> Tensor:
    """Numbers of all, of each filter or of each image, and after them tables of filters or of all.

    As (images or 1, filters, count).
    """
    found = [torch.as_tensor(n, dtype=u.dtype, device=u.device) for n in numbers]
    found = [n.reshape(n.shape[: max(0, n.dim() - u.dim() + 2)]) for n in found]
    several = [len(n) for n in found if n.dim() == 2]
    images = max(several) if several else 1
    columns = [n.expand(images, len(weight)).unsqueeze(-1) for n in found]
    columns += [t.expand(images, len(weight), -1) for t in tables]
    return torch.cat(columns, -1) if columns else u.new_empty(1, len(weight), 0)


def takes(weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor) -> bool:
    """Whether kernels take these: images no smaller than the filters."""
    if any(n < k for n, k in zip(arrays[0].shape[2:], weight.shape[2:], strict=True)):
        return False
    every = (weight, *arrays, numbers)
    alike = is_plain(every[:-1]) and numbers.dtype == weight.dtype
    return alike and is_backward(every, is_kept(every))


def shapes_of_products(
    kind: int, weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor, slope: Tensor
) -> list[Tensor]:
    return [torch.empty_like(a, memory_format=torch.contiguous_format) for a in (*arrays, weight, numbers)]


@partial(operator, PRODUCTS, shapes_of_products, keep_nothing, no_second_derivative)
def products(
    kind: int, weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor, slope: Tensor
) -> list[Tensor]:
    """The vector-Jacobian product: cotangents of arrays, weights and numbers."""
    by_arrays, *others = filtering(kind, weight, arrays, numbers, slope)
    made = [*by_arrays, *others]
    return [torch.from_numpy(a).to(numbers.dtype) for a in made]


def shapes(kind: int, weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor) -> Tensor:
    return torch.empty_like(arrays[0], memory_format=torch.contiguous_format)


def keep_for_backward(ctx: Any, inputs: Any, output: Any) -> None:
    kind, weight, arrays, numbers = inputs
    ctx.kind = kind
    ctx.save_for_backward(weight, numbers, *arrays)


def backward(ctx: Any, slope: Tensor) -> Any:
    weight, numbers, *arrays = ctx.saved_tensors
    *by_arrays, by_weights, by_numbers = products(ctx.kind, weight, arrays, numbers, slope)
    return None, by_weights, by_arrays, by_numbers


@partial(operator, ACTIVATED, shapes, keep_for_backward, backward)
def activated(kind: int, weight: Tensor, arrays: Sequence[Tensor], numbers: Tensor) -> Tensor:
    """K^T phi(K u) where the filters lie on the image."""
    (found,) = filtering(kind, weight, arrays, numbers, None)
    return torch.from_numpy(found)
'''

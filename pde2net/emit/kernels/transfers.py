"""The text of kernels between nested grids: means of joined cells, linear interpolation.

Both work line by line along the last axis. Along the others a table says which lines of the other grid belong
to a line; so the text is the same for signals, images and volumes.
"""

from __future__ import annotations

TRANSFERS = '''
@kernel
def join_lines(fine, near, joined, scale, coarse, first, last) -> None:
    """Means of the cells of the lines `near` each coarse line, `joined` at a time; missing ones are 0."""
    for row in range(first, last):
        out = coarse[row]
        out[:] = 0
        for k in range(near.shape[1]):
            if near[row, k] >= 0:
                line = fine[near[row, k]]
                whole = len(line) // joined
                for j in range(whole):
                    out[j] += line[joined * j]
                if joined == 2:
                    for j in range(whole):
                        out[j] += line[2 * j + 1]
                    if len(line) > 2 * whole:
                        out[whole] += line[2 * whole]
        for j in range(len(out)):
            out[j] *= scale[0]


@kernel
def add_lines(w, start, near, weights, joined, wraps, shares, v, out, first, last) -> None:
    """v and the linear interpolation of w - start, with the weights that the lines `near` each line have."""
    n, half, quarter = w.shape[1], shares[0], shares[1]
    memory = np.empty(n + 2, w.dtype)
    for row in range(first, last):
        own, new, middle = v[row], out[row], memory[1 : n + 1]
        middle[:] = 0
        for k in range(near.shape[1]):
            line, less, weight = w[near[row, k]], start[near[row, k]], weights[row, k]
            for j in range(n):
                middle[j] += weight * (line[j] - less[j])
        if joined == 1:
            for j in range(n):
                new[j] = own[j] + middle[j]
            continue
        memory[0], memory[n + 1] = (memory[n], memory[1]) if wraps else (memory[1], memory[n])
        for j in range(n):
            c = half * memory[j + 1]
            new[2 * j] = own[2 * j] + (c + quarter * memory[j])
            new[2 * j + 1] = own[2 * j + 1] + (c + quarter * memory[j + 2])


@lru_cache(maxsize=64)
def lines_of_cells(images: int, sizes: tuple[int, ...], joined: tuple[int, ...]) -> np.ndarray:
    """For each line of a coarse grid, those of the fine one that are joined to it; -1 for missing ones."""
    near = np.arange(images)[:, None]
    for n, k in zip(sizes[:-1], joined[:-1]):
        own = np.arange(-(-n // k) * k).reshape(-1, k)
        lines = np.where((near[:, None, :, None] < 0) | (own[:, None] >= n), -1, 0)
        lines = np.where(lines < 0, -1, near[:, None, :, None] * n + own[:, None])
        near = lines.reshape(-1, near.shape[1] * k)
    return near


@lru_cache(maxsize=64)
def lines_around(
    images: int, sizes: tuple[int, ...], joined: tuple[int, ...], wraps: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """For each line of a fine grid, those of the coarse one that are interpolated, and their weights."""
    near, weights = np.arange(images)[:, None], np.ones((images, 1))
    for n, k, around in zip(sizes[:-1], joined[:-1], wraps[:-1]):
        i, m = np.arange(n), n // k
        other = i // 2 + 2 * (i % 2) - 1
        other = other % m if around else other.clip(0, m - 1)
        own = i[:, None] if k == 1 else np.stack((i // 2, other), 1)
        shares = np.ones((n, 1)) if k == 1 else np.tile((0.75, 0.25), (n, 1))
        near = (near[:, None, :, None] * m + own[:, None]).reshape(len(near) * n, -1)
        weights = (weights[:, None, :, None] * shares[:, None]).reshape(len(weights) * n, -1)
    return near, weights


def in_lines(function: Callable, rows: int, cells: int, *given: Any) -> None:
    """A function of lines, in threads."""
    threads = max(1, min(torch.get_num_threads(), rows, 1 + 4 * cells // ENOUGH))
    ends = [rows * k // threads for k in range(threads + 1)]
    work = [partial(function, *given, a, b) for a, b in zip(ends[:-1], ends[1:])]
    done(work, threads, lambda: None)


def by_lines(a: Tensor) -> np.ndarray:
    """The values as lines along the last axis."""
    return in_numpy(a).reshape(-1, a.shape[-1])


def pooled(u: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The mean of the cells that are joined, a missing one as 0."""
    joined = tuple(b.stride // a.stride for a, b in zip(fine.axes, coarse.axes))
    if not (is_plain([u]) and is_value([u]) and u.shape[2:] == fine.sizes):
        return pooled_by_torch(u, fine, coarse)
    near, own = lines_of_cells(u.shape[0] * u.shape[1], fine.sizes, joined), by_lines(u)
    out = memory_of(os.getpid()).array((*u.shape[:2], *coarse.sizes), own.dtype)
    made, scale = out.reshape(-1, out.shape[-1]), np.array([1 / math.prod(joined)], own.dtype)
    in_lines(join_lines, len(made), u.numel(), own, near, joined[-1], scale, made)
    return torch.from_numpy(out)


def corrected(v: Tensor, w: Tensor, start: Tensor, coarse: Grid, fine: Grid) -> Tensor:
    """v and the prolongation of the correction w - start."""
    pairs = [*zip(fine.axes, coarse.axes)]
    whole = all(a is b or (b.whole == 1 and b.boundary != "dirichlet") for a, b in pairs)
    alike = v.shape[2:] == fine.sizes and w.shape == start.shape == (*v.shape[:2], *coarse.sizes)
    if not (whole and alike and is_plain([v, w, start]) and is_value([v, w, start])):
        return v + prolong(w - start, coarse, fine)
    joined = tuple(b.stride // a.stride for a, b in pairs)
    wraps = tuple(a.boundary == "periodic" for a, _ in pairs)
    near, weights = lines_around(v.shape[0] * v.shape[1], fine.sizes, joined, wraps)
    own = by_lines(v)
    out = memory_of(os.getpid()).array(v.shape, own.dtype)
    made = out.reshape(own.shape)
    given = by_lines(w), by_lines(start), near, weights.astype(own.dtype), joined[-1], wraps[-1]
    in_lines(add_lines, len(made), v.numel(), *given, np.array((0.75, 0.25), own.dtype), own, made)
    return torch.from_numpy(out)
'''

# What loops of cycles measure.
NORM = '''
@adding
def total_of_squares(n, a) -> float:
    """In double precision and in whatever order is fast."""
    found = 0.0
    for j in range(n):
        found += np.float64(a[j]) * np.float64(a[j])
    return found


@kernel
def square_lines(lines, sums, first, last) -> None:
    """The sum of squares of each line, in double precision."""
    for row in range(first, last):
        sums[row] = total_of_squares(lines.shape[1], lines[row])


def norm(a: Tensor) -> Tensor:
    """The Euclidean norm of each image: in double precision squares of single precision do not overflow."""
    if a.dtype != torch.float32 or not (is_plain([a]) and is_value([a])):
        return norm_by_torch(a)
    lines = by_lines(a)
    sums = np.empty(len(lines))
    in_lines(square_lines, len(lines), a.numel(), lines, sums)
    sizes = torch.from_numpy(np.sqrt(sums.reshape(len(a), -1).sum(1)))
    return sizes.to(a.dtype).reshape(-1, *[1] * (a.dim() - 1))
'''

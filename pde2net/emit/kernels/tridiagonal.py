"""The text of kernels for tridiagonal systems: elimination along lines, sixteen of them at a time."""

from __future__ import annotations

OPERATOR = "lines_of_this_text"
SCHEMA = (
    f'ELIMINATED = "{OPERATOR}(Tensor lower, Tensor middle, Tensor upper, Tensor rhs, int dim) -> Tensor"'
)
LANES = "LANES = 16  # lines that are solved at once"

TRIDIAGONAL = '''
@kernel
def eliminate(lower, middle, upper, rhs, x, n, inner, first, last) -> None:
    """Lines `first` to `last` of arrays (outer, n, inner), by the elimination of Thomas, LANES at a time."""
    c, d = np.zeros((n, LANES), x.dtype), np.zeros((n, LANES), x.dtype)
    line = first
    while line < last:
        outer, at = line // inner, line % inner
        count = min(LANES, last - line) if inner == 1 else min(LANES, last - line, inner - at)
        begin = outer * n * inner + at
        step, lane = (1, n) if inner == 1 else (inner, 1)
        for i in range(n):
            place = begin + i * step
            for k in range(count):
                a = lower[place + k * lane]
                before, known = (c[i - 1, k], d[i - 1, k]) if i else (a - a, a - a)
                scale = middle[place + k * lane] - a * before
                c[i, k] = upper[place + k * lane] / scale
                d[i, k] = (rhs[place + k * lane] - a * known) / scale
        for i in range(n - 1, -1, -1):
            place = begin + i * step
            for k in range(count):
                if i < n - 1:
                    d[i, k] -= c[i, k] * d[i + 1, k]
                x[place + k * lane] = d[i, k]
        line += count


def shape_of_solution(lower: Tensor, middle: Tensor, upper: Tensor, rhs: Tensor, dim: int) -> Tensor:
    return torch.empty_like(rhs, memory_format=torch.contiguous_format)


def keep_system(ctx: Any, inputs: Any, output: Tensor) -> None:
    *system, _, ctx.dim = inputs
    ctx.save_for_backward(*system, output)


def by_transpose(ctx: Any, slope: Tensor) -> Any:
    """The cotangent of rhs solves the transposed system; those of the matrix are products with x."""
    lower, middle, upper, x = ctx.saved_tensors
    left, right = shifts(x, 1, ctx.dim)
    own = eliminated(left(upper), middle, right(lower), slope, ctx.dim)
    return -own * left(x), -own * x, -own * right(x), own, None


@partial(operator, ELIMINATED, shape_of_solution, keep_system, by_transpose)
def eliminated(lower: Tensor, middle: Tensor, upper: Tensor, rhs: Tensor, dim: int) -> Tensor:
    """Solutions along `dim`, lines in threads."""
    n, inner = rhs.shape[dim], math.prod(rhs.shape[rhs.dim() + dim + 1 :])
    arrays = [in_numpy(a).reshape(-1) for a in (lower, middle, upper, rhs)]
    x = np.empty(rhs.numel(), arrays[0].dtype)
    lines = rhs.numel() // n
    threads = max(1, min(torch.get_num_threads(), lines // LANES, 1 + 8 * len(x) // ENOUGH))
    ends = [lines * k // threads // LANES * LANES for k in range(threads)] + [lines]
    work = [partial(eliminate, *arrays, x, n, inner, a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    done(work, threads, lambda: None)
    return torch.from_numpy(x).view(rhs.shape)


def solve_tridiagonal(lower: Tensor, middle: Tensor, upper: Tensor, rhs: Tensor, dim: int) -> Tensor:
    """x with lower[i] x[i-1] + middle[i] x[i] + upper[i] x[i+1] = rhs[i] along `dim`."""
    arrays = [*(a.expand_as(rhs) for a in (lower, middle, upper)), rhs]
    if is_plain(arrays) and is_backward(arrays, is_kept(arrays)):
        return eliminated(*arrays, dim)
    return solve_by_reduction(lower, middle, upper, rhs, dim)
'''

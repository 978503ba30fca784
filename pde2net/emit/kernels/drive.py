"""The text of modules with kernels around them: threads, memory, operators of torch, methods."""

from __future__ import annotations


def schemas(name: str) -> list[str]:
    """Those of the operators of a network, as lines of its module."""
    handed = "Tensor u, Tensor[] fields, Tensor numbers"
    return [
        f'ADVANCE = "{name}({handed}, bool keep) -> Tensor[]"',
        f'DERIVATIVES = "{name}_derivatives({handed}, Tensor[] kept, Tensor slope) -> Tensor[]"',
    ]


CONSTANTS = [
    'DEVICE = "cpu"',
    f"ENOUGH = {2**20}  # cells times turns, for which a thread is worth starting",
    f"FAR = {2**22}  # bytes of an image, of which caches close to a processor have little",
    "PROCESS = os.getpid()  # which has loaded this",
]

THREADS = '''
def in_numpy(a: Tensor) -> np.ndarray:
    """The values, one after the other in memory."""
    return a.detach().contiguous().resolve_neg().numpy()


@lru_cache(maxsize=1)
def team(process: int) -> Callable | None:
    """How the threads that torch has do something: others would wait for the cores on which these spin.

    None where torch has no OpenMP with the interface of GNU, and in forks, which have lost its threads: in
    processes of multiprocessing, or others than have loaded this, or that have nothing but this thread.
    """
    tasks = Path("/proc/self/task")
    alone = tasks.exists() and len(list(tasks.iterdir())) == 1
    if process != PROCESS or alone or torch.multiprocessing.parent_process():
        return None
    try:
        parallel = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (OSError, AttributeError):
        return None
    entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    parallel.argtypes, parallel.restype = (entry, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return lambda function, threads: parallel(entry(function), None, threads, 0)


@lru_cache(maxsize=1)
def helpers(process: int) -> ThreadPoolExecutor:
    """Threads that wait for work; another process has others."""
    return ThreadPoolExecutor(os.cpu_count())


def at_once(work: Sequence[Callable[[], None]], threads: int) -> None:
    """Do what there is to do, in some threads: who is free takes the next, for some may begin late."""
    left, failed, ended = iter(work), list[BaseException](), list[bool]()

    def some() -> Iterable[None]:
        try:
            yield
            for each in left:
                each()
                ended.append(True)
        except BaseException as error:
            failed.append(error)

    count = min(threads, len(work))
    parts = [some() for _ in range(count)]
    for part in parts:
        next(part)
    # Threads resume parts, where an interrupt that comes first is caught: C has no caller to hand it on to.
    resume = partial(next, map(next, parts))
    together = team(os.getpid()) if count > 1 else None
    if together is None:
        others = [helpers(os.getpid()).submit(resume, None) for _ in range(count - 1)]
        resume(None)
        for other in others:
            other.result()
    else:
        together(resume, count)
    for error in failed:
        raise error
    if len(ended) < len(work):
        raise KeyboardInterrupt


def forget() -> None:
    """Delete what numba has kept of this file, which it cannot read."""
    file = Path(__file__)
    for kept in file.parent.glob(f"__pycache__/{file.stem}.*.nb?"):
        kept.unlink(missing_ok=True)


def done(work: Sequence[Callable[[], None]], threads: int, start: Callable[[], None]) -> None:
    """`start`, and all work; once more where numba cannot read what it has kept."""
    try:
        start()
        at_once(work, threads)
    except (EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, ValueError):
        forget()
        start()
        at_once(work, threads)
'''

DRIVE = '''
def aligned(count: int, dtype: np.dtype) -> np.ndarray:
    """Memory that begins with a line of the caches, 64 bytes: vectors that cross lines are read twice."""
    whole = np.empty(count * dtype.itemsize + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + count * dtype.itemsize].view(dtype)


def places(table: int, *shape: int) -> tuple[np.ndarray, int]:
    """Where rings begin, how far their rows, channels and lines are apart; the memory of all.

    All have lines of one length, whose first cells begin lines of the caches, and rows of images do not begin
    at the same place of a cache.
    """
    rings = TABLES[table][5]
    _, channels, _, _, low1, high1, low2, high2, *_, one = rings.T
    line = (shape[2] + low2 + high2 + 15) // 16 * 16
    line[:] = line.max() + (112 if shape[1] == 1 else 0)
    channel = np.where(one, 1, shape[1] + low1 + high1) * line
    line[one > 0] = 0
    row = channels * channel
    whole = rings[:, 0] * row + 16
    first = 64 + MOST * line.max()
    begin = first + np.cumsum(whole) - whole + -low2 % 16
    return np.stack([begin, row, channel, line], 1), int(first + whole.sum() + line.max() + 64)


def bands(rows: int, lag: int, images: int, threads: int) -> list[tuple[int, int]]:
    """Rows for each thread, many more than those that bands have in common."""
    count = max(1, min(-(-threads // max(images, 1)), rows // (3 * lag + 4)))
    ends = [rows * k // count for k in range(count + 1)]
    return list(zip(ends[:-1], ends[1:], strict=True))


@lru_cache(maxsize=256)
def planned(
    table: int, images: int, threads: int, *sizes: int
) -> tuple[np.ndarray, np.ndarray, int, list[np.ndarray]]:
    """Of a pass over images: the shape of one, with three axes; places of rings, their memory; bands."""
    shape = [*sizes[:-1], *[1] * (3 - len(sizes)), sizes[-1]][-3:]
    parts = bands(shape[0], int(TABLES[table][0][:, 1].max()), images, threads)
    return np.array(shape), *places(table, *shape), [np.array(p) for p in parts]


def travel(
    trips: Sequence[tuple], known: dict[int, Tensor], wanted: Collection[int], numbers: Tensor
) -> Tensor:
    """Follow passes from what is `known`, to which `wanted` arrays are added; derivatives by all numbers."""
    arrays = {slot: in_numpy(a) for slot, a in known.items()}
    like = next(iter(arrays.values()))
    found = divided(trips, arrays, wanted, in_numpy(numbers).astype(like.dtype))
    known |= {slot: torch.from_numpy(arrays[slot]) for slot in wanted}
    return torch.from_numpy(found).to(numbers.dtype)


def divided(
    trips: Sequence[tuple], known: dict[int, np.ndarray], wanted: Collection[int], values: np.ndarray
) -> np.ndarray:
    """As `travel`, in threads.

    These have images of their own, all passes, or bands of all images in each pass where images are few.
    """
    like = next(iter(known.values()))
    made = like.size // max(1, like.shape[1]) * sum(len(TABLES[trip[0]][0]) for trip in trips)
    threads = min(torch.get_num_threads(), 1 + made // ENOUGH)
    for slot in wanted:
        if slot not in known:
            known[slot] = unfilled(slot, like)
    apart = 1 < len(like) >= threads
    found = np.zeros((len(like) if apart else 1, *values.shape))

    def image(k: int) -> None:
        own = {slot: a[k : k + 1] for slot, a in known.items()}
        follow(trips, own, wanted, values, found[k], 1)

    if apart:
        at_once([partial(image, k) for k in range(len(like))], threads)
    else:
        follow(trips, known, wanted, values, found[0], threads)
    return found.sum(0)


class Memory:
    """Memory of arrays that nobody has any more, for the next ones: what is new is slow to touch first."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.free: dict[tuple, list[np.ndarray]] = {}

    def array(self, sizes: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """An array whose values are anything; its memory is free when it and all that views it are."""
        count = math.prod(sizes)
        if count * dtype.itemsize < self.least:
            return aligned(count, dtype).reshape(sizes)
        try:
            whole = self.free[count, dtype].pop()
        except (KeyError, IndexError):
            whole = aligned(count, dtype)
        made = np.frombuffer(memoryview(whole), dtype)  # views would refer to `whole`, not to a view of it
        weakref.finalize(made, self.back, whole).atexit = False
        return made.reshape(sizes)

    def back(self, whole: np.ndarray) -> None:
        """What was handed out is free; all is given up where it becomes too much."""
        if whole.nbytes > self.most:
            return
        kept = sum(own.nbytes for same in list(self.free.values()) for own in list(same))
        if kept + whole.nbytes > self.most:
            self.free.clear()
        self.free.setdefault((whole.size, whole.dtype), []).append(whole)


@lru_cache(maxsize=1)
def memory_of(process: int) -> Memory:
    """From 1 MiB on, 512 MiB at most; another process has its own."""
    return Memory(2**20, 2**29)


def unfilled(slot: int, like: np.ndarray) -> np.ndarray:
    """Memory for an array of as many images."""
    channels, *wide = ARRAYS[slot]
    sizes = [n + 2 * w for n, w in zip(like.shape[2:], wide, strict=True)]
    return memory_of(os.getpid()).array((len(like), channels, *sizes), like.dtype)


def follow(
    trips: Sequence[tuple],
    known: dict[int, np.ndarray],
    wanted: Collection[int],
    values: np.ndarray,
    found: np.ndarray,
    threads: int,
) -> None:
    """As `divided`, for some images; derivatives by numbers are added to `found`."""
    like = next(iter(known.values()))
    last = {slot: k for k, trip in enumerate(trips) for slot in trip[2]}
    for k, (table, first, given, results) in enumerate(trips):
        turns, reads, writes, copies, stores, rings, sums, wraps = TABLES[table]
        known |= {slot: unfilled(slot, like) for slot in results if slot not in known}
        arrays, made = handed(given, known), handed(results or given, known)
        shape, where, length, parts = planned(table, len(like), threads, *like.shape[2:])
        totals = np.zeros((len(like), len(parts), 1 + max((s[0] for s in sums), default=-1)))

        def part(image: int, band: int) -> None:
            memory, spans = aligned(length, values.dtype), np.empty((len(turns), 2), np.int64)
            sweep(
                turns,
                reads,
                writes,
                copies,
                stores,
                rings,
                where,
                wraps,
                shape,
                parts[band],
                image,
                arrays,
                made,
                values[first:],
                memory,
                totals[image, band],
                spans,
                np.empty((len(reads) + len(writes), 6), np.int64),
                np.empty(MOST, np.int64),
                np.empty(6, np.int64),
            )

        work = [partial(part, i, b) for i in range(len(like)) for b in range(len(parts))]
        done(work, threads, partial(totals.fill, 0))
        if sums:
            numbered = totals.sum((0, 1))
            for number, line, column, factor in sums:
                found[first + line, column] += factor * numbered[number]
        for slot in [s for s in known if last.get(s, -1) <= k and s not in wanted]:
            del known[slot]


def handed(slots: Sequence[int], known: dict[int, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Arrays, as many as functions are compiled for."""
    found = [lifted(known[slot]) for slot in slots]
    return (*found, *found[:1] * (HANDED - len(found)))


def lifted(a: np.ndarray) -> np.ndarray:
    """With three axes: images have rows of one line, signals one row."""
    if a.ndim == 3:
        return a[:, :, None, None]
    return a[:, :, :, None] if a.ndim == 4 else a
'''

HIDDEN = '''
def constant(function: Callable) -> Callable:
    """What torch.compiler.assume_constant_result does, without a second of imports."""
    function._dynamo_marked_constant = True
    return function


@constant
def is_transformed() -> bool:
    """Whether torch.func or forward mode are at work, also while torch.compile traces."""
    return torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def hidden(a: Tensor, keep: bool) -> bool:
    """Whether an array has more than its values: those of torch.func, of forward mode, of inference mode."""
    return (
        torch._C._functorch.is_functorch_wrapped_tensor(a)
        or (forward_ad._current_level >= 0 and forward_ad.unpack_dual(a).tangent is not None)
        or (keep and a.is_inference())
    )


def is_plain(arrays: Sequence[Tensor]) -> bool:
    """Whether arrays are on the device of the kernels, have cells, and are all float32 or all float64."""
    first = arrays[0]
    return first.dtype in (torch.float32, torch.float64) and all(
        a.dtype == first.dtype and a.device.type == DEVICE and a.numel() for a in arrays
    )


def is_backward(arrays: Sequence[Tensor], keep: bool) -> bool:
    """Whether operators serve: what is asked for is values, and derivatives backward if `keep`."""
    if torch.compiler.is_exporting() or torch.jit.is_tracing() or is_transformed():
        return False
    return torch.compiler.is_compiling() or not any(hidden(a, keep) for a in arrays)


def is_kept(arrays: Iterable[Tensor]) -> bool:
    """Whether torch is to differentiate."""
    return torch.is_grad_enabled() and any(a.requires_grad for a in arrays)


def is_value(arrays: Sequence[Tensor]) -> bool:
    """Whether nothing but values is asked for, here and now."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_kept(arrays):
        return False
    return not any(type(a) not in (Tensor, nn.Parameter) or hidden(a, False) for a in arrays)
'''

REGISTER = '''
def operator(schema: str, shapes: Callable, kept: Callable, backward: Callable, function: Callable) -> Any:
    """A function as an operator of torch, which modules of the same text have in common."""
    name = schema.partition("(")[0]
    if not hasattr(torch.ops.pde2net, name):
        torch.library.define(f"pde2net::{name}", schema.removeprefix(name))
        torch.library.impl(f"pde2net::{name}", DEVICE, function)
        torch.library.impl(f"pde2net::{name}", "Meta", shapes)
        torch.library.register_autograd(f"pde2net::{name}", backward, setup_context=kept)
    return getattr(torch.ops.pde2net, name)


def keep_nothing(ctx: Any, inputs: Any, output: Any) -> None:
    """For there is no second derivative."""


def no_second_derivative(ctx: Any, *slopes: Any) -> Any:
    raise RuntimeError('Kernels have no second derivatives: take module(backend="torch").')
'''

ARRAYS = '''
def matrix(lines: Sequence[Sequence[Tensor | float]]) -> Tensor:
    """Numbers, some of which may be trained, each of them once in what torch differentiates."""
    if not any(isinstance(v, Tensor) for own in lines for v in own):
        return torch.tensor(lines, dtype=torch.float64)
    if torch.compiler.is_compiling():
        rows = [torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in own]) for own in lines]
        return torch.stack(rows)
    entries = {id(v): v for own in lines for v in own}
    places = {key: k for k, key in enumerate(entries)}
    values = torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in entries.values()])
    return values[torch.tensor([[places[id(v)] for v in own] for own in lines])]
'''

OPERATORS = '''
def is_still(numbers: Iterable[Tensor | float], value: float) -> bool:
    """Whether numbers have the value that was compiled, exactly or in single precision."""
    return not torch.compiler.is_compiling() and all(
        float(a) in (value, float(np.float32(value))) for a in numbers
    )


def suited(u: Tensor, fields: Sequence[Tensor], numbers: Tensor, keep: bool) -> bool:
    """Whether passes over memory take these arrays, not too small, and the steps are those compiled."""
    if len(numbers) != LINES or (keep and not BACKWARD) or numbers.device.type not in ("cpu", DEVICE):
        return False
    if any(n < least for n, least in zip(u.shape[2:], SMALLEST, strict=True)):
        return False
    return is_plain((u, *fields)) and is_backward((u, *fields, numbers), keep)


def shapes_of_derivatives(
    u: Tensor, fields: Sequence[Tensor], numbers: Tensor, kept: Sequence[Tensor], slope: Tensor
) -> list[Tensor]:
    return [torch.empty_like(a, memory_format=torch.contiguous_format) for a in (u, *fields, numbers)]


@partial(operator, DERIVATIVES, shapes_of_derivatives, keep_nothing, no_second_derivative)
def derivatives(
    u: Tensor, fields: Sequence[Tensor], numbers: Tensor, kept: Sequence[Tensor], slope: Tensor
) -> list[Tensor]:
    """The vector-Jacobian product: cotangents of u, of the fields, and of the numbers."""
    known = dict(zip((*GIVEN, *KEPT, SLOPE), (u, *fields, *kept, slope), strict=True))
    found = travel(BACKWARD, known, COTANGENTS, numbers)
    once = len({*COTANGENTS, *GIVEN, SLOPE}) == len(COTANGENTS) + len(GIVEN) + 1
    return [*(known[slot] if once else known[slot].clone() for slot in COTANGENTS), found]


def shapes(u: Tensor, fields: Sequence[Tensor], numbers: Tensor, keep: bool) -> list[Tensor]:
    found = [u.new_empty(u.shape)]
    for slot in KEPT if keep else ():
        channels, *wide = ARRAYS[slot]
        sizes = (n + 2 * w for n, w in zip(u.shape[2:], wide, strict=True))
        found.append(u.new_empty(len(u), channels, *sizes))
    return found


def keep_for_backward(ctx: Any, inputs: Any, output: Any) -> None:
    u, fields, numbers, _ = inputs
    ctx.fields = len(fields)
    ctx.save_for_backward(u, numbers, *fields, *output[1:])
    ctx.set_materialize_grads(False)


def backward(ctx: Any, slopes: Any) -> Any:
    u, numbers, *rest = ctx.saved_tensors
    if slopes[0] is None:
        return None, [None] * ctx.fields, None, None
    own, *fields, found = derivatives(
        u, rest[: ctx.fields], numbers, rest[ctx.fields :], slopes[0].contiguous()
    )
    return own, fields, found, None


@partial(operator, ADVANCE, shapes, keep_for_backward, backward)
def advance(u: Tensor, fields: Sequence[Tensor], numbers: Tensor, keep: bool) -> list[Tensor]:
    """The state after all steps, and what derivatives need if `keep`."""
    known = dict(zip(GIVEN, (u, *fields), strict=True))
    wanted = (RESULTS[keep], *(KEPT if keep else ()))
    travel(KEEPING if keep else FORWARD, known, wanted, numbers)
    return [known[slot] for slot in wanted]
'''


METHODS = '''
def by_kernels(
    method: str, arrays: Sequence[Tensor], numbers: Sequence[Tensor | float]
) -> tuple[Tensor, ...] | None:
    """What a method returns, by one pass over memory; None where that does not apply.

    It takes images on the CPU, float32 or float64, not too small, without derivatives.
    """
    trip, given, results, smallest = METHODS[method]
    u, known = arrays[0], {}
    if len(arrays) != len(given) or u.dim() != 2 + len(smallest) or not is_plain(arrays):
        return None
    if any(n < least for n, least in zip(u.shape[2:], smallest, strict=True)):
        return None
    if not is_value([*arrays, *(n for n in numbers if isinstance(n, Tensor))]):
        return None
    for slot, a in zip(given, arrays, strict=True):
        channels, *wide = ARRAYS[slot]
        sizes = [n + 2 * w for n, w in zip(u.shape[2:], wide, strict=True)]
        if a.shape[1:] != (channels, *sizes):
            return None
        known[slot] = in_numpy(a if len(a) == len(u) else a.expand(len(u), -1, *sizes))
    divided((trip,), known, results, np.array([[float(n) for n in numbers]], known[given[0]].dtype))
    return tuple(torch.from_numpy(known[slot]) for slot in results)


def on_grid(
    method: str,
    arrays: Sequence[Tensor],
    numbers: Sequence[Tensor | float],
    grid: Grid,
    factors: Sequence[Tensor | float],
) -> tuple[Tensor, ...] | None:
    """The same on a grid whose cells are whole: differences are `factors` times those of the finest."""
    if grid.volume is not None or any(isinstance(f, Tensor) for f in factors):
        return None
    return by_kernels(method, arrays, (*numbers, *factors))
'''

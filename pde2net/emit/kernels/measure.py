"""What a machine can do: the bandwidth of a copy, and the rate of functions of lines in the first cache."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import numpy as np
import torch

RUNS, REPEATS = 5, 1000


def copied(threads: int, size: int = 1 << 26) -> float:
    """GB per second that are read and written when an array of `size` bytes is copied."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    ends = [size * k // threads for k in range(threads + 1)]

    def part(k: int) -> None:
        target[ends[k] : ends[k + 1]] = source[ends[k] : ends[k + 1]]

    seconds = []
    for _ in range(RUNS + 1):
        others = [threading.Thread(target=part, args=(k,)) for k in range(1, threads)]
        start = time.perf_counter()
        for other in others:
            other.start()
        part(0)
        for other in others:
            other.join()
        seconds.append(time.perf_counter() - start)
    return 2 * size / statistics.median(seconds[1:]) / 1e9


def in_cache(module: torch.nn.Module, columns: int, dtype: torch.dtype = torch.float32) -> float:
    """Million cells and steps per second of one thread, where nothing but the functions of lines is run.

    module  one with kernels: those of its first pass, on lines of so many columns
    """
    import numba

    text: Any = type(module).forward.__globals__
    call, most, borrowed = text["call"], text["MOST"], text["borrowed"]

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator]
    def again(count: int, number: int, n: int, p: Any, where: Any, memory: Any, at: Any) -> None:
        p, where, memory, at = borrowed(p), borrowed(where), borrowed(memory), borrowed(at)
        for _ in range(count):
            call(number, n, p, where, memory, at)

    turns = text["TABLES"][text["FORWARD"][0][0]][0]
    made = turns[turns[:, 0] >= 0]
    functions, counts = np.unique(made[:, 0], return_counts=True)
    kind = np.float64 if dtype == torch.float64 else np.float32
    memory = text["aligned"](most * (columns + 128), np.dtype(kind))
    memory[:] = 1
    at = np.arange(most, dtype=np.int64) * (columns + 128)
    numbers = module.numbers()[-1].detach().numpy().astype(kind)  # type: ignore[operator]
    seconds = 0.0
    for number, count in zip(functions, counts, strict=True):
        found = []
        for run in range(RUNS + 1):
            repeats = REPEATS if run else 1
            start = time.perf_counter()
            again(repeats, number, columns, numbers, np.zeros(6, np.int64), memory, at)
            found.append((time.perf_counter() - start) / repeats)
        seconds += float(count) * statistics.median(found[1:])
    return columns * len(np.unique(made[:, 2])) / seconds / 1e6

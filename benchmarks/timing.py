"""Times of several tasks, taken in turns."""

from __future__ import annotations

import time
from collections.abc import Callable


def alternate(tasks: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each task, taken in turns after one warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for run in range(runs + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if run:
                seconds[name].append(time.perf_counter() - start)
    return seconds

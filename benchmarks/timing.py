"""Times of several tasks, taken in turns."""

from __future__ import annotations

import time
from collections.abc import Callable

BRIEF = 1.0  # seconds, of tasks that caches matter to


def alternate(tasks: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each task, taken in turns after one warm-up round.

    A brief task runs twice in its turn, and the second run counts: in use it follows itself, while the first
    one finds what the others have left in the caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(runs):
        for name, task in tasks.items():
            taken = _seconds(task)
            seconds[name].append(_seconds(task) if taken < BRIEF else taken)
    return seconds


def _seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start

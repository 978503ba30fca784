"""How many steps kernels make in one pass, by measurement on this machine, remembered on disk."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pde2net.emit.execute import cache_folder, execute
from pde2net.errors import FileError
from pde2net.files import write_text

Steps = tuple[int, int]
CANDIDATES: tuple[Steps, ...] = ((2, 1), (5, 2), (10, 4), (20, 8), (40, 16))
RUNS = 3  # of which the median counts, after one that compiles


def tuned(
    source: Callable[[Steps | None], str], arrays: Mapping[str, Sequence[int]], domain: str = ""
) -> Steps:
    """The fastest numbers of steps in a pass, and in one that keeps what derivatives need.

    `source` makes the text for some; `arrays` has the shapes of the image, called "u", and of known fields,
    of which `domain` is 1. What was measured is kept in steps.json of `cache_folder()`, for the text, the
    shapes and the number of threads; where that cannot be written, it is measured again in each process.
    """
    threads = torch.get_num_threads()
    what = json.dumps([source(None), {name: list(shape) for name, shape in arrays.items()}, threads])
    key, path = hashlib.sha256(what.encode()).hexdigest()[:32], cache_folder() / "steps.json"
    known = _known(path)
    if key not in known:
        with torch.inference_mode(False), torch.enable_grad():
            known[key] = list(_measured(source, arrays, domain))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps({**_known(path), key: known[key]}, indent=0, sort_keys=True))
        except (OSError, FileError):
            pass
    forward, keeping = known[key]
    return forward, keeping


def _known(path: Any) -> dict[str, list[int]]:
    """What was measured before; nothing of a file that is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict)
    entries = found.items() if whole else ()
    return {
        k: v
        for k, v in entries
        if isinstance(v, list) and len(v) == 2 and all(type(n) is int and n > 0 for n in v)
    }


def _measured(
    source: Callable[[Steps | None], str], arrays: Mapping[str, Sequence[int]], domain: str
) -> Steps:
    """Candidates one after the other; the first that makes all steps in one pass is the last."""
    random = torch.Generator().manual_seed(0)
    given = {name: torch.rand(tuple(shape), generator=random) for name, shape in arrays.items()}
    given |= {domain: torch.ones(tuple(arrays[domain]))} if domain else {}
    image = given.pop("u")
    forward, training = dict[int, float](), dict[int, float]()
    texts = set[str]()
    for candidate in CANDIDATES:
        text = source(candidate)
        if text in texts:
            break
        texts.add(text)
        module = execute(text).float()

        def infer(module: torch.nn.Module = module) -> None:
            with torch.no_grad():
                module(image, **given)

        def train(module: torch.nn.Module = module) -> None:
            module(image.clone().requires_grad_(), **given).sum().backward()

        forward[candidate[0]], training[candidate[1]] = _seconds(infer), _seconds(train)
    return min(forward, key=lambda n: forward[n]), min(training, key=lambda n: training[n])


def _seconds(task: Callable[[], None]) -> float:
    found = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        task()
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])

"""What the experiments share: arguments, data, training to a budget, results that are kept cell by cell.

A cell is one training: an experiment, a network, its size, a seed and a kind of budget. It is one line of
results/EXPERIMENT.jsonl, written when it is done; cells that are there are not run again.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import pde2net as p2n

UNITS = 255**2  # errors are mean squared errors of grey values from 0 to 255
SIGMA = 10 / 255
BUDGETS = ("steps", "time")
TRIAL = 5  # a training of a fifth of the data tells the seconds of an epoch
TEST_SEED = 10_000


@dataclass(frozen=True)
class Lengths:
    """How much is trained.

    train, validation, test  signals or patches
    batch                    of them in a step
    epochs                   of the budget of steps
    seconds                  of processor time of the other budget
    """

    train: int
    validation: int
    test: int
    batch: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Pairs:
    """Inputs, targets, and known fields of each."""

    inputs: Tensor
    targets: Tensor
    fields: Mapping[str, Tensor] = field(default_factory=dict)

    def first(self, count: int) -> Pairs:
        known = {name: value[:count] for name, value in self.fields.items()}
        return Pairs(self.inputs[:count], self.targets[:count], known)

    def batches(self, size: int) -> Iterator[Pairs]:
        for k in range(0, len(self.inputs), size):
            part = slice(k, k + size)
            known = {name: value[part] for name, value in self.fields.items()}
            yield Pairs(self.inputs[part], self.targets[part], known)


@dataclass(frozen=True)
class Data:
    train: Pairs
    validation: Pairs
    test: Pairs


@dataclass(frozen=True)
class Cell:
    """What is done for each seed and budget: `work` returns a row of numbers and words."""

    network: str
    size: int
    work: Callable[[int, str], Mapping[str, Any]]
    of: Mapping[str, Any] = field(default_factory=dict)  # what else tells it from others


def arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a minute of processor time, to try the script")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder")
    parser.add_argument("--minutes", type=float, help="after these no new cell is begun")
    return parser.parse_args()


def run(
    experiment: str,
    cells: Callable[[bool], Sequence[Cell]],
    options: argparse.Namespace,
    budgets: Sequence[str] = BUDGETS,
) -> None:
    """Run the cells that are missing, all of a seed before the next seed."""
    torch.set_num_threads(1)
    path = options.results / f"{experiment}.jsonl"
    done = {identity(row) for row in rows(path)}
    start = time.monotonic()
    for seed in range(1 if options.quick else options.seeds):
        for cell in cells(options.quick):
            for budget in budgets:
                row = {"experiment": experiment, "quick": options.quick, "network": cell.network, **cell.of}
                row |= {"size": cell.size, "seed": seed, "budget": budget}
                if identity(row) in done:
                    continue
                if options.minutes is not None and time.monotonic() - start > 60 * options.minutes:
                    print("Time is up; the same command goes on.")
                    return
                torch.manual_seed(seed)
                try:
                    row |= cell.work(seed, budget)
                except p2n.TrainingError as error:
                    row |= {"failed": str(error)}
                append(path, row)
                print(json.dumps(row), flush=True)


def identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("experiment", "quick", "network", "task", "rate", "size", "seed", "budget")
    return tuple(row.get(name) for name in names)


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that were written whole."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def append(path: Path, row: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and not path.read_text().endswith("\n")
    with path.open("a") as file:
        file.write("\n" * torn + json.dumps(row) + "\n")


@functools.lru_cache(maxsize=1)
def signals(lengths: Lengths, seed: int, length: int = 256) -> Data:
    """Noisy and clean signals. Each seed has its own to train from; those of the test are the same."""

    def pairs(count: int, start: int) -> Pairs:
        clean = p2n.learn.signals(count, length, seed=start)
        return Pairs(noisy(clean, SIGMA, start), clean)

    return Data(
        pairs(lengths.train, 2 * seed),
        pairs(lengths.validation, 2 * seed + 1),
        pairs(lengths.test, TEST_SEED),
    )


def noisy(clean: Tensor, sigma: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return clean + sigma * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)


def patches(split: str, count: int, size: int, seed: int) -> Tensor:
    """Patches of photographs at random places, all photographs equally often."""
    pictures = list(p2n.learn.photographs(split).values())
    generator = torch.Generator().manual_seed(seed)
    found = []
    for k in range(count):
        picture = pictures[k % len(pictures)]
        row, column = (int(torch.randint(n - size + 1, (), generator=generator)) for n in picture.shape[1:])
        found.append(picture[:, row : row + size, column : column + size])
    return torch.stack(found)


def train(
    module: nn.Module, data: Data, budget: str, lengths: Lengths, rate: float, seed: int
) -> dict[str, Any]:
    """Train to a budget; then the error of the weights that are best in validation.

    The budget "time" is as many epochs as a trial says that the seconds allow. In both the learning rate
    falls to 0 as a cosine.
    """
    epochs = lengths.epochs if budget == "steps" else affordable(module, data, lengths, rate)
    history = fitted(module, data, lengths, epochs, rate, seed)
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "epochs": epochs,
        "steps": epochs * -(-len(data.train.inputs) // lengths.batch),
        "seconds": round(history.seconds[-1], 2),
        "validation": UNITS * min(history.validation),
        "test": error(module, data.test),
    }


def affordable(module: nn.Module, data: Data, lengths: Lengths, rate: float) -> int:
    """Epochs for the budget of time: those of a fifth of the data take a fifth of the time."""
    part = Data(*(p.first(-(-len(p.inputs) // TRIAL)) for p in (data.train, data.validation)), data.test)
    first, second = fitted(copy.deepcopy(module), part, lengths, 2, rate, 0).seconds
    return max(1, round(lengths.seconds / (TRIAL * (second - first))))


def fitted(
    module: nn.Module, data: Data, lengths: Lengths, epochs: int, rate: float, seed: int
) -> p2n.learn.History:
    check = data.validation
    return p2n.learn.fit(
        module,
        data.train.inputs,
        data.train.targets,
        epochs,
        batch=lengths.batch,
        lr=rate,
        scheduler="cosine",
        clip=1.0,
        validation=(check.inputs, check.targets, check.fields),
        seed=seed,
        fields=data.train.fields,
        progress=False,
    )


def alive(make: Callable[[], nn.Module], *inputs: Tensor) -> nn.Module:
    """A network whose first weights have a gradient.

    All units of a layer of a narrow ReLU network may be 0 for all inputs, and stay so: then it is drawn anew.
    """
    while True:
        module = make()
        module(*inputs).square().sum().backward()
        first = next(module.parameters())
        if first.grad is not None and bool(first.grad.any()):
            module.zero_grad()
            return module


def error(module: nn.Module, pairs: Pairs, size: int = 50) -> float:
    """The mean squared error."""
    module.eval()
    total = 0.0
    with torch.no_grad():
        for part in pairs.batches(size):
            difference = module(part.inputs, **part.fields) - part.targets
            total += float(difference.square().mean()) * len(part.inputs)
    return UNITS * total / len(pairs.inputs)


def seconds_per_image(module: nn.Module, pairs: Pairs, repeats: int = 5) -> float:
    """Processor time of a result, the least of some tries."""
    found = []
    with torch.no_grad():
        for _ in range(repeats):
            start = time.process_time()
            module(pairs.inputs, **pairs.fields)
            found.append(time.process_time() - start)
    return min(found) / len(pairs.inputs)


class Operations(TorchDispatchMode):
    """Counts those of convolutions as usual, multiplications and additions, and one per value of others."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        of = flop_registry.get(func._overloadpacket)
        if of is not None:
            self.count += int(of(*args, **kwargs, out_val=out))
        elif isinstance(out, Tensor) and not func.is_view:
            self.count += out.numel()
        return out


def operations_per_image(module: nn.Module, pairs: Pairs) -> float:
    with torch.no_grad(), Operations() as operations:
        module(pairs.inputs, **pairs.fields)
    return operations.count / len(pairs.inputs)


def pick(quick: bool, full: Iterable[Any], few: Iterable[Any]) -> list[Any]:
    return list(few if quick else full)

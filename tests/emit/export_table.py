"""What networks of each family can be turned into, tried: `make export-table` rewrites docs/export.md."""

from __future__ import annotations

import copy
import io
import os
import pickle
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing
from emit.export_families import FAMILIES, Family, image

import pde2net as p2n
from pde2net.files import write_text

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
START, END = "<!-- families -->\n", "<!-- end families -->"
SIZE = (8, 9)
SMALL = (4, 5)  # of Jacobians
UNKNOWN_COUNT = (
    "Up to tol, how often a loop runs depends on values, which no whole graph can say: torch.compile without "
    "fullgraph compiles what is in the loop, and does the same; with iterations=... there is a whole graph."
)


class Tried:
    """A network of a family, and what it is called with."""

    def __init__(self, family: Family) -> None:
        self.family, self.network = family, family.network()
        self.module = self.network.module()

    def given(self, batch: int = 2, size: tuple[int, ...] = SIZE) -> tuple[torch.Tensor, dict[str, Any]]:
        whole = (batch, self.family.channels, *size)
        return image(whole), dict(self.family.data(whole))

    def export(self, folder: str, suffix: str, size: tuple[int, ...] | None) -> Path:
        path = Path(folder) / f"net{suffix}"
        assert self.network.export(path, size=size, module=self.module).compared
        return path


def same(found: Any, want: torch.Tensor, tol: float = 1e-5) -> None:
    assert want.isfinite().all()
    torch.testing.assert_close(torch.as_tensor(found), want.detach(), rtol=tol, atol=tol)


# -- files -----------------------------------------------------------------------------------------


def program(tried: Tried, size: tuple[int, ...] | None = None) -> None:
    """torch.export, by `network.export`, run on other images than those it was compared with."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = torch.export.load(tried.export(folder, ".pt2", size)).module()
        for batch, cells in ((1, size or (12, 7)), (3, size or SIZE)):
            u, data = tried.given(batch, cells)
            same(loaded(u, **data), tried.module(u, **data))


def onnx(tried: Tried, size: tuple[int, ...] | None = None) -> None:
    """ONNX, by `network.export`, in onnxruntime."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        session = onnxruntime.InferenceSession(tried.export(folder, ".onnx", size), quiet)
    for batch, cells in ((1, size or (12, 7)), (3, size or SIZE)):
        u, data = tried.given(batch, cells)
        named = {name: a.numpy() for name, a in {"u": u, **data}.items()}
        (found,) = session.run(["result"], named)
        same(np.asarray(found), tried.module(u, **data))


# -- transformations ---------------------------------------------------------------------------


def compiled(tried: Tried) -> None:
    """torch.compile without graph breaks; aot_eager, since inductor only differs in what it makes of it."""
    u, data = tried.given()

    def by(whole: bool) -> torch.Tensor:
        torch._dynamo.reset()
        made = torch.compile(tried.module, fullgraph=whole, backend="aot_eager")
        return torch.as_tensor(made(u, **data)).detach()

    try:
        found = by(True)
    except torch._dynamo.exc.UserError:  # a condition that depends on values
        same(by(False), tried.module(u, **data))
        raise p2n.EmissionError(UNKNOWN_COUNT) from None
    same(found, tried.module(u, **data))


def vmap(tried: Tried) -> None:
    u, data = tried.given()
    stack = torch.stack([u, u.flip(2)])
    found = torch.func.vmap(lambda v: tried.module(v, **data))(stack)
    same(found.detach(), torch.stack([tried.module(v, **data) for v in stack]))


def call(tried: Tried, size: tuple[int, ...]) -> tuple[Callable[[torch.Tensor], torch.Tensor], Any, Any, Any]:
    """The network in double precision, an image, a direction, and the derivative by differences."""
    module = copy.deepcopy(tried.module).double()
    u, data = tried.given(1, size)
    known = {name: a.double() for name, a in data.items()}
    u, w, step = u.double(), image(u.shape, 5).double() - 0.5, 1e-5

    def function(v: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(module(v, **known))

    return function, u, w, (function(u + step * w) - function(u - step * w)) / (2 * step)


def jvp(tried: Tried) -> None:
    function, u, w, want = call(tried, SIZE)
    same(torch.func.jvp(function, (u,), (w,))[1].detach(), want, 1e-2)


def jacrev(tried: Tried) -> None:
    function, u, w, want = call(tried, SMALL)
    found = (torch.func.jacrev(function)(u) * w).flatten(u.dim()).sum(-1)
    same(found.detach(), want, 1e-2)


def autocast(tried: Tried) -> None:
    """float32 stays float32, within the precision of bfloat16."""
    u, data = tried.given()
    with torch.autocast("cpu", torch.bfloat16):
        found = tried.module(u, **data)
    assert found.dtype == u.dtype
    same(found.detach(), tried.module(u, **data), 0.02)


# -- modules elsewhere ---------------------------------------------------------------------------


def state_dict(tried: Tried) -> None:
    u, data = tried.given()
    file = io.BytesIO()
    torch.save(tried.module.state_dict(), file)
    file.seek(0)
    other = tried.network.module()
    other.load_state_dict(torch.load(file, weights_only=True))
    same(other(u, **data).detach(), tried.module(u, **data), 0)


def pickled(tried: Tried) -> None:
    u, data = tried.given()
    other = pickle.loads(pickle.dumps(tried.module))
    same(other(u, **data).detach(), tried.module(u, **data), 0)


def distributed(tried: Tried) -> None:
    """DistributedDataParallel: two processes, an image each, have the gradient of both."""
    u, data = tried.given(2)
    tried.module.zero_grad()
    tried.module(u, **data).square().mean().backward()
    want = [p.grad for p in tried.module.parameters()]
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_process, (port, pickle.dumps(tried.module), u, data, folder), 2)
        found = torch.load(Path(folder) / "gradients.pt")
    for a, b in zip(found, want, strict=True):
        same(a, b, 1e-5)


def _process(rank: int, port: int, module: bytes, u: Any, data: Any, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    own = slice(rank, rank + 1)
    parallel = torch.nn.parallel.DistributedDataParallel(pickle.loads(module))
    parallel(u[own], **{n: a[own] for n, a in data.items()}).square().mean().backward()
    if rank == 0:
        torch.save([p.grad for p in parallel.parameters()], Path(folder) / "gradients.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    os._exit(0)  # a thread of gloo that is still there would abort the process


CHECKS: dict[str, Callable[[Tried], None]] = {
    "torch.export, any size": program,
    "torch.export, one size": lambda tried: program(tried, SIZE),
    "ONNX, any size": onnx,
    "ONNX, one size": lambda tried: onnx(tried, SIZE),
    "torch.compile": compiled,
    "vmap": vmap,
    "jvp": jvp,
    "jacrev": jacrev,
    "autocast": autocast,
    "state_dict": state_dict,
    "pickle": pickled,
    "DDP": distributed,
}


# -- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """What came out: for each family and check "" for yes, or the reason of a no."""

    found: dict[str, dict[str, str]]

    def __str__(self) -> str:
        """As Markdown; reasons are footnotes."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        notes: dict[str, int] = {}
        yield f"| network | {' | '.join(CHECKS)} |"
        yield "| --- " * (len(CHECKS) + 1) + "|"
        for name, row in self.found.items():
            cells = [
                f"no [{notes.setdefault(why, len(notes) + 1)}]" if why else "yes" for why in row.values()
            ]
            yield f"| {name} | {' | '.join(cells)} |"
        yield ""
        yield from (f"{number}. {why}" for why, number in notes.items())


def outcome(tried: Tried, check: str) -> str:
    """ "" if the check passes; why not, if that is said before anything is tried. Raises what is neither."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            CHECKS[check](tried)
        except p2n.EmissionError as error:
            return str(error)
    return ""


def printed() -> dict[str, dict[str, str]]:
    """The table of the page: the outcomes that it states."""
    text = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    notes = {
        line.partition(". ")[0]: line.partition(". ")[2] for line in text.splitlines() if line[:1].isdigit()
    }
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {
        name: {k: notes[c[4:-1]] if c != "yes" else "" for k, c in zip(rows[0][1:], cells, strict=True)}
        for name, *cells in rows[2:]
    }


def write(found: dict[str, dict[str, str]]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    ordered = {name: found[name] for name in FAMILIES if name in found}
    said = f"{len(ordered)} of {len(FAMILIES)} kinds of networks were tried.\n\n"
    write_text(PAGE, f"{before}{START}\n{said}{Table(ordered)}\n\n{END}{rest.partition(END)[2]}")


def main(anew: bool) -> None:
    """Try what the page does not have yet, or all of it; the page is written after each kind."""
    found = {} if anew else printed()
    for name, family in FAMILIES.items():
        if name not in found:
            tried = Tried(family)
            found[name] = {check: outcome(tried, check) for check in CHECKS}
            print(name, *(check for check, why in found[name].items() if why), sep="; ", flush=True)
            write(found)


if __name__ == "__main__":
    main("--anew" in sys.argv)

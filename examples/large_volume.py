"""A volume that is larger than the memory that the program allows itself, smoothed block by block.

    python examples/large_volume.py              512 MiB in a file, 256 MiB of memory beside the libraries
    python examples/large_volume.py --quick      61 MiB, 44 MiB
    python examples/large_volume.py --workers 2  on a local cluster of two processes, without a limit

Linux keeps the limit. The cluster needs `pip install distributed`.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import sympy as sp
import torch

import pde2net as p2n
from pde2net import div, grad, norm2

MIB = 2**20
x, y, z, t = sp.symbols("x y z t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, z, t)


class Volume:
    """An .npy file, which each process opens by its path."""

    def __init__(self, path: Path) -> None:
        array = np.load(path, mmap_mode="r")
        self.path, self.shape, self.dtype, self.ndim = path, array.shape, array.dtype, array.ndim

    def __getitem__(self, part: Any) -> Any:
        return np.array(np.load(self.path, mmap_mode="r")[part])

    def __setitem__(self, part: Any, values: Any) -> None:
        np.load(self.path, mmap_mode="r+")[part] = values


def noisy_ball(path: Path, size: tuple[int, int, int]) -> None:
    """A ball in noise, written plane by plane."""
    found = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=size)
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in size[1:]), indexing="ij")
    generator = np.random.default_rng(0)
    for plane, height in zip(found, np.linspace(-1, 1, size[0]), strict=True):
        ball = (height**2 + rows**2 + columns**2 < 0.5).astype(np.float32)
        plane[:] = ball + 0.2 * generator.standard_normal(size[1:], dtype=np.float32)


def limit_memory(more: int) -> None:
    """Let this process have so many bytes of data more than it has."""
    status = Path("/proc/self/status").read_text()
    (now,) = (1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + more, resource.RLIM_INFINITY))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=0)
    arguments = parser.parse_args()
    size, block, allowed = ((192, 288, 288), 48, 44) if arguments.quick else ((512, 512, 512), 96, 256)

    torch.set_num_threads(1)  # each thread has memory of its own

    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: 0.3}
    )
    network = p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 6), steps=4))
    print(f"{network.architecture}, halo {network.halo}")
    with tempfile.TemporaryDirectory() as folder:
        noisy, smooth = Path(folder) / "noisy.npy", Path(folder) / "smooth.npy"
        noisy_ball(noisy, size)
        np.lib.format.open_memmap(smooth, mode="w+", dtype=np.float32, shape=size)
        given, written = Volume(noisy), Volume(smooth)
        result = network.map_blocks(da.from_array(given, chunks=block))
        print(f"{result.nbytes / MIB:.0f} MiB in {result.npartitions} blocks of {block}^3 cells")
        if arguments.workers:
            from distributed import Client

            with Client(n_workers=arguments.workers, threads_per_worker=1, dashboard_address=None):
                da.store(result, written, lock=False)  # blocks are different parts of the file
            print(f"made by {arguments.workers} processes")
        else:
            result[:8, :8, :8].compute(scheduler="synchronous")  # what libraries need once
            limit_memory(allowed * MIB)
            try:
                given[:]
            except MemoryError:
                print(f"the whole of it does not fit into {allowed} MiB")
            with dask.config.set(scheduler="synchronous"):
                da.store(result, written)
            print(f"made within {allowed} MiB")
        part = (slice(20, 60),) * 3  # across the blocks, with a halo of its own
        with torch.no_grad():
            whole = network.module()(torch.from_numpy(given[16:64, 16:64, 16:64])[None, None])
        found = np.abs(written[part] - whole[0, 0, 4:44, 4:44, 4:44].numpy()).max()
        print(f"largest difference from a part that is computed at once: {found:.1g}")


if __name__ == "__main__":
    main()

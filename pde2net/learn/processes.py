"""Training in several processes, each with its part of every batch (torch.distributed)."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Processes:
    """This process among those of torch.distributed; the only one where that is not initialised."""

    def __init__(self) -> None:
        several = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if several else 0
        self.count = dist.get_world_size() if several else 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def part(self, indices: list[int]) -> list[int]:
        """The samples of a batch that this process sees; at least one, which then counts for nothing."""
        return indices[self.rank :: self.count] or indices[:1]

    def share(self, own: int, whole: int) -> float:
        """What the mean over the own samples counts in the mean over processes, which gradients are."""
        if self.rank >= whole:
            return 0.0
        return own * self.count / whole

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module, whose gradients are averaged over processes."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def share_buffers(self, module: nn.Module) -> None:
        """Those of the first process for all: statistics of batches differ between processes."""
        for buffer in module.buffers() if self.count > 1 else ():
            dist.broadcast(buffer, 0)

    def mean(self, value: Tensor) -> float:
        """The mean over processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
            value = value / self.count
        return float(value)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()


def initialise() -> None:
    """Join the processes of torchrun, with NCCL where there are GPUs, else gloo."""
    if dist.is_available() and dist.is_torchelastic_launched() and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

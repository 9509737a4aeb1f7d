"""Several processes that train one model (data parallel): torchrun starts them and says so in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Group:
    """Process `rank` of `size`; alone where there is one."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """This process's part of a batch, in order."""
        return slice(rows * self.rank // self.size, rows * (self.rank + 1) // self.size)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def end(self) -> None:
        """Says goodbye."""
        if self.size > 1:
            distributed.destroy_process_group()


def join(where: torch.device) -> Group:
    """The group that torchrun has made, if any."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    return Group(distributed.get_rank(), distributed.get_world_size())

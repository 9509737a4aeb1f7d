"""How a model is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from model.program import InputError


@dataclass(frozen=True)
class Options:
    """Of AdamW with a warm-up and a cosine (Loshchilov and Hutter 2019). A step learns from `batch` windows, in
    `accumulate` parts that fit the memory."""

    steps: int
    batch: int = 32
    accumulate: int = 1
    lr: float = 1e-3
    lowest: float = 0.1  # of lr, where the cosine ends
    warmup: int = 100
    decay: float = 0.1  # of matrices; vectors have none
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0  # of the gradient's norm; 0: not
    seed: int = 1
    log_every: int = 10
    eval_every: int = 500
    eval_batches: int = 20
    sample_every: int = 1000
    save_every: int = 500  # steps between checkpoints
    bf16: bool = False  # autocast: for GPUs, and CPUs that are fast at it
    compile: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise InputError(f"training with {field.name} {value}", "it must be 0 or more")
        for name in ("steps", "batch", "accumulate", "log_every", "eval_every", "sample_every", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"training with {name} {getattr(self, name)}", "it must be 1 or more")
        if self.batch % self.accumulate:
            raise InputError(f"a batch of {self.batch} in {self.accumulate} parts", "accumulate must divide batch")

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0: up to lr, then down a cosine."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (self.lowest + (1 - self.lowest) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))

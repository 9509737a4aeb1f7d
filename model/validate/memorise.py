"""Twelve sequences by heart: the smallest thing that a transformer can only do if attention works.

Symbols 0 to 36. Each sequence is eight long; its first two symbols are one of 4 x 3 pairs, the other six are drawn at
random, so that neither the first symbol nor the second alone tells which sequence it is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model.architectures import Model, make
from model.decoding import Strategy, generate
from model.shapes import GptShape
from model.training.group import Group
from model.training.loop import train
from model.training.optimizer import adamw
from model.training.options import Options
from model.validate.goals import Chart, Result, Tell
from model.windows import NO_LOSS, Batch

SHAPE = GptShape(vocab=37, context=8, layers=1, heads=2, width=16, tied=False)
OPTIONS = Options(steps=400, batch=12, lr=0.01, warmup=50, decay=0.0, eval_every=400, seed=1)
FIRST, SECOND = (1, 2, 3, 4), (5, 6, 7)
EVERY = 50


def sequences() -> NDArray[np.int64]:
    """(12, 8)"""
    rest = np.random.default_rng(12).integers(SHAPE.vocab, size=(len(FIRST) * len(SECOND), 6))
    heads = np.array([(a, b) for a in FIRST for b in SECOND])
    return np.concatenate((heads, rest), axis=1).astype(np.int64)


class Whole:
    """Every step sees all twelve. The second symbol does not follow from the first, so it carries no loss."""

    def __init__(self, every: NDArray[np.int64]) -> None:
        targets = every[:, 1:].copy()
        targets[:, 0] = NO_LOSS
        self._batch = Batch(every[:, :-1], targets)

    def batch(self, step: int) -> Batch:
        """(12, 7)"""
        return self._batch


def exact(model: Model, every: NDArray[np.int64]) -> int:
    """How many are continued to their end from their first two symbols, greedily."""
    was = model.training
    model.eval()
    right = sum(int(list(generate(model, row[:2], Strategy(temp=0), 6)) == row[2:]) for row in every.tolist())
    model.train(was)
    return right


def measure(tell: Tell, options: Options = OPTIONS) -> Result:
    """Trains and counts."""
    torch.manual_seed(options.seed)
    model, every = make(SHAPE), sequences()
    losses: list[tuple[float, float]] = []
    counts: list[tuple[float, float]] = [(0, exact(model, every))]
    for step in train(model, adamw(model, options), Whole(every), [], options, Group()):
        losses.append((step.number, step.loss))
        if step.number % EVERY == 0 or step.number == options.steps:
            counts.append((step.number, exact(model, every)))
            tell(step.number, options.steps, f"loss {step.loss:.4f}, {counts[-1][1]:.0f} of {len(every)}")
    right = int(counts[-1][1])
    first = next((int(x) for x, y in counts if y == len(every)), None)
    when = f", all first at step {first}" if first is not None else ""
    return Result(f"{right} of {len(every)} exact after {options.steps:,} steps{when}", right == len(every), (
        Chart("training steps", "loss (nats a symbol)", {"loss": losses}),
        Chart("training steps", "sequences reproduced, of 12", {"exact": counts})))

"""Windows of tokens to learn from. Which ones a step sees depends on seed and step alone: training that goes on from a
checkpoint sees what it would have seen, and two processes share one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.program import InputError

Tokens = NDArray[Any]
NO_LOSS = -100  # a target that is padding: torch's cross_entropy passes over it


@dataclass(frozen=True)
class Batch:
    """inputs, targets (rows, context) int64: each target is what follows its input; NO_LOSS where nothing does."""

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]


def read(paths: Sequence[Path], vocab: int) -> list[Tokens]:
    """Token files, mapped: uint16, or uint32 where the vocabulary needs it. InputError for one that cannot be."""
    dtype = np.dtype("<u2" if vocab <= 1 << 16 else "<u4")
    found: list[Tokens] = []
    for path in paths:
        size = path.stat().st_size
        if size == 0 or size % dtype.itemsize:
            raise InputError(f"{path} has {size:,} bytes, which are no whole tokens of {dtype.itemsize} bytes",
                             "tokenise the text anew")
        tokens = np.memmap(path, dtype, "r")
        if int(tokens.max()) >= vocab:
            raise InputError(f"{path} has a token {int(tokens.max())}, the model {vocab} tokens",
                             "give the tokens of the model's own tokenizer")
        found.append(tokens)
    return found


class Random:
    """Windows from anywhere in the files, each token as likely as any other to begin one."""

    def __init__(self, files: Sequence[Tokens], context: int, rows: int, seed: int) -> None:
        self.files = [tokens for tokens in files if len(tokens) > context]
        if not self.files:
            raise InputError(f"no file has more than {context} tokens, one window",
                             "give more text, or a model with a smaller context")
        self.context, self.rows, self.seed = context, rows, seed
        self._ends = np.cumsum([len(tokens) - context for tokens in self.files])

    def batch(self, step: int) -> Batch:
        """(rows, context)"""
        starts = np.random.default_rng((self.seed, step)).integers(self._ends[-1], size=self.rows)
        which = np.searchsorted(self._ends, starts, side="right")
        return _cut([(self.files[i], int(at - (self._ends[i - 1] if i else 0))) for i, at in zip(which, starts,
                                                                                            strict=True)], self.context)


class Epochs:
    """Every window once an epoch, `stride` tokens apart, in an order of its own each time; the last one of a file may
    be short: it is padded, and what is padding carries no loss."""

    def __init__(self, files: Sequence[Tokens], context: int, rows: int, seed: int, stride: int) -> None:
        self.windows = [(tokens, at) for tokens in files for at in range(0, max(len(tokens) - 1, 0), stride)]
        if not self.windows:
            raise InputError("there are no two tokens to learn from", "give more text")
        self.context, self.rows, self.seed = context, rows, seed
        self.steps = -(-len(self.windows) // rows)  # an epoch

    def batch(self, step: int) -> Batch:
        """(rows, context); an epoch's last batch may have fewer rows."""
        epoch, place = divmod(step, self.steps)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.windows))
        return _cut([self.windows[i] for i in order[place * self.rows:(place + 1) * self.rows]], self.context)


def in_order(files: Sequence[Tokens], context: int, rows: int, most: int) -> list[Batch]:
    """Windows for evaluation, side by side from the start: at most `most` batches, all of it once at most."""
    windows = [(tokens, at) for tokens in files for at in range(0, max(len(tokens) - 1, 0), context)]
    cut = [windows[i:i + rows] for i in range(0, len(windows), rows)]
    return [_cut(part, context) for part in cut[:most]]


def _cut(windows: Sequence[tuple[Tokens, int]], context: int) -> Batch:
    inputs = np.zeros((len(windows), context), np.int64)
    targets = np.full((len(windows), context), NO_LOSS, np.int64)
    for row, (tokens, at) in enumerate(windows):
        part = tokens[at:at + context + 1].astype(np.int64)
        inputs[row, :len(part) - 1] = part[:-1]
        targets[row, :len(part) - 1] = part[1:]
    return Batch(inputs, targets)

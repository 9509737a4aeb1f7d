"""The C trainer (efi_src/train/) from Python: its runs, its random windows, its learning rate."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.program import InputError
from model.shapes import GptShape
from model.training.options import Options
from model.validate.goals import TRAINER
from model.validate.stream import Stream
from model.windows import Batch

WEIGHTS, LOG, SAMPLES, CHECKPOINT = "weights.bin", "train.jsonl", "samples.txt", "train.checkpoint"
HEADER = 48  # of a checkpoint: magic, identity, step, floats, log_size, samples_size; weights and moments follow


@dataclass(frozen=True)
class AsInC(Options):
    """The C trainer's learning rate: its cosine begins a step earlier and ends lower (efi_src/train/optim.c)."""

    lowest: float = 0.01

    def rate(self, step: int) -> float:
        """Of a step, from 0."""
        number = step + 1
        if number < self.warmup:
            return self.lr * number / self.warmup
        share = (number - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (self.lowest + (1 - self.lowest) * 0.5 * (1 + math.cos(math.pi * share)))


class Windows:
    """The windows that the C trainer draws."""

    def __init__(self, tokens: NDArray[Any], context: int, rows: int, seed: int) -> None:
        self.tokens, self.context, self.rows, self.seed = tokens, context, rows, seed

    def batch(self, step: int) -> Batch:
        """Of a step, from 0: (rows, context)"""
        stream = Stream(self.seed, 2, step + 1)
        starts = [stream.below(len(self.tokens) - self.context) for _ in range(self.rows)]
        cut = np.stack([self.tokens[at:at + self.context + 1] for at in starts]).astype(np.int64)
        return Batch(cut[:, :-1], cut[:, 1:])


def run(folder: Path, shape: GptShape, options: Options, train: NDArray[Any], val: NDArray[Any],
        tell: Callable[[int, str], None] = lambda step, note: None) -> list[dict[str, Any]]:
    """Trains in `folder`, which then has WEIGHTS and CHECKPOINT; the log's records. Tokens are of uint16."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokens in (("train", train), ("val", val)):
        tokens.astype("<u2").tofile(folder / f"{name}.tokens")
    words = {"train": folder / "train.tokens", "val": folder / "val.tokens", "layers": shape.layers,
             "heads": shape.heads, "width": shape.width, "context": shape.context, "vocab": shape.vocab,
             "steps": options.steps, "batch": options.batch, "lr": options.lr, "warmup": options.warmup,
             "decay": options.decay, "seed": options.seed, "eval-every": options.eval_every, "sample-every": 0,
             "log-every": options.log_every, "scratch": folder, "out": folder / WEIGHTS, "log": folder / LOG,
             "samples": folder / SAMPLES}
    argv = [f"./{TRAINER}", *(str(word) for key, value in words.items() for word in (f"--{key}", value))]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            found = re.match(r"progress (\d+) \d+ (.*)", line)
            if found:
                tell(int(found[1]), found[2])
    if child.returncode:
        raise InputError(f"the C trainer ended with status {child.returncode}", "the lines above say why")
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def first_moment(folder: Path) -> bytes:
    """The optimizer's first moments as a weights.bin."""
    head, state = (folder / WEIGHTS).read_bytes(), (folder / CHECKPOINT).read_bytes()
    size = len(head) - 64
    return head[:64] + state[HEADER + size:HEADER + 2 * size]

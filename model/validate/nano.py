"""Tiny Shakespeare by PyTorch and by the C trainer: each has first weights and windows of its own; they end alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from model import windows
from model.architectures import make
from model.shapes import PRESETS, GptShape
from model.training.group import Group
from model.training.loop import train
from model.training.optimizer import adamw
from model.validate import c_trainer
from model.validate.c_trainer import AsInC
from model.validate.goals import SHAKESPEARE, Chart, Result, Tell

# images/shakespeare.yaml, but for the batch: 32 there
OPTIONS = AsInC(steps=5000, batch=8, lr=0.012, warmup=100, decay=0.1, eval_every=1000, eval_batches=1 << 20, seed=1)
APART = 0.05


def measure(tell: Tell, options: AsInC = OPTIONS) -> Result:
    """Both trainings, on the first nine tenths; the rest is held out and judged in whole."""
    shape = PRESETS["nano"]
    assert isinstance(shape, GptShape)
    text = np.frombuffer(Path(SHAKESPEARE).read_bytes(), np.uint8)
    learn, val = np.split(text, [len(text) * 9 // 10])
    every = 2 * options.steps
    with tempfile.TemporaryDirectory() as name:
        log = c_trainer.run(Path(name), shape, options, learn, val,
                            lambda step, note: tell(step, every, f"C trainer: {note}"))
    torch.manual_seed(options.seed)
    model = make(shape)
    source = windows.Random([learn], shape.context, options.batch, options.seed)
    held_out = windows.in_order([val], shape.context, 256, options.eval_batches)
    losses, evaluated = [], []
    for step in train(model, adamw(model, options), source, held_out, options, Group()):
        losses.append((float(step.number), step.loss))
        if step.val_loss is not None:
            evaluated.append((float(step.number), step.val_loss))
        if step.number % 20 == 0:
            tell(options.steps + step.number, every, f"PyTorch: loss {step.loss:.4f}")
    theirs = [(float(line["step"]), float(line["val_loss"])) for line in log if "val_loss" in line]
    mine, c = evaluated[-1][1], theirs[-1][1]
    return Result(f"PyTorch {mine:.4f}, C trainer {c:.4f}: {abs(mine - c):.4f} apart", abs(mine - c) <= APART, (
        Chart("training steps", "loss (nats a byte)", {
            "PyTorch, one batch": losses, "C trainer, one batch": [(line["step"], line["loss"]) for line in log]}),
        Chart("training steps", "held-out loss (nats a byte)", {"PyTorch": evaluated, "C trainer": theirs})))

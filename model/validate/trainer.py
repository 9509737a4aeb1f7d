"""The C trainer and PyTorch from the same weights over the same batches."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model import interchange
from model.shapes import PRESETS, GptShape
from model.training.group import Group
from model.training.loop import loss_sum, train
from model.training.optimizer import adamw
from model.validate import c_trainer, snippet_text
from model.validate.c_trainer import AsInC, Windows
from model.validate.goals import Chart, Result, Tell
from model.validate.operations import relative

OPTIONS = AsInC(steps=20, batch=8, lr=0.004, warmup=3, log_every=1, eval_every=20, seed=7)
GRADIENTS, LOSSES = 1e-4, 1e-4


def measure(tell: Tell, options: AsInC = OPTIONS) -> Result:
    """The gradients of the first step, then the losses of all."""
    shape = PRESETS["nano"]
    assert isinstance(shape, GptShape)
    tokens = np.frombuffer(snippet_text.text(1, 1).encode(), np.uint8)
    learn, val = tokens[:-500], tokens[-500:]
    source = Windows(learn, shape.context, options.batch, options.seed)
    with tempfile.TemporaryDirectory() as name:
        still, moving = Path(name) / "still", Path(name) / "moving"
        # At a rate of 0 the first weights stay, and the first moment of step 1 is a tenth of the clipped gradient.
        once = AsInC(steps=1, batch=options.batch, lr=0, warmup=0, eval_every=1, seed=options.seed)
        c_trainer.run(still, shape, once, learn, val)
        begun = interchange.read(still / c_trainer.WEIGHTS)
        (still / "moments.bin").write_bytes(c_trainer.first_moment(still))
        theirs = {key: 10 * value for key, value in interchange.read(still / "moments.bin").weights.items()}
        log = c_trainer.run(moving, shape, options, learn, val)
    model = begun.model()
    loss, count = loss_sum(model, source.batch(0), torch.device("cpu"), False)
    (loss / count).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    differ = {key: relative(theirs[key].double().numpy(), part.grad.double().numpy())
              for key, part in model.named_parameters()}
    worst = max(differ, key=differ.__getitem__)
    model.zero_grad()
    mine: list[tuple[float, float]] = []
    for step in train(model, adamw(model, options), source, [], options, Group()):
        mine.append((step.number, step.loss))
        tell(step.number, options.steps, f"loss {step.loss:.4f}")
    c = [(float(line["step"]), float(line["loss"])) for line in log]
    apart = max(abs(a - b) for (_, a), (_, b) in zip(mine, c, strict=True))
    return Result(f"gradients {differ[worst]:.1e} apart ({worst}), losses {apart:.1e}",
                  differ[worst] <= GRADIENTS and apart <= LOSSES,
                  (Chart("training steps", "loss (nats a byte)", {"PyTorch": mine, "C trainer": c}),))

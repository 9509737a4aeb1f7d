"""GPT-2 124M learns one short story: ten epochs of The Verdict (Wharton 1908), as in Raschka 2024, chapter 5."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model import windows
from model.architectures import make
from model.decoding import Strategy, generate
from model.shapes import GptShape, preset
from model.tokenizers.gpt2 import Gpt2, from_files
from model.training.group import Group
from model.training.loop import evaluate, train
from model.training.optimizer import adamw
from model.training.options import Options
from model.validate.goals import GPT2, VERDICT, Chart, Result, Tell

OPTIONS = Options(steps=1, batch=2, lr=4e-4, lowest=1.0, warmup=5, decay=0.1, eval_every=10, seed=1)
EPOCHS, GOAL = 10, 0.8
PROMPT = "Every effort moves you"


def measure(tell: Tell, shape: GptShape | None = None, options: Options = OPTIONS, epochs: int = EPOCHS) -> Result:
    """The training loss is that of the whole nine tenths, dropout off, before and after."""
    found = shape or preset("124m", context=256)
    encoder, merges = (Path(name) for name in GPT2)
    tokenizer = Gpt2(from_files(merges, encoder))
    tokens = np.array(tokenizer.encode(Path(VERDICT).read_text("utf-8")), "<u2")
    learn, val = np.split(tokens, [len(tokens) * 9 // 10])
    source = windows.Epochs([learn], found.context, options.batch, options.seed, found.context)
    options = replace(options, steps=epochs * source.steps)
    whole, held_out = (windows.in_order([part], found.context, options.batch, 1 << 20) for part in (learn, val))
    torch.manual_seed(options.seed)
    model = make(found)
    where = torch.device("cpu")
    losses: list[tuple[float, float]] = [(0, evaluate(model, whole, options, where))]
    evaluated: list[tuple[float, float]] = [(0, evaluate(model, held_out, options, where))]
    tell(0, options.steps, f"loss {losses[0][1]:.3f}")
    for step in train(model, adamw(model, options), source, held_out, options, Group()):
        losses.append((step.number, step.loss))
        if step.val_loss is not None:
            evaluated.append((step.number, step.val_loss))
        tell(step.number, options.steps, f"loss {step.loss:.3f}")
    after = evaluate(model, whole, options, where)
    text = tokenizer.decode(list(generate(model.eval(), tokenizer.encode(PROMPT), Strategy(temp=0), 40)))
    return Result(f"from {losses[0][1]:.3f} to {after:.3f} in {options.steps} steps of {options.batch} windows",
                  after <= GOAL, (
        Chart("training steps", "loss (nats a token)", {"training, one batch": losses, "held out": evaluated}),),
        (f"{PROMPT}{text}",))

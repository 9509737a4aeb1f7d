"""Completion of short Python snippets, scored as the loss falls."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray

from model.architectures import Model, make
from model.decoding import Strategy, generate
from model.shapes import GptShape
from model.tokenizers import Tokenizer
from model.tokenizers.simple import Simple
from model.training.group import Group
from model.training.loop import train
from model.training.optimizer import adamw
from model.training.options import Options
from model.validate import snippet_text
from model.validate.goals import Chart, Result, Tell
from model.windows import Batch

SHAPE = GptShape(vocab=93, context=64, layers=2, heads=2, width=32, tied=False)
OPTIONS = Options(steps=5000, batch=24, lr=0.008, warmup=100, decay=0.1, eval_every=500, seed=1)
TIMES = 20  # that the text has each function, in another neighbourhood each time
LONGEST = 24  # characters of a completion


class Starts:
    """Windows that begin where a function does, as the prompts do; what comes after it is in them too."""

    def __init__(self, tokenizer: Tokenizer, options: Options, seed: int, times: int) -> None:
        text = snippet_text.text(seed, times)
        self.tokens = np.array(tokenizer.encode(text), np.int64)
        self.options = options
        starts = np.array([0, *(found.end() for found in re.finditer("\n\n", text))])
        self.starts = starts[starts + SHAPE.context < len(self.tokens)]

    def batch(self, step: int) -> Batch:
        """(rows, context)"""
        return self._cut(np.random.default_rng((self.options.seed, step)).choice(self.starts, self.options.batch))

    def every(self) -> list[Batch]:
        """All windows once."""
        return [self._cut(self.starts[i:i + 128]) for i in range(0, len(self.starts), 128)]

    def _cut(self, starts: NDArray[np.int64]) -> Batch:
        at = starts[:, None] + np.arange(SHAPE.context + 1)
        return Batch(self.tokens[at[:, :-1]], self.tokens[at[:, 1:]])


def completion(model: Model, tokenizer: Tokenizer, prompt: str) -> str:
    """The rest of the prompt's line, greedily."""
    was = model.training
    model.eval()
    newline = frozenset(tokenizer.encode("\n"))
    made = tokenizer.decode(list(generate(model, tokenizer.encode(prompt), Strategy(temp=0), LONGEST, ends=newline)))
    model.train(was)
    return made


def measure(tell: Tell, options: Options = OPTIONS) -> Result:
    """Trains, and completes all prompts each time that the held-out loss is taken."""
    torch.manual_seed(options.seed)
    model, tokenizer = make(SHAPE), Simple(snippet_text.table())
    source, judge = Starts(tokenizer, options, 1, TIMES), Starts(tokenizer, options, 2, 1).every()
    losses: list[tuple[float, float]] = []
    evaluated: list[tuple[float, float]] = []
    scores: list[tuple[float, float]] = []
    made: dict[str, str] = {}
    for step in train(model, adamw(model, options), source, judge, options, Group()):
        losses.append((step.number, step.loss))
        if step.val_loss is not None:
            made = {prompt: completion(model, tokenizer, prompt) for prompt in snippet_text.PROMPTS}
            scores.append((step.number, sum(made[prompt] in right for prompt, right in snippet_text.PROMPTS.items())))
            evaluated.append((step.number, step.val_loss))
        if step.number % 50 == 0:
            tell(step.number, options.steps, f"loss {step.loss:.3f}" + (
                f", {scores[-1][1]:.0f} of {len(made)}" if scores else ""))
    every = len(snippet_text.PROMPTS)
    by_loss = sorted(((loss, score) for (_, loss), (_, score) in zip(evaluated, scores, strict=True)), reverse=True)
    right = int(scores[-1][1])
    return Result(f"{right} of {every} prompts after {options.steps:,} steps; loss {evaluated[-1][1]:.3f}",
                  right == every, (
        Chart("training steps", "loss (nats a character)", {"one batch": losses, "another order": evaluated}),
        Chart("training steps", "prompts completed, of 5", {"completed": scores}),
        Chart("loss (nats a character)", "prompts completed, of 5", {"completed": by_loss})),
        tuple(f"{'right' if made[prompt] in good else 'WRONG'}: {prompt}{made[prompt]}" for prompt, good in
              snippet_text.PROMPTS.items()))

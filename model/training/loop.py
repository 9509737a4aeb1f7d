"""The steps of training. Everything random depends on seed and step, so that a checkpoint needs no more than weights,
optimizer and the number of steps to go on exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional as F

from model.training.device import autocast, to_device
from model.training.group import Group
from model.training.options import Options
from model.windows import NO_LOSS, Batch


class Source(Protocol):
    """Where a step's batch comes from (model/windows.py)."""

    def batch(self, step: int) -> Batch:
        """The same for the same step."""
        ...


@dataclass(frozen=True)
class Step:
    """What has been done: losses are nats a token, `number` counts from 1."""

    number: int
    loss: float
    lr: float
    val_loss: float | None


def loss_sum(model: nn.Module, batch: Batch, where: torch.device, bf16: bool) -> tuple[torch.Tensor, int]:
    """Cross entropy summed over the targets that count, and how many those are."""
    inputs, targets = to_device(batch.inputs, where), to_device(batch.targets, where)
    with autocast(where, bf16):
        logits = model(inputs)
    return (F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=NO_LOSS, reduction="sum"),
            int((batch.targets != NO_LOSS).sum()))


def rows(batch: Batch, part: slice) -> Batch:
    """Some rows of a batch."""
    return Batch(batch.inputs[part], batch.targets[part])


@torch.inference_mode()  # type: ignore[untyped-decorator]
def evaluate(model: nn.Module, batches: Sequence[Batch], options: Options, where: torch.device) -> float:
    """Mean loss a token, dropout off."""
    was = model.training
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        loss, tokens = loss_sum(model, batch, where, options.bf16)
        total, count = total + float(loss), count + tokens
    model.train(was)
    return total / max(1, count)


def train(model: nn.Module, optimizer: torch.optim.AdamW, source: Source, held_out: Sequence[Batch], options: Options,
          group: Group, done: int = 0, wrapped: Callable[[torch.Tensor], torch.Tensor] | None = None) -> Iterator[Step]:
    """Steps done+1 to options.steps, each given when it is done. `wrapped`: the model compiled, if it is."""
    where = next(model.parameters()).device
    run = wrapped or model
    model.train()
    for step in range(done, options.steps):
        torch.manual_seed(options.seed * 1_000_003 + step * 64 + group.rank)  # for dropout
        for part in optimizer.param_groups:
            part["lr"] = options.rate(step)
        batch = source.batch(step)
        tokens = max(1, int((batch.targets != NO_LOSS).sum()))
        mine = rows(batch, group.share(len(batch.inputs)))
        total = torch.zeros((), device=where)
        size = max(1, -(-len(mine.inputs) // options.accumulate))
        for at in range(0, len(mine.inputs), size):
            loss, _ = loss_sum(run, rows(mine, slice(at, at + size)), where, options.bf16)
            (loss / tokens).backward()
            total += loss.detach()
        _share_gradients(model, group)
        if options.clip:
            nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss_now = float(group.total(total)) / tokens
        number = step + 1
        judged = number % options.eval_every == 0 or number == options.steps
        yield Step(number, loss_now, options.rate(step), evaluate(model, held_out, options, where) if judged else None)


def _share_gradients(model: nn.Module, group: Group) -> None:
    """The sum over all processes: each loss is already divided by the tokens of the whole batch."""
    if group.size == 1:
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    flat = torch.cat([grad.flatten() for grad in grads])
    group.total(flat)
    for p, part in zip(model.parameters(), flat.split([grad.numel() for grad in grads]), strict=True):
        p.grad = part.view_as(p).clone()

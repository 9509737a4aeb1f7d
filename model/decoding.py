"""From logits to the next token: the engine's rules (efi_src/engine/sampler.c), written for reading.

All functions but `generate` are pure. Logits and probabilities are tensors (vocab) of floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.architectures import Model
from model.architectures.gpt import Gpt
from model.program import InputError


@dataclass(frozen=True)
class Strategy:
    """How a token is chosen. The defaults are the plain distribution of the model."""

    temp: float = 1.0  # 0: greedy
    top_k: int = 0  # 0: all
    top_p: float = 1.0  # 0 and 1: off
    min_p: float = 0.0
    repeat: float = 1.0  # 1: off

    def __post_init__(self) -> None:
        if not (0 <= self.temp <= 100 and 0 <= self.top_p <= 1 and 0 <= self.min_p <= 1 and self.top_k >= 0
                and 0 < self.repeat <= 100):
            raise InputError(f"a strategy cannot be {self}", "temp 0 to 100, top_p and min_p 0 to 1, top_k from 0, "
                                                             "repeat above 0")


class Rng:
    """llama2.c's random numbers (xorshift*), so that a seed means here what it means in the engine."""

    def __init__(self, seed: int) -> None:
        self.state = seed & (2**64 - 1)

    def coin(self) -> float:
        """From 0 to 1, 1 excluded."""
        x = self.state
        x ^= x >> 12
        x ^= (x << 25) & (2**64 - 1)
        x ^= x >> 27
        self.state = x
        return float(((x * 0x2545F4914F6CDD1D & (2**64 - 1)) >> 32) >> 8) / 16777216.0


def penalise(logits: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    """Each token of `seen` made less likely, once: logit / penalty above 0, else times it (Keskar et al. 2019)"""
    if penalty == 1 or not seen:
        return logits
    which = torch.tensor(sorted(set(seen)), device=logits.device)
    chosen = logits[which]
    return logits.index_copy(0, which, torch.where(chosen > 0, chosen / penalty, chosen * penalty))


def probabilities(logits: Tensor, strategy: Strategy) -> Tensor:
    """What the token is drawn from; of the tokens that are left out the probability is 0. temp is above 0."""
    probs = torch.softmax(logits / strategy.temp, dim=-1)
    order = torch.argsort(probs, descending=True, stable=True)
    ranked = probs[order]
    keep = ranked >= strategy.min_p * ranked[0]
    if 0 < strategy.top_k < len(ranked):
        keep &= torch.arange(len(ranked), device=ranked.device) < strategy.top_k
    if 0 < strategy.top_p < 1:  # those that it takes to pass top_p of what is left; always the first
        within = torch.where(keep, ranked, 0) if strategy.top_k else ranked
        keep &= within.cumsum(0) - within <= strategy.top_p * within.sum()
    left = torch.zeros_like(probs).index_copy(0, order, torch.where(keep, ranked, 0))
    return left / left.sum()


def choose(logits: Tensor, strategy: Strategy, coin: Callable[[], float]) -> int:
    """The first of the most likely where temp is 0, else the one that the coin falls on, likeliest first."""
    if strategy.temp == 0:
        return int(torch.argmax(logits))
    probs = probabilities(logits, strategy)
    plain = strategy.min_p == 0 and not strategy.top_k and not 0 < strategy.top_p < 1
    order = torch.arange(len(probs)) if plain else torch.argsort(probs, descending=True, stable=True)
    sums = probs[order].double().cumsum(0)
    at = int(torch.searchsorted(sums, coin() * float(sums[-1]), right=True))
    return int(order[min(at, len(order) - 1)])


@torch.inference_mode()  # type: ignore[untyped-decorator]
def generate(model: Model, prompt: Sequence[int], strategy: Strategy, most: int, seed: int = 1,
             ends: frozenset[int] = frozenset()) -> Iterator[int]:
    """Up to `most` new tokens; one of `ends` ends them and is not given.

    When the context is full the window slides as in the engine: rotary positions forget the oldest token for each new
    one; with learned positions the older half goes, and the rest is computed anew. Of a prompt longer than the
    context only its end is read.
    """
    if not prompt:
        raise InputError("a prompt needs at least one token", "give a text to continue")
    device, context = model.token.weight.device, model.shape.context
    rng, seen = Rng(seed), list(prompt)
    cache = model.cache()
    todo = seen[-context:]  # not computed yet
    for _ in range(most):
        if cache.used + len(todo) > context:
            if isinstance(model, Gpt):
                todo = seen[-(context // 2 + 1):]
                cache = model.cache()
            else:
                cache.forget(cache.used + len(todo) - context)
        logits = model(torch.tensor([todo], device=device), cache)[0, -1].float()
        token = choose(penalise(logits, seen[-context:], strategy.repeat), strategy, rng.coin)
        if token in ends:
            return
        yield token
        seen.append(token)
        todo = [token]

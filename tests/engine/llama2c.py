"""llama2.c's sampler (run.c), written again in Python with numpy's float32."""

from __future__ import annotations

from typing import Any

import numpy as np

F = np.float32
Array = np.ndarray[Any, Any]


class Rng:
    """xorshift* (random_u32, random_f32)."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def u32(self) -> int:
        mask = (1 << 64) - 1
        self.state ^= self.state >> 12
        self.state ^= (self.state << 25) & mask
        self.state ^= self.state >> 27
        return ((self.state * 0x2545F4914F6CDD1D) & mask) >> 32

    def f32(self) -> Any:
        return F(self.u32() >> 8) / F(16777216.0)


def sample(probs: Array, top_p: float, coin: Any) -> int:
    """sample_mult and sample_topp, on probabilities."""
    n = len(probs)
    if top_p <= 0 or top_p >= 1:
        total = F(0)
        for i in range(n):
            total = F(total + probs[i])
            if coin < total:
                return i
        return n - 1
    cutoff = F(F(1) - F(top_p)) / F(n - 1)
    order = [i for i in range(n) if probs[i] >= cutoff]
    if not order:  # a tiny top_p: here llama2.c reads outside its array
        return int(np.argmax(probs))
    order.sort(key=lambda i: -probs[i])  # stable, as glibc's qsort
    total, last = F(0), len(order) - 1
    for place, i in enumerate(order):
        total = F(total + probs[i])
        if total > F(top_p):
            last = place
            break
    r, passed = F(coin * total), F(0)
    for i in order[: last + 1]:
        passed = F(passed + probs[i])
        if r < passed:
            return i
    return order[last]


def sample_top_k(probs: Array, top_k: int, top_p: float, coin: Any) -> int:
    """The k most probable; of them the fewest whose share passes top_p."""
    order = sorted(range(len(probs)), key=lambda i: -probs[i])[:top_k]
    whole = F(0)
    for i in order:
        whole = F(whole + probs[i])
    total, kept = F(0), []
    for i in order:
        total = F(total + probs[i])
        kept.append(i)
        if 0 < top_p < 1 and total > F(F(top_p) * whole):
            break
    r, passed = F(coin * total), F(0)
    for i in kept:
        passed = F(passed + probs[i])
        if r < passed:
            return i
    return kept[-1]

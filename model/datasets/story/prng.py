"""SplitMix64 (Steele, Lea, Flood 2014): a random number generator whose numbers never change.

Python's `random` promises the same numbers from one version to the next for `random()` alone, and a
dataset must have the same bytes on every Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
MASK = (1 << 64) - 1


class SplitMix64:
    """Random numbers from a 64-bit seed."""

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK

    def next(self) -> int:
        """The next 64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """A number in 0 … n-1 (Lemire's multiply-shift; its bias, n / 2**64, is of no matter here)."""
        return self.next() * n >> 64

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """k different items, in random order. Raises ValueError where there are fewer."""
        if k > len(items):
            raise ValueError(f"cannot take {k} of {len(items)} items")
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(k)]

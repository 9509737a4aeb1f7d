"""The C trainer's random numbers, written from their description (efi_src/train/rng.h)."""

from __future__ import annotations

import math

MASK = (1 << 64) - 1


class Stream:
    """splitmix64, the stream of (seed, purpose, index)."""

    def __init__(self, seed: int, purpose: int, index: int) -> None:
        self.state = seed
        self.state = (self.next() + purpose) & MASK
        self.state = (self.next() + index) & MASK
        self.state = self.next()

    def next(self) -> int:
        """64 bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return z ^ z >> 31

    def below(self, n: int) -> int:
        """From 0 to n-1."""
        return self.next() * n >> 64

    def normal(self) -> float:
        """Of mean 0 and deviation 1 (Box and Muller 1958)."""
        u, v = 1.0 - (self.next() >> 11) * 2.0**-53, (self.next() >> 11) * 2.0**-53
        return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)

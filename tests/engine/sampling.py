"""The engine's sampler for ctypes, and its rules written again in plain Python."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.engine import llama2c

F = np.float32
FLOATS = ctypes.POINTER(ctypes.c_float)
PERIOD_MAX = 256
BANNED = F("-inf")


class Sampler(ctypes.Structure):
    _fields_ = [("temp", ctypes.c_float), ("top_p", ctypes.c_float), ("min_p", ctypes.c_float),
                ("repeat", ctypes.c_float), ("repeat_last", ctypes.c_uint32), ("norepeat", ctypes.c_uint32),
                ("loop", ctypes.c_uint32), ("top_k", ctypes.c_uint64), ("rng", ctypes.c_uint64),
                ("vocab", ctypes.c_uint32), ("probs", ctypes.c_void_p), ("candidates", ctypes.c_void_p)]


class Kernels(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), *((name, ctypes.c_void_p) for name in ("matvec", "mix", "add", "scale")),
                ("softmax", ctypes.CFUNCTYPE(None, FLOATS, ctypes.c_size_t))]


class History(ctypes.Structure):
    _fields_ = [("window", ctypes.POINTER(ctypes.c_uint32)), ("size", ctypes.c_uint32), ("used", ctypes.c_uint32)]


def history(window: Sequence[int], forgotten: int = 0) -> History:
    """A ring of exactly these tokens, after so many that it no longer holds."""
    size, ring = len(window), [0] * len(window)
    for i, token in enumerate(window, forgotten):
        ring[i % size] = token
    return History((ctypes.c_uint32 * size)(*ring), size, forgotten + size)


class Under:
    """The engine's sampler with memory of its own."""

    def __init__(self, engine: ctypes.CDLL, vocab: int, **settings: Any) -> None:
        self.engine, self.kernels = engine, Kernels.in_dll(engine, "kernels_scalar")
        self.probs, self.candidates = (ctypes.c_float * vocab)(), (ctypes.c_uint64 * vocab)()
        self.state = Sampler(vocab=vocab, probs=ctypes.addressof(self.probs),
                             candidates=ctypes.addressof(self.candidates), **settings)
        engine.sampler_pick.restype = ctypes.c_uint32

    def pick(self, logits: llama2c.Array, window: Sequence[int] = (), forgotten: int = 0) -> int:
        values = (ctypes.c_float * len(logits))(*logits.tolist())
        token = int(self.engine.sampler_pick(ctypes.byref(self.state), ctypes.byref(self.kernels), values,
                                             history(window, forgotten)))
        assert list(values) == logits.tolist()  # left as they were
        return token

    def softmax(self, logits: llama2c.Array) -> llama2c.Array:
        """The engine's own, so that what follows is compared bit for bit."""
        values = (ctypes.c_float * len(logits))(*logits.tolist())
        self.kernels.softmax(values, len(logits))
        return np.array(values, np.float32)


def some_logits(vocab: int, seed: int, steps: int = 8) -> llama2c.Array:
    """With many equal ones, so that the order among them matters."""
    return (np.random.default_rng(seed).integers(-3 * steps, 3 * steps, vocab) / steps).astype(np.float32)


# ---- the rules again ----


def repeated(logits: llama2c.Array, window: Sequence[int], last: int, penalty: float) -> llama2c.Array:
    x: llama2c.Array = logits.copy()
    for token in set(window[-last:] if last else []):
        if token < len(x):
            x[token] = F(x[token] / F(penalty)) if x[token] > 0 else F(x[token] * F(penalty))
    return x


def ngram_bans(window: Sequence[int], n: int) -> set[int]:
    """What would complete n tokens in a row that are in the window already."""
    runs = {tuple(window[i : i + n]) for i in range(len(window) - n + 1)} if n else set()
    return {run[-1] for run in runs if len(window) >= n - 1 and run[:-1] == tuple(window[len(window) - n + 1 :])}


def loop_bans(window: Sequence[int], times: int) -> set[int]:
    """What would go on with a run that the window ends in `times` times in a row."""
    found = set()
    for period in range(1, min(PERIOD_MAX, len(window)) + 1):
        run = list(window[-period:])
        if list(window[-period * times :]) == run * times:
            found.add(run[0])
    return found


@dataclass
class Reference:
    """sampler.h, rule by rule."""

    under: Under
    rng: llama2c.Rng
    temp: float = 1.0
    top_p: float = 0.0
    min_p: float = 0.0
    repeat: float = 1.0
    repeat_last: int = 64
    norepeat: int = 0
    loop: int = 0
    top_k: int = 0

    def weighed(self, logits: llama2c.Array, window: Sequence[int], bans: set[int]) -> llama2c.Array:
        x = repeated(logits, window, self.repeat_last, self.repeat or 1)
        for token in bans | ngram_bans(window, self.norepeat):
            if token < len(x):
                x[token] = BANNED
        return x

    def choose(self, x: llama2c.Array) -> int:
        best = int(np.argmax(x))
        if self.temp == 0 or len(x) < 2:
            return best
        p, coin = self.under.softmax(x / F(self.temp)), self.rng.f32()
        use_p, use_k = 0 < self.top_p < 1, 0 < self.top_k < len(p)
        if not (use_p or use_k or self.min_p > 0):
            return first_beyond(list(range(len(p))), p, coin)
        order = sorted((i for i in range(len(p)) if p[i] > 0), key=lambda i: -p[i])
        if use_p and not use_k:  # llama2.c's cutoff
            order = [i for i in order if p[i] >= F(F(1) - F(self.top_p)) / F(len(p) - 1)]
            if not order:
                return int(np.argmax(p))
        if use_k:
            order = order[: self.top_k]
        if use_p:
            limit = F(F(self.top_p) * total(p, order)) if use_k else F(self.top_p)
            order = order[: 1 + next((i for i in range(len(order)) if total(p, order[: i + 1]) > limit), len(order))]
        order = [i for i in order if p[i] >= F(F(self.min_p) * p[best])]
        return first_beyond(order, p, F(coin * total(p, order)))

    def pick(self, logits: llama2c.Array, window: Sequence[int]) -> int:
        x = self.weighed(logits, window, set())
        token = self.choose(x if np.isfinite(x).any() else logits)
        bans = loop_bans(window, self.loop) if self.loop >= 2 else set()
        if token not in bans:
            return token
        x = self.weighed(logits, window, bans)
        return self.choose(x) if np.isfinite(x).any() else token


def total(p: llama2c.Array, order: Sequence[int]) -> Any:
    whole = F(0)
    for i in order:
        whole = F(whole + p[i])
    return whole


def first_beyond(order: Sequence[int], p: llama2c.Array, mark: Any) -> int:
    passed = F(0)
    for i in order:
        passed = F(passed + p[i])
        if mark < passed:
            return i
    return max(i for i in order if p[i] > 0) if list(order) == sorted(order) else order[-1]

"""What the sampler has beyond llama2.c's: penalties, bans, the escape from loops, min_p."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import llama2c
from tests.engine.sampling import (
    BANNED,
    FLOATS,
    PERIOD_MAX,
    F,
    Kernels,
    Reference,
    Under,
    history,
    loop_bans,
    ngram_bans,
    repeated,
    some_logits,
)

WINDOWS = st.lists(st.integers(0, 4), max_size=24)  # few tokens, so that runs come again
FORGOTTEN = st.integers(0, 40)


class Rules:
    """The functions of penalties.c on arrays of Python's."""

    def __init__(self, engine: ctypes.CDLL, window: list[int], forgotten: int = 0) -> None:
        self.engine, self.history = engine, history(window, forgotten)

    def repeat(self, logits: llama2c.Array, last: int, penalty: float) -> llama2c.Array:
        x: llama2c.Array = logits.copy()
        before = logits.copy()
        self.engine.penalty_repeat(x.ctypes.data_as(FLOATS), logits.ctypes.data_as(FLOATS),
                                   ctypes.c_uint32(len(x)), self.history, ctypes.c_uint32(last),
                                   ctypes.c_float(penalty))
        assert (logits == before).all()
        return x

    def bans(self, rule: str, vocab: int, n: int) -> set[int]:
        x = np.zeros(vocab, np.float32)
        getattr(self.engine, rule)(x.ctypes.data_as(FLOATS), ctypes.c_uint32(vocab), self.history, ctypes.c_uint32(n))
        assert set(x.tolist()) <= {0.0, -np.inf}
        return set(np.flatnonzero(x == BANNED).tolist())

    def in_loop(self, times: int, token: int) -> bool:
        return bool(self.engine.penalty_in_loop(self.history, ctypes.c_uint32(times), ctypes.c_uint32(token)))


# ---- repetition penalty ----


def test_penalty_by_hand(engine: ctypes.CDLL) -> None:
    """llama.cpp's: what is positive is divided, the rest multiplied, once for each token."""
    logits = np.array([3, -2, 0, 1.5, -1], np.float32)
    assert Rules(engine, [0, 1, 2, 1, 0]).repeat(logits, 64, 1.5).tolist() == [2, -3, 0, 1.5, -1]
    assert Rules(engine, [0, 1, 3, 4]).repeat(logits, 2, 2.0).tolist() == [3, -2, 0, 0.75, -2]  # the last two alone
    assert Rules(engine, [0, 1]).repeat(logits, 0, 2.0).tolist() == logits.tolist()


@settings(deadline=None)
@given(window=st.lists(st.integers(0, 9), max_size=30), last=st.integers(0, 40), seed=st.integers(0, 10**6),
       penalty=st.floats(0.5, 4, width=32), forgotten=FORGOTTEN)
def test_penalty(engine: ctypes.CDLL, window: list[int], last: int, seed: int, penalty: float, forgotten: int) -> None:
    """Also with tokens that the vocabulary of 7 does not have."""
    logits = some_logits(7, seed)
    assert (Rules(engine, window, forgotten).repeat(logits, last, penalty)
            == repeated(logits, window, last, penalty)).all()


def test_penalty_changes_the_greedy_choice(engine: ctypes.CDLL) -> None:
    logits = np.array([1, 3, 2], np.float32)
    sampler = Under(engine, 3, temp=0.0, repeat=2.0, repeat_last=64, rng=5)
    assert sampler.pick(logits, [1]) == 2
    assert sampler.pick(logits, [1, 2]) == 1  # 1, 1.5, 1
    assert sampler.pick(logits) == 1
    assert sampler.state.rng == 5  # nothing drawn


# ---- no run of n tokens twice ----


@pytest.mark.parametrize(("window", "n", "banned"), [
    ([1, 2, 3, 1, 2], 3, {3}), ([1, 2, 3, 1, 2], 2, {3}), ([1, 2, 3, 1, 2], 4, set()), ([1, 2, 3], 1, {1, 2, 3}),
    ([1, 2, 3], 0, set()), ([], 1, set()), ([], 3, set()), ([1, 2], 3, set()), ([1, 1, 1], 3, {1}),
    ([1, 2, 1, 3, 1], 2, {2, 3}), ([1, 2, 3, 4], 1000, set()), ([1, 2, 3, 4], 2**32 - 1, set())])
def test_ngrams_by_hand(engine: ctypes.CDLL, window: list[int], n: int, banned: set[int]) -> None:
    assert Rules(engine, window).bans("penalty_ngram", 5, n) == banned


@settings(deadline=None, max_examples=300)
@given(window=WINDOWS, n=st.integers(0, 30), forgotten=FORGOTTEN)
def test_ngrams(engine: ctypes.CDLL, window: list[int], n: int, forgotten: int) -> None:
    found = Rules(engine, window, forgotten).bans("penalty_ngram", 4, n)  # 4 is not of the vocabulary
    assert found == ngram_bans(window, n) - {4}


@settings(deadline=None)
@given(n=st.integers(1, 4), seed=st.integers(1, 10**6), temp=st.sampled_from([0.0, 1.0]))
def test_no_run_comes_twice(engine: ctypes.CDLL, n: int, seed: int, temp: float) -> None:
    """Written on and on, as long as something is left to write."""
    sampler, window = Under(engine, 4, temp=temp, norepeat=n, rng=seed), list[int]()
    while len(window) < 40 and len(ngram_bans(window, n)) < 4:
        window.append(sampler.pick(some_logits(4, seed + len(window)), window))
    runs = [tuple(window[i : i + n]) for i in range(len(window) - n + 1)]
    assert len(runs) == len(set(runs))


# ---- loops ----


@pytest.mark.parametrize(("window", "times", "banned"), [
    ([7, 1, 1, 1], 3, {1}), ([7, 1, 1], 3, set()), ([7, 1, 2, 1, 2], 2, {1}), ([1, 2, 1, 2, 1], 2, {2}),
    ([1, 2, 3, 1, 2, 3], 2, {1}), ([0, 1, 1, 0, 1, 1], 2, {0, 1}), ([], 2, set()), ([1], 2, set()),
    ([1, 2, 3, 1, 2], 2, set()), ([1, 1], 1000, set()), ([1, 1], 2**32 - 1, set())])
def test_loops_by_hand(engine: ctypes.CDLL, window: list[int], times: int, banned: set[int]) -> None:
    rules = Rules(engine, window)
    assert rules.bans("penalty_loop", 8, times) == banned
    assert {token for token in range(9) if rules.in_loop(times, token)} == banned


@settings(deadline=None, max_examples=300)
@given(head=st.lists(st.integers(0, 4), max_size=6), run=st.lists(st.integers(0, 4), min_size=1, max_size=5),
       again=st.integers(1, 5), times=st.integers(2, 4), forgotten=FORGOTTEN)
def test_loops(engine: ctypes.CDLL, head: list[int], run: list[int], again: int, times: int, forgotten: int) -> None:
    window = head + run * again
    rules = Rules(engine, window, forgotten)
    expected = loop_bans(window, times)
    assert {token for token in range(5) if rules.in_loop(times, token)} == expected
    assert rules.bans("penalty_loop", 4, times) == expected - {4}
    assert again < times or run[0] in expected


def test_longest_run(engine: ctypes.CDLL) -> None:
    """One token more than is looked for."""
    run = list(range(PERIOD_MAX))
    assert Rules(engine, run * 2).in_loop(2, 0)
    assert not Rules(engine, [*run, PERIOD_MAX] * 2).in_loop(2, 0)


def test_escape_takes_the_next_best_of_the_logits(engine: ctypes.CDLL) -> None:
    """Three times [1, 2]: 1 is banned, and 3 is taken though its logit is negative. From probabilities, all
    positive, the penalty would have divided and chosen otherwise."""
    logits = np.array([-4, 5, -3, -2], np.float32)
    sampler = Under(engine, 4, temp=0.0, loop=3, rng=5)
    assert sampler.pick(logits, [1, 2] * 3) == 3
    assert sampler.pick(logits, [1, 2] * 2) == 1
    assert sampler.pick(logits, [2, 1] * 3) == 1  # 2 would go on with the loop
    penalised = Under(engine, 4, temp=0.0, loop=3, repeat=4.0, repeat_last=64, rng=5)
    assert penalised.pick(np.array([-6, 9, -4, -2], np.float32), [3, *[1, 2] * 3]) == 0  # -6, -, -16, -8


def test_escape_from_every_loop_at_once(engine: ctypes.CDLL) -> None:
    """[0, 1, 1] twice, and [1] twice: the second choice goes on with neither."""
    logits = np.array([5, 6, 1], np.float32)
    assert Under(engine, 3, temp=0.0, loop=2, rng=5).pick(logits, [0, 1, 1, 0, 1, 1]) == 2
    assert Under(engine, 2, temp=0.0, loop=2, rng=5).pick(logits[:2], [0, 1, 1, 0, 1, 1]) == 1  # nothing left


def test_escape_draws_a_second_number_only_when_it_must(engine: ctypes.CDLL) -> None:
    logits = np.array([50, 0, 0], np.float32)
    for window, draws in ([0, 0, 0], 2), ([1, 1, 1], 1), ([0, 0], 1):
        sampler, rng = Under(engine, 3, temp=1.0, loop=3, rng=9), llama2c.Rng(9)
        token = sampler.pick(logits, window)
        for _ in range(draws):
            rng.f32()
        assert sampler.state.rng == rng.state
        assert (token == 0) == (draws == 1)


# ---- min_p ----


@pytest.mark.parametrize(("min_p", "kept"), [(0.0, {0, 1, 2, 3}), (0.2, {0, 1, 2, 3}), (0.26, {0, 1}), (0.6, {0}),
                                             (1.0, {0})])
@pytest.mark.parametrize("top_k", [0, 4, 3])
def test_min_p(engine: ctypes.CDLL, min_p: float, kept: set[int], top_k: int) -> None:
    """1/2, 1/4, 1/8, 1/8: as shares of the first 1, 1/2, 1/4, 1/4."""
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    sampler = Under(engine, 4, temp=1.0, min_p=min_p, top_k=top_k, rng=3)
    expected = kept - {3} if top_k == 3 else kept
    assert {sampler.pick(logits) for _ in range(400)} == expected


def test_min_p_keeps_the_proportions(engine: ctypes.CDLL) -> None:
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    sampler = Under(engine, 4, temp=1.0, min_p=0.4, rng=1)
    counts = np.bincount([sampler.pick(logits) for _ in range(4000)], minlength=4) / 4000
    assert np.abs(counts - [2 / 3, 1 / 3, 0, 0]).max() < 0.03


# ---- everything together ----


@settings(deadline=None, max_examples=500)
@given(window=st.lists(st.integers(0, 6), max_size=20), forgotten=FORGOTTEN, vocab=st.integers(1, 7),
       seed=st.integers(1, 10**6), extras=st.fixed_dictionaries({
           "temp": st.sampled_from([0.0, 0.5, 1.0, 2.0]), "top_p": st.sampled_from([0.0, 0.4, 0.9, 1.0]),
           "min_p": st.sampled_from([0.0, 0.1, 0.5, 1.0]), "top_k": st.integers(0, 8),
           "repeat": st.sampled_from([0.0, 1.0, 1.25, 3.0]), "repeat_last": st.integers(0, 8),
           "norepeat": st.integers(0, 4), "loop": st.integers(0, 3)}))
def test_all_rules_in_order(engine: ctypes.CDLL, window: list[int], forgotten: int, vocab: int, seed: int,
                            extras: dict[str, Any]) -> None:
    sampler = Under(engine, vocab, rng=seed, **extras)
    reference = Reference(sampler, llama2c.Rng(seed), **extras)
    for step in range(4):
        logits = some_logits(vocab, seed + step, steps=2)
        token = sampler.pick(logits, window, forgotten)
        assert token == reference.pick(logits, window)
        assert sampler.state.rng == reference.rng.state
        window = [*window, token]


@settings(deadline=None)
@given(seed=st.integers(1, 10**6), window=WINDOWS, temp=st.sampled_from([0.0, 0.7, 1.0]),
       top_p=st.sampled_from([0.0, 0.5, 0.9]))
def test_with_the_extras_off_the_window_counts_for_nothing(engine: ctypes.CDLL, seed: int, window: list[int],
                                                           temp: float, top_p: float) -> None:
    plain = Under(engine, 64, temp=temp, top_p=top_p, rng=seed)
    off = Under(engine, 64, temp=temp, top_p=top_p, repeat=1.0, repeat_last=64, loop=1, rng=seed)
    logits = some_logits(64, seed)
    assert [plain.pick(logits) for _ in range(5)] == [off.pick(logits, window) for _ in range(5)]


# ---- extremes ----


@pytest.mark.parametrize("choice", [{"temp": 0.0}, {"temp": 1.0}, {"temp": 1.0, "top_p": 0.9},
                                    {"temp": 1.0, "top_k": 2}, {"temp": 1.0, "min_p": 0.5}])
def test_all_banned_but_one(engine: ctypes.CDLL, choice: dict[str, Any]) -> None:
    """Whatever the random number is: what is banned has no probability, not a small one."""
    window = [i for i in range(40) if i != 17]
    for seed in range(1, 200):
        sampler = Under(engine, 40, norepeat=1, rng=seed, **choice)
        assert sampler.pick(some_logits(40, seed), window) == 17


@pytest.mark.parametrize("choice", [{"temp": 0.0}, {"temp": 1.0}, {"temp": 1.0, "top_p": 0.9}])
def test_everything_banned_is_nothing_banned(engine: ctypes.CDLL, choice: dict[str, Any]) -> None:
    logits = some_logits(8, 3)
    assert (Under(engine, 8, norepeat=1, rng=5, **choice).pick(logits, list(range(8)))
            == Under(engine, 8, rng=5, **choice).pick(logits))


@pytest.mark.parametrize("temp", [0.0, 1.0])
def test_vocabulary_of_one(engine: ctypes.CDLL, temp: float) -> None:
    sampler = Under(engine, 1, temp=temp, norepeat=1, loop=2, repeat=2.0, repeat_last=64, rng=5)
    assert sampler.pick(np.array([2], np.float32), [0, 0, 0]) == 0


def test_a_temperature_that_overflows_is_greedy(engine: ctypes.CDLL) -> None:
    sampler = Under(engine, 3, temp=1e-38, top_p=0.9, rng=5)
    assert sampler.pick(np.array([1, 9, 8], np.float32)) == 1
    assert sampler.pick(np.array([-9, -8, -7], np.float32)) == 2


def test_a_penalty_that_overflows(engine: ctypes.CDLL) -> None:
    """-3e38 * 10 is no longer finite: as good as banned."""
    sampler = Under(engine, 2, temp=1.0, repeat=10.0, repeat_last=64, rng=5)
    assert sampler.pick(np.array([-3e38, -3e38], np.float32), [0]) == 1
    assert sampler.pick(np.array([-3e38, -3e38], np.float32), [0, 1]) in (0, 1)


@pytest.mark.parametrize("name", ["kernels_scalar", "kernels_sse2"])
@pytest.mark.parametrize("n", [2, 16, 33])
def test_softmax_gives_what_is_banned_nothing(engine: ctypes.CDLL, name: str, n: int) -> None:
    """Every kernel must: exactly 0."""
    values = (ctypes.c_float * n)(*[-np.inf] * (n - 1), F(-3))
    Kernels.in_dll(engine, name).softmax(values, n)
    assert list(values) == [0.0] * (n - 1) + [1.0]

"""The sampler against llama2.c's, written again in Python."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import llama2c
from tests.engine.sampling import Under, some_logits


def test_random_numbers(engine: ctypes.CDLL) -> None:
    for seed in (1, 2, 42, 2**64 - 1):
        state, reference = ctypes.c_uint64(seed), llama2c.Rng(seed)
        engine.sampler_u32.restype = ctypes.c_uint32
        engine.sampler_f32.restype = ctypes.c_float
        for _ in range(100):
            assert engine.sampler_u32(ctypes.byref(state)) == reference.u32()
            assert engine.sampler_f32(ctypes.byref(state)) == reference.f32()
        assert state.value == reference.state


def test_first_numbers_of_llama2c(engine: ctypes.CDLL) -> None:
    """Of xorshift* with this multiplier and seed 1: known, so that both sides cannot be wrong alike."""
    state = ctypes.c_uint64(1)
    engine.sampler_u32.restype = ctypes.c_uint32
    assert [engine.sampler_u32(ctypes.byref(state)) for _ in range(3)] == [1206177355, 2882512552, 3117485455]


@pytest.mark.parametrize("temp", [1.0, 0.7, 3.0])
@pytest.mark.parametrize("top_p", [0.0, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_same_choices_as_llama2c(engine: ctypes.CDLL, temp: float, top_p: float) -> None:
    sampler, rng = Under(engine, 256, temp=temp, top_p=top_p, rng=7), llama2c.Rng(7)
    for seed in range(60):
        logits = some_logits(256, seed)
        probs = sampler.softmax(logits / np.float32(temp))
        assert sampler.pick(logits) == llama2c.sample(probs, top_p, rng.f32())
        assert sampler.state.rng == rng.state  # one random number a token


def test_top_p_must_be_passed_not_reached(engine: ctypes.CDLL) -> None:
    """Eight tokens of exactly 1/8: at 0.5 llama2.c keeps five."""
    sampler, rng = Under(engine, 8, temp=1.0, top_p=0.5, rng=7), llama2c.Rng(7)
    flat = np.zeros(8, np.float32)
    picked = [sampler.pick(flat) for _ in range(200)]
    assert picked == [llama2c.sample(sampler.softmax(flat), 0.5, rng.f32()) for _ in range(200)]
    assert set(picked) == {0, 1, 2, 3, 4}


@settings(deadline=None, max_examples=200)
@given(vocab=st.integers(2, 40), top_k=st.integers(1, 41), top_p=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
       seed=st.integers(1, 10**6))
def test_top_k(engine: ctypes.CDLL, vocab: int, top_k: int, top_p: float, seed: int) -> None:
    sampler, rng = Under(engine, vocab, temp=1.0, top_p=top_p, top_k=top_k, rng=seed), llama2c.Rng(seed)
    logits = some_logits(vocab, seed, steps=2)
    probs = sampler.softmax(logits)
    expected = (llama2c.sample_top_k(probs, top_k, top_p, rng.f32()) if top_k < vocab
                else llama2c.sample(probs, top_p, rng.f32()))
    assert sampler.pick(logits) == expected


def test_greedy_takes_the_first_highest(engine: ctypes.CDLL) -> None:
    sampler = Under(engine, 6, temp=0.0, top_p=0.9, rng=5)
    assert sampler.pick(np.array([1, 3, 2, 3, -1, 3], np.float32)) == 1
    assert sampler.state.rng == 5  # nothing drawn


def test_edges(engine: ctypes.CDLL) -> None:
    assert Under(engine, 1, temp=1.0, top_p=0.9, rng=5).pick(np.array([2], np.float32)) == 0
    flat = np.zeros(8, np.float32)  # with a tiny top_p llama2.c's cutoff leaves nothing
    assert Under(engine, 8, temp=1.0, top_p=0.001, rng=5).pick(flat) == 0
    assert Under(engine, 8, temp=1.0, top_p=0.5, top_k=1, rng=5).pick(np.arange(8, dtype=np.float32)) == 7


def test_frequencies(engine: ctypes.CDLL) -> None:
    """Tokens come as often as their probability says."""
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    sampler = Under(engine, 4, temp=1.0, top_p=1.0, rng=1)
    counts = np.bincount([sampler.pick(logits) for _ in range(4000)], minlength=4) / 4000
    assert np.abs(counts - [0.5, 0.25, 0.125, 0.125]).max() < 0.03

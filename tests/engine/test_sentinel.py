"""The sentinel's verdicts, step by step."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.test_text import Text

PREFILL, DECODE = 0, 1
FINE, RAISED, OVERRUN, STOP = 0, 1, 2, 3
MOST = 2**64 - 1


class Watch(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("budget", "last", "worst", "steps", "raised", "overruns")]


class State(ctypes.Structure):
    _fields_ = [("on", ctypes.c_int), ("strict", ctypes.c_int), ("stopped", ctypes.c_int), ("test", ctypes.c_int),
                ("phase", ctypes.c_int), ("watch", Watch * 2)]


class Sentinel:
    def __init__(self, engine: ctypes.CDLL, decode: int = 0, strict: bool = False) -> None:
        engine.sentinel_default.restype = State
        self.engine, self.state = engine, engine.sentinel_default()
        self.state.strict = int(strict)
        engine.sentinel_set_budget(ctypes.byref(self.state), DECODE, ctypes.c_uint64(decode))

    def step(self, ticks: int, tokens: int = 1, phase: int = DECODE) -> int:
        return int(self.engine.sentinel_step(ctypes.byref(self.state), phase, ctypes.c_uint64(ticks),
                                             ctypes.c_uint64(tokens)))

    def turn(self) -> None:
        self.engine.sentinel_turn(ctypes.byref(self.state))

    def budget(self, phase: int = DECODE) -> int:
        return int(self.state.watch[phase].budget)

    def show(self, function: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        text = Text(ctypes.cast(buffer, ctypes.c_char_p), 256, 0)
        getattr(self.engine, function)(ctypes.byref(self.state), b"us", ctypes.byref(text))
        return buffer.value.decode()


def test_a_budget_is_learnt_once_for_each_phase(engine: ctypes.CDLL) -> None:
    s = Sentinel(engine)
    assert s.step(10) == FINE
    assert (s.budget(), s.budget(PREFILL)) == (40, 0)
    assert s.step(90, 9, PREFILL) == FINE
    assert (s.budget(), s.budget(PREFILL)) == (40, 40)
    assert s.step(40) == FINE
    assert s.step(1) == FINE
    assert s.budget() == 40


@pytest.mark.parametrize(("ticks", "verdict", "budget"), [(100, FINE, 100), (101, RAISED, 101), (299, RAISED, 299),
                                                         (300, OVERRUN, 100), (MOST, OVERRUN, 100)])
def test_soft_below_three_times(engine: ctypes.CDLL, ticks: int, verdict: int, budget: int) -> None:
    s = Sentinel(engine, 100)
    assert s.step(ticks) == verdict
    assert s.budget() == budget
    assert s.step(100) == FINE  # goes on


@pytest.mark.parametrize("ticks", [101, 300, MOST])
def test_strict_stops_the_turn_and_recovers(engine: ctypes.CDLL, ticks: int) -> None:
    s = Sentinel(engine, 100, strict=True)
    assert s.step(100) == FINE
    assert s.step(ticks) == STOP
    assert s.step(1) == STOP  # of this turn, all
    assert s.step(1, phase=PREFILL) == STOP
    s.turn()
    assert s.step(100) == FINE
    assert s.budget() == 100
    assert s.state.watch[DECODE].overruns == 1


def test_off(engine: ctypes.CDLL) -> None:
    s = Sentinel(engine, 100, strict=True)
    s.state.on = 0
    assert s.step(MOST) == FINE
    assert s.state.watch[DECODE].worst == MOST


def test_the_fail_safe_test(engine: ctypes.CDLL) -> None:
    """Trips once, whatever the mode, and leaves the budgets."""
    s = Sentinel(engine, 100)
    s.state.test = 1
    assert s.step(5) == STOP
    s.turn()
    assert s.step(100) == FINE
    assert s.budget() == 100


def test_by_the_token(engine: ctypes.CDLL) -> None:
    s = Sentinel(engine, 100)
    assert s.step(1000, 10) == FINE
    assert s.step(1001, 10) == RAISED  # rounded up: 101
    assert s.budget() == 101
    assert s.step(MOST, 0) == FINE
    assert s.state.watch[DECODE].steps == 2


def test_no_overflow(engine: ctypes.CDLL) -> None:
    s = Sentinel(engine)
    assert s.step(MOST) == FINE
    assert s.budget() == MOST
    s = Sentinel(engine, MOST - 1)
    assert s.step(MOST) == OVERRUN  # three times that is more than can be told: not below it
    s = Sentinel(engine)
    assert s.step(0) == FINE  # a clock that stands: some budget, else it would be learnt for ever
    assert s.budget() == 4


@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 5)), max_size=40), strict=st.booleans())
def test_budgets_never_fall_and_strict_never_raises(engine: ctypes.CDLL, steps: list[tuple[int, int]],
                                                    strict: bool) -> None:
    s, stopped = Sentinel(engine, 1000, strict), False
    for ticks, count in steps:
        before, took = s.budget(), -(-ticks // count) if count else 0
        verdict = s.step(ticks, count)
        over = took > before
        stopped |= strict and over
        expected = STOP if stopped else FINE if not over else RAISED if took < 3 * before else OVERRUN
        assert verdict == expected
        assert s.budget() == (took if verdict == RAISED else before)


def test_what_it_says(engine: ctypes.CDLL) -> None:
    s = Sentinel(engine, 30, strict=True)
    assert s.show("sentinel_show") == ("sentinel=on strict=on prefill_us=unknown decode_us=30 raised=0 overruns=0")
    s.step(91)
    assert s.show("sentinel_show_step") == "decode took 91 us a token, budget 30"
    assert s.show("sentinel_show").endswith("raised=0 overruns=1")

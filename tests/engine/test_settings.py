"""The table of settings."""

from __future__ import annotations

import ctypes
import math
import struct

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.engine.sampling import Sampler
from tests.engine.test_text import Text

DEFAULTS = {"temp": "1", "top_k": "0", "top_p": "0.9", "min_p": "0", "repeat": "1", "norepeat": "0", "loop": "0",
            "seed": "1", "max_tokens": "256", "stop_you": "off", "stop_nl": "off"}
RANGES = {"temp": (0, 100), "top_k": (0, 10**6), "top_p": (0, 1), "min_p": (0, 1), "repeat": (1, 10),
          "norepeat": (0, 1000), "loop": (0, 1000), "seed": (0, 2**64 - 1), "max_tokens": (1, 10**6)}
NUMBERS = ("temp", "top_p", "min_p", "repeat")


class Settings(ctypes.Structure):
    _fields_ = [*((name, ctypes.c_float) for name in NUMBERS),
                *((name, ctypes.c_uint64) for name in ("top_k", "norepeat", "loop", "max_tokens", "seed", "stop_you",
                                                       "stop_nl"))]


class Setting(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("argument", ctypes.c_char_p), ("help", ctypes.c_char_p),
                ("range", ctypes.c_char_p), ("kind", ctypes.c_int), ("lowest", ctypes.c_double),
                ("highest", ctypes.c_double), ("at", ctypes.c_size_t)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 192)]


def default(engine: ctypes.CDLL) -> Settings:
    engine.settings_default.restype = Settings
    found: Settings = engine.settings_default()
    return found


def set_one(engine: ctypes.CDLL, state: Settings, name: str, value: str) -> str | None:
    """What is wrong with it."""
    error, data = Error(), value.encode()
    status = engine.settings_set(ctypes.byref(state), name.encode(), data, ctypes.c_size_t(len(data)),
                                 ctypes.byref(error))
    assert status in (0, 5)  # OK, E_RANGE
    return error.text.decode() if status else None


def show(engine: ctypes.CDLL, state: Settings, name: str) -> str:
    buffer = ctypes.create_string_buffer(64)
    text = Text(ctypes.cast(buffer, ctypes.c_char_p), 64, 0)
    engine.settings_show(ctypes.byref(state), name.encode(), ctypes.byref(text))
    return buffer.value.decode()


def table(engine: ctypes.CDLL) -> list[Setting]:
    engine.setting_at.restype = ctypes.POINTER(Setting)
    found: list[Setting] = []
    while row := engine.setting_at(ctypes.c_size_t(len(found))):
        found.append(row.contents)
    return found


def test_names_and_defaults(engine: ctypes.CDLL) -> None:
    state = default(engine)
    assert [row.name.decode() for row in table(engine)] == list(DEFAULTS)
    for name, value in DEFAULTS.items():
        assert show(engine, state, name) == f"{name}={value}"


def test_every_setting_has_its_place(engine: ctypes.CDLL) -> None:
    """Setting one changes it alone."""
    for name in DEFAULTS:
        state = default(engine)
        before = {other: show(engine, state, other) for other in DEFAULTS}
        value = {"top_p": "0.5", "min_p": "0.5", "repeat": "1.25"}.get(name, "on" if name[:4] == "stop" else "7")
        assert set_one(engine, state, name, value) is None
        assert {other: show(engine, state, other) for other in DEFAULTS} == {**before, name: f"{name}={value}"}
        assert getattr(state, name) == {"on": 1}.get(value) or float(value)


@examples(deadline=None, max_examples=300)
@given(name=st.sampled_from(list(RANGES)), data=st.data())
def test_ranges(engine: ctypes.CDLL, name: str, data: st.DataObject) -> None:
    lowest, highest = RANGES[name]
    edges = [lowest, highest, lowest - 1, highest + 1]
    if name in NUMBERS:
        value = data.draw(st.sampled_from(edges) | st.integers(-64 * 200, 64 * 200).map(lambda whole: whole / 64))
    else:
        value = data.draw(st.sampled_from(edges) | st.integers(-5, 2**65))
    state = default(engine)
    problem = set_one(engine, state, name, str(value))
    if lowest <= value <= highest:
        assert problem is None
        assert getattr(state, name) == value
    else:
        assert problem
        assert problem.startswith(f"{name} must be ")
        assert bytes(state) == bytes(default(engine))


@pytest.mark.parametrize(("name", "value", "problem"), [
    ("temp", "hot", "temp must be a number from 0 to 100, not hot"),
    ("temp", "", "temp must be a number from 0 to 100, not "),
    ("top_k", "1.5", "top_k must be a whole number from 0 to 1000000, not 1.5"),
    ("stop_nl", "ON", "stop_nl must be on or off, not ON"),
    ("stop_you", "1", "stop_you must be on or off, not 1"),
    ("tmep", "1", "no setting tmep; nearest: temp"),
    ("stopnl", "on", "no setting stopnl; nearest: stop_nl"),
    ("min_P", "1", "no setting min_P; nearest: min_p"),
    ("max", "1", "no setting max; nearest: temp")])
def test_what_is_wrong(engine: ctypes.CDLL, name: str, value: str, problem: str) -> None:
    state = default(engine)
    assert set_one(engine, state, name, value) == problem
    assert bytes(state) == bytes(default(engine))


def test_switches(engine: ctypes.CDLL) -> None:
    state = default(engine)
    for value in ("on", "off"):
        assert set_one(engine, state, "stop_you", value) is None
        assert show(engine, state, "stop_you") == f"stop_you={value}"


def test_a_sampler_gets_them(engine: ctypes.CDLL) -> None:
    state, sampler = default(engine), Sampler(rng=77, vocab=5)
    for name, value in {"temp": "0.5", "top_p": "0.25", "min_p": "0.125", "repeat": "1.5", "norepeat": "3",
                        "loop": "4", "top_k": "40", "seed": "9"}.items():
        assert set_one(engine, state, name, value) is None
    engine.settings_apply(ctypes.byref(state), ctypes.byref(sampler))
    assert (sampler.temp, sampler.top_p, sampler.min_p, sampler.repeat) == (0.5, 0.25, 0.125, 1.5)
    assert (sampler.norepeat, sampler.loop, sampler.top_k, sampler.repeat_last) == (3, 4, 40, 64)
    assert (sampler.rng, sampler.vocab) == (77, 5)


def test_decimals_become_the_nearest_float(engine: ctypes.CDLL) -> None:
    state = default(engine)
    assert set_one(engine, state, "temp", "0.1") is None
    assert state.temp == struct.unpack("f", struct.pack("f", 0.1))[0]
    assert not math.isclose(state.temp, 0.1, rel_tol=1e-12)

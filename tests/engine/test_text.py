"""Numbers read and shown, and the distance between words, against Python's."""

from __future__ import annotations

import ctypes
import decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


class Text(ctypes.Structure):
    _fields_ = [("at", ctypes.c_char_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t)]


def shown(engine: ctypes.CDLL, function: str, *args: object, size: int = 64) -> str:
    """What text_add_… puts into a buffer of that size."""
    buffer = ctypes.create_string_buffer(b"\xaa" * 80, 80)
    engine.text_into.restype = Text
    text = engine.text_into(buffer, ctypes.c_size_t(size))
    text.at = ctypes.cast(buffer, ctypes.c_char_p)
    getattr(engine, function)(ctypes.byref(text), *args)
    assert buffer.raw[size:] == b"\xaa" * (80 - size)
    assert buffer.raw[text.used] == 0
    return buffer.value.decode("ascii")


def read_decimal(engine: ctypes.CDLL, text: str) -> float | None:
    out = ctypes.c_double()
    data = text.encode()
    found = engine.text_read_decimal(data, ctypes.c_size_t(len(data)), ctypes.byref(out))
    return out.value if found else None


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_whole_numbers(engine: ctypes.CDLL, number: int) -> None:
    assert shown(engine, "text_add_u64", ctypes.c_uint64(number)) == str(number)
    out = ctypes.c_uint64()
    assert engine.text_read_u64(str(number).encode(), ctypes.c_size_t(len(str(number))), ctypes.byref(out))
    assert out.value == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1 ", "0x10", "1.0", "18446744073709551616", "9" * 40, "1e3"])
def test_not_whole_numbers(engine: ctypes.CDLL, text: str) -> None:
    assert not engine.text_read_u64(text.encode(), ctypes.c_size_t(len(text)), ctypes.byref(ctypes.c_uint64()))


@settings(deadline=None, max_examples=500)
@given(st.integers(0, 10**15 - 1), st.integers(0, 22), st.booleans())
def test_decimals_are_rounded_once(engine: ctypes.CDLL, digits: int, point: int, negative: bool) -> None:
    text = ("-" if negative else "") + format(decimal.Decimal(digits).scaleb(-point), "f")
    assert read_decimal(engine, text) == float(text)


@pytest.mark.parametrize(("text", "number"), [("0.8", 0.8), (".5", 0.5), ("5.", 5.0), ("-0", 0.0), ("007.50", 7.5),
                                              ("0.9", 0.9), ("0.0000000000000000000001", 1e-22)])
def test_decimals(engine: ctypes.CDLL, text: str, number: float) -> None:
    assert read_decimal(engine, text) == number


@pytest.mark.parametrize("text", ["", "-", ".", "-.", "1e5", "1..2", "1.2.3", "nan", "inf", " 1", "1 ", "+1", "0x1",
                                  "1234567890123456", "0." + "0" * 22 + "1", "--1", "1-"])
def test_not_decimals(engine: ctypes.CDLL, text: str) -> None:
    assert read_decimal(engine, text) is None


@settings(deadline=None)
@given(st.integers(-10**9 * 64 + 1, 10**9 * 64 - 1), st.integers(0, 9))
def test_fixed(engine: ctypes.CDLL, number: int, decimals: int) -> None:
    value = number / 64
    up = decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-decimals), decimal.ROUND_HALF_UP)
    if abs(value) * 10**decimals < 2**47:  # beyond, the product is no longer exact
        assert shown(engine, "text_add_fixed", ctypes.c_double(value), ctypes.c_uint(decimals)) == format(up, "f")


@pytest.mark.parametrize(("number", "text"), [(0.8, "0.8"), (1, "1"), (0.05, "0.05"), (100, "100"), (0, "0"),
                                              (-2.5, "-2.5"), (float("nan"), "nan"), (float("inf"), "inf")])
def test_short(engine: ctypes.CDLL, number: float, text: str) -> None:
    assert shown(engine, "text_add_short", ctypes.c_double(ctypes.c_float(number).value)) == text


def test_cut_at_the_end(engine: ctypes.CDLL) -> None:
    assert shown(engine, "text_add_u64", ctypes.c_uint64(12345678), size=5) == "1234"
    assert shown(engine, "text_add", b"abc", size=1) == ""


def test_names_are_made_safe(engine: ctypes.CDLL) -> None:
    assert shown(engine, "text_add_name", b"a\x1b[2J\xc3\n~", ctypes.c_size_t(8)) == "a?[2J??~"
    assert shown(engine, "text_add_name", b"x" * 70, ctypes.c_size_t(70), size=80) == "x" * 64


def levenshtein(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, old = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(old[j] + 1, row[j - 1] + 1, old[j - 1] + (x != y)))
    return row[-1]


@settings(deadline=None)
@given(st.text(alphabet="abc/", max_size=40), st.text(alphabet="abc/", max_size=40))
def test_distance(engine: ctypes.CDLL, a: str, b: str) -> None:
    engine.text_distance.restype = ctypes.c_size_t
    distance = engine.text_distance(a.encode(), ctypes.c_size_t(len(a)), b.encode())
    assert distance == levenshtein(a[:32], b[:32])

"""Shape commands against a plain reference in Python, and any bytes at all."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.models import Array

WIDTH, HEIGHT = 320, 240
GUARD = 4096  # pixels before and behind, which must stay as they are


class Count(ctypes.Structure):
    _fields_ = [("understood", ctypes.c_size_t), ("passed_over", ctypes.c_size_t)]


def drawn(engine: ctypes.CDLL, text: bytes) -> tuple[Array, int, int]:
    """The picture (HEIGHT,WIDTH), and how many commands were understood and passed over."""
    pixels = np.full(WIDTH * HEIGHT + 2 * GUARD, 0xABCDEF01, np.uint32)
    inner = pixels[GUARD:-GUARD]
    inner[:] = 0
    engine.draw.restype = Count
    copy = (ctypes.c_char * len(text)).from_buffer_copy(text)
    count = engine.draw(inner.ctypes.data_as(ctypes.c_void_p), copy, ctypes.c_size_t(len(text)))
    assert (pixels[:GUARD] == 0xABCDEF01).all() and (pixels[-GUARD:] == 0xABCDEF01).all()
    return inner.reshape(HEIGHT, WIDTH), count.understood, count.passed_over


def reference(text: bytes) -> tuple[Array, int, int]:
    """The same, by regular expressions and slices."""
    picture = np.zeros((HEIGHT, WIDTH), np.uint32)
    understood = passed = 0
    for line in re.split(rb"[;\n]", text):
        words = [word for word in re.split(rb"[ \t\r]+", line) if word]
        if not words:
            continue
        numbers = [int(word) for word in words[1:] if re.fullmatch(rb"-?[0-9]{1,6}", word)]
        wanted = {b"clear": 3, b"rect": 7, b"pixel": 5}.get(words[0])
        if wanted is None or not len(words) - 1 == len(numbers) == wanted or not all(
                0 <= part <= 255 for part in numbers[-3:]):
            passed += 1
            continue
        understood += 1
        x, y, w, h = {3: [0, 0, WIDTH, HEIGHT], 5: [*numbers[:2], 1, 1], 7: numbers[:4]}[wanted]
        red, green, blue = numbers[-3:]
        picture[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = red << 16 | green << 8 | blue
    return picture, understood, passed


ODD = ["0", "255", "256", "-1", "999999", "-999999", "007", "1000000", "1e3", "+1", "-", "--1", "0x1"]
NUMBER = st.one_of(st.integers(-400, 400).map(str), st.sampled_from(ODD))
COLOUR = st.integers(0, 255).map(str)
COMMAND = st.one_of(
    st.tuples(st.just("clear"), COLOUR, COLOUR, COLOUR),
    st.tuples(st.just("pixel"), NUMBER, NUMBER, COLOUR, COLOUR, COLOUR),
    st.tuples(st.just("rect"), NUMBER, NUMBER, NUMBER, NUMBER, COLOUR, COLOUR, COLOUR),
    st.lists(st.one_of(st.sampled_from(["rect", "clear", "pixel", "circle", "RECT", ""]), NUMBER), max_size=9),
).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(commands=st.lists(COMMAND, max_size=6), between=st.sampled_from([";", "\n", " ;\t", ";;\r\n"]))
def test_as_the_reference(engine: ctypes.CDLL, commands: list[str], between: str) -> None:
    text = between.join(commands).encode()
    got, want = drawn(engine, text), reference(text)
    assert got[1:] == want[1:]
    assert (got[0] == want[0]).all()


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(st.binary(max_size=100), st.text("rectclearpixel 0123456789-;\n", max_size=80).map(str.encode)))
def test_any_bytes(engine: ctypes.CDLL, text: bytes) -> None:
    got, want = drawn(engine, text), reference(text)
    assert got[1:] == want[1:]
    assert (got[0] == want[0]).all()


@pytest.mark.parametrize(("text", "at"), [(b"rect 319 239 5 5 1 2 3", [(239, 319)]), (b"pixel 320 0 1 2 3", []),
                                          (b"rect -3 -3 4 4 1 2 3", [(0, 0)]), (b"rect 5 5 -2 9 1 2 3", []),
                                          (b"rect 999999 999999 999999 999999 1 2 3", [])])
def test_edges(engine: ctypes.CDLL, text: bytes, at: list[tuple[int, int]]) -> None:
    picture, understood, _ = drawn(engine, text)
    assert understood == 1
    assert [tuple(place) for place in np.argwhere(picture != 0)] == at


def test_ppm(engine: ctypes.CDLL) -> None:
    picture, _, _ = drawn(engine, b"clear 1 2 3; rect 10 20 30 40 250 128 0")
    head = b"P6\n320 240\n255\n"
    out = ctypes.create_string_buffer(b"\xaa" * (len(head) + 3 * WIDTH * HEIGHT + 8))
    engine.draw_ppm(np.ascontiguousarray(picture).ctypes.data_as(ctypes.c_void_p), out)
    data = out.raw[: len(head) + 3 * WIDTH * HEIGHT]
    assert out.raw[len(data) :] == b"\xaa" * 8 + b"\0"
    assert data.startswith(head)
    rgb = np.frombuffer(data[len(head) :], np.uint8).reshape(HEIGHT, WIDTH, 3)
    assert rgb[25, 15].tolist() == [250, 128, 0]
    assert rgb[0, 0].tolist() == rgb[60, 40].tolist() == [1, 2, 3]

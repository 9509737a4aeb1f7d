"""Streaming UTF-8 against Python's decoder."""

from __future__ import annotations

import ctypes
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st


def stream(engine: ctypes.CDLL, data: bytes) -> list[bytes]:
    """What comes out for each byte, and at the end."""
    state, out, parts = ctypes.create_string_buffer(16), ctypes.create_string_buffer(8), []
    engine.utf8_push.restype = engine.utf8_end.restype = ctypes.c_size_t
    engine.utf8_push.argtypes = [ctypes.c_void_p, ctypes.c_uint8, ctypes.c_void_p]
    for byte in data:
        out.raw = b"\xaa" * 8
        length = engine.utf8_push(state, byte, out)
        assert length <= 6
        assert out.raw[length:] == b"\xaa" * (8 - length)
        parts.append(out.raw[:length])
    length = engine.utf8_end(state, out)
    parts.append(out.raw[:length])
    return parts


def expected(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


PIECES = st.one_of(st.binary(max_size=3), st.text(max_size=3).map(lambda s: s.encode("utf-8", "surrogatepass")),
                   st.sampled_from([b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98",
                                    b"\x02\x03\x05\x1b", b"\xf5", b"\xef\xbf\xbd", b"\x7f\n\t\r",
                                    b"\xc2\x80", b"\xc2\x9b31m", b"\xc2\xa0"]))


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_as_python_decodes(engine: ctypes.CDLL, data: bytes) -> None:
    assert b"".join(stream(engine, data)).decode("utf-8") == expected(data)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_passes_at_once(engine: ctypes.CDLL, text: str) -> None:
    """Every code point comes out whole, with its last byte."""
    parts = stream(engine, text.encode())
    assert [part.decode() for part in parts if part] == list(text)


def test_every_pair_of_bytes(engine: ctypes.CDLL) -> None:
    for first in range(256):
        for second in (0x00, 0x0A, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xFF):
            data = bytes([first, second])
            assert b"".join(stream(engine, data)).decode() == expected(data), data

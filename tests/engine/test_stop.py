"""Stop sequences, however they are cut, against a search in the whole text."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MOST = 5


class Stop(ctypes.Structure):
    _fields_ = [("you", ctypes.c_int), ("nl", ctypes.c_int), ("matched", ctypes.c_int), ("used", ctypes.c_uint8),
                ("held", ctypes.c_char * MOST)]


class Filter:
    """What is shown of a reply."""

    def __init__(self, engine: ctypes.CDLL, you: bool, nl: bool) -> None:
        engine.stop_start.restype = Stop
        engine.stop_push.restype = engine.stop_end.restype = ctypes.c_size_t
        self.engine, self.state, self.shown = engine, engine.stop_start(int(you), int(nl)), b""

    def push(self, data: bytes) -> None:
        for byte in data:
            self.take("stop_push", ctypes.c_char(byte))

    def end(self) -> bytes:
        self.take("stop_end")
        return self.shown

    def take(self, function: str, *args: object) -> None:
        out = ctypes.create_string_buffer(b"\xaa" * 8, 8)
        n = getattr(self.engine, function)(ctypes.byref(self.state), *args, out)
        assert n <= MOST
        assert out.raw[MOST:] == b"\xaa" * 3
        self.shown += out.raw[:n]


def expected(text: bytes, you: bool, nl: bool) -> tuple[bytes, bool]:
    """Up to the sequence that is complete first."""
    found = [(text.find(sequence), len(sequence)) for sequence, on in ((b"\nYou:", you), (b"\n\n", nl)) if on]
    ends = sorted((at + length, at) for at, length in found if at >= 0)
    return (text[: ends[0][1]], True) if ends else (text, False)


@settings(deadline=None, max_examples=500)
@given(text=st.lists(st.sampled_from([b"\n", b"You:", b"Y", b"Yo", b"ou:", b"a", b"\nYou", b"\xc3", b"\0"]),
                     max_size=12), you=st.booleans(), nl=st.booleans())
def test_any_text(engine: ctypes.CDLL, text: list[bytes], you: bool, nl: bool) -> None:
    under = Filter(engine, you, nl)
    under.push(b"".join(text))
    shown, matched = expected(b"".join(text), you, nl)
    assert bool(under.state.matched) == matched
    assert under.end() == shown


def test_across_tokens(engine: ctypes.CDLL) -> None:
    """Nothing is held longer than it must be, and nothing of a sequence is shown."""
    under = Filter(engine, True, False)
    for token, shown in (b"Hi.", b"Hi."), (b"\nY", b"Hi."), (b"et", b"Hi.\nYet"), (b"\n", b"Hi.\nYet"), (
            b"You", b"Hi.\nYet"), (b": and", b"Hi.\nYet"), (b" more", b"Hi.\nYet"):
        under.push(token)
        assert under.shown == shown
    assert under.state.matched
    assert under.end() == b"Hi.\nYet"


@pytest.mark.parametrize(("text", "you", "nl", "shown"), [
    (b"a\n\nb", False, True, b"a"), (b"a\n\nb", True, False, b"a\n\nb"), (b"a\n\nYou:", True, False, b"a\n"),
    (b"a\nYou", True, True, b"a\nYou"), (b"You:", True, True, b"You:"), (b"\n", True, True, b"\n"),
    (b"a\nYou\nYou:b", True, False, b"a\nYou"), (b"a\n\n", False, False, b"a\n\n")])
def test_by_hand(engine: ctypes.CDLL, text: bytes, you: bool, nl: bool, shown: bytes) -> None:
    under = Filter(engine, you, nl)
    under.push(text)
    assert under.end() == shown

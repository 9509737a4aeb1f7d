"""DER: one way to write a value, and bounds first."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.formats import FormatError
from toolchain.formats.der import INTEGER, OCTETS, OID, PARTS_MAX, SEQUENCE, oid, take


def value(tag: int, content: bytes) -> bytes:
    """As DER writes it."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


@given(content=st.binary(max_size=70000), rest=st.binary(max_size=5))
def test_a_value_and_what_follows(content: bytes, rest: bytes) -> None:
    whole = value(OCTETS, content)
    got, after = take(whole + rest)
    assert (got.tag, got.content, got.whole, after) == (OCTETS, content, whole, rest)


def test_parts() -> None:
    made, _ = take(value(SEQUENCE, value(INTEGER, b"\x01") + value(OID, oid("1.2.840.113549"))))
    first, second = made.parts()
    assert first.want(INTEGER).content == b"\x01"
    assert second.content == bytes.fromhex("2a864886f70d")
    with pytest.raises(FormatError, match="kind 0x2 where 0x30"):
        first.want(SEQUENCE)
    many, _ = take(value(SEQUENCE, value(INTEGER, b"\x01") * (PARTS_MAX + 1)))
    with pytest.raises(FormatError, match="more than"):
        many.parts()


@pytest.mark.parametrize("data", [
    b"", b"\x30", b"\x30\x01", b"\x30\x80\x00\x00", b"\x30\x81\x05hello", b"\x30\x82\x00\x81" + bytes(129),
    b"\x30\x85\x00\x00\x00\x00\x01a", b"\x30\x84\xff\xff\xff\xff", b"\x30\x82\x01", b"\x1f\x81\x01\x00",
])
def test_what_is_not_der(data: bytes) -> None:
    with pytest.raises(FormatError, match="^DER: "):
        take(data)


@given(st.binary(max_size=200))
def test_anything_is_a_value_or_an_error(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        got, rest = take(data)
        assert got.whole + rest == data
        got.parts()

"""PE programs, whole and damaged."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.formats import FormatError, pe


def program(certificates: bytes = b"", checksum: int = 0, code: bytes = b"\x90" * 500, padded: bool = True) -> bytes:
    """A PE32+ program of one section, with a table of certificates where there are some."""
    body = code.ljust(512, b"\xcc")
    end = 512 + len(body)
    where = -(-end // 8) * 8 if certificates else 0
    optional = bytearray(240)
    struct.pack_into("<H", optional, 0, pe.PE32_PLUS)
    struct.pack_into("<III", optional, 56, 8192, 512, checksum)
    struct.pack_into("<HH", optional, 68, 10, 0)
    struct.pack_into("<I", optional, 108, 16)
    struct.pack_into("<II", optional, 112 + 32, where, len(certificates))
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
    head += pe.FILE_HEADER.pack(0x8664, 1, 0, 0, 0, len(optional), 0x206) + optional
    head += pe.SECTION.pack(b".text", len(code), 4096, len(body), 512, 0, 0, 0, 0, 0x60000020)
    data = head.ljust(512, b"\0") + body
    return data + bytes(where - end if where else 0) + certificates


def test_headers() -> None:
    found = pe.read(program(b"c" * 16, 7))
    assert found.machine == 0x8664 and found.subsystem == 10 and found.checksum == 7
    assert found.sections == (pe.Section(".text", 4096, 500, 512, 512, 0x60000020),)
    assert found.signature == (1024, 16)


def test_the_same_without_a_signature() -> None:
    assert pe.unsigned(program(b"c" * 16, 7)) == pe.unsigned(program()) == program()
    assert pe.authenticode(program(b"c" * 16, 7)) == pe.authenticode(program())


def test_another_program_stays_another() -> None:
    other = program(code=b"\x90" * 499 + b"\x91")
    assert pe.unsigned(other) != pe.unsigned(program()) and pe.authenticode(other) != pe.authenticode(program())


def test_nothing_hides_behind_a_signature() -> None:
    for read in (pe.unsigned, pe.authenticode):
        with pytest.raises(FormatError, match="follow the signature"):
            read(program(b"c" * 16) + b"more")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_another_program(data: st.DataObject) -> None:
    broken = bytearray(program(b"c" * 16, 7)[:data.draw(st.integers(0, 1040))])
    for _ in range(data.draw(st.integers(0, 6)) if broken else 0):
        broken[data.draw(st.integers(0, min(len(broken) - 1, 400)))] = data.draw(st.integers(0, 255))
    for read in (pe.read, pe.unsigned, pe.authenticode):
        with contextlib.suppress(FormatError):
            read(bytes(broken))

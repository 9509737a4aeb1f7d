"""memcpy and its kin, against Python's bytes."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from tests import cbuild

NAMES = ("memcpy", "memmove", "memset", "memcmp")


@pytest.fixture(scope="module")
def mem(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """mem.c as a library, under names that libc does not have."""
    folder: Path = tmp_path_factory.mktemp("mem")
    renamed = [f"-D{name}=ingot_{name}" for name in NAMES]
    source = cbuild.SOURCES / "uefi" / "mem.c"
    cbuild.run(["gcc", *cbuild.flags_of(source), "-fvisibility=default", *renamed, "-shared", str(source),
                "-o", str(folder / "mem.so")])
    library = ctypes.CDLL(str(folder / "mem.so"))
    for name in ("memcpy", "memmove"):
        getattr(library, f"ingot_{name}").argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.ingot_memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    library.ingot_memcmp.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    return library


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 33, 100])
def test_move(mem: ctypes.CDLL, n: int) -> None:
    for distance in (-40, -16, -3, -1, 0, 1, 5, 16, 17, 40):
        data = os.urandom(256)
        buffer = ctypes.create_string_buffer(data, len(data))
        at = ctypes.addressof(buffer) + 64
        mem.ingot_memmove(at + distance, at, n)
        expected = bytearray(data)
        expected[64 + distance : 64 + distance + n] = data[64 : 64 + n]
        assert buffer.raw == bytes(expected), distance


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 33, 100])
def test_copy_and_set(mem: ctypes.CDLL, n: int) -> None:
    data = os.urandom(128)
    buffer = ctypes.create_string_buffer(128)
    mem.ingot_memset(ctypes.addressof(buffer), 0x1A7, 128)
    assert buffer.raw == b"\xa7" * 128
    mem.ingot_memcpy(ctypes.addressof(buffer) + 3, data, n)
    assert buffer.raw == b"\xa7" * 3 + data[:n] + b"\xa7" * (125 - n)


def test_compare(mem: ctypes.CDLL) -> None:
    assert mem.ingot_memcmp(b"abc", b"abd", 2) == 0
    assert mem.ingot_memcmp(b"abc", b"abd", 3) < 0
    assert mem.ingot_memcmp(b"ab\xff", b"abd", 3) > 0

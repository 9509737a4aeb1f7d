"""What the EFI program holds of a model file: written by Python, read by C."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
from pathlib import Path

import pytest

from model import reference
from tests import cbuild


class Reference(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint64), ("sha256", ctypes.c_uint8 * 32)]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """reference.c for ctypes."""
    return ctypes.CDLL(str(cbuild.build(tmp_path_factory, "reference.so", (), ("-fvisibility=default",),
                                        (cbuild.SOURCES / "uefi" / "reference.c",), ("-shared",))))


def read(library: ctypes.CDLL, data: bytes) -> Reference | None:
    library.reference_read.restype = ctypes.c_bool
    found = Reference()
    return found if library.reference_read(data, ctypes.c_size_t(len(data)), ctypes.byref(found)) else None


@pytest.mark.parametrize("size", [1, 1 << 20, (1 << 20) + 1])
def test_written_and_read(tmp_path: Path, library: ctypes.CDLL, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "model.gguf").write_bytes(data)
    assert reference.main([str(tmp_path / "model.gguf"), str(tmp_path / "model.ref")]) == 0
    written = (tmp_path / "model.ref").read_bytes()
    assert written == b"INGOTREF" + struct.pack("<Q", size) + hashlib.sha256(data).digest()
    found = read(library, written)
    assert found is not None and (found.size, bytes(found.sha256)) == (size, hashlib.sha256(data).digest())


def test_sizes_of_64_bits(library: ctypes.CDLL) -> None:
    found = read(library, b"INGOTREF" + struct.pack("<Q", 0x1122334455667788) + bytes(32))
    assert found is not None and found.size == 0x1122334455667788


@pytest.mark.parametrize("data", [b"", b"GGUF" + bytes(44), b"INGOTREF" + bytes(39), b"INGOTREF" + bytes(41),
                                  b"INGOTREG" + bytes(40)])
def test_anything_else_is_a_model(library: ctypes.CDLL, data: bytes) -> None:
    assert read(library, data) is None


def test_an_empty_and_an_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "absent"):
        assert reference.main([str(tmp_path / name), str(tmp_path / "out")]) == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ") and name in error and hint.startswith("hint: ")
    assert not (tmp_path / "out").exists()

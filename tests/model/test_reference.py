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


def read(library: ctypes.CDLL, data: bytes) -> list[tuple[int, bytes]]:
    """Size and sha256 of each reference; none where the bytes are a model."""
    library.references_read.restype = ctypes.c_size_t
    found = (Reference * 2)()
    count = library.references_read(data, ctypes.c_size_t(len(data)), found)
    return [(one.size, bytes(one.sha256)) for one in found[:count]]


@pytest.mark.parametrize("size", [1, 1 << 20, (1 << 20) + 1])
def test_written_and_read(tmp_path: Path, library: ctypes.CDLL, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "model.gguf").write_bytes(data)
    assert reference.main([str(tmp_path / "model.gguf"), str(tmp_path / "model.ref")]) == 0
    written = (tmp_path / "model.ref").read_bytes()
    assert written == b"INGOTREF" + struct.pack("<Q", size) + hashlib.sha256(data).digest()
    assert read(library, written) == [(size, hashlib.sha256(data).digest())]


def test_two_files(tmp_path: Path, library: ctypes.CDLL) -> None:
    """In the order in which they are named."""
    files = {name: os.urandom(100 + len(name)) for name in ("model.bin", "tokenizer.bin")}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert reference.main([*(str(tmp_path / name) for name in files), str(tmp_path / "model.ref")]) == 0
    assert read(library, (tmp_path / "model.ref").read_bytes()) == [
        (len(data), hashlib.sha256(data).digest()) for data in files.values()]


def test_sizes_of_64_bits(library: ctypes.CDLL) -> None:
    found = read(library, b"INGOTREF" + struct.pack("<Q", 0x1122334455667788) + bytes(32))
    assert found == [(0x1122334455667788, bytes(32))]


@pytest.mark.parametrize("data", [b"", b"GGUF" + bytes(44), b"INGOTREF" + bytes(39), b"INGOTREF" + bytes(41),
                                  b"INGOTREG" + bytes(40), b"INGOTREF" + bytes(88), (b"INGOTREF" + bytes(40)) * 3])
def test_anything_else_is_a_model(library: ctypes.CDLL, data: bytes) -> None:
    assert read(library, data) == []


def test_an_empty_and_an_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "absent"):
        assert reference.main([str(tmp_path / name), str(tmp_path / "out")]) == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ") and name in error and hint.startswith("hint: ")
    assert not (tmp_path / "out").exists()

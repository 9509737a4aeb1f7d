"""What the EFI program holds of model files: written by Python, read by C."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import pins
from tests import cbuild

NAME = pins.NAME + 1
E_FORMAT = 3

Models = Sequence[tuple[str, Sequence[tuple[str, int, bytes]]]]
"""Name and files; of each file its name, size and sha256."""


class File(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * NAME), ("size", ctypes.c_uint64), ("sha256", ctypes.c_uint8 * 32)]


class Model(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * NAME), ("bytes", ctypes.c_uint64), ("count", ctypes.c_size_t),
                ("file", File * pins.FILES)]


class References(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("model", Model * pins.MODELS)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 192)]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """reference.c for ctypes, with checks of its own arithmetic and shifts."""
    more = (cbuild.SOURCES / "uefi" / "reference.c", cbuild.SOURCES / "engine" / "text.c")
    return ctypes.CDLL(str(cbuild.build(tmp_path_factory, "reference.so", (), (
        "-fvisibility=default", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"), more, ("-shared",))))


def read(library: ctypes.CDLL, data: bytes) -> Models | None:
    """What C reads; None where it refuses the bytes. They end where no more may be read."""
    found, error = References(), Error()
    page = 4096
    room = -(-len(data) // page) * page
    memory = ctypes.create_string_buffer(room + 2 * page)
    at = -(-ctypes.addressof(memory) // page) * page + room - len(data)
    ctypes.memmove(at, data, len(data))
    status = library.references_read(ctypes.byref(found), ctypes.c_void_p(at), ctypes.c_size_t(len(data)),
                                     ctypes.byref(error))
    if status:
        assert status == error.code == E_FORMAT and error.text and found.count == 0
        return None
    models = [(one.name.decode(), [(file.name.decode(), file.size, bytes(file.sha256)) for file in
                                   one.file[:one.count]]) for one in found.model[:found.count]]
    assert [one.bytes for one in found.model[:found.count]] == [sum(size for _, size, _ in files)
                                                               for _, files in models]
    return models


def packed(models: Models) -> bytes:
    """The same as bytes, by the format's own words."""
    return b"INGOTREF" + b"".join(
        struct.pack("<40sI", name.encode(), len(files)) + b"".join(
            struct.pack("<40sQ", file.encode(), size) + digest for file, size, digest in files)
        for name, files in models)


def one_model(name: str = "m", file: str = "model.gguf", size: int = 5) -> Models:
    return [(name, [(file, size, bytes(range(32)))])]


def test_written_and_read(tmp_path: Path, library: ctypes.CDLL) -> None:
    """The models and their files in the order in which they are named."""
    wanted: list[tuple[str, list[tuple[str, int, bytes]]]] = []
    words = []
    for name, files in (("tales", ["model.gguf"]), ("my-model_2", ["model-2.bin", "tokenizer-2.bin"]),
                        ("x" * 40, [f"model-3-{i:05}-of-00016.gguf" for i in range(1, 17)])):
        datas = [os.urandom((1 << 20) + 1 if file == "model.gguf" else 100) for file in files]
        for file, data in zip(files, datas, strict=True):
            (tmp_path / file).write_bytes(data)
        wanted.append((name, [(file, len(data), hashlib.sha256(data).digest())
                              for file, data in zip(files, datas, strict=True)]))
        words += ["--model", name, *(str(tmp_path / file) for file in files)]
    assert pins.main([*words, "--out", str(tmp_path / "models.ref")]) == 0
    written = (tmp_path / "models.ref").read_bytes()
    assert written == packed(wanted)
    assert read(library, written) == wanted


def test_the_most(library: ctypes.CDLL) -> None:
    files = [(f"model-{i}.gguf", 0xFFFFFFFF, bytes([i] * 32)) for i in range(16)]
    models = [(f"m{i}", files) for i in range(16)]
    assert read(library, packed(models)) == models
    assert read(library, packed([*models, ("m16", files)])) is None
    assert read(library, packed([("m", [*files, files[0]])])) is None


@pytest.mark.parametrize("models", [
    [], one_model(""), one_model("a b"), one_model("a.b"), one_model("a/b"), one_model("ä"), one_model("a\x1b"),
    one_model(file=""), one_model(file="a/b"), one_model(file="a\\b"), one_model(file=".."), one_model(file="a b"),
    one_model(file=":"), one_model(size=0), one_model(size=1 << 32), one_model(size=1 << 63), [("m", [])],
    [*one_model("m"), *one_model("m")],
])
def test_what_reference_py_never_writes(library: ctypes.CDLL, models: Models) -> None:
    assert read(library, packed(models)) is None


def test_names_end_in_zeros(library: ctypes.CDLL) -> None:
    data = packed(one_model("ab"))
    assert read(library, data) is not None
    assert read(library, data.replace(b"ab\0\0", b"ab\0c")) is None


def test_cut_anywhere(library: ctypes.CDLL) -> None:
    data = packed([*one_model("a"), *one_model("b")])
    half = len(packed(one_model("a")))
    assert [n for n in range(len(data) + 1) if read(library, data[:n]) is not None] == [half, len(data)]
    assert read(library, data + b"\0") is None


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_anywhere(library: ctypes.CDLL, data: st.DataObject) -> None:
    """Whatever the bytes are: refused, or read as they are written."""
    good = bytearray(packed([*one_model("a"), ("b", [("model-2.bin", 7, bytes(32)), ("t.bin", 9, bytes(32))])]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.sampled_from((0, 1, 2, 16, 17, 0x2E, 0x41, 0x7F, 0x80, 0xFF)))
    models = read(library, bytes(good))
    assert models is None or packed(models) == bytes(good)


@given(st.binary(max_size=400))
def test_any_bytes(library: ctypes.CDLL, data: bytes) -> None:
    assert read(library, data) is None
    models = read(library, b"INGOTREF" + data)
    assert models is None or packed(models) == b"INGOTREF" + data


def test_whether_it_is_a_list(library: ctypes.CDLL) -> None:
    """Damaged ones too: they are never taken for a model."""
    def starts(data: bytes) -> bool:
        library.references_start.restype = ctypes.c_bool
        return bool(library.references_start(data, ctypes.c_size_t(len(data))))

    assert starts(b"INGOTREF") and starts(b"INGOTREF\xff")
    assert not any(map(starts, (b"", b"INGOTRE", b"INGOTREG" + bytes(40), b"GGUF" + bytes(44))))


def test_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "m.gguf").write_bytes(b"x")
    (tmp_path / f"{'x' * 37}.gguf").write_bytes(b"x")
    m = str(tmp_path / "m.gguf")
    for words, says in (
        (["m", str(tmp_path / "empty.gguf")], "empty.gguf has 0 bytes"), (["m", str(tmp_path / "absent")], "absent"),
        (["a b", m], "'a b' is no name"), (["x" * 41, m], "is no name"), (["m"], "has 0 files"),
        (["m", *[m] * 17], "has 17 files"), (["m", f"{tmp_path}/{'x' * 37}.gguf"], "is no name"),
        (["m", m, "--model", "m", m], "two models have one name"),
        ([*"m", *(word for i in range(17) for word in (m, "--model", f"m{i}")), m], "18 models are named"),
    ):
        assert pins.main(["--model", *words, "--out", str(tmp_path / "out")]) == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ") and says in error and hint.startswith("hint: ")
    assert not (tmp_path / "out").exists()

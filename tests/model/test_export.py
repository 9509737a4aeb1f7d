"""Weights into GGUF, raw fp32 and a C header."""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.export.__main__ import main
from model.export.gguf import NAMES, byte_alphabet, gguf
from model.export.header import _float
from model.export.weights import Config, read
from model.program import InputError
from tests.model.random_weights import TINY, random_weights


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with weights.bin and its three exports, and the tensors."""
    data, tensors = random_weights(TINY)
    (tmp_path / "weights.bin").write_bytes(data)
    assert export(tmp_path) == 0
    return tmp_path, tensors


def export(folder: Path, name: str = "tiny") -> int:
    outputs = [f"--gguf={folder}/model.gguf", f"--raw={folder}/model.f32", f"--header={folder}/model.h"]
    return main([f"{folder}/weights.bin", f"--name={name}", "--tokenizer=bytes", *outputs])


def test_weights_are_read_as_they_are(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, tensors = made
    weights = read(folder / "weights.bin")
    assert weights.config == TINY
    assert weights.parameters == sum(values.size for values in tensors.values())
    for tensor, values in zip(weights.tensors, tensors.values(), strict=True):
        assert tensor.shape == values.shape
        assert list(tensor.values()) == values.ravel().tolist()


def test_parameters_of_the_two_recipes() -> None:
    for context, parameters in ((64, 120_576), (256, 132_864)):
        data, _ = random_weights(Config(256, context, 2, 2, 64, 256))
        assert (len(data) - 64) // 4 == parameters


def test_gguf_holds_the_tensors(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    from gguf import GGMLQuantizationType, GGUFReader

    folder, tensors = made
    reader = GGUFReader(folder / "model.gguf")
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert len(found) == len(tensors)
    for key, values in tensors.items():
        layer, _, name = key.rpartition(".")
        tensor = found[f"blk.{layer}.{NAMES[name]}" if layer else NAMES[name]]
        assert tensor.tensor_type == GGMLQuantizationType.F32
        assert tensor.shape.tolist() == list(reversed(values.shape))
        assert tensor.data_offset % 32 == 0
        np.testing.assert_array_equal(tensor.data, values)


def test_gguf_holds_the_metadata(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    from gguf import GGUFReader

    reader = GGUFReader(made[0] / "model.gguf")
    values = {key: field.contents() for key, field in reader.fields.items()}
    tokens = values.pop("tokenizer.ggml.tokens")
    assert values.pop("tokenizer.ggml.token_type") == [1] * 256
    assert values.pop("gpt2.attention.layer_norm_epsilon") == pytest.approx(1e-5)
    assert values == {
        "GGUF.version": 3,
        "GGUF.tensor_count": 28,
        "GGUF.kv_count": 18,
        "general.architecture": "gpt2",
        "general.name": "tiny",
        "general.alignment": 32,
        "general.file_type": 0,
        "gpt2.context_length": 32,
        "gpt2.embedding_length": 16,
        "gpt2.feed_forward_length": 64,
        "gpt2.block_count": 2,
        "gpt2.attention.head_count": 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.bos_token_id": 10,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
    }
    assert len(set(tokens)) == 256
    assert (tokens[ord("A")], tokens[ord(" ")], tokens[ord("\n")], tokens[0]) == ("A", "\u0120", "\u010a", "\u0100")


def test_byte_alphabet_is_gpt2s(data: object) -> None:
    """The first 256 tokens of GPT-2's own vocabulary are its bytes, the printable ones first."""
    alphabet = byte_alphabet()
    printable = [byte for byte in range(256) if ord(alphabet[byte]) == byte]
    assert len(printable) == 188
    assert [ord(alphabet[byte]) for byte in range(256) if byte not in printable] == list(range(256, 256 + 68))
    assert alphabet[0xAD] == "\u0143" and alphabet[0x7F] == "\u0121"


def test_same_weights_give_the_same_bytes(made: tuple[Path, dict[str, np.ndarray]], root: Path) -> None:
    folder = made[0]
    names = ("model.gguf", "model.f32", "model.h")
    first = {name: (folder / name).read_bytes() for name in names}
    outputs = ["--gguf", "model.gguf", "--raw", "model.f32", "--header", "model.h"]
    subprocess.run(
        [sys.executable, "-m", "model.export", "weights.bin", "--name", "tiny", "--tokenizer", "bytes", *outputs],
        cwd=folder, check=True, env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "7", "LC_ALL": "C"},
    )
    assert {name: (folder / name).read_bytes() for name in names} == first
    assert sorted(os.listdir(folder)) == ["model.f32", "model.gguf", "model.h", "weights.bin"]


def test_raw_is_the_file_without_its_header(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder = made[0]
    assert (folder / "model.f32").read_bytes() == (folder / "weights.bin").read_bytes()[64:]


def test_header_compiles_to_the_same_floats(made: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, tensors = made
    arrays = ["model_" + key.replace(".", "_") for key in tensors]
    writes = "".join(f"    fwrite({a}, 1, sizeof {a}, stdout);\n" for a in arrays)
    (folder / "dump.c").write_text(
        '#include <stdio.h>\n#include "model.h"\n#include "model.h"\n'
        "_Static_assert(MODEL_VOCAB == 256 && MODEL_CONTEXT == 32 && MODEL_LAYERS == 2, \"\");\n"
        "_Static_assert(MODEL_HEADS == 2 && MODEL_WIDTH == 16 && MODEL_HIDDEN == 64, \"\");\n"
        f"int main(void) {{\n{writes}    return MODEL_NAME[0] == 't' ? 0 : 1;\n}}\n"
    )
    subprocess.run(
        ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", "dump", "dump.c"], cwd=folder, check=True
    )
    dumped = subprocess.run([folder / "dump"], check=True, capture_output=True).stdout
    assert dumped == (folder / "model.f32").read_bytes()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_header_floats_round_trip(value: float) -> None:
    text = _float(value)
    assert text.endswith("f") and ("." in text or "e" in text)
    assert struct.pack("<f", float(text[:-1])) == struct.pack("<f", value)


def damage(kind: str, data: bytes) -> bytes:
    numbers = {"heads": 20, "width": 24}
    if kind in numbers:
        at = numbers[kind]
        return data[:at] + struct.pack("<I", 5 if kind == "heads" else 0) + data[at + 4 :]
    return {
        "empty": b"",
        "other": b"GGUF" + data[4:],
        "short header": data[:40],
        "huge": data[:16] + struct.pack("<I", 2**31) + data[20:],
        "truncated": data[:-1],
        "half": data[: len(data) // 2],
        "longer": data + bytes(4),
        "more layers": data[:16] + struct.pack("<I", 3) + data[20:],
        "rest of header": data[:40] + b"x" + data[41:],
        "nan": data[:-4] + struct.pack("<f", math.nan),
        "inf": data[:64] + struct.pack("<f", -math.inf) + data[68:],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("empty", "is not a weights file"),
        ("other", "is not a weights file"),
        ("short header", "ends inside its header"),
        ("huge", "impossible layers of 2147483648"),
        ("width", "impossible width of 0"),
        ("heads", "a width of 16 that 5 heads cannot share"),
        ("rest of header", "where zeros belong"),
        ("truncated", "ends inside norm_b"),
        ("half", "ends inside"),
        ("longer", "where its header asks for"),
        ("more layers", "ends inside"),
        ("nan", "value in norm_b that is not a finite number"),
        ("inf", "value in token that is not a finite number"),
    ],
)
def test_damaged_weights(kind: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weights.bin").write_bytes(damage(kind, random_weights(TINY)[0]))
    assert export(tmp_path) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {tmp_path}/weights.bin ") and what in error
    assert hint.startswith("hint: ")
    assert os.listdir(tmp_path) == ["weights.bin"]


def test_another_vocabulary_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weights.bin").write_bytes(random_weights(Config(300, 8, 1, 1, 4, 16))[0])
    assert export(tmp_path) == 1
    assert "has 300 tokens, and the tokenizer bytes has 256" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", 'a"b', "a b", "../x", "é"])
def test_a_name_that_needs_quoting_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        export(tmp_path, name)


def test_gguf_size_is_head_and_padded_tensors(tmp_path: Path) -> None:
    """Tensors whose size is no multiple of 32 are padded, the last one too."""
    from gguf import GGUFReader

    (tmp_path / "weights.bin").write_bytes(random_weights(Config(256, 3, 1, 1, 3, 12))[0])
    weights = read(tmp_path / "weights.bin")
    (tmp_path / "odd.gguf").write_bytes(gguf(weights, "odd"))
    assert (tmp_path / "odd.gguf").stat().st_size % 32 == 0
    for tensor, mine in zip(GGUFReader(tmp_path / "odd.gguf").tensors, weights.tensors, strict=True):
        assert tensor.data.tobytes() == mine.data


def test_read_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="w is not a weights file") as caught:
        read(tmp_path / "w")
    assert caught.value.hint

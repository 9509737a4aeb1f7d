"""GGUF files that the gguf package wrote, whole and damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.formats import FormatError, gguf


def written(folder: Path, name: str = "tiny", tokens: int = 5) -> Path:
    """A small model file with a key of most types."""
    path = folder / f"{name}.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_uint64("a.u64", 1 << 40)
    writer.add_float32("a.f32", 0.5)
    writer.add_bool("a.bool", True)
    writer.add_array("a.tokens", [f"token{i}" for i in range(tokens)])
    writer.add_array("a.types", [1, 2, 3])
    writer.add_tensor("w", np.arange(64, dtype=np.float32).reshape(2, 32))
    writer.add_tensor("h", np.arange(7, dtype=np.float16))
    writer.add_tensor("q", np.zeros((2, 34), dtype=np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read(data: bytes) -> gguf.Gguf:
    return gguf.read(io.BytesIO(data), len(data))


def test_what_the_package_wrote(tmp_path: Path) -> None:
    data = written(tmp_path).read_bytes()
    found = read(data)
    assert found.version == 3 and found.keys["general.name"].value == "tiny"
    assert found.keys["a.u64"] == gguf.Value(10, 1 << 40) and found.keys["a.bool"].value is True
    assert found.keys["a.f32"].value == 0.5 and found.keys["a.f32"].type == "f32"
    assert found.keys["a.tokens"].value == [f"token{i}" for i in range(5)]
    assert found.keys["a.tokens"].type == "array of string" and found.keys["a.types"].value == [1, 2, 3]
    w = found.tensors["w"]
    assert (w.type_name, w.shape, w.size) == ("F32", (32, 2), 256)
    assert data[w.first:w.first + w.size] == np.arange(64, dtype=np.float32).tobytes()
    assert found.tensors["h"].size == 14 and found.tensors["q"].size == 68 and found.tensors["q"].shape == (32, 2)


def test_our_own_export(root: Path) -> None:
    """The exporter's file, where one is built."""
    path = root / "build" / "smoke" / "model.gguf"
    if not path.exists():
        pytest.skip("needs build/smoke")
    found = read(path.read_bytes())
    assert found.keys["general.architecture"].value == "gpt2"
    assert max(tensor.first + tensor.size for tensor in found.tensors.values()) <= path.stat().st_size


def test_a_file_that_ends_early(tmp_path: Path) -> None:
    data = written(tmp_path).read_bytes()
    last = max(tensor.first + tensor.size for tensor in read(data).tensors.values())
    for end in [*range(0, last, 7), last - 1]:
        with pytest.raises(FormatError):
            read(data[:end])
    read(data[:last])


@pytest.mark.parametrize("at", [8, 16])
def test_huge_counts_cost_nothing(tmp_path: Path, at: int) -> None:
    broken = bytearray(written(tmp_path).read_bytes())
    broken[at:at + 8] = (1 << 60).to_bytes(8, "little")
    with pytest.raises(FormatError, match="more than"):
        read(bytes(broken))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_another_model(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = WHOLE.setdefault("tiny", written(tmp_path_factory.mktemp("gguf")).read_bytes() if not WHOLE else b"")
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(broken[:data.draw(st.integers(0, len(broken)))]))
    except FormatError:
        return
    assert all(tensor.first + tensor.size <= len(broken) for tensor in found.tensors.values())


WHOLE: dict[str, bytes] = {}

"""Models in shards, and little memory (`ulimit -v`)."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine import llamas, models
from tests.engine.llamas import Shape
from tests.engine.test_pieces import KEYS, STORED, shards
from tests.host.conftest import Run

MIB = 1 << 20


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """A model in three files, and whole.gguf."""
    (tmp_path / "whole.gguf").write_bytes(models.write(KEYS, STORED).data)
    files = shards(tmp_path, KEYS, STORED, 8)
    assert [file.name for file in files] == [f"model-{i + 1:05d}-of-00003.gguf" for i in range(3)]
    return files


def test_the_first_shard_takes_its_siblings(run: Run, parts: list[Path], tmp_path: Path) -> None:
    texts = []
    for model in (tmp_path / "whole.gguf", parts[0]):
        out = run(model, "-t", "0", "-i", "Once", "-n", "20", "--logits", tmp_path / "logits")
        texts.append((out.stdout, (tmp_path / "logits").read_bytes()))
    assert texts[0] == texts[1] and len(texts[0][1]) > 10000


def test_shards_that_are_not_there(run: Run, parts: list[Path], tmp_path: Path) -> None:
    def error(model: Path) -> str:
        lines = run(model, status=1).stderr.decode().splitlines()
        assert lines[1].startswith("hint: ")
        return lines[0]

    assert error(parts[1]) == "ingot: a part of a model, which is named by its first part (-00001-of-)"
    renamed = tmp_path / "renamed.gguf"
    shutil.copy(parts[0], renamed)
    assert error(renamed) == "ingot: split.count is 3, and not 1"
    many = tmp_path / "model-00001-of-00017.gguf"
    shutil.copy(parts[0], many)
    assert error(many).startswith("ingot: a model of more than 16 files: ")
    shutil.copy(tmp_path / "whole.gguf", parts[2])
    assert error(parts[0]) == "ingot: in part 3 of 3: a key is missing: split.count"
    parts[1].unlink()
    assert error(parts[0]).startswith("ingot: No such file or directory: ")


def limited(ingot: Path, model: Path, mib: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = f'ulimit -v {mib * 1024}; exec "$0" "$@"'
    return subprocess.run(["sh", "-c", command, ingot, model, "-j", "1", "-t", "0", "-i", "Once", "-n", "20", *words],
                          capture_output=True, text=True, timeout=60)


def test_a_context_that_does_not_fit(ingot: Path, run: Run, tmp_path: Path) -> None:
    """As much of it as fits; the text is the same."""
    shape = Shape(layers=4, heads=4, kv_heads=4, head_width=32, width=64)
    keys = [replace(key, value=131072) if key.name == "llama.context_length" else key for key in llamas.keys_of(shape)]
    model = tmp_path / "long.gguf"
    model.write_bytes(models.write(keys, llamas.stored(llamas.random_tensors(shape), "Q8_0")).data)
    whole, small = run(model, "-t", "0", "-i", "Once", "-n", "20"), limited(ingot, model, 200)
    assert (small.returncode, small.stdout) == (0, whole.stdout.decode())
    assert b"[memory] context" not in whole.stderr
    found = re.search(r"^\[memory\] context 131072 -> (\d+): 51\d MiB needed, (\d+) MiB found$", small.stderr, re.M)
    assert found and int(found[1]) % 64 == 0 and int(found[2]) - 8 < int(found[1]) * 4096 / MIB <= int(found[2]) < 200


def test_too_little_memory(ingot: Path, tmp_path: Path) -> None:
    """One line says how much is needed, and how much was found."""
    shape = Shape(context=64, layers=1, heads=2, kv_heads=2, width=64, hidden=96)
    model = tmp_path / "small.gguf"
    model.write_bytes(models.write(llamas.keys_of(shape), llamas.random_tensors(shape)).data)
    done = limited(ingot, model, 18)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"ingot: not enough memory for .*: \d+(\.\d)? MiB needed, \d+(\.\d)? MiB found", lines[-2])
    assert lines[-1] == "hint: the model needs more memory than this machine gives"

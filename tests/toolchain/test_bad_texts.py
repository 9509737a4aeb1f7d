"""Texts, models and devices that cannot be used, as a user meets them: one line says what and where, one what to do."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest

from tests.project import Project, clone
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

RECIPE = """\
title: Tiny
dataset: {{text: {text}}}
tokenizer: {{kind: {kind}}}
model: {{preset: 260k, layers: 1, width: 32, heads: 4, kv_heads: 2, hidden: 44, context: {context}}}
train: {{steps: 2, batch: 2, warmup: 1, device: {device}}}
"""


@pytest.fixture(scope="module")
def place(smoke_template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    RootFolder(Store(default_folder()), Ui()).ensure("ml")
    made = clone(smoke_template, tmp_path_factory.mktemp("bad"))
    (made.folder / "bad.json").write_text("{no JSON")
    (made.folder / "latin.txt").write_bytes("na\u00efve".encode("latin-1"))
    (made.folder / "good.txt").write_text("a little text " * 40)
    return made


@pytest.mark.parametrize("text, kind, context, device, what", [
    ("bad.json", "bytes", 32, "cpu", "stage pretokenise:bad: texts/bad.json is not JSON: Expecting property name"),
    ("latin.txt", "bytes", 32, "cpu", "stage pretokenise:latin: texts/latin.txt is not UTF-8: byte 2 is 0xef"),
    ("latin.txt", "bpe, vocab: 300", 32, "cpu", "stage tokenizer: texts/latin.txt is not UTF-8: byte 2 is 0xef"),
    ("good.txt", "bytes", 32, "cuda", "stage train: device=cuda: this machine has none that PyTorch can use"),
    ("good.txt", "bytes", 4000, "cpu", "stage train: no file has more than 4000 tokens, one window"),
])
def test_recipes(text: str, kind: str, context: int, device: str, what: str, place: Project) -> None:
    (place.folder / "images/bad.yaml").write_text(
        RECIPE.format(text=text, kind=kind, context=context, device=device))
    said = place.doit("image=bad", "train", status=None)
    told(said.returncode, said.stderr, what)


def told(status: int, stderr: str, what: str) -> None:
    """The last error is this, and a hint follows."""
    lines = [line for line in stderr.splitlines() if " \u2502 " not in line]
    assert status != 0 and "Traceback" not in stderr
    at = max(i for i, line in enumerate(lines) if what in line)
    assert lines[at].startswith(("error: ", "ingot: ")) and lines[at + 1].startswith("hint: ")


def test_a_tokenizer_that_does_not_fit(place: Project, tmp_path: Path) -> None:
    vocab, width, hidden = 20, 8, 16
    floats = vocab * width + width * (2 + 4 * width + 3 * hidden) + width + 8 * width // 2
    (tmp_path / "model.bin").write_bytes(struct.pack("<7i", width, hidden, 1, 2, 2, vocab, 8) + bytes(4 * floats))
    (tmp_path / "tokenizer.bin").write_bytes(struct.pack("<i", 1) + struct.pack("<fi", 0.0, 1) + b"a")
    for words in (["generate"], ["boot", "tokens=2"]):
        said = place.doit(*words, f"model={tmp_path}/model.bin", "prompt=x", status=None)
        told(said.returncode, said.stderr, "tokenizer.bin")


def test_a_model_of_another_architecture(place: Project, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    said = place.doit("generate", f"model={tmp_path}/other.gguf", "prompt=x", status=None)
    told(said.returncode, said.stderr, "mamba")

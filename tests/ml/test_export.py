"""Exported models beside the ones that they were made from: the engine's logits are PyTorch's."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, quants
from hypothesis import given, settings
from hypothesis import strategies as st

from model import checkpoint
from model.architectures import make
from model.export import packing
from model.export.checkpoint import main
from model.export.llama2c import group_of, quantise
from model.shapes import GptShape, LlamaShape, Shape
from model.tokenizers import simple, table
from model.tokenizers.table import BYTE, CONTROL, NORMAL, UNKNOWN, Table

TEXT = "once upon a time there was"
GPTS = [GptShape(vocab=256, context=32, layers=2, heads=2, width=64, qkv_bias=bias, tied=tied)
        for bias, tied in ((True, True), (False, False))]
LLAMAS = [LlamaShape(vocab=300, context=32, layers=2, heads=4, kv_heads=kv, width=64, hidden=96, tied=tied)
          for kv, tied in ((4, True), (2, False))]


def llama_table() -> Table:
    """Byte tokens, letters and a few words."""
    special = [(b"<unk>", UNKNOWN), (b"<s>", CONTROL), (b"</s>", CONTROL)]
    byte = [(f"<0x{i:02X}>".encode(), BYTE) for i in range(256)]
    words = ["\u2581", *"abcdefghijklmnopqrstuvwxyz", "on", "\u2581on", "ce", "\u2581once", "th", "\u2581th", "er",
             "re", "\u2581a", "up", "ti", "me", "was", "ed"][:300 - len(special) - len(byte)]
    found = [*special, *byte, *((word.encode(), NORMAL) for word in words)]
    assert len(found) == 300
    return Table("llama", tuple(piece for piece, _ in found), tuple(kind for _, kind in found),
                 tuple(0.0 if kind != NORMAL else -float(i) for i, (_, kind) in enumerate(found)), (), 1, 2)


def table_of(shape: Shape) -> Table:
    return llama_table() if isinstance(shape, LlamaShape) else simple.bytes_table()


def made(folder: Path, shape: Shape) -> torch.nn.Module:
    """A random model with logits of some size, as model.safetensors with its tokenizer.json."""
    torch.manual_seed(3)
    model = make(shape).eval()
    with torch.no_grad():
        for part in model.parameters():
            part.add_(torch.randn_like(part) * 0.1)
    checkpoint.write(folder / "model.safetensors", model, "x")
    table.write(folder / "tokenizer.json", table_of(shape))
    return model


def export(folder: Path, *args: str) -> None:
    assert main([f"{folder}/model.safetensors", f"--tokenizer={folder}/tokenizer.json", "--name=small", *args]) == 0


def engine(folder: Path, model: str, *args: str) -> np.ndarray:
    """The logits after each token of TEXT but the last, with the bos that the engine puts first."""
    out = folder / "logits"
    argv = ["./ingot", str(folder / model), "-n", "0", "-t", "0", "-i", TEXT, "--logits", str(out), *args]
    subprocess.run(argv, check=True, capture_output=True)
    return np.fromfile(out, "<f4")


def expected(shape: Shape, model: torch.nn.Module) -> torch.Tensor:
    from model.tokenizers import make as tokenizer

    about = table_of(shape)
    ids = tokenizer(about).encode(TEXT)
    if isinstance(shape, LlamaShape):
        ids = [1, *ids]
    with torch.inference_mode():
        return model(torch.tensor([ids]))[0]


@pytest.mark.parametrize("shape", [*GPTS, *LLAMAS])
def test_gguf_in_fp32_gives_the_logits(shape: Shape, tmp_path: Path) -> None:
    model = made(tmp_path, shape)
    export(tmp_path, f"--gguf={tmp_path}/model.gguf")
    want = expected(shape, model).numpy()
    found = engine(tmp_path, "model.gguf").reshape(-1, shape.vocab)[:len(want)]
    assert np.abs(found - want).max() < 1e-4 * max(1, np.abs(want).max())


@pytest.mark.parametrize("shape", LLAMAS)
@pytest.mark.parametrize("version", [0, 2])
def test_llama2c_gives_the_logits(shape: Shape, version: int, tmp_path: Path) -> None:
    model = made(tmp_path, shape)
    export(tmp_path, f"--llama2c={tmp_path}/model.bin", f"--version={version}", f"--tokenizer-bin={tmp_path}/t.bin")
    want = expected(shape, model).numpy()
    found = engine(tmp_path, "model.bin", "-z", f"{tmp_path}/t.bin").reshape(-1, shape.vocab)[:len(want)]
    assert np.abs(found - want).max() < (1e-4 if version == 0 else 0.05) * max(1, np.abs(want).max())


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0"])
def test_quantised_gguf_is_near(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = replace(LLAMAS[0], hidden=80)  # rows that make no whole blocks
    model = made(tmp_path, shape)
    export(tmp_path, f"--gguf={tmp_path}/model.gguf", f"--type={kind}")
    said = capsys.readouterr().out
    assert ("ffn_down.weight is F16, not" in said) == kind.startswith("Q") and "attn_q" not in said
    want = expected(shape, model).numpy()
    found = engine(tmp_path, "model.gguf").reshape(-1, shape.vocab)[:len(want)]
    bound = {"F16": 0.01, "Q8_0": 0.05, "Q4_0": 0.5}[kind]
    assert 1e-6 < np.abs(found - want).max() < bound * np.abs(want).max()
    types = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    assert types["blk.0.attn_q.weight"] == kind and types["blk.0.attn_norm.weight"] == "F32"


@given(st.integers(0, 2**32), st.sampled_from([1, 8, 1 << 20]), st.sampled_from([1e-6, 1 / 1024, 0.37]))
@settings(max_examples=200, deadline=None)
def test_blocks_are_ggmls(seed: int, most: int, unit: float) -> None:
    numbers = np.random.default_rng(seed).integers(-most, most, (3, 64), endpoint=True)
    values = (numbers * unit).astype(np.float32)
    values[0, :32] = 0
    for kind in ("F16", "Q8_0", "Q4_0"):
        with np.errstate(divide="ignore"):
            assert packing.pack(values, kind) == quants.quantize(values, GGMLQuantizationType[kind]).tobytes()


def test_groups_of_llama2c() -> None:
    assert group_of(LLAMAS[0]) == 32 and group_of(replace(LLAMAS[0], hidden=172)) == 4
    assert group_of(replace(LLAMAS[0], hidden=128)) == 64
    done = quantise(np.array([[1.0, -0.5, 0.25, 0.0]], np.float32), 4)
    assert np.frombuffer(done.codes, np.int8).tolist() == [127, -64, 32, 0]
    assert 0 < done.error < 0.5 / 127

"""Our GGUF in llama.cpp: it loads, and gives the same greedy text as our engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model.datasets.tales import corpus
from model.export.gguf import gguf
from model.export.weights import Config, read
from model.tokenizers.bytes import encode, split
from tests import peers
from tests.cbuild import build, host_program
from tests.model.random_weights import random_weights

pytestmark = pytest.mark.slow
PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def ingot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return host_program(tmp_path_factory)


def printable_weights(config: Config, seed: int) -> bytes:
    """A random model that writes printable ASCII: those tokens share a direction that norm_b points to."""
    data, tensors = random_weights(config, seed)
    tensors["token"][0x20:0x7F, 0] += 1
    tensors["norm_b"][0] += 8
    return data[:64] + b"".join(values.tobytes() for values in tensors.values())


def trained_weights(folder: Path, factory: pytest.TempPathFactory) -> bytes:
    """A small model after a few seconds of training on tales."""
    trainer = build(factory, "train", ("engine", "kernels", "train"))
    train, val = split(corpus(1, 200_000), 0.9)
    (folder / "train.bin").write_bytes(encode(train))
    (folder / "val.bin").write_bytes(encode(val))
    sizes = "--layers 2 --heads 2 --width 32 --context 64 --vocab 256"
    course = "--steps 800 --batch 8 --lr 0.005 --warmup 20 --decay 0.1 --seed 1 --threads 2"
    logs = "--eval-every 0 --sample-every 0 --log-every 100 --log train.jsonl --samples samples.txt"
    subprocess.run([trainer, *f"--train train.bin --val val.bin {sizes} {course} {logs} --out w.bin".split()],
                   cwd=folder, check=True, capture_output=True)
    return (folder / "w.bin").read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_model(seed: int, tmp_path: Path, ingot: Path) -> None:
    peers.needs("llama-cpp-python")
    check(printable_weights(Config(256, 64, 3, 4, 32, 128), seed), tmp_path, ingot)


def test_trained_model(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, ingot: Path) -> None:
    peers.needs("llama-cpp-python")
    check(trained_weights(tmp_path, tmp_path_factory), tmp_path, ingot)


def check(weights: bytes, folder: Path, ingot: Path) -> None:
    (folder / "weights.bin").write_bytes(weights)
    model = read(folder / "weights.bin")
    (folder / "model.gguf").write_bytes(gguf(model, "test"))
    context = model.config.context
    done = subprocess.run([ingot, folder / "model.gguf", "-t", "0", "-n", str(context), "-i", PROMPT],
                          check=True, capture_output=True)
    assert len(done.stdout) >= context and len(set(done.stdout)) > 8
    theirs = peers.ask("llama_text", model=str(folder / "model.gguf"), context=context, prompt=PROMPT,
                       tokens=context - len(PROMPT))
    assert bytes.fromhex(theirs) == done.stdout[:context]

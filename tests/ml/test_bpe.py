"""Tokenizers made by `python3 -m model.tokenizers`: BPE is SentencePiece's, and the engine reads it as we do."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch

from model import checkpoint
from model.architectures import make
from model.export.checkpoint import main as export
from model.shapes import preset
from model.tokenizers import Tokenizer, bpe, load
from model.tokenizers.__main__ import main
from model.tokenizers.llama import from_file

DATA = Path("data")
WORDS = ["Once", "upon", "a", "time", "there", "was", "little", "girl", "who", "had", "12", "balls.", "\u00e9t\u00e9"]
ODD = ["na\u00efve \u6771\u4eac \U0001f600", "  two  spaces ", "a\nb\n\n", "I'll be 12345", "\x01", "x" * 90]


def corpus() -> str:
    if (DATA / "tinystories-sample.txt").exists():
        return (DATA / "tinystories-sample.txt").read_text()
    rng = random.Random(1)
    return "<|endoftext|>".join(" ".join(rng.choices(WORDS, k=80)) for _ in range(50))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bpe")
    (made / "corpus.txt").write_text(corpus())
    size = "512" if len(corpus()) > 100_000 else "300"
    assert main(["bpe", f"{made}/corpus.txt", "--vocab", size, "--out", f"{made}/tokenizer.json"]) == 0
    return made


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return load(folder / "tokenizer.json")


def test_it_loses_nothing_and_needs_fewer_tokens(folder: Path, tokenizer: Tokenizer) -> None:
    text = (folder / "corpus.txt").read_text()
    for part in [text, *ODD]:
        assert tokenizer.decode(tokenizer.encode(part)) == part
    assert len(tokenizer.encode(text)) < len(text) / 1.5
    assert (tokenizer.table.kind, tokenizer.table.bos, tokenizer.table.eos) == ("llama", 1, 2)


def test_it_is_sentencepieces(folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same table, asked through SentencePiece itself."""
    kept = folder / "bpe.model"

    def keep(model: Path) -> object:
        kept.write_bytes(model.read_bytes())
        return tokenizer.table

    monkeypatch.setattr(bpe, "from_sentencepiece", keep)
    bpe.train(corpus().split("<|endoftext|>"), tokenizer.table.vocab)
    reference = sentencepiece.SentencePieceProcessor(model_file=str(kept))
    for text in [corpus(), *ODD]:
        assert tokenizer.encode(text) == reference.encode(text)


def test_the_order_of_the_texts_does_not_matter(tokenizer: Tokenizer) -> None:
    texts = corpus().split("<|endoftext|>")
    random.Random(5).shuffle(texts)
    assert bpe.train(texts, tokenizer.table.vocab) == tokenizer.table


@pytest.mark.parametrize("form", ["gguf", "llama2c"])
def test_the_engine_reads_it_so(form: str, folder: Path, tokenizer: Tokenizer) -> None:
    """Its logits are PyTorch's for our tokens, so its tokens are ours."""
    torch.manual_seed(1)
    shape = preset("260k", vocab=tokenizer.table.vocab, layers=1, width=32, hidden=32, context=64)
    model = make(shape).eval()
    checkpoint.write(folder / "model.safetensors", model, "llama")
    files = ["--gguf", f"{folder}/model.gguf"] if form == "gguf" else \
        ["--llama2c", f"{folder}/model.bin", "--tokenizer-bin", f"{folder}/tokenizer.bin"]
    assert export([f"{folder}/model.safetensors", f"--tokenizer={folder}/tokenizer.json", "--name=x", *files]) == 0
    words = [files[1], *(["-z", files[3]] if form == "llama2c" else [])]
    for prompt in ("Once upon a time, there was a girl", "They had 305 na\u00efve \u6771\u4eac \U0001f600!"):
        argv = ["./ingot", *words, "-n", "0", "-t", "0", "-i", prompt, "--logits", f"{folder}/logits"]
        subprocess.run(argv, check=True, capture_output=True)
        with torch.inference_mode():
            want = model(torch.tensor([[1, *tokenizer.encode(prompt)]]))[0].numpy()
        found = np.fromfile(folder / "logits", "<f4").reshape(-1, shape.vocab)[:len(want)]
        assert len(found) == len(want) and np.abs(found - want).max() < 1e-4


def test_tokenizers_of_others(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("needs ../shared/data")
    published, ours = from_file(DATA / "llama2-tokenizer.bin"), from_file(DATA / "llama2-tokenizer.model")
    assert published == ours
    assert main(["gpt2", "data/gpt2/vocab.bpe", "data/gpt2/encoder.json", "--out", f"{tmp_path}/gpt2.json"]) == 0
    assert load(tmp_path / "gpt2.json").encode("Hello world") == [15496, 995]


def test_simple_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("to be, or not")
    for kind, size in (("bytes", 256), ("chars", 8), ("words", 8)):
        files = [] if kind == "bytes" else [f"{tmp_path}/a.txt"]
        assert main([kind, *files, "--out", f"{tmp_path}/t.json"]) == 0
        assert load(tmp_path / "t.json").table.vocab == size


@pytest.mark.parametrize("words, what", [
    (["bpe", "a.txt", "--vocab=100"], "a BPE of 100 tokens"), (["bpe", "a.txt", "--vocab=5000"], "at most "),
    (["bpe", "c.txt", "--vocab=300"], "ask for 5"), (["bpe", "d.txt", "--vocab=300"], "give more text"),
    (["bpe"], "from 0 files"), (["gpt2", "a.txt"], "from 1 files"), (["gpt2", "a.txt", "a.txt"], "not GPT-2's"),
    (["llama", "a.txt"], "no SentencePiece model"), (["llama", "a.bin"], "no tokenizer.bin"),
    (["llama", "b.bin"], "no tokenizer.bin"), (["chars", "no.txt"], "no.txt"),
])
def test_what_cannot_be(words: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("to be or not to be")
    (tmp_path / "c.txt").write_text("".join(map(chr, range(0x400, 0x500))))
    (tmp_path / "d.txt").write_text(" ")
    (tmp_path / "a.bin").write_bytes(b"1234567")
    (tmp_path / "b.bin").write_bytes(struct.pack("<ifi", 9, 0.0, 1 << 30))
    files = [word if "=" in word else f"{tmp_path}/{word}" for word in words[1:]]
    assert main([words[0], *files, "--out", f"{tmp_path}/t.json"]) == 1
    said = capsys.readouterr().err
    assert what in said and said.count("\n") == 2 and not (tmp_path / "t.json").exists()

"""The engine's tokens are those of sentencepiece, tiktoken and llama.cpp: kept ones (tokens.json), and live where the
packages are."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pytest

from tests import peers
from tests.engine import golden_tokens, tokenizers
from tests.engine.tokenizers import DATA, GOLDEN, Llama2c, Tokenizer, llama2c_pieces

KEPT: dict[str, Any] = json.loads(GOLDEN.read_text())
TEXTS: list[str] = KEPT["texts"]
GPT2 = ("gpt-2", "llama-bpe", "smollm", "qwen2")
needs_llama2 = pytest.mark.skipif(not (DATA / "llama2-tokenizer.bin").is_file(), reason="no llama2-tokenizer.bin")
needs_gpt2 = pytest.mark.skipif(not (DATA / "gpt2" / "vocab.bpe").is_file(), reason="no gpt2/vocab.bpe")


@pytest.fixture(scope="module")
def llama2c(shim: ctypes.CDLL) -> Tokenizer:
    return Tokenizer(shim, (DATA / "llama2-tokenizer.bin").read_bytes(), 32000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def check(tokenizer: Tokenizer, texts: list[str], ids: list[list[int]]) -> None:
    assert len(texts) == len(ids) > 50
    for text, expected in zip(texts, ids, strict=True):
        assert tokenizer.encode(text) == expected, text


def test_the_texts_are_worth_it() -> None:
    text = "".join(TEXTS)
    assert len(TEXTS) >= 60
    assert all(what in text for what in ("日", "😀", "\u3000", "\n\n", "'ll", "return", "▁", "\u0301"))


@needs_llama2
def test_llama2c_as_sentencepiece(llama2c: Tokenizer) -> None:
    """But for U+2581, which llama2.c takes for a character like others."""
    pairs = [(text, ids) for text, ids in zip(TEXTS, KEPT["llama2"]["ids"], strict=True) if "▁" not in text]
    check(llama2c, [text for text, _ in pairs], [ids for _, ids in pairs])
    assert (llama2c.kind, llama2c.vocab, llama2c.bos, llama2c.eos, llama2c.add_bos) == (tokenizers.SPM, 32000, 1, 2, 1)


@needs_llama2
def test_llama2c_as_its_port(llama2c: Tokenizer) -> None:
    port = Llama2c(llama2c_pieces((DATA / "llama2-tokenizer.bin").read_bytes()))
    for text in [*TEXTS, *golden_tokens.made(200)]:
        data = text.encode()
        ids = llama2c.encode(text)
        assert ids == port.encode(data)
        assert llama2c.decode([1, *ids]) == port.decode(ids) == data


@needs_llama2
def test_no_special_token_can_be_built(llama2c: Tokenizer) -> None:
    """The engine never takes bytes' names or control tokens for words; llama2.c would, but its vocabulary has no two
    tokens that make one."""
    pieces = llama2c_pieces((DATA / "llama2-tokenizer.bin").read_bytes())
    names = {piece.text for piece in pieces}
    assert not [piece for piece in pieces[:259] for at in range(1, len(piece.text))
                if piece.text[:at] in names and piece.text[at:] in names]


@pytest.mark.skipif(not (DATA / "tok512.bin").is_file(), reason="no tok512.bin")
def test_stories260k_as_the_port(shim: ctypes.CDLL) -> None:
    data = (DATA / "tok512.bin").read_bytes()
    tokenizer, port = Tokenizer(shim, data, 512), Llama2c(llama2c_pieces(data))
    for text in [*TEXTS, *golden_tokens.made(200)]:
        ids = tokenizer.encode(text)
        assert ids == port.encode(text.encode())
        assert tokenizer.decode([1, *ids]) == text.encode()


@needs_llama2
def test_gguf_as_sentencepiece(shim: ctypes.CDLL, folder: Path) -> None:
    tokenizer = Tokenizer(shim, golden_tokens.llama2_gguf(folder).read_bytes())
    check(tokenizer, TEXTS, KEPT["llama2"]["ids"])
    for text in TEXTS:
        assert tokenizer.decode([1, *tokenizer.encode(text)]).decode() == text.replace("▁", " ")


@needs_gpt2
@pytest.mark.parametrize("pre", GPT2)
def test_gpt2(shim: ctypes.CDLL, folder: Path, pre: str) -> None:
    """As tiktoken (gpt-2) and llama.cpp (the others) encode; one without a pre-tokenizer is gpt-2's."""
    for name in {pre, None} if pre == "gpt-2" else {pre}:
        tokenizer = Tokenizer(shim, golden_tokens.gpt2_gguf(folder, name).read_bytes())
        check(tokenizer, TEXTS, KEPT[pre]["ids"])
        assert all(tokenizer.decode(tokenizer.encode(text)).decode() == text for text in TEXTS)
        assert tokenizer.special("<|endoftext|>") == tokenizer.bos == 50256
        assert tokenizer.add_bos == (pre == "llama-bpe")


def many() -> list[str]:
    return [*TEXTS, *golden_tokens.made(1000), *golden_tokens.everything(1000)]


@pytest.mark.slow
@needs_llama2
def test_sentencepiece_live(shim: ctypes.CDLL, folder: Path) -> None:
    peers.needs("sentencepiece")
    tokenizer = Tokenizer(shim, golden_tokens.llama2_gguf(folder).read_bytes())
    check(tokenizer, many(), golden_tokens.sentencepiece(many()))


@pytest.mark.slow
@needs_gpt2
def test_tiktoken_live(shim: ctypes.CDLL, folder: Path) -> None:
    peers.needs("tiktoken")
    tokenizer = Tokenizer(shim, golden_tokens.gpt2_gguf(folder, "gpt-2").read_bytes())
    check(tokenizer, many(), golden_tokens.tiktoken(many()))


@pytest.mark.slow
@needs_gpt2
@needs_llama2
@pytest.mark.parametrize("pre", [None, *GPT2])
def test_llama_cpp_live(shim: ctypes.CDLL, folder: Path, pre: str | None) -> None:
    """None: Llama 2's."""
    peers.needs("llama-cpp-python")
    path = golden_tokens.llama2_gguf(folder) if pre is None else golden_tokens.gpt2_gguf(folder, pre)
    check(Tokenizer(shim, path.read_bytes()), many(), golden_tokens.llama_cpp(path)(many()))

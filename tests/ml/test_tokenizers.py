"""Tokenizers beside those whose work they do."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sentencepiece
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from model.program import InputError
from model.tokenizers import Tokenizer, load, make, simple, table
from model.tokenizers.gpt2 import from_files
from model.tokenizers.llama import from_sentencepiece

DATA = Path("data")
TEXTS = ["", " ", "Once upon a time, there was a little girl named Lily.", "  two  spaces \n\n and\ttabs ", "a" * 300,
         "na\u00efve caf\u00e9",
         "\u6771\u4eac \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0645\u0631\u062d\u0628\u0627",
         "for (int i = 0; i < n; i++) {\r\n}",
         "\u2581 is a block", "I'll we've IT'S 12345 3.14", "<s> </s> <|endoftext|> <0x41>", "\x00\x01", " " * 70]


def needs(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"needs ../shared/data/{name}")
    return DATA / name


@pytest.fixture(scope="module")
def llama() -> Tokenizer:
    return make(from_sentencepiece(needs("llama2-tokenizer.model")))


@pytest.fixture(scope="module")
def gpt2() -> Tokenizer:
    return make(from_files(needs("gpt2/vocab.bpe"), needs("gpt2/encoder.json")))


def pieces(count: int) -> list[str]:
    words = [*" \n\t'\u2581\u00e9\u6771\U0001f600",
             "the", " a", "Once", "12", "...", "  ", "ing", "\u200d", "<s>", "def "]
    rng = random.Random(1)
    return ["".join(rng.choice(words) for _ in range(rng.randrange(40))) for _ in range(count)]


def test_llama_is_sentencepieces(llama: Tokenizer) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(DATA / "llama2-tokenizer.model"))
    story = needs("tinystories-sample.txt").read_text()
    for text in [*TEXTS, *pieces(500), story]:
        assert llama.encode(text) == reference.encode(text), text[:80]
        assert llama.decode(llama.encode(text)) == text.replace("\u2581", " ")
    assert (llama.table.vocab, llama.table.bos, llama.table.eos) == (32000, 1, 2)


def test_gpt2_is_tiktokens(gpt2: Tokenizer) -> None:
    ranks = {piece: i for i, piece in enumerate(gpt2.table.pieces[:-1])}
    words = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    reference = tiktoken.Encoding("gpt2", pat_str=words, mergeable_ranks=ranks, special_tokens={})
    for text in [*TEXTS, *pieces(500)]:
        assert gpt2.encode(text) == reference.encode_ordinary(text)
        assert gpt2.decode(gpt2.encode(text)) == text
    assert gpt2.encode("Hello world") == [15496, 995]  # as everybody gives it
    assert gpt2.decode([50256]) == ""


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_simple_ones_lose_nothing(text: str) -> None:
    for found in (simple.bytes_table(), simple.chars_table(text + "x"), simple.words_table(text)):
        try:
            ids = make(found).encode(text)
        except UnicodeEncodeError:
            return
        assert make(found).decode(ids) == text


def test_what_a_simple_one_lacks() -> None:
    with pytest.raises(InputError, match="no token for 'z'"):
        make(simple.chars_table("abc")).encode("zoo")
    words = make(simple.words_table("to be or not to be"))
    assert words.decode(words.encode("to see")) == "to <|unk|>"


def test_files_come_back(tmp_path: Path, llama: Tokenizer, gpt2: Tokenizer) -> None:
    for found in (llama.table, gpt2.table, simple.bytes_table(), simple.chars_table("a\u00e9b"),
                  simple.words_table("It is, he said.")):
        table.write(tmp_path / "tokenizer.json", found)
        assert load(tmp_path / "tokenizer.json").table == found


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    table.write(file, simple.words_table("to be"))
    good = file.read_text()
    for bad in ("", "[]", "[" * 5000, good.replace("ingot-tokenizer-1", "ingot-tokenizer-2"), good[:-3],
                good.replace('"words"', '"world"'), good.replace('"eos":3', '"eos":5'),
                good.replace('"types":[1', '"types":[7'),
                good.replace('"scores":[]', '"scores":[1]'), good.replace('"merges":[]', '"merges":[[0,1]]'),
                good.replace('"dG8="', '"dG8"'), good.replace('"dG8="', '7')):
        assert bad != good
        file.write_text(bad)
        with pytest.raises(InputError):
            load(file)

"""Damaged and hostile tokenizers, under the sanitizers: each is an error that says what, and all memory comes back."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.engine.models import ARRAY, BOOL, F32, I32, STRING, U32, Key, alphabet, changed, write
from tests.engine.tokenizers import BYTE, CONTROL, NORMAL, OWN, UNKNOWN, Piece, llama2c_file, spm_pieces

OK, TRUNCATED, FORMAT, UNSUPPORTED, RANGE = 0, 2, 3, 4, 5
Case = tuple[bytes, int]
SPM_PIECES = [*spm_pieces({b" ": -1.0, b"a": -2.0, b"b": -2.0, b"ab": -1.5}), Piece(b"<own>", 0, OWN)]
PLAIN = [Piece(piece.text.replace("▁".encode(), b" "), piece.score) for piece in SPM_PIECES[:-1]]
PLAIN[1], PLAIN[2] = Piece(b"\n<s>\n"), Piece(b"\n</s>\n")
BIN = llama2c_file(PLAIN)
VOCAB = len(PLAIN)

SPM = [
    Key("tokenizer.ggml.model", STRING, "llama"),
    Key("tokenizer.ggml.tokens", ARRAY, [piece.text.decode() for piece in SPM_PIECES]),
    Key("tokenizer.ggml.scores", ARRAY, [piece.score for piece in SPM_PIECES], F32),
    Key("tokenizer.ggml.token_type", ARRAY, [piece.type for piece in SPM_PIECES], I32),
    Key("tokenizer.ggml.bos_token_id", U32, 1),
    Key("tokenizer.ggml.add_bos_token", BOOL, True),
    Key("tokenizer.ggml.add_space_prefix", BOOL, True),
]
GPT2_TOKENS = [*alphabet(), "ab", "abab", "<|end|>", "<own>"]
GPT2_TYPES = [*[NORMAL] * 258, CONTROL, OWN]
GPT2 = [
    Key("tokenizer.ggml.model", STRING, "gpt2"),
    Key("tokenizer.ggml.pre", STRING, "gpt-2"),
    Key("tokenizer.ggml.tokens", ARRAY, GPT2_TOKENS),
    Key("tokenizer.ggml.token_type", ARRAY, GPT2_TYPES, I32),
    Key("tokenizer.ggml.merges", ARRAY, ["a b", "ab ab"]),
    Key("tokenizer.ggml.eos_token_id", U32, 258),
]


def run(program: Path, cases: Sequence[Case]) -> list[tuple[int, str]]:
    """The status and text of each; what loads encodes and decodes a few texts."""
    data = b"".join(struct.pack("<QQ", vocab, len(file)) + file for file, vocab in cases)
    done = subprocess.run([program], input=data, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    lines = done.stdout.decode("ascii").splitlines()
    assert len(lines) == len(cases)
    return [(int(line.split(" ")[0]), line.partition(" ")[2]) for line in lines]


def gguf(keys: Sequence[Key]) -> Case:
    return bytes(write(keys, {}).data), 0


def spm(name: str, **change: Any) -> Case:
    return gguf(changed(SPM, f"tokenizer.ggml.{name}", **change))


def gpt2(name: str, **change: Any) -> Case:
    return gguf(changed(GPT2, f"tokenizer.ggml.{name}", **change))


def without(keys: Sequence[Key], name: str) -> Case:
    return gguf([key for key in keys if key.name != f"tokenizer.ggml.{name}"])


def item(keys: Sequence[Key], name: str, at: int, what: Any) -> list[Any]:
    """A list of the file with one item changed."""
    (values,) = [key.value for key in keys if key.name == f"tokenizer.ggml.{name}"]
    return [*values[:at], what, *values[at + 1 :]]


def plain(at: int, **change: Any) -> Case:
    """tokenizer.bin with a token changed."""
    return llama2c_file([*PLAIN[:at], replace(PLAIN[at], **change), *PLAIN[at + 1 :]], 16), VOCAB


def lengths(at: int, length: int) -> Case:
    """tokenizer.bin in which token `at` says another length."""
    where = 4 + sum(8 + len(piece.text) for piece in PLAIN[:at]) + 4
    return BIN[:where] + struct.pack("<I", length % 2**32) + BIN[where + 4 :], VOCAB


NAN, INF = float("nan"), float("inf")
NAMED: list[tuple[Case, int, str]] = [
    # tokenizer.bin
    ((b"", VOCAB), TRUNCATED, "tokenizer.bin ends inside its header"),
    ((BIN[:-1], VOCAB), TRUNCATED, f"tokenizer.bin ends inside its token {VOCAB - 1}"),
    ((BIN, VOCAB + 1), TRUNCATED, f"tokenizer.bin ends before its token {VOCAB}"),
    ((BIN, VOCAB - 1), FORMAT, f"tokenizer.bin has more tokens than the model: {VOCAB - 1}"),
    ((BIN, 258), FORMAT, "a vocabulary without room for tokenizer.bin's bytes"),
    ((BIN, 2**20 + 1), UNSUPPORTED, "a vocabulary of more than 1048576 tokens"),
    ((BIN, 2**20), TRUNCATED, f"tokenizer.bin ends before its token {VOCAB}"),
    *(((struct.pack("<I", longest) + BIN[4:], VOCAB), FORMAT,
       "tokenizer.bin: its longest token has not 1 to 4096 bytes")
      for longest in (0, 4097, 2**31, 2**32 - 1)),
    *((lengths(at, length), FORMAT, f"tokenizer.bin: empty, or longer than its longest token, is token {at}")
      for at in (0, 3, 260, VOCAB - 1) for length in (0, -1, 2**31, 2**31 - 1, 9)),
    (plain(3, text=b"<0x01>"), FORMAT, "tokenizer.bin: not the byte <0xHH> it stands for is token 3"),
    (plain(258, text=b"a"), FORMAT, "tokenizer.bin: not the byte <0xHH> it stands for is token 258"),
    (plain(260, score=NAN), FORMAT, "tokenizer.bin: no finite number is the score of token 260"),
    (plain(260, score=INF), FORMAT, "tokenizer.bin: no finite number is the score of token 260"),
    (plain(260, text=b"b"), FORMAT, "a token that is there twice: b"),
    # GGUF, both kinds
    (without(SPM, "model"), FORMAT, "a key is missing: tokenizer.ggml.model"),
    (spm("model", value="bert"), UNSUPPORTED, "a tokenizer that is not llama or gpt2: bert"),
    (without(SPM, "tokens"), FORMAT, "a missing key, or no list of strings: tokenizer.ggml.tokens"),
    (spm("tokens", value=[]), FORMAT, "an empty list: tokenizer.ggml.tokens"),
    (spm("tokens", value=[1, 2], item=U32), FORMAT, "a missing key, or no list of strings: tokenizer.ggml.tokens"),
    (spm("tokens", value=["a"] * (2**20 + 1)), UNSUPPORTED, "a vocabulary of more than 1048576 tokens"),
    (spm("tokens", value=item(SPM, "tokens", 260, "x" * 4097)), UNSUPPORTED,
     "a token of more than 4096 bytes: " + "x" * 64),
    (spm("token_type", value=item(SPM, "token_type", 260, 7)), FORMAT, "a token of a type that does not exist: a"),
    (spm("token_type", value=item(SPM, "token_type", 260, -1)), FORMAT, "a token of a type that does not exist: a"),
    (spm("token_type", value=[1]), FORMAT, "not as many items as there are tokens: tokenizer.ggml.token_type"),
    (spm("token_type", item=F32), FORMAT, "a key of the wrong type: tokenizer.ggml.token_type"),
    (spm("bos_token_id", value=len(SPM_PIECES)), RANGE, "a token beyond the vocabulary: tokenizer.ggml.bos_token_id"),
    (spm("bos_token_id", type=I32, value=-1), RANGE,
     "a negative or too large number, of the key: tokenizer.ggml.bos_token_id"),
    (spm("add_bos_token", type=U32, value=1), FORMAT, "a key of the wrong type: tokenizer.ggml.add_bos_token"),
    # llama
    (without(SPM, "scores"), FORMAT, "a key is missing: tokenizer.ggml.scores"),
    (spm("scores", value=[0.0]), FORMAT, "not as many items as there are tokens: tokenizer.ggml.scores"),
    (spm("scores", item=I32, value=[0] * len(SPM_PIECES)), FORMAT, "a key of the wrong type: tokenizer.ggml.scores"),
    (spm("scores", value=item(SPM, "scores", 260, NAN)), FORMAT, "a token whose score is no finite number: a"),
    (spm("scores", value=item(SPM, "scores", 260, -INF)), FORMAT, "a token whose score is no finite number: a"),
    (spm("tokens", value=item(SPM, "tokens", 261, "a")), FORMAT, "a token that is there twice: a"),
    (spm("tokens", value=item(SPM, "tokens", 2, "<s>")), FORMAT, "a token that is there twice: <s>"),
    (spm("tokens", value=item(SPM, "tokens", 4, "<0x00>")), FORMAT, "a token that is there twice: <0x00>"),
    (spm("tokens", value=item(SPM, "tokens", 4, "x")), FORMAT, "a byte token that is no <0xHH>: x"),
    (spm("token_type", value=item(SPM, "token_type", 4, NORMAL)), UNSUPPORTED,
     "a vocabulary without a token for the byte 1"),
    (spm("tokens", value=item(SPM, "tokens", 263, "x" * 256)), UNSUPPORTED,
     "a user-defined token of more than 255 bytes: " + "x" * 64),
    # gpt2
    (gpt2("tokens", value=item(GPT2, "tokens", 256, "a")), FORMAT, "a token that is there twice: a"),
    (gpt2("tokens", value=item(GPT2, "tokens", 256, "abab")), FORMAT, "a token that is there twice: abab"),
    (gpt2("tokens", value=item(GPT2, "tokens", 256, "a b")), FORMAT, "a token outside the alphabet of bytes: a b"),
    (gpt2("tokens", value=item(GPT2, "tokens", 97, "xx")), UNSUPPORTED, "a vocabulary without a token for the byte 97"),
    (gpt2("token_type", value=item(GPT2, "token_type", 97, CONTROL)), UNSUPPORTED,
     "a vocabulary without a token for the byte 97"),
    (gpt2("token_type", value=item(GPT2, "token_type", 256, BYTE)), FORMAT,
     "a byte token in a tokenizer of the kind gpt2: ab"),
    (gpt2("merges", value=["b a"]), FORMAT, "a merge that names no token: b a"),
    (gpt2("merges", value=["a b", "ab x"]), FORMAT, "a merge that names no token: ab x"),
    (gpt2("merges", value=["zz z"]), FORMAT, "a merge that names no token: zz z"),
    (gpt2("merges", value=["<|end| >"]), FORMAT, "a merge that names no token: <|end| >"),
    *((gpt2("merges", value=[line]), FORMAT, f"a merge that is not two tokens: {line}")
      for line in ("ab", "", " ", "a ", " b", "a b c")),
    (gpt2("merges", value=["a" * 10_000 + " b"]), FORMAT, "a merge that is not two tokens: " + "a" * 64),
    (gpt2("merges", value=[1], item=U32), FORMAT, "a key of the wrong type: tokenizer.ggml.merges"),
    (gpt2("merges", type=U32, value=1), FORMAT, "a key of the wrong type: tokenizer.ggml.merges"),
    (gpt2("merges", value=[]), UNSUPPORTED, "no merges, and a token that is not one byte: ab"),
    (gpt2("pre", value="deepseek-llm"), UNSUPPORTED, "a pre-tokenizer that this engine has not: deepseek-llm"),
    (gpt2("pre", type=U32, value=1), FORMAT, "a key of the wrong type: tokenizer.ggml.pre"),
    # allowed: empty tokens, a merge that is there twice, an own token that a word is too
    (spm("tokens", value=item(SPM, "tokens", 260, "")), OK, ""),
    (gpt2("merges", value=["a b", "a b"]), OK, ""),
    (gpt2("tokens", value=item(GPT2, "tokens", 259, "ab")), OK, ""),
    (spm("token_type", value=item(SPM, "token_type", 260, UNKNOWN)), OK, ""),
    ((BIN, VOCAB), OK, ""), (gguf(SPM), OK, ""), (gguf(GPT2), OK, ""),
]


def test_named(tokenizer_cases: Path) -> None:
    found = run(tokenizer_cases, [case for case, _, _ in NAMED])
    for (_, code, text), got in zip(NAMED, found, strict=True):
        assert got == (code, text)


def slot_of(text: bytes, slots: int) -> int:
    """Where vocab.c's table has these bytes."""
    h, mask = 0xCBF29CE484222325, 2**64 - 1
    for byte in text:
        h = (h ^ byte) * 0x100000001B3 & mask
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & mask
    h = (h ^ h >> 27) * 0x94D049BB133111EB & mask
    return (h ^ h >> 31) % slots


def test_tokens_made_to_collide(tokenizer_cases: Path) -> None:
    """A vocabulary that would make every look-up long is refused."""
    made = (b"k%d" % number for number in range(10**7))
    pieces = [*SPM_PIECES, *(Piece(text) for text in islice((text for text in made if slot_of(text, 4096) < 64), 1150))]
    assert 1024 < len(pieces) <= 2048
    values = {"tokens": [piece.text.decode() for piece in pieces], "scores": [piece.score for piece in pieces],
              "token_type": [piece.type for piece in pieces]}
    keys = [*SPM]
    for name, value in values.items():
        keys = changed(keys, f"tokenizer.ggml.{name}", value=value)
    assert run(tokenizer_cases, [gguf(keys)]) == [(FORMAT, "tokens that no table can hold")]


def test_cut_anywhere(tokenizer_cases: Path) -> None:
    """A tokenizer.bin of any smaller size is truncated; so is a GGUF file, at every structure of it."""
    found = run(tokenizer_cases, [(BIN[:size], VOCAB) for size in range(len(BIN))])
    assert {code for code, _ in found} == {TRUNCATED}
    for keys in (SPM, GPT2):
        data = bytes(write(keys, {}).data)
        end = len(data.rstrip(b"\0"))
        found = run(tokenizer_cases, [(data[:size], 0) for size in [*range(0, end - 4, 3)]])
        assert {code for code, _ in found[2:]} == {TRUNCATED} and {code for code, _ in found[:2]} == {FORMAT}


def test_numbers_that_lie(tokenizer_cases: Path) -> None:
    """Every length and count of the files at 0, -1, 2^31 and more: an error, or a file that still works."""
    cases: list[Case] = []
    for keys in (SPM, GPT2):
        writer = write(keys, {})
        for offset, size, name in writer.marks:
            if name.rpartition(" ")[2] in ("length", "count", "type", "item", "value"):
                for number in (0, 1, 2**31, 2**32, 2**63, 2**64 - 1):
                    data = bytearray(writer.data)
                    data[offset : offset + min(size, 8)] = struct.pack("<Q", number)[: min(size, 8)]
                    cases.append((bytes(data), 0))
    assert len(cases) > 200
    found = run(tokenizer_cases, cases)
    assert {code for code, _ in found} >= {OK, TRUNCATED, FORMAT}
    assert all((code == OK) == (text == "") for code, text in found)


@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere(tokenizer_cases: Path, seed: int) -> None:
    """Random bytes changed, 1,000 files of each kind."""
    rng = random.Random(seed)
    for data, vocab in ((BIN, VOCAB), gguf(SPM), gguf(GPT2)):
        cases: list[Case] = []
        for _ in range(1000):
            bad = bytearray(data)
            for _ in range(rng.choice([1, 1, 2, 8])):
                bad[rng.randrange(len(bad))] = rng.choice([0, 1, 0x20, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            cases.append((bytes(bad), vocab))
        found = run(tokenizer_cases, cases)
        assert all((code == OK) == (text == "") for code, text in found)
        assert {code for code, _ in found} >= {OK, FORMAT}

"""What the fuzz targets begin with: small whole inputs of every kind, one for each branch that chance does not find.

`python -m tests.fuzz.seeds` writes them into build/fuzz/TARGET/found/corpus; ./doit fuzz keep=1 takes those that
reach something new into tests/fuzz/corpus/.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tests.engine import llamas, models
from tests.engine.models import ARRAY, BOOL, I32, STRING, U32, Key
from tests.engine.test_template import CASES, MARKS
from tests.engine.test_tokenizer_damaged import BIN, GPT2, SPM, VOCAB
from tests.engine.tokenizers import CONTROL, NORMAL, Piece
from toolchain.fuzz import FOLDER

GPT = models.Shape(context=3, layers=1, heads=1, width=4, hidden=4)
LLAMA = llamas.Shape(context=3, layers=1, heads=2, kv_heads=1, width=32, hidden=32)
PLAIN = replace(LLAMA, width=4, hidden=4)
TEXT = "  It's 12345 €😀\n\n\tab <|end|><own>\x00\xff".encode("latin-1", "replace") + "é ▁日本".encode()


def llama(kind: str, *more: Key, tied: bool = True, shape: llamas.Shape = LLAMA) -> bytes:
    return llamas.model_bytes(shape, llamas.random_tensors(shape, tied=tied), kind, more)


def gguf() -> Iterator[bytes]:
    yield models.model_bytes(GPT, models.random_tensors(GPT))
    for kind in ("Q8_0", "Q4_0"):
        yield llama(kind)
    yield llama("F16", shape=PLAIN)
    small = llamas.random_tensors(PLAIN, tied=True)
    yield llama("F32", shape=PLAIN, tied=False)
    yield llamas.model_bytes(PLAIN, small, extra={"rope_freqs.weight": np.ones(1, np.float32)})
    yield llama("F32", Key("llama.rope.scaling.type", STRING, "none"), shape=PLAIN)
    yield llama("F32", Key("general.alignment", U32, 32), shape=replace(PLAIN, head_width=4))
    yield llama("F32", Key("tokenizer.ggml.add_bos_token", BOOL, True), shape=PLAIN)
    for keys in (SPM, GPT2):
        vocab = len(next(key.value for key in keys if key.name == "tokenizer.ggml.tokens"))
        shape = replace(PLAIN, vocab=vocab)
        own = [key for key in llamas.keys_of(shape) if not key.name.startswith("tokenizer.")]
        yield bytes(models.write([*own, *keys], llamas.stored(llamas.random_tensors(shape, tied=True), "F32")).data)


def in_parts() -> Iterator[bytes]:
    """GGUF files in two pieces, and models in two files."""
    whole = llama("F32", shape=PLAIN)
    for at in (1, len(whole) // 64 - 8, len(whole) // 64 + 1):
        yield b"\0\1" + struct.pack("<H", at) + whole
    first, second = shards()
    yield b"\0\2" + struct.pack("<H", len(first)) + first + second


def shards() -> tuple[bytes, bytes]:
    """The model of PLAIN as llama.cpp splits it."""
    tensors = list(llamas.random_tensors(PLAIN, tied=True).items())
    common = [Key("split.count", models.U16, 2), Key("split.tensors.count", models.I32, len(tensors))]
    files = (([*llamas.keys_of(PLAIN), Key("split.no", models.U16, 0), *common], dict(tensors[:3])),
             ([Key("split.no", models.U16, 1), *common], dict(tensors[3:])))
    first, second = (bytes(models.write(keys, some).data) for keys, some in files)
    return first, second


def llama2c() -> Iterator[bytes]:
    shape = replace(PLAIN, vocab=259)
    tokenizer = llamas.tokenizer_bin()
    tied, untied = llamas.random_tensors(shape, tied=True), llamas.random_tensors(shape)
    wide = llamas.random_tensors(replace(shape, width=32, hidden=32), tied=True)
    for file in (llamas.v0(shape, tied), llamas.v0(shape, untied), llamas.v2(shape, tied, 4)[0],
                 llamas.v2(shape, untied, 4)[0], llamas.v2(replace(shape, width=32, hidden=32), wide, 32)[0]):
        yield struct.pack("<H", len(tokenizer)) + tokenizer + file.data


def tokenizer_bin() -> Iterator[bytes]:
    yield struct.pack("<HB", VOCAB, len(TEXT)) + TEXT + BIN
    yield struct.pack("<HB", 259, len(TEXT)) + TEXT + llamas.tokenizer_bin()


def tokenizer_gguf() -> Iterator[bytes]:
    bytes_alone = [key for key in llamas.keys_of(PLAIN) if key.name.startswith("tokenizer.")]
    for keys in (SPM, GPT2, bytes_alone):
        yield bytes([len(TEXT)]) + TEXT + bytes(models.write(keys, {}).data)
    marks = [Piece(mark.encode(), 0, CONTROL) for mark in MARKS]
    for case in CASES.values():
        tokens = [*models.alphabet(), *(mark.text.decode() for mark in marks)]
        keys = [Key("tokenizer.ggml.model", STRING, "gpt2"), Key("tokenizer.ggml.tokens", ARRAY, tokens),
                Key("tokenizer.ggml.token_type", ARRAY, [NORMAL] * 256 + [CONTROL] * len(marks), I32),
                Key("tokenizer.ggml.merges", ARRAY, []), Key("tokenizer.chat_template", STRING, case["template"]),
                Key("tokenizer.ggml.bos_token_id", U32, 256), Key("tokenizer.ggml.eos_token_id", U32, 257)]
        yield bytes([len(TEXT)]) + TEXT + bytes(models.write(keys, {}).data)
    for pre in ("gpt-2", "llama-bpe", "qwen2", "default"):
        keys = models.changed(GPT2, "tokenizer.ggml.pre", value=pre)
        yield bytes([len(TEXT)]) + TEXT + bytes(models.write(keys, {}).data)


def cfg() -> Iterator[bytes]:
    yield b"\xef\xbb\xbf# a file\r\ntemp = 0.5 # low\ntop_k=40\nstop_nl = on\nseed\t=\t7\nrepeat = 1e0\nmin_p = .05\n"
    yield b"tmep = 1\n= 2\ntemp\nmax_tokens = 99999999999999999999\n"
    yield b"\xff\xfet\0"


def reference() -> Iterator[bytes]:
    def file(name: bytes) -> bytes:
        return name.ljust(40, b"\0") + struct.pack("<Q", 1 << 20) + hashlib.sha256(b"").digest()

    def model(name: bytes, *files: bytes) -> bytes:
        return name.ljust(40, b"\0") + struct.pack("<I", len(files)) + b"".join(map(file, files))

    yield b"INGOTREF" + model(b"tales", b"model.gguf")
    yield b"INGOTREF" + model(b"one", b"model.gguf") + model(b"two", b"model-2.bin", b"tokenizer-2.bin")


def lineedit() -> Iterator[bytes]:
    yield b"\x40\x00hello \xc3\xa9\xe2\x82\xac\x7f\x08\x1b[D\x1b[C\x1b[A\x1b[B\x1b[3~\x1bOH\x15abc\r\nx\n\x03\x04"
    yield b"\x08\x01a\nb\tc\rlonger than the line\r"
    yield b"\x10\x02\x1b[1;5D\x1b\x1b[Fab\\\rcd;;\r"


def session() -> Iterator[bytes]:
    yield b"\0"
    yield b"\1"
    yield b"\1" + struct.pack("<HB", 80, 9)
    yield b"\2" + struct.pack("<H", 200)


def chat() -> Iterator[bytes]:
    yield b"\0Once\n/temp 0\n/help\n/stats off\nupon\n/model broken\n/model tiny\n/log\n/demo\n/quit\n"
    yield b"\1/script\rone\ntwo\r/top_k 5\r/nonsense\r//x\r/seed 0\r/max_tokens 9\r\x1b[A\r\xff\xfe\r\x03\x04"


def ringlog() -> Iterator[bytes]:
    yield bytes(65)
    yield b"\x02\x05hello\x03\xe2\x82\xac"
    yield b"\x0f" + b"\x02ab" * 15 + b"\x50\0a"


FRONT = {"gguf": b"\0\0", "llama2c": b"\0", "tokenizer_bin": b"\0", "tokenizer_gguf": b"\0"}  # no allocation fails
SEEDS = {"gguf": gguf, "llama2c": llama2c, "tokenizer_bin": tokenizer_bin, "tokenizer_gguf": tokenizer_gguf,
         "cfg": cfg, "reference": reference, "lineedit": lineedit, "ringlog": ringlog,
         "chat": chat, "session": session}


def write() -> None:
    """Every seed, named by its content."""
    for target, seeds in SEEDS.items():
        folder = FOLDER / target / "found" / "corpus"
        folder.mkdir(parents=True, exist_ok=True)
        whole = [FRONT.get(target, b"") + seed for seed in seeds()]
        for data in [*whole, *(in_parts() if target == "gguf" else [])]:
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    write()

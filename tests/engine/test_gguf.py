"""Model files: good ones load, damaged ones give a named error, under the sanitizers."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import models
from tests.engine.conftest import Load
from tests.engine.models import ARRAY, F64, I32, STRING, U32, U64, Key

OK, MEMORY, TRUNCATED, FORMAT, UNSUPPORTED, RANGE = range(6)
SHAPE = models.Shape(context=4, layers=1, heads=2, width=8, hidden=32)
TENSORS = models.random_tensors(SHAPE)
KEYS = models.keys_of(SHAPE)
GOOD = models.write(KEYS, TENSORS)
NEITHER = "neither a GGUF nor a llama2.c file: too short"
HEADER = next(at for at, _, name in GOOD.marks if name == "data")

def patched(name: str, data: bytes, which: int = 0) -> bytes:
    """The good file with one field overwritten."""
    at, size, _ = [mark for mark in GOOD.marks if mark[2] == name][which]
    assert len(data) == size
    return bytes(GOOD.data[:at]) + data + bytes(GOOD.data[at + size:])


def with_keys(keys: list[Key]) -> bytes:
    return bytes(models.write(keys, TENSORS).data)


def with_tensors(**change: object) -> bytes:
    tensors = {**TENSORS, **{name.replace("__", "."): tensor for name, tensor in change.items()}}
    return bytes(models.write(KEYS, {name: t for name, t in tensors.items() if t is not None}).data)  # type: ignore


def test_loads(load: Load) -> None:
    separate_head = {**TENSORS, "output.weight": TENSORS["token_embd.weight"]}
    wide_numbers = [Key(key.name, {U32: U64, models.F32: F64}.get(key.type, key.type), key.value) for key in KEYS]
    unknown = [*KEYS, Key("other.list", ARRAY, [1, 2], item=I32), Key("other.text", STRING, "x\n\x1b")]
    aligned = [*KEYS, Key("general.alignment", U32, 64)]
    good = [GOOD.data, models.write(KEYS, TENSORS, version=2).data, models.write(KEYS, separate_head).data,
            with_keys(wide_numbers), with_keys(unknown), models.write(aligned, TENSORS, alignment=64).data,
            with_keys([key for key in KEYS if "_token_id" not in key.name and key.name != "general.name"])]
    assert load([bytes(file) for file in good]) == [(OK, "")] * len(good)


def test_truncated_anywhere(load: Load) -> None:
    ends = [*range(HEADER + 1), *range(HEADER + 1, len(GOOD.data), 997), len(GOOD.data) - 1]
    for end, (code, text) in zip(ends, load([bytes(GOOD.data[:end]) for end in ends]), strict=True):
        assert (code, text) == (FORMAT, NEITHER) if end < 4 else code == TRUNCATED, f"{end}: {text}"
        assert "ends" in text or end < 4


def test_every_number_at_its_worst(load: Load) -> None:
    """Every count, length, size, offset, type and dimension at 0, -1, 2^31 and so on."""
    worst = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**60, 2**61, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 32, 2**64 - 1]
    names, files = [], []
    for at, size, name in GOOD.marks:
        if name.split(" ")[-1] in ("tensors", "keys", "length", "type", "item", "count", "dims", "size", "offset"):
            for number in worst:
                data = number.to_bytes(8, "little")[:size]
                if data != GOOD.data[at:at + size]:
                    names.append((name, number))
                    files.append(bytes(GOOD.data[:at]) + data + bytes(GOOD.data[at + size:]))
    accepted = {"general.name type", "tokenizer.ggml.bos_token_id type", "tokenizer.ggml.eos_token_id type",
                "gpt2.context_length type", "gpt2.embedding_length type", "gpt2.block_count type",
                "gpt2.feed_forward_length type", *(f"{name} type" for name, t in TENSORS.items() if t.ndim == 2),
                "gpt2.attention.head_count type", "tokenizer.ggml.merges item"}
    for (name, number), (code, text) in zip(names, load(files), strict=True):
        assert code in (TRUNCATED, FORMAT, UNSUPPORTED, RANGE) or name in accepted, f"{name} = {number}: {code}"
        assert text or code == OK


@pytest.mark.parametrize(("file", "code", "text"), [
    (b"", FORMAT, NEITHER),
    (patched("magic", b"GGJT"), FORMAT, "no GGUF file, and no llama2.c file: its width would be 1414154055"),
    (patched("version", struct.pack("<I", 1)), UNSUPPORTED, "GGUF version 1; this engine reads versions 2 and 3"),
    (patched("version", struct.pack(">I", 3)), UNSUPPORTED, "a big-endian GGUF file"),
    (patched("keys", struct.pack("<Q", 2**63)), UNSUPPORTED, "more than 512 keys"),
    (patched("tensors", struct.pack("<Q", 2**63)), UNSUPPORTED, "more than 4096 tensors"),
    (with_keys([*KEYS, KEYS[3]]), FORMAT, "a key that is there twice: gpt2.embedding_length"),
    (with_keys([*KEYS, Key("", U32, 1)]), FORMAT, "a key without a name"),
    (with_keys([*KEYS, Key("k" * 257, U32, 1)]), UNSUPPORTED, f"the name of a key is too long: {'k' * 64}"),
    (with_tensors(**{"t" * 65: TENSORS["output_norm.bias"]}), UNSUPPORTED,
     f"the name of a tensor is too long: {'t' * 64}"),
    (with_keys([*KEYS, Key("a.b", ARRAY, [], item=ARRAY)]), UNSUPPORTED, "an array of arrays, of the key: a.b"),
    (with_keys(models.changed(KEYS, "general.architecture", value="llama\x1b[2J")), UNSUPPORTED,
     "an architecture that is neither llama nor gpt2: llama?[2J"),
    (with_keys([key for key in KEYS if key.name != "gpt2.block_count"]), FORMAT, "a key is missing: gpt2.block_count"),
    (with_keys(models.changed(KEYS, "gpt2.block_count", type=STRING, value="1")), FORMAT,
     "a key of the wrong type: gpt2.block_count"),
    (with_keys(models.changed(KEYS, "gpt2.block_count", type=I32, value=-1)), RANGE,
     "a negative or too large number, of the key: gpt2.block_count"),
    (with_keys(models.changed(KEYS, "gpt2.block_count", type=U64, value=2**40)), RANGE,
     "a negative or too large number, of the key: gpt2.block_count"),
    (with_keys(models.changed(KEYS, "gpt2.block_count", value=129)), RANGE,
     "gpt2.block_count is 129; this engine runs 1 to 128"),
    (with_keys(models.changed(KEYS, "gpt2.context_length", value=0)), RANGE,
     "gpt2.context_length is 0; this engine runs 1 to 1048576"),
    (with_keys(models.changed(KEYS, "gpt2.attention.head_count", value=3)), FORMAT,
     "the head count does not divide: gpt2.embedding_length"),
    (with_keys(models.changed(KEYS, "gpt2.attention.layer_norm_epsilon", value=float("nan"))), RANGE,
     "gpt2.attention.layer_norm_epsilon is not between 0 and 1"),
    (with_keys(models.changed(KEYS, "gpt2.block_count", value=2)), FORMAT,
     "a tensor is missing: blk.1.attn_norm.weight"),
    (with_keys(models.changed(KEYS, "gpt2.context_length", value=5)), FORMAT,
     "a tensor of the wrong shape, not (5,8): position_embd.weight"),
    (with_keys(models.changed(KEYS, "tokenizer.ggml.model", value="bert")), UNSUPPORTED,
     "a tokenizer that is not llama or gpt2: bert"),
    (with_keys(models.changed(KEYS, "tokenizer.ggml.merges", value=["a b"])), FORMAT,
     "a merge that names no token: a b"),
    (with_keys(models.changed(KEYS, "tokenizer.ggml.tokens", value=models.alphabet()[:255])), UNSUPPORTED,
     "a vocabulary without a token for the byte 255"),
    (with_keys(models.changed(KEYS, "tokenizer.ggml.eos_token_id", value=256)), RANGE,
     "a token beyond the vocabulary: tokenizer.ggml.eos_token_id"),
    (with_keys([*KEYS, Key("general.alignment", U32, 24)]), FORMAT,
     "general.alignment is no power of two from 4 to 1048576"),
    (with_tensors(output_norm__bias=None), FORMAT, "a tensor is missing: output_norm.bias"),
    (with_tensors(extra=np.zeros(3, np.float32)), UNSUPPORTED, "tensors that the architecture gpt2 does not have"),
    (with_tensors(output_norm__bias=np.zeros((2, 4), np.float32)), FORMAT,
     "a tensor of the wrong shape, not (8): output_norm.bias"),
    (bytes(models.write(KEYS, TENSORS, offsets={"output_norm.bias": 0}).data), FORMAT,
     "a tensor that overlaps the one before it: output_norm.bias"),
    (bytes(models.write(KEYS, TENSORS, offsets={"token_embd.weight": 4}).data), FORMAT,
     "a tensor that is not aligned: token_embd.weight"),
    (bytes(models.write(KEYS, TENSORS, offsets={"output_norm.bias": 2**63}).data), TRUNCATED,
     "the file ends before the data of the tensor: output_norm.bias"),
    (patched("output_norm.weight type", struct.pack("<I", 1)), UNSUPPORTED,
     "a vector that is not F32: output_norm.weight"),
    (patched("token_embd.weight type", struct.pack("<I", 3)), UNSUPPORTED,
     "a tensor that is not F32, F16, Q8_0 or Q4_0: token_embd.weight"),
    (patched("token_embd.weight size", struct.pack("<Q", 2**62), 1), FORMAT,
     "a tensor with a size that cannot be: token_embd.weight"),
    (patched("output_norm.bias name", b"output_norm.BIAS"), FORMAT, "a tensor is missing: output_norm.bias"),
    (patched("blk.0.ffn_up.bias name", b"blk.0.ffn_up.bia\xff"), FORMAT, "a tensor is missing: blk.0.ffn_up.bias"),
    (patched("blk.0.attn_qkv.bias name", b"blk.0.ffn_norm.bias"), FORMAT,
     "a tensor that is there twice: blk.0.ffn_norm.bias"),
])
def test_names_the_damage(load: Load, file: bytes, code: int, text: str) -> None:
    assert load([file]) == [(code, text)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, HEADER - 1), st.integers(0, 255)), min_size=1, max_size=4),
                min_size=50, max_size=50))
def test_any_bytes(load: Load, changes: list[list[tuple[int, int]]]) -> None:
    """A few bytes of the header changed at random: an error or a model that runs, never a crash."""
    files = []
    for change in changes:
        file = bytearray(GOOD.data)
        for at, byte in change:
            file[at] = byte
        files.append(bytes(file))
    load(files)

"""Llama model files, GGUF and llama2.c: good ones load, damaged ones give a named error, under the sanitizers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import llamas, models
from tests.engine.conftest import Load
from tests.engine.llamas import LLAMA2C, Shape
from tests.engine.models import BOOL, F32, STRING, U32, Array, Key, Typed

OK, MEMORY, TRUNCATED, FORMAT, UNSUPPORTED, RANGE, IO = range(7)
WORST = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**61, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 32, 2**64 - 1]
SHAPE = Shape(context=6, layers=2, width=32, heads=4, kv_heads=2, hidden=64)
TENSORS = llamas.random_tensors(SHAPE)
MIXED = {"attn_q": "Q8_0", "attn_k": "F16", "ffn_down": "Q4_0", "token_embd": "Q8_0", "output": "Q4_0"}
KEYS = llamas.keys_of(SHAPE)
STORED = llamas.stored(TENSORS, MIXED)
GOOD = models.write(KEYS, STORED)
HEADER = next(at for at, _, name in GOOD.marks if name == "data")

SMALL = replace(LLAMA2C, context=6, layers=2, width=32, hidden=64)
UNTIED = llamas.random_tensors(SMALL)
TIED = llamas.random_tensors(SMALL, tied=True)
TOKENIZER = llamas.tokenizer_bin()
V0 = llamas.v0(SMALL, UNTIED)
V2 = llamas.v2(SMALL, UNTIED, 32)[0]
EXPANDED = llamas.v2(SMALL, UNTIED, 8)[0]


def with_key(name: str, kind: int, value: object) -> bytes:
    """The good file with one key changed, or added."""
    keys = [key for key in KEYS if key.name != name]
    return bytes(models.write([*keys, Key(name, kind, value)], STORED).data)


def with_tensor(name: str, tensor: Array | Typed | None) -> bytes:
    tensors = {key: old for key, old in {**STORED, name: tensor}.items() if old is not None}
    return bytes(models.write(KEYS, tensors).data)


def test_loads(load: Load) -> None:
    defaults = [key for key in KEYS if not any(word in key.name for word in ("head_count_kv", "rope."))]
    full = replace(SHAPE, kv_heads=4)
    good: list[bytes | tuple[bytes, bytes]] = [
        bytes(GOOD.data), bytes(models.write(defaults, llamas.random_tensors(full)).data),
        *(llamas.model_bytes(SHAPE, TENSORS, types) for types in ("F32", "F16", "Q8_0", "Q4_0")),
        with_key("llama.rope.scaling.type", STRING, "none"), with_key("llama.rope.scale_linear", F32, 1.0),
        with_key("llama.rope.scaling.type", STRING, "linear"), with_key("llama.expert_count", U32, 0),
        *((file.data, TOKENIZER) for file in (V0, V2, EXPANDED, llamas.v0(SMALL, TIED), llamas.v2(SMALL, TIED, 16)[0]))]
    assert load(good) == [(OK, "")] * len(good)


@pytest.mark.parametrize(("file", "code", "text"), [
    (with_key("llama.rope.scaling.type", STRING, "yarn"), UNSUPPORTED, "rotary positions scaled by the rule: yarn"),
    (with_key("llama.rope.scaling.type", U32, 1), FORMAT, "a key of the wrong type: llama.rope.scaling.type"),
    (with_key("llama.rope.scale_linear", F32, 4.0), UNSUPPORTED,
     "rotary positions scaled by: llama.rope.scale_linear"),
    (with_key("llama.rope.scaling.factor", F32, 4.0), UNSUPPORTED,
     "rotary positions scaled by: llama.rope.scaling.factor"),
    (with_key("llama.expert_count", U32, 8), UNSUPPORTED, "a mixture of experts"),
    (with_key("llama.rope.dimension_count", U32, 4), UNSUPPORTED, "heads that are rotated in part"),
    (with_key("llama.attention.key_length", U32, 7), UNSUPPORTED, "heads that are rotated in part"),
    (with_key("llama.attention.value_length", U32, 16), UNSUPPORTED, "values that are not as wide as keys"),
    (with_key("llama.attention.head_count_kv", U32, 3), FORMAT,
     "llama.attention.head_count_kv does not divide the head count"),
    (with_key("llama.attention.head_count_kv", U32, 0), RANGE,
     "llama.attention.head_count_kv is 0; this engine runs 1 to 4"),
    (with_key("llama.attention.head_count_kv", U32, 8), RANGE,
     "llama.attention.head_count_kv is 8; this engine runs 1 to 4"),
    (with_key("llama.attention.head_count", U32, 5), FORMAT,
     "the head count does not divide: llama.embedding_length"),
    (with_key("llama.block_count", U32, 257), RANGE, "llama.block_count is 257; this engine runs 1 to 256"),
    (with_key("llama.rope.freq_base", F32, float("nan")), RANGE,
     "llama.rope.freq_base is not between 1 and 999999995904"),
    (with_key("llama.attention.layer_norm_rms_epsilon", F32, 0.0), RANGE,
     "llama.attention.layer_norm_rms_epsilon is not between 0 and 1"),
    (with_key("llama.embedding_length", U32, 64), UNSUPPORTED, "heads that are rotated in part"),
    (with_tensor("blk.1.attn_k.weight", None), FORMAT, "a tensor is missing: blk.1.attn_k.weight"),
    (with_tensor("blk.1.attn_k.weight", np.zeros((32, 32), np.float32)), FORMAT,
     "a tensor of the wrong shape, not (16,32): blk.1.attn_k.weight"),
    (with_tensor("output.weight", np.zeros((255, 32), np.float32)), FORMAT,
     "a tensor of the wrong shape, not (256,32): output.weight"),
    (with_tensor("blk.0.attn_q.bias", np.zeros(32, np.float32)), UNSUPPORTED,
     "tensors that the architecture llama does not have"),
    (with_tensor("rope_freqs.weight", np.zeros(3, np.float32)), FORMAT,
     "a tensor of the wrong shape, not (4): rope_freqs.weight"),
    (with_tensor("output_norm.weight", Typed(1, (32,), bytes(64))), UNSUPPORTED,
     "a vector that is not F32: output_norm.weight"),
    (bytes(models.write(KEYS, STORED, offsets={"output.weight": 0}).data), FORMAT,
     "a tensor that overlaps the one before it: output.weight"),
    (bytes(models.write([*KEYS, Key("tokenizer.ggml.add_bos_token", BOOL, True)], STORED).data)[:-1], TRUNCATED,
     "the file ends before the data of the tensor: output.weight"),
])
def test_names_the_damage(load: Load, file: bytes, code: int, text: str) -> None:
    assert load([file]) == [(code, text)]


def worst_of(file: bytes, marks: Sequence[tuple[int, int, str]]) -> list[tuple[str, bytes]]:
    """The file with each of these fields at its worst."""
    out = []
    for at, size, name in marks:
        for number in WORST:
            data = number.to_bytes(8, "little")[:size]
            if data != file[at:at + size]:
                out.append((f"{name} = {number}", file[:at] + data + file[at + size:]))
    return out


def test_every_number_of_a_gguf_at_its_worst(load: Load) -> None:
    fields = ("tensors", "keys", "length", "type", "item", "count", "dims", "size", "offset", "value")
    marks = [mark for mark in GOOD.marks if mark[2].split(" ")[-1] in fields and mark[1] <= 8]
    cases = worst_of(bytes(GOOD.data), marks)
    assert len(cases) > 1000
    # what may be anything: names, types of the same size, tensors of another type that fits, keys that are not needed
    free = ("general.name", "tokenizer.ggml", " type =", "context_length value", "rope.freq_base", "epsilon")
    for (name, _), (code, text) in zip(cases, load([file for _, file in cases]), strict=True):
        assert code in (TRUNCATED, FORMAT, UNSUPPORTED, RANGE) or any(word in name for word in free), f"{name}: {code}"
        assert text or code == OK


@pytest.mark.parametrize("good", [V0, V2, EXPANDED], ids=["v0", "v2", "expanded"])
def test_llama2c_truncated(load: Load, good: llamas.File) -> None:
    """At the end of each part, one byte before and after, and anywhere."""
    ends = sorted({at + by for at, _, _ in good.marks for by in (-1, 0, 1, 4)} | {*range(0, len(good.data), 4999)})
    ends = [end for end in ends if 0 <= end < len(good.data)]
    for end, (code, text) in zip(ends, load([(good.data[:end], TOKENIZER) for end in ends]), strict=True):
        assert code in (TRUNCATED, FORMAT), (end, text)
        assert "ends inside" in text or "too short" in text
    assert load([(good.data + b"\0", TOKENIZER)]) == [(FORMAT, "bytes after the last tensor")]


@pytest.mark.parametrize("good", [V0, V2, EXPANDED], ids=["v0", "v2", "expanded"])
def test_llama2c_numbers_at_their_worst(load: Load, good: llamas.File) -> None:
    names = ("magic", "version", "width", "hidden", "layers", "heads", "kv_heads", "vocab", "context", "group")
    cases = worst_of(good.data, [mark for mark in good.marks if mark[2] in names])
    for (name, _), (code, text) in zip(cases, load([(file, TOKENIZER) for _, file in cases]), strict=True):
        if name.startswith("context") and code == OK:
            assert good is not V0  # nothing in a v2 file depends on it
        else:
            assert code in (TRUNCATED, FORMAT, UNSUPPORTED) and text, f"{name}: {code} {text}"


@pytest.mark.parametrize(("field", "value", "code", "text"), [
    ("width", 0, FORMAT, "no GGUF file, and no llama2.c file: its width would be 0"),
    ("layers", 257, FORMAT, "no GGUF file, and no llama2.c file: its layers would be 257"),
    ("heads", 3, FORMAT, "no GGUF file, and no llama2.c file: its heads would be 3"),
    ("heads", 32, FORMAT, "no GGUF file, and no llama2.c file: its heads would be 32"),
    ("kv_heads", 3, FORMAT, "no GGUF file, and no llama2.c file: its kv heads would be 3"),
    ("vocab", -2**31, FORMAT, "no GGUF file, and no llama2.c file: its vocabulary would be 2147483648"),
    ("hidden", 2**20, TRUNCATED, "the file ends inside: w1"),
    ("context", 2**20, TRUNCATED, "the file ends inside: the rotary table"),
])
def test_llama2c_names_the_field(load: Load, field: str, value: int, code: int, text: str) -> None:
    at = next(at for at, _, name in V0.marks if name == field)
    file = V0.data[:at] + struct.pack("<i", value) + V0.data[at + 4:]
    assert load([(file, TOKENIZER)]) == [(code, text)]


def test_llama2c_versions(load: Load) -> None:
    other = V2.data[:4] + struct.pack("<i", 1) + V2.data[8:]
    assert load([(other, TOKENIZER)]) == [
        (UNSUPPORTED, "a llama2.c file of version 1; this engine reads versions 0 and 2")]


def test_llama2c_tokenizers(load: Load) -> None:
    code, text = load([V0.data])[0]
    assert (code, text) == (IO, "a llama2.c file needs its tokenizer, and none was given")
    assert load([(bytes(GOOD.data), TOKENIZER)])[0][0] == IO
    for broken in (TOKENIZER[:-1], TOKENIZER[:3], TOKENIZER + b"\0", b"\xff" * len(TOKENIZER)):
        for file in (V0, EXPANDED):  # what was expanded is given back
            code, text = load([(file.data, broken)])[0]
            assert code in (TRUNCATED, FORMAT), text


CHANGES = st.lists(st.tuples(st.integers(0, HEADER - 1), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(st.lists(CHANGES, min_size=50, max_size=50))
def test_any_bytes(load: Load, changes: list[list[tuple[int, int]]]) -> None:
    """A few bytes of the header changed at random: an error or a model that runs, never a crash."""
    files: list[bytes | tuple[bytes, bytes]] = []
    for change in changes:
        file, header = bytearray(GOOD.data), bytearray(EXPANDED.data)
        for at, byte in change:
            file[at] = byte
            header[at % 41] = byte
        files += [bytes(file), (bytes(header), TOKENIZER)]
    load(files)

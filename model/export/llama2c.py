"""llama2.c's files: models of version 0 (fp32) and 2 (int8 in groups), and tokenizer.bin.

Its layouts, as its export.py and tokenizer.py write them; all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from model.export.packing import Array
from model.program import InputError
from model.shapes import LlamaShape, Shape
from model.tokenizers.table import SPACE, Table

MAGIC_V2 = 0x616B3432  # "ak42"
GROUP = 64  # where the sizes allow it
HEADER_V2 = 256
MATRICES = ("q", "k", "v", "proj", "gate", "down", "up")  # llama2.c: wq wk wv wo w1 w2 w3


@dataclass(frozen=True)
class Quantised:
    """One matrix in groups; error: the largest difference that the rounding makes."""

    codes: bytes
    scales: bytes
    error: float


def _wanted(shape: Shape) -> LlamaShape:
    if not isinstance(shape, LlamaShape):
        raise InputError("llama2.c has no files for gpt2", "export it as GGUF")
    if (shape.eps, shape.rope_theta) != (1e-5, 10_000.0):
        raise InputError("llama2.c's files have no place for eps and rope_theta", "export it as GGUF")
    return shape


def _header(shape: LlamaShape, vocab: int) -> bytes:
    return struct.pack("<7i", shape.width, shape.hidden, shape.layers, shape.heads, shape.kv_heads, vocab,
                       shape.context)


def v0(found: Shape, weights: Mapping[str, Array]) -> Iterator[bytes]:
    """Version 0; a negative vocabulary says that the head is a table of its own."""
    shape = _wanted(found)
    yield _header(shape, shape.vocab if shape.tied else -shape.vocab)
    yield _floats(weights["token.weight"])
    for name in ("norm1", "q", "k", "v", "proj", "norm2", "gate", "down", "up"):
        for i in range(shape.layers):
            yield _floats(weights[f"layers.{i}.{name}.weight"])
    yield _floats(weights["norm.weight"])
    yield bytes(4 * shape.context * shape.head_width)  # tables of cosines and sines, which nobody reads any more
    if not shape.tied:
        yield _floats(weights["head.weight"])


def group_of(shape: LlamaShape) -> int:
    """The largest of 64, 32, 16 … that divides every row."""
    group = GROUP
    while any(row % group for row in (shape.width, shape.hidden)):
        group //= 2
    return group


def v2(found: Shape, weights: Mapping[str, Array]) -> tuple[list[bytes], float]:
    """Version 2, and the largest error of all its groups."""
    shape = _wanted(found)
    group = group_of(shape)
    head = struct.pack("<Ii", MAGIC_V2, 2) + _header(shape, shape.vocab) + struct.pack("<Bi", shape.tied, group)
    out = [head.ljust(HEADER_V2, b"\0")]
    out += [_floats(weights[f"layers.{i}.{name}.weight"]) for name in ("norm1", "norm2") for i in range(shape.layers)]
    out.append(_floats(weights["norm.weight"]))
    names = ["token.weight", *(f"layers.{i}.{name}.weight" for name in MATRICES for i in range(shape.layers))]
    worst = 0.0
    for name in names if shape.tied else [*names, "head.weight"]:
        done = quantise(weights[name], group)
        out += [done.codes, done.scales]
        worst = max(worst, done.error)
    return out, worst


def quantise(values: Array, group: int) -> Quantised:
    """Groups of `group` values, each the largest of them / 127 times a whole number."""
    groups = np.ascontiguousarray(values, np.float32).reshape(-1, group)
    scales = np.abs(groups).max(axis=1, keepdims=True) / np.float32(127)
    codes = np.rint(groups / np.where(scales == 0, np.float32(1), scales)).astype(np.int8)
    return Quantised(codes.tobytes(), scales.astype("<f4").tobytes(), float(np.abs(codes * scales - groups).max()))


def _floats(values: Array) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def tokenizer_bin(table: Table) -> bytes:
    """The longest token's length, then score, length and text of each."""
    if table.kind != "llama":
        raise InputError(f"llama2.c has no tokenizer.bin of the kind {table.kind}", "train one of the kind bpe")
    texts = [piece.decode().replace(SPACE, " ").encode() for piece in table.pieces]
    for special, text in ((table.bos, b"\n<s>\n"), (table.eos, b"\n</s>\n")):
        if special is not None:
            texts[special] = text
    parts = (struct.pack("<fi", score, len(text)) + text for score, text in zip(table.scores, texts, strict=True))
    return struct.pack("<i", max(map(len, texts))) + b"".join(parts)

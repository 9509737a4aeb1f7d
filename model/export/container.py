"""The container of GGUF version 3, as llama.cpp reads it (format: docs/gguf.md of ggml).

All is little-endian: "GGUF", u32 version, u64 tensors, u64 keys; each key: string, u32 type, value; each tensor:
string, u32 dimensions, u64 for each of them (fastest first), u32 type, u64 offset; then the data, every tensor at a
multiple of 32 bytes. A string is its u64 length and its UTF-8 bytes. The same content gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = 3
ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # types of values


@dataclass(frozen=True)
class Entry:
    """A tensor; `shape` has the last dimension fastest, `kind` is ggml's number of the type."""

    name: str
    shape: tuple[int, ...]
    kind: int
    data: bytes


def container(keys: Sequence[bytes], entries: Sequence[Entry]) -> Iterator[bytes]:
    """The file, in pieces: a tensor each."""
    infos, offset = [], 0
    for entry in entries:
        infos.append(_info(entry, offset))
        offset += len(entry.data) + -len(entry.data) % ALIGNMENT
    head = b"GGUF" + u32(VERSION) + _u64(len(entries)) + _u64(len(keys)) + b"".join(keys) + b"".join(infos)
    yield head + bytes(-len(head) % ALIGNMENT)
    for entry in entries:
        yield entry.data
        yield bytes(-len(entry.data) % ALIGNMENT)


def _info(entry: Entry, offset: int) -> bytes:
    shape = b"".join(_u64(n) for n in reversed(entry.shape))
    return string(entry.name) + u32(len(entry.shape)) + shape + u32(entry.kind) + _u64(offset)


def key(name: str, kind: int, value: bytes) -> bytes:
    """A key with its value."""
    return string(name) + u32(kind) + value


def array(kind: int, items: Sequence[bytes]) -> bytes:
    """The value of an array."""
    return u32(kind) + _u64(len(items)) + b"".join(items)


def string(text: str | bytes) -> bytes:
    """A string: the value of a key, or an item."""
    data = text.encode() if isinstance(text, str) else text
    return _u64(len(data)) + data


def u32(value: int) -> bytes:
    """Of a signed number too, where it is not negative."""
    return struct.pack("<I", value)


def f32(value: float) -> bytes:
    """The nearest float."""
    return struct.pack("<f", value)


def _u64(value: int) -> bytes:
    return struct.pack("<Q", value)

"""GGUF model files, versions 2 and 3 (ggml's docs/gguf.md): keys with their values, and where each tensor lies."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from toolchain.formats import FormatError

VERSIONS = (2, 3)
HEAD_MAX = 64 << 20  # bytes before the tensors: a vocabulary of 256,000 tokens takes 10 MB
KEYS_MAX = TENSORS_MAX = 1 << 16
NAME_MAX = 1 << 16
DIMENSIONS_MAX = 4
ALIGNMENT, ALIGNMENT_MAX = 32, 1 << 20

NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 10: "<Q", 11: "<q", 12: "<d"}
BOOL, STRING, ARRAY = 7, 8, 9
KINDS = {0: "u8", 1: "i8", 2: "u16", 3: "i16", 4: "u32", 5: "i32", 6: "f32", 7: "bool", 8: "string", 9: "array",
         10: "u64", 11: "i64", 12: "f64"}
# Type of a tensor: its name, how many elements a block has, and bytes. Those that ggml has now.
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 30: ("BF16", 1, 2),
}


@dataclass(frozen=True)
class Value:
    """A key's value and its type: that of ggml's list; for an array `of` is the type of its items."""

    kind: int
    value: object
    of: int | None = None

    @property
    def type(self) -> str:
        """The type in a word."""
        return KINDS[self.kind] if self.of is None else f"array of {KINDS[self.of]}"


@dataclass(frozen=True)
class Tensor:
    """`shape` as the file has it, the fastest dimension first; `first` and `size` in bytes of the file."""

    name: str
    type: int
    shape: tuple[int, ...]
    first: int
    size: int

    @property
    def type_name(self) -> str:
        """ggml's name of the type."""
        return TYPES[self.type][0]


@dataclass(frozen=True)
class Gguf:
    """All but the tensors' numbers, which begin at `data`."""

    version: int
    alignment: int
    keys: dict[str, Value]
    tensors: dict[str, Tensor]
    data: int


def read(file: BinaryIO, size: int) -> Gguf:
    """The head of a file of `size` bytes; FormatError where it is no model file, or something does not lie in it."""
    file.seek(0)
    return parse(file.read(min(size, HEAD_MAX)), size)


def parse(head: bytes, size: int) -> Gguf:
    """The same from the file's first bytes: all, or at least HEAD_MAX of them."""
    at = _Reader(head)
    if at.take(4, "the magic") != b"GGUF":
        raise FormatError("not a GGUF file")
    version = at.number("<I", "the version")
    if version not in VERSIONS:
        raise FormatError(f"GGUF version {version}, known are {VERSIONS[0]} and {VERSIONS[-1]}")
    tensors, keys = at.count("<Q", TENSORS_MAX, "tensors"), at.count("<Q", KEYS_MAX, "keys")
    values: dict[str, Value] = {}
    for _ in range(keys):
        name = at.string(NAME_MAX, "a key")
        if name in values:
            raise FormatError(f"the key {name!r} is there twice")
        values[name] = at.value(name)
    aligned = values.get("general.alignment", Value(4, ALIGNMENT)).value
    if not isinstance(aligned, int) or not 0 < aligned <= ALIGNMENT_MAX or aligned & (aligned - 1):
        raise FormatError(f"general.alignment is {aligned!r}")
    infos = [at.tensor() for _ in range(tensors)]
    data = -(-at.place // aligned) * aligned
    found: dict[str, Tensor] = {}
    for name, kind, shape, offset in infos:
        if name in found:
            raise FormatError(f"the tensor {name!r} is there twice")
        bytes_of = size_of(name, kind, shape)
        if offset % aligned or data + offset + bytes_of > size:
            raise FormatError(f"the tensor {name!r} has {bytes_of} bytes at {offset}, the file has {size}")
        found[name] = Tensor(name, kind, shape, data + offset, bytes_of)
    return Gguf(version, aligned, values, found, data)


def size_of(name: str, kind: int, shape: tuple[int, ...]) -> int:
    """A tensor's bytes: rows of whole blocks."""
    if kind not in TYPES:
        raise FormatError(f"the tensor {name!r} has the type {kind}, which is not known")
    _, elements, block = TYPES[kind]
    if not shape or min(shape) < 1 or shape[0] % elements:
        raise FormatError(f"the tensor {name!r} has the shape {shape}")
    return math.prod(shape) // elements * block


class _Reader:
    """Takes one thing after another; FormatError where the head ends within it."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.place = 0

    def take(self, count: int, what: str) -> bytes:
        if count > len(self._head) - self.place:
            raise FormatError(f"ends within {what} at {self.place}")
        self.place += count
        return self._head[self.place - count:self.place]

    def number(self, form: str, what: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form), what))[0])

    def count(self, form: str, most: int, what: str) -> int:
        found = self.number(form, f"the number of {what}")
        if found > most:
            raise FormatError(f"{found} {what}, more than {most}")
        return found

    def string(self, most: int, what: str) -> str:
        return self.take(self.count("<Q", most, f"bytes of {what}"), what).decode("utf-8", "replace")

    def value(self, name: str) -> Value:
        kind = self.number("<I", f"the type of {name!r}")
        if kind != ARRAY:
            return Value(kind, self._item(kind, name)())
        of = self.number("<I", f"the type of {name!r}")
        item = self._item(of, name)
        return Value(kind, [item() for _ in range(self.count("<Q", len(self._head), f"items of {name!r}"))], of)

    def _item(self, kind: int, name: str) -> Callable[[], object]:
        """What reads one value of the type: arrays of arrays are allowed by the format, and made by nobody."""
        if kind in NUMBERS:
            form = struct.Struct(NUMBERS[kind])
            return lambda: form.unpack(self.take(form.size, name))[0]
        if kind == BOOL:
            return lambda: self.take(1, name) != b"\0"
        if kind == STRING:
            return lambda: self.string(len(self._head), name)
        raise FormatError(f"{name!r} has the type {kind}, which is not known here")

    def tensor(self) -> tuple[str, int, tuple[int, ...], int]:
        name = self.string(NAME_MAX, "a tensor's name")
        dimensions = self.count("<I", DIMENSIONS_MAX, f"dimensions of {name!r}")
        shape = tuple(self.number("<Q", f"the shape of {name!r}") for _ in range(dimensions))
        return name, self.number("<I", f"the type of {name!r}"), shape, self.number("<Q", f"the place of {name!r}")

"""Two GGUF files: keys, tensors, and the first number of each tensor that differs."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from toolchain.differ.span import Buffer, contents, different, fields, span
from toolchain.formats import gguf
from toolchain.formats.gguf import Gguf, Tensor, Value

_NUMBERS = {"F32": "f", "F16": "e", "F64": "d", "I8": "b", "I16": "h", "I32": "i", "I64": "q"}
_PIECE = 1 << 16  # elements that are looked at in one go
MOST = 4 << 20  # elements of a tensor whose differences are measured


def read(data: Buffer) -> Gguf:
    """The file's head."""
    return gguf.parse(bytes(data[:gguf.HEAD_MAX]), len(data))


def lines(old: Buffer, new: Buffer, a: Gguf, b: Gguf) -> Iterator[str]:
    """What differs, in the order of the first file."""
    yield from fields("file", {"version": a.version, "alignment": a.alignment, "data begins at": a.data},
                      {"version": b.version, "alignment": b.alignment, "data begins at": b.data})
    for name in dict.fromkeys([*a.keys, *b.keys]):
        yield from _key(name, a.keys.get(name), b.keys.get(name))
    yield from fields("order", {"of keys": list(a.keys)}, {"of keys": list(b.keys)}) \
        if list(a.keys) != list(b.keys) and a.keys.keys() == b.keys.keys() else ()
    for name in dict.fromkeys([*a.tensors, *b.tensors]):
        yield from _tensor(name, old, new, a.tensors.get(name), b.tensors.get(name))
    yield from _between(old, new, a, b)


def _key(name: str, old: Value | None, new: Value | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"key {name}: only in the {'second' if new else 'first'}"
    elif (old.kind, old.of) != (new.kind, new.of):
        yield f"key {name}: {old.type} -> {new.type}"
    elif isinstance(old.value, list) and isinstance(new.value, list):
        if len(old.value) != len(new.value):
            yield f"key {name}: {len(old.value):,} -> {len(new.value):,} items"
        first = next((i for i, (x, y) in enumerate(zip(old.value, new.value, strict=False)) if not _same(x, y)), None)
        if first is not None:
            yield f"key {name}: item {first:,} {old.value[first]!r} -> {new.value[first]!r}"
    elif not _same(old.value, new.value):
        yield f"key {name}: {old.value!r} -> {new.value!r}"


def _same(old: object, new: object) -> bool:
    return old == new or (old != old and new != new)  # NaN is no change


def _tensor(name: str, old: Buffer, new: Buffer, a: Tensor | None, b: Tensor | None) -> Iterator[str]:
    part = f"tensor {name}"
    if a is None or b is None:
        yield f"{part}: only in the {'second' if b else 'first'}"
        return
    yield from fields(part, {"type": a.type_name, "shape": list(a.shape), "place": a.first},
                      {"type": b.type_name, "shape": list(b.shape), "place": b.first})
    before, after = old[a.first:a.first + a.size], new[b.first:b.first + b.size]
    if (a.type, a.shape) != (b.type, b.shape):
        yield from contents(part, before, after, show=False)
    elif a.type_name in _NUMBERS:
        yield from _numbers(part, _NUMBERS[a.type_name], before, after)
    else:
        found = span(before, after)
        if found is not None:
            _, elements, size = gguf.TYPES[a.type]
            yield f"{part}: {found}, which is in element {found.first // size * elements:,} or one of the " \
                  f"{elements - 1} after it"


def _numbers(part: str, form: str, old: Buffer, new: Buffer) -> Iterator[str]:
    """How many elements differ, the first of them, and by how much at most."""
    width = struct.calcsize(form)
    count, first, largest, looked = 0, None, 0.0, 0
    for at in range(0, len(old), _PIECE * width):
        a, b = bytes(old[at:at + _PIECE * width]), bytes(new[at:at + _PIECE * width])
        if a == b:
            continue
        marks = different(a, b)
        if looked >= MOST:
            count += sum(1 for i in range(0, len(marks), width) if any(marks[i:i + width]))
            continue
        looked += len(a) // width
        for index, (x, y) in enumerate(zip(_unpacked(form, a), _unpacked(form, b), strict=True)):
            if any(marks[index * width:index * width + width]):
                count += 1
                gap = abs(x - y)
                if first is None:
                    first = f"the first is {at // width + index:,}: {x!r} -> {y!r}"
                largest = max(largest, math.inf if gap != gap else gap)
    if first is not None:
        most = f", the largest difference {largest:g}" + (f" (of the first {looked:,} looked at)"
                                                          if looked >= MOST else "")
        yield f"{part}: {count:,} of {len(old) // width:,} elements differ, {first}{most}"


def _unpacked(form: str, data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // struct.calcsize(form)}{form}", data)


def _between(old: Buffer, new: Buffer, a: Gguf, b: Gguf) -> Iterator[str]:
    """What no key and no tensor holds: padding, and what follows the last tensor."""
    if a.data == b.data and [(t.first, t.size) for t in a.tensors.values()] == \
            [(t.first, t.size) for t in b.tensors.values()]:
        at = a.data
        for tensor in sorted(a.tensors.values(), key=lambda tensor: tensor.first):
            yield from contents(f"padding before tensor {tensor.name}", old[at:tensor.first], new[at:tensor.first])
            at = max(at, tensor.first + tensor.size)
        yield from contents("what follows the last tensor", old[at:], new[at:])

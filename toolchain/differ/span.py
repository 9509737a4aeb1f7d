"""Where two runs of bytes differ, and how much."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Buffer = bytes | memoryview

_PIECE = 1 << 20
_ROW = 16  # bytes of a line of hex


@dataclass(frozen=True)
class Span:
    """`first`: where the first difference is. `count`: bytes that differ, as far as both go."""

    first: int
    count: int
    old: int  # bytes in all
    new: int

    def __str__(self) -> str:
        lengths = "" if self.old == self.new else f"{self.old:,} -> {self.new:,} bytes, "
        differ = f"{self.count:,} of {min(self.old, self.new):,} differ, the first" if self.count else "the first end"
        return f"{lengths}{differ} at {self.first:,} ({self.first:#x})"


def span(old: Buffer, new: Buffer) -> Span | None:
    """None where the two are the same."""
    first, count, common = -1, 0, min(len(old), len(new))
    for at in range(0, common, _PIECE):
        end = min(at + _PIECE, common)
        marks = different(old[at:end], new[at:end])
        if marks:
            if first < 0:
                first = at + len(marks) - len(marks.lstrip(b"\0"))
            count += len(marks) - marks.count(0)
    if first < 0 and len(old) == len(new):
        return None
    return Span(first if first >= 0 else common, count, len(old), len(new))


def different(old: Buffer, new: Buffer) -> bytes:
    """A byte for each, zero where they are the same; nothing where all are."""
    a, b = bytes(old), bytes(new)
    if a == b:
        return b""
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def hex_lines(old: Buffer, new: Buffer, first: int) -> Iterator[str]:
    """The bytes around the first difference: those of the first file with -, of the second with +."""
    start = first - first % _ROW
    for sign, data in (("-", old), ("+", new)):
        for at in range(start, min(start + 2 * _ROW, len(data)), _ROW):
            row = bytes(data[at:at + _ROW])
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            yield f"{sign} {at:08x}  {row.hex(' '):<{3 * _ROW}} {text}"


def contents(name: str, old: Buffer, new: Buffer, *, show: bool = True) -> Iterator[str]:
    """A line for a named part whose bytes differ, with the bytes themselves where `show`."""
    found = span(old, new)
    if found is not None:
        yield f"{name}: {found}"
        if show:
            yield from ("  " + line for line in hex_lines(old, new, found.first))


def fields(part: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """A line for each named value that differs."""
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            yield f"{part}: {name} is only in the {'second' if name in new else 'first'}"
        elif old[name] != new[name]:
            yield f"{part}: {name} {_text(old[name])} -> {_text(new[name])}"


def _text(value: object) -> str:
    return f"{value} ({value:#x})" if isinstance(value, int) and value > 9 else str(value)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[memoryview]:
    """The bytes of a file, of any size."""
    with path.open("rb") as file:
        if not path.stat().st_size:  # nothing cannot be mapped
            yield memoryview(b"")
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
            yield view

"""What differs between two files, for people: by the parts of their format, else byte by byte.

Files come from outside: one that is damaged is compared as bytes, and why is said. Nothing that differs is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from toolchain.differ import disk, elf, gguf, pe, text
from toolchain.differ.span import Buffer, Span, hex_lines, opened, span
from toolchain.formats import FormatError

LINES = 40  # that are shown
WIDTH = 200  # characters of a line
DEPTH = 3  # files inside files


def differences(old: Path, new: Path) -> list[str]:
    """Lines that say what differs; empty only where nothing does."""
    with opened(old) as before, opened(new) as after:
        found = [_clean(line) for line in islice(lines(before, after), LINES + 1)]
    return [*found[:LINES], "and more"] if len(found) > LINES else found


def lines(old: Buffer, new: Buffer, depth: int = DEPTH) -> Iterator[str]:
    """The same, as long as it may be."""
    found = span(old, new)
    if found is None:
        return
    kinds = kind(old), kind(new)
    if kinds[0] != kinds[1]:
        yield f"the first is {kinds[0]}, the second {kinds[1]}: {found}"
        yield from hex_lines(old, new, found.first)
        return
    yield f"{kinds[0]}: {found}"
    told = False
    try:
        for line in _taken_apart(kinds[0], old, new, depth):
            told = True
            yield line
    except FormatError as exc:
        yield f"cannot be taken apart: {exc}"
        told = False
    if not told:
        yield from _bytes(old, new, found)


def kind(data: Buffer) -> str:
    """What the bytes seem to be, in a word or two."""
    if bytes(data[512:520]) == b"EFI PART":
        return "a disk image"
    if bytes(data[:4]) == b"GGUF":
        return "a GGUF model"
    if bytes(data[:4]) == b"\x7fELF":
        return "an ELF file"
    if bytes(data[:2]) == b"MZ":
        return "a PE program"
    return "text" if text.read(data) is not None else "bytes"


def _taken_apart(found: str, old: Buffer, new: Buffer, depth: int) -> Iterator[str]:
    if found == "a disk image":
        pair = _both(disk.read, old, new)
        yield from disk.lines(old, new, *pair, lambda a, b: lines(a, b, depth - 1) if depth else iter(()))
    elif found == "a GGUF model":
        yield from gguf.lines(old, new, *_both(gguf.read, old, new))
    elif found == "an ELF file":
        yield from elf.lines(old, new, *_both(elf.read, old, new))
    elif found == "a PE program":
        yield from pe.lines(old, new, *_both(pe.read, old, new))
    elif found == "text":
        yield from text.lines(*_both(text.read, old, new))


def _both(read: Callable[[Buffer], Any], old: Buffer, new: Buffer) -> tuple[Any, Any]:
    """Both files read; a FormatError says which of them could not be."""
    found = []
    for name, data in (("first", old), ("second", new)):
        try:
            found.append(read(data))
        except FormatError as exc:
            raise FormatError(f"the {name} file: {exc}") from None
    return found[0], found[1]


def _bytes(old: Buffer, new: Buffer, found: Span) -> Iterator[str]:
    yield "no part that has a name of its own differs; the bytes there:"
    yield from hex_lines(old, new, found.first)


def _clean(line: str) -> str:
    """Nothing that would move a terminal's cursor."""
    shown = "".join(char if char.isprintable() else "·" for char in line.expandtabs())
    return shown if len(shown) <= WIDTH else shown[:WIDTH - 1] + "…"

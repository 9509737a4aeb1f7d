"""Two 64-bit ELF files, objects above all: header fields, sections by name, and the function that differs first."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from toolchain.differ.span import Buffer, contents, fields, span
from toolchain.formats import FormatError

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SECTIONS_MAX, SYMBOLS_MAX, NAME_MAX = 20_000, 200_000, 256
NOBITS, SYMTAB, FUNCTION = 8, 2, 2
_NAMES = ("identification", "type", "machine", "version", "entry", "program headers at", "section headers at", "flags",
          "bytes of the header", "bytes of a program header", "program headers", "bytes of a section header",
          "sections", "section of names")


@dataclass(frozen=True)
class Section:
    """`offset` and `size` in bytes of the file; `raw` is all of its header."""

    index: int
    raw: tuple[int, ...]

    @property
    def type(self) -> int:
        return self.raw[1]

    @property
    def offset(self) -> int:
        return self.raw[4]

    @property
    def size(self) -> int:
        return 0 if self.type == NOBITS else self.raw[5]


@dataclass(frozen=True)
class Elf:
    """`sections` by name; one that is there again has a number behind its name."""

    header: dict[str, object]
    sections: dict[str, Section]


def read(data: Buffer) -> Elf:
    """The headers; FormatError where something does not lie in the file."""
    if len(data) < HEADER.size or bytes(data[:6]) != b"\x7fELF\x02\x01":
        raise FormatError("not a 64-bit ELF file")
    header = HEADER.unpack_from(data)
    at, size, count, names = header[6], header[11], header[12], header[13]
    if not at and not count:
        return Elf(dict(zip(_NAMES, header, strict=True)), {})
    if size != SECTION.size or count > SECTIONS_MAX or at + count * size > len(data) or names >= count:
        raise FormatError(f"{count} section headers of {size} bytes at {at} of {len(data)}")
    table = [Section(index, SECTION.unpack_from(data, at + index * size)) for index in range(count)]
    for section in table:
        if section.offset + section.size > len(data):
            raise FormatError(f"section {section.index} has {section.size} bytes at {section.offset} of {len(data)}")
    found: dict[str, Section] = {}
    times: dict[str, int] = {}
    for section in table:
        name = _string(data, table[names], section.raw[0])
        times[name] = times.get(name, 0) + 1
        found[f"{name}#{times[name]}" if times[name] > 1 else name] = section
    return Elf(dict(zip(_NAMES, header, strict=True)), found)


def lines(old: Buffer, new: Buffer, a: Elf, b: Elf) -> Iterator[str]:
    """What differs, in the order of the first file."""
    yield from fields("header", a.header, b.header)
    for name in dict.fromkeys([*a.sections, *b.sections]):
        if name not in a.sections or name not in b.sections:
            yield f"section {name}: only in the {'second' if name in b.sections else 'first'}"
            continue
        x, y = a.sections[name], b.sections[name]
        yield from fields(f"section {name}", _fields(x), _fields(y))
        before, after = old[x.offset:x.offset + x.size], new[y.offset:y.offset + y.size]
        found = span(before, after)
        if found is not None:
            function = _function(old, a, x.index, found.first)
            yield from contents(f"section {name}" + (f", in {function}" if function else ""), before, after)


def _fields(section: Section) -> dict[str, object]:
    _, kind, flags, address, _, size, link, info, alignment, entry = section.raw
    return {"type": kind, "flags": flags, "address": address, "bytes": size, "link": link, "info": info,
            "alignment": alignment, "bytes of an entry": entry}


def _function(data: Buffer, of: Elf, section: int, offset: int) -> str:
    """The function of the first file that holds this place of a section; empty where none is known."""
    tables = list(of.sections.values())
    for table in tables:
        if table.type != SYMTAB or not 0 <= table.raw[6] < len(tables):
            continue
        for at in range(0, min(table.size, SYMBOLS_MAX * SYMBOL.size) // SYMBOL.size * SYMBOL.size, SYMBOL.size):
            name, info, _, index, value, size = SYMBOL.unpack_from(data, table.offset + at)
            if info & 15 == FUNCTION and index == section and value <= offset < value + size:
                return _string(data, tables[table.raw[6]], name)
    return ""


def _string(data: Buffer, table: Section, at: int) -> str:
    start, end = table.offset + at, table.offset + table.size
    return bytes(data[start:min(end, start + NAME_MAX)]).partition(b"\0")[0].decode("utf-8", "replace")

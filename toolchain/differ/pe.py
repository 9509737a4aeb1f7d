"""Two PE programs: header fields by name, sections by name, what lies between and behind them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from toolchain.differ.span import Buffer, contents, fields
from toolchain.formats import FormatError, pe
from toolchain.formats.pe import Pe, Section

MOST = 1 << 30  # bytes that are taken apart
_FILE = ("machine", "sections", "timestamp", "symbol table", "symbols", "bytes of the optional header",
         "characteristics")
_OPTIONAL = struct.Struct("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII")
_OPTIONAL_NAMES = (
    "magic", "linker major", "linker minor", "bytes of code", "bytes of data", "bytes of bss", "entry", "base of code",
    "image base", "section alignment", "file alignment", "system major", "system minor", "image major", "image minor",
    "subsystem major", "subsystem minor", "win32 version", "bytes of image", "bytes of headers", "checksum",
    "subsystem", "dll characteristics", "stack reserve", "stack commit", "heap reserve", "heap commit", "loader flags",
    "directories")
_DIRECTORIES = ("exports", "imports", "resources", "exceptions", "certificates", "relocations", "debug", "architecture",
                "global pointer", "thread storage", "load configuration", "bound imports", "import addresses",
                "delayed imports", "clr", "reserved")


def read(data: Buffer) -> Pe:
    """The program's headers."""
    if len(data) > MOST:
        raise FormatError(f"{len(data):,} bytes are too many")
    return pe.read(bytes(data))


def lines(old: Buffer, new: Buffer, a: Pe, b: Pe) -> Iterator[str]:
    """What differs, in the order of the file."""
    named = [*fields("header", _header(old), _header(new))]
    yield from named
    first, second = _sections(a), _sections(b)
    for name in dict.fromkeys([*first, *second]):
        if name not in first or name not in second:
            yield f"section {name}: only in the {'second' if name in second else 'first'}"
            continue
        x, y = first[name], second[name]
        yield from fields(f"section {name}", _fields(x), _fields(y))
        yield from contents(f"section {name}", old[x.offset:x.offset + x.raw], new[y.offset:y.offset + y.raw])
    if not named:
        yield from contents("headers", old[:a.headers], new[:b.headers])
    yield from _behind(old, new, a, b)


def _header(data: Buffer) -> dict[str, object]:
    """Every field of the headers; `pe.read` has found them to lie in the file."""
    at = int(struct.unpack_from("<I", data, 0x3C)[0])
    found: dict[str, object] = dict(zip(_FILE, pe.FILE_HEADER.unpack_from(data, at + 4), strict=True))
    optional = at + 4 + pe.FILE_HEADER.size
    values = dict(zip(_OPTIONAL_NAMES, _OPTIONAL.unpack_from(data, optional), strict=True))
    found |= values
    for index in range(min(int(values["directories"]), len(_DIRECTORIES))):
        address, size = struct.unpack_from("<II", data, optional + _OPTIONAL.size + index * 8)
        found[f"directory of {_DIRECTORIES[index]}"] = f"{size} bytes at {address:#x}"
    return found


def _sections(of: Pe) -> dict[str, Section]:
    """By name; a name that is there again gets a number."""
    found: dict[str, Section] = {}
    for section in of.sections:
        again = sum(1 for name in found if name.partition("#")[0] == section.name)
        found[f"{section.name}#{again + 1}" if again else section.name] = section
    return found


def _fields(section: Section) -> dict[str, object]:
    return {"address": section.address, "bytes in memory": section.size, "place": section.offset,
            "bytes": section.raw, "flags": section.flags}


def _behind(old: Buffer, new: Buffer, a: Pe, b: Pe) -> Iterator[str]:
    """What no section holds: gaps between them, where both have the same, and what follows the last."""
    spans = [sorted((s.offset, s.offset + s.raw) for s in of.sections if s.raw) for of in (a, b)]
    if spans[0] == spans[1]:
        at = a.headers
        for start, end in spans[0]:
            yield from contents(f"between sections, from {at:#x}", old[at:start], new[at:start])
            at = max(at, end)
    ends = [max([of.headers, *(end for _, end in found)]) for of, found in zip((a, b), spans, strict=True)]
    if (a.signature is None) != (b.signature is None):
        yield f"signature: only in the {'first' if a.signature else 'second'}"
    else:
        yield from contents("behind the last section", old[ends[0]:], new[ends[1]:])

"""Two disk images: partition tables, the FAT file system of the EFI system partition, and its files one by one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from toolchain.differ.span import Buffer, contents, fields, opened, span
from toolchain.formats import gpt
from toolchain.formats.fat import BOOT, Entry, Fat
from toolchain.formats.gpt import Table

_BOOT = ("jump", "maker", "bytes of a sector", "sectors of a cluster", "reserved sectors", "copies of the FAT",
         "root entries", "sectors (16 bit)", "medium", "sectors of a FAT (16 bit)", "sectors of a track", "heads",
         "sectors before", "sectors", "sectors of a FAT", "flags", "version", "root's cluster", "FSInfo's sector",
         "spare copy's sector", "reserved", "drive", "reserved too", "signature", "serial number", "label", "type")
_HEADER = ("magic", "revision", "bytes", "checksum", "reserved", "own sector", "other copy's sector", "first sector",
           "last sector", "disk GUID", "entries' sector", "entries", "bytes of an entry", "checksum of the entries")

Recurse = Callable[[Buffer, Buffer], Iterator[str]]


@dataclass(frozen=True)
class Disk:
    """A whole image: its table, its EFI system partition and the file system in it."""

    table: Table
    start: int
    size: int
    fat: Fat
    files: dict[str, Entry]


class _File(io.RawIOBase):
    """Bytes as the readers of formats want them: a file."""

    def __init__(self, data: Buffer) -> None:
        self._data, self._at = data, 0

    def seek(self, at: int, whence: int = 0, /) -> int:
        self._at = at
        return at

    def read(self, size: int = -1, /) -> bytes:
        found = bytes(self._data[self._at:self._at + size])
        self._at += len(found)
        return found


def read(data: Buffer) -> Disk:
    """The disk; FormatError where it is none that firmware would boot from."""
    file: BinaryIO = _File(data)  # type: ignore[assignment]
    table = gpt.table(file, len(data))
    esp = gpt.esp(file, len(data))
    fat = Fat(file, esp.first, esp.size)
    return Disk(table, esp.first, esp.size, fat, {entry.path: entry for entry in fat.files()})


def lines(old: Buffer, new: Buffer, a: Disk, b: Disk, recurse: Recurse) -> Iterator[str]:
    """What differs, in the order of the disk; the last lines name places that have no name of their own."""
    yield from fields("partition table", _gpt(old), _gpt(new))
    for index in range(max(len(a.table.partitions), len(b.table.partitions))):
        one, other = (vars(of.table.partitions[index]) if index < len(of.table.partitions) else {} for of in (a, b))
        yield from fields(f"partition {index + 1}", one, other)
    yield from fields("FAT's first sector", _boot(a.fat.boot), _boot(b.fat.boot))
    for path in sorted({*a.files, *b.files}):
        if path not in a.files or path not in b.files:
            yield f"file {path}: only in the {'second' if path in b.files else 'first'}"
            continue
        yield from fields(f"file {path}", _entry(a.files[path].raw), _entry(b.files[path].raw))
        if _digest(a.fat, a.files[path]) != _digest(b.fat, b.files[path]):
            yield f"file {path}: its content differs"
            with _content(a.fat, a.files[path]) as before, _content(b.fat, b.files[path]) as after:
                yield from ("  " + line for line in recurse(before, after))
    yield from _places(old, new, a, b)


def _places(old: Buffer, new: Buffer, a: Disk, b: Disk) -> Iterator[str]:
    """Every part of the disk whose bytes differ, whatever was said of it: nothing is passed over."""
    if len(old) != len(new) or (a.start, a.size) != (b.start, b.size) or _parts(a) != _parts(b):
        return
    for name, first, last in _parts(a):
        found = span(old[first:last], new[first:last])
        if found is not None:
            yield f"place {name}: {found}"
            if not name.startswith("data"):
                continue
            yield from contents("  its bytes", old[first:last], new[first:last])


def _parts(of: Disk) -> list[tuple[str, int, int]]:
    """Where what lies: name, first byte, first byte behind it."""
    boot = _boot(of.fat.boot)
    sector, reserved, copies, length = (int(str(boot[name])) for name in (
        "bytes of a sector", "reserved sectors", "copies of the FAT", "sectors of a FAT"))
    fats = of.start + reserved * sector
    data = fats + copies * length * sector
    end = of.start + of.size
    return [("sector 0", 0, 512), ("partition table", 512, of.start), ("reserved sectors of FAT", of.start, fats),
            ("file allocation table", fats, data), ("data (files, folders, free space)", data, end),
            ("second partition table", end, of.table.disk)]


def _gpt(data: Buffer) -> dict[str, object]:
    found = dict(zip(_HEADER, gpt.HEADER.unpack_from(data, gpt.SECTOR), strict=True))
    return {**found, "disk GUID": uuid.UUID(bytes_le=found["disk GUID"])}


def _boot(sector: bytes) -> dict[str, object]:
    return dict(zip(_BOOT, BOOT.unpack_from(sector), strict=True))


def _entry(raw: bytes) -> dict[str, object]:
    """A directory entry's fields."""
    name, attributes, case, tenths, time, date, read, high, time2, date2, low, size = struct.unpack(
        "<11sBBBHHHHHHHI", raw)
    return {"short name": name, "attributes": attributes, "case": case, "made": f"{_date(date)} {_time(time)}",
            "hundredths": tenths, "read": _date(read), "written": f"{_date(date2)} {_time(time2)}",
            "cluster": high << 16 | low, "bytes": size}


def _date(value: int) -> str:
    return f"{1980 + (value >> 9)}-{value >> 5 & 15:02}-{value & 31:02}"


def _time(value: int) -> str:
    return f"{value >> 11:02}:{value >> 5 & 63:02}:{(value & 31) * 2:02}"


def _digest(fat: Fat, entry: Entry) -> str:
    digest = hashlib.sha256()
    for piece in fat.read(entry):
        digest.update(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def _content(fat: Fat, entry: Entry) -> Iterator[Buffer]:
    """A file's bytes, of any size."""
    with tempfile.NamedTemporaryFile(prefix="ingot-") as file:
        for piece in fat.read(entry):
            file.write(piece)
        file.flush()
        with opened(Path(file.name)) as data:
            yield data

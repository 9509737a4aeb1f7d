"""GUID partition tables (UEFI specification 2.10, chapter 5): the first copy, both of its checksums, and the second."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from toolchain.formats import FormatError

SECTOR = 512
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
ENTRY = struct.Struct("<16s16sQQQ72s")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ENTRIES = 128  # of every table that tools make
TABLE = ENTRIES * ENTRY.size // SECTOR  # sectors of the entries
MBR = struct.Struct("<B3xB3xII")  # an entry of the table in the first sector: status, type, first sector, sectors


@dataclass(frozen=True)
class Partition:
    """One entry; `first` and `size` in bytes."""

    name: str
    type: uuid.UUID
    guid: uuid.UUID
    first: int
    size: int


@dataclass(frozen=True)
class Table:
    """A whole table; `disk` is the number of bytes that it was made for."""

    guid: uuid.UUID
    disk: int
    partitions: tuple[Partition, ...]


def table(file: BinaryIO, size: int) -> Table:
    """The table of a disk of `size` bytes; FormatError unless both copies are whole and say the same."""
    first = _copy(file, 1, size)
    last = first[1]
    if (last + 1) * SECTOR > size:
        raise FormatError(f"the partition table is of a disk of {(last + 1) * SECTOR} bytes, this one has {size}")
    second = _copy(file, last, size)
    if first[0] != second[0] or second[1] != 1:
        raise FormatError("the two copies of the partition table differ")
    _check_mbr(_read(file, 0, SECTOR), last)
    return first[0]


def partitions(file: BinaryIO, size: int) -> list[Partition]:
    """The partitions of a disk of `size` bytes, in the order of the table."""
    return list(table(file, size).partitions)


def esp(file: BinaryIO, size: int) -> Partition:
    """The one partition, of which firmware boots: it may try any other that it can read."""
    found = partitions(file, size)
    if len(found) != 1 or found[0].type != ESP:
        raise FormatError(f"{len(found)} partitions, where one belongs, which is an EFI system partition")
    return found[0]


def _copy(file: BinaryIO, sector: int, size: int) -> tuple[Table, int]:
    """The table whose header lies in `sector`, and where its other copy lies."""
    raw = _read(file, sector * SECTOR, SECTOR)
    (magic, _, length, crc, _, here, other, first, last, guid,
     at, count, entry_size, entries_crc) = HEADER.unpack_from(raw)
    where = f"partition table in sector {sector}"
    if magic != b"EFI PART" or here != sector:
        raise FormatError(f"there is no {where}")
    if length != HEADER.size or zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) != crc:
        raise FormatError(f"{where}: its header does not have its own checksum")
    if (entry_size, count, at) != (ENTRY.size, ENTRIES, sector + 1 if sector == 1 else sector - TABLE):
        raise FormatError(f"{where}: {count} entries of {entry_size} bytes at sector {at}")
    entries = _read(file, at * SECTOR, count * entry_size)
    if zlib.crc32(entries) != entries_crc:
        raise FormatError(f"{where}: its entries do not have their checksum")
    found = []
    for kind, name_guid, start, end, _, name in ENTRY.iter_unpack(entries):
        if kind == bytes(16):
            if any(name_guid) or start or end or any(name):
                raise FormatError(f"{where}: an entry of no kind is not empty")
            continue
        if not 2 + TABLE <= first <= start <= end <= last < max(here, other) - TABLE or (end + 1) * SECTOR > size:
            raise FormatError(f"{where}: a partition from sector {start} to {end} of a disk of {size // SECTOR}")
        found.append(Partition(name.decode("utf-16-le", "replace").split("\0")[0], uuid.UUID(bytes_le=kind),
                               uuid.UUID(bytes_le=name_guid), start * SECTOR, (end - start + 1) * SECTOR))
    disk = (max(here, other) + 1) * SECTOR
    return Table(uuid.UUID(bytes_le=guid), disk, tuple(found)), other


def _check_mbr(sector: bytes, last: int) -> None:
    """The old table in the first sector has one entry, which says that all of the disk belongs to the new one."""
    (status, kind, first, count), *others = MBR.iter_unpack(sector[446:510])
    if (sector[510:] != b"\x55\xaa" or (status, kind, first, count) != (0, 0xEE, 1, min(last, 0xFFFFFFFF))
            or any(map(any, others))):
        raise FormatError("the first sector has a partition table of its own")


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    data = file.read(count)
    if len(data) != count:
        raise FormatError(f"ends within {count} bytes at {at}")
    return data

"""Disks that say one thing to one reader and another to the next: how a forger would write them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

from toolchain.formats import fat, gpt
from toolchain.formats.fat_names import LAST, checksum

BOOT = "EFI/BOOT"


def long_name(name: str, short: bytes, *, last: int = LAST, total: int | None = None) -> bytes:
    """The pieces of a long name, as FAT has them."""
    units = (name + "\0").encode("utf-16-le") if len(name) % 13 else name.encode("utf-16-le")
    units += b"\xff" * (-len(units) % 26)
    count = len(units) // 26
    out = b""
    for number in range(count, 0, -1):
        part = units[(number - 1) * 26:number * 26]
        out += bytes([number | (last if number == count else 0)]) + part[:10] + b"\x0f\0" + bytes(
            [checksum(short) if total is None else total]) + part[10:22] + b"\0\0" + part[22:]
    return out


class Disk:
    """A copy of an image, to forge."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        file = io.BytesIO(data)
        self.start = gpt.esp(file, len(data)).first
        self.system = fat.Fat(file, self.start, gpt.esp(file, len(data)).size)
        self.files = {entry.path: entry for entry in self.system.files()}

    def put(self, content: bytes) -> int:
        """Bytes into free clusters; where they begin."""
        count = -(-len(content) // self.system.cluster_size)
        first = self.system.clusters // 2
        for number in range(first, first + count):
            self.link(number, number + 1 if number + 1 < first + count else 0x0FFFFFFF)
        at = self.start + self.system.where(first)
        self.data[at:at + len(content)] = content
        return first

    def link(self, cluster: int, after: int) -> None:
        """One entry of both copies of the FAT."""
        for at in range(self.system.table_at, self.system.data, self.system.table_size):
            struct.pack_into("<I", self.data, self.start + at + cluster * 4, after)

    def folder(self, path: str) -> int:
        """Where the entries of a folder begin: those of EFI/BOOT, or of the root."""
        if not path:
            return self.start + self.system.where(2)
        raw = self.files[f"{BOOT}/BOOTX64.EFI"].raw
        return self.data.index(raw[:11] + b"\x20") // 512 * 512

    def write(self, path: str, entries: Iterable[bytes]) -> None:
        """A folder's entries, `.` and `..` (or the label and EFI) kept."""
        at = self.folder(path) + 64
        body = b"".join(entries)
        self.data[at:at + 448] = body.ljust(448, b"\0")

    @staticmethod
    def entry(short: bytes, cluster: int, size: int, attributes: int = 0x20, case: int = 0) -> bytes:
        """A file's 32 bytes."""
        return (short + bytes([attributes, case]) + bytes(7) + struct.pack("<H4xHI", cluster >> 16, cluster & 0xFFFF,
                                                                          size))

    def tables(self, entries: bytes) -> None:
        """Both partition tables anew, with these entries and right checksums."""
        entries = entries.ljust(gpt.TABLE * 512, b"\0")
        size = len(self.data)
        for header, at in ((512, 1024), (size - 512, size - 512 - len(entries))):
            self.data[at:at + len(entries)] = entries
            struct.pack_into("<I", self.data, header + 88, zlib.crc32(entries))
            self.data[header + 16:header + 20] = bytes(4)
            struct.pack_into("<I", self.data, header + 16, zlib.crc32(self.data[header:header + 92]))

    def read(self) -> dict[str, bytes]:
        """The files, as verify reads them."""
        file = io.BytesIO(self.data)
        esp = gpt.esp(file, len(self.data))
        system = fat.Fat(file, esp.first, esp.size)
        return {entry.path: b"".join(system.read(entry)) for entry in system.files()}

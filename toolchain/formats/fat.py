"""FAT32 file systems with long names, to read (Microsoft's FAT specification 1.03)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from toolchain.formats import FormatError

BOOT = struct.Struct("<3s8sHBHBHHBHHHIIIHHIHH12sBBBI11s8s")
DIRECTORY, VOLUME, LONG_NAME = 0x10, 0x08, 0x0F
END = 0x0FFFFFF8
FILES_MAX = 10_000
DIRECTORY_MAX = 1 << 21  # bytes: the most that FAT allows
PATH_MAX = 1024


@dataclass(frozen=True)
class Entry:
    """A file: its path with "/", its size in bytes, its directory entry as it stands (32 bytes)."""

    path: str
    size: int
    cluster: int
    raw: bytes


class Fat:
    """A FAT32 file system of `size` bytes at `start` of a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self.boot = self._at(0, 512)
        (_, _, sector, per_cluster, reserved, fats, root_entries, sectors16, _, fat16, _, _, _, sectors,
         fat_sectors, _, _, self._root, *_) = BOOT.unpack_from(self.boot)
        if self.boot[510:] != b"\x55\xaa" or self.boot[82:87] != b"FAT32":
            raise FormatError("there is no FAT32 file system")
        if (sector not in (512, 1024, 2048, 4096) or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128)
                or fats not in (1, 2) or root_entries or sectors16 or fat16 or not reserved or sectors * sector > size):
            raise FormatError("the FAT32 file system's first sector contradicts itself")
        self.cluster_size: int = sector * per_cluster
        self._data: int = (reserved + fats * fat_sectors) * sector
        self._clusters = (sectors * sector - self._data) // self.cluster_size
        if self._clusters < 1 or (self._clusters + 2) * 4 > fat_sectors * sector:
            raise FormatError("the FAT32 file system's first sector contradicts itself")
        fat_bytes = (self._clusters + 2) * 4
        table = self._at(reserved * sector, fat_bytes)
        for copy in range(1, fats):
            if self._at((reserved + copy * fat_sectors) * sector, fat_bytes) != table:
                raise FormatError("the two copies of the FAT differ")
        self._table = table

    def files(self) -> list[Entry]:
        """Every file, sorted by path."""
        found: list[Entry] = []
        seen: set[int] = set()
        folders = [("", self._root)]
        while folders:
            path, cluster = folders.pop()
            if cluster in seen:
                raise FormatError(f"the folder {path or '/'} is inside itself")
            seen.add(cluster)
            for name, raw in self._listing(path, cluster):
                entry = _entry(f"{path}{name}", raw)
                if raw[11] & DIRECTORY:
                    folders.append((f"{entry.path}/", entry.cluster))
                else:
                    found.append(entry)
                if len(found) + len(folders) > FILES_MAX or len(entry.path) > PATH_MAX:
                    raise FormatError("more files than an image can have")
        return sorted(found, key=lambda entry: entry.path)

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The file's bytes, in pieces; FormatError where its chain is shorter or longer than its size."""
        left = entry.size
        for cluster in self._chain(entry.cluster, entry.path) if entry.size or entry.cluster else ():
            if left <= 0:
                raise FormatError(f"{entry.path} has more clusters than its size needs")
            yield self._at(self._where(cluster), min(left, self.cluster_size))
            left -= self.cluster_size
        if left > 0:
            raise FormatError(f"{entry.path} ends {left} bytes early")

    def _listing(self, path: str, cluster: int) -> Iterator[tuple[str, bytes]]:
        """Name and 32 bytes of each thing in a folder; volume label, `.` and `..` left out."""
        long: list[bytes] = []
        read = 0
        for piece in self._chain(cluster, path or "/"):
            data = self._at(self._where(piece), self.cluster_size)
            read += len(data)
            if read > DIRECTORY_MAX:
                raise FormatError(f"the folder {path or '/'} is too long")
            for at in range(0, len(data), 32):
                raw = data[at:at + 32]
                if raw[0] == 0:
                    return
                if raw[0] == 0xE5:
                    long = []
                elif raw[11] & 0x3F == LONG_NAME:
                    long.insert(0, raw)
                else:
                    name, long = _name(raw, long), []
                    if not raw[11] & VOLUME and name not in (".", ".."):
                        yield name, raw

    def _chain(self, cluster: int, path: str) -> Iterator[int]:
        for _ in range(self._clusters):
            if not 2 <= cluster < self._clusters + 2:
                raise FormatError(f"{path} goes on in cluster {cluster} of {self._clusters}")
            yield cluster
            cluster = int.from_bytes(self._table[cluster * 4:cluster * 4 + 4], "little") & 0x0FFFFFFF
            if cluster >= END:
                return
        raise FormatError(f"the clusters of {path} go in a circle")

    def _where(self, cluster: int) -> int:
        """Where a cluster's bytes begin."""
        return self._data + (cluster - 2) * self.cluster_size

    def _at(self, at: int, count: int) -> bytes:
        if at < 0 or at + count > self._size:
            raise FormatError(f"{count} bytes at {at} of a file system of {self._size}")
        self._file.seek(self._start + at)
        data = self._file.read(count)
        if len(data) != count:
            raise FormatError(f"the disk ends within {count} bytes at {self._start + at}")
        return data


def _entry(path: str, raw: bytes) -> Entry:
    high, low, size = struct.unpack("<H4xHI", raw[20:32])
    return Entry(path, 0 if raw[11] & DIRECTORY else size, high << 16 | low, raw)


def _name(raw: bytes, long: list[bytes]) -> str:
    """The long name where its pieces are whole and belong to this entry, else the short one in its own case."""
    numbers = [piece[0] & 0x3F for piece in long]
    if long and numbers == list(range(1, len(long) + 1)) and all(piece[13] == _sum(raw[:11]) for piece in long):
        units = b"".join(piece[1:11] + piece[14:26] + piece[28:32] for piece in long)
        return _safe(units.decode("utf-16-le", "replace").split("\0")[0])
    base, suffix = (part.decode("cp437").rstrip(" ") for part in (raw[:8], raw[8:11]))
    base, suffix = (base.lower() if raw[12] & 8 else base), (suffix.lower() if raw[12] & 16 else suffix)
    return _safe(f"{base}.{suffix}" if suffix else base)


def _safe(name: str) -> str:
    if not name or "/" in name or "\\" in name or not name.isprintable():
        raise FormatError(f"a file has the name {name!r}")
    return name


def _sum(short: bytes) -> int:
    """The checksum that ties a long name to its short one."""
    total = 0
    for byte in short:
        total = ((total >> 1) | (total & 1) << 7) + byte & 0xFF
    return total

"""FAT32 file systems with long names, to read (Microsoft's FAT specification 1.03)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from toolchain.formats import FormatError
from toolchain.formats.fat_names import DIRECTORY, listing
from toolchain.formats.fat_names import cluster as cluster_of

BOOT = struct.Struct("<3s8sHBHBHHBHHHIIIHHIHH12sBBBI11s8s")
END = 0x0FFFFFF8
SECTOR = 512
CLUSTERS_LEAST = 65_525  # with fewer a driver may take it for FAT16
CLUSTERS_MAX = 1 << 24  # 64 GiB of 4 KiB; FAT32 would allow 16 times as many
FILES_MAX = 10_000
FOLDERS_MAX = 1 << 23  # bytes of all folders: four times the most that FAT allows for one
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
        self.boot = self._at(0, SECTOR)
        (_, _, sector, per_cluster, reserved, fats, root_entries, sectors16, _, fat16, _, _, _, sectors,
         fat_sectors, _, _, self._root, *_) = BOOT.unpack_from(self.boot)
        if self.boot[510:] != b"\x55\xaa" or self.boot[82:87] != b"FAT32":
            raise FormatError("there is no FAT32 file system")
        if (sector != SECTOR or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128)
                or fats not in (1, 2) or root_entries or sectors16 or fat16 or not reserved or sectors * sector > size):
            raise FormatError("the FAT32 file system's first sector contradicts itself")
        self.cluster_size: int = sector * per_cluster
        self.table_at, self.table_size = reserved * sector, fat_sectors * sector  # in the partition, of each copy
        self.data: int = self.table_at + fats * self.table_size
        self.clusters: int = (sectors * sector - self.data) // self.cluster_size
        length = (self.clusters + 2) * 4
        if not CLUSTERS_LEAST <= self.clusters <= CLUSTERS_MAX or length > self.table_size:
            raise FormatError(f"the FAT32 file system's first sector contradicts itself: {self.clusters} clusters")
        self._table = self._at(self.table_at, length)
        if fats == 2 and self._at(self.table_at + self.table_size, length) != self._table:
            raise FormatError("the two copies of the FAT differ")
        self.owned = bytearray(self.clusters + 2)  # 1 for each cluster of a file or folder; `files` sets them

    def files(self) -> list[Entry]:
        """Every file, sorted by path. No cluster belongs to two of them, nor to a folder besides."""
        self.owned = bytearray(self.clusters + 2)
        found: list[Entry] = []
        left = FOLDERS_MAX
        folders = [("", self._root, 0)]
        count = 0
        while folders:
            path, first, above = folders.pop()
            chain = self._claim(first, path or "/", left)
            left -= len(chain) * self.cluster_size
            data = b"".join(self._at(self.where(cluster), self.cluster_size) for cluster in chain)
            for name, raw in listing(data, (first, above) if path else None):
                entry = _entry(f"{path}{name}", raw)
                if raw[11] & DIRECTORY:
                    folders.append((f"{entry.path}/", entry.cluster, first if path else 0))
                else:
                    found.append(entry)
                count += 1
                if count > FILES_MAX or len(entry.path) > PATH_MAX:
                    raise FormatError("more files than an image can have")
        for entry in found:
            if entry.size or entry.cluster:
                self._claim(entry.cluster, entry.path, entry.size)
        return sorted(found, key=lambda entry: entry.path)

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The file's bytes, in pieces; FormatError where its chain is shorter or longer than its size."""
        left = entry.size
        for cluster in self._chain(entry.cluster, entry.path) if entry.size or entry.cluster else ():
            if left <= 0:
                raise FormatError(f"{entry.path} has more clusters than its size needs")
            yield self._at(self.where(cluster), min(left, self.cluster_size))
            left -= self.cluster_size
        if left > 0:
            raise FormatError(f"{entry.path} ends {left} bytes early")

    def chain(self, entry: Entry) -> list[int]:
        """The file's clusters."""
        return list(self._chain(entry.cluster, entry.path)) if entry.size or entry.cluster else []

    def _claim(self, cluster: int, path: str, most: int) -> list[int]:
        """The clusters of a file or folder of at most so many bytes; nothing else may have one of them."""
        found: list[int] = []
        for number in self._chain(cluster, path):
            if self.owned[number]:
                raise FormatError(f"{path} has cluster {number}, which belongs to something else too")
            if len(found) * self.cluster_size >= most:
                raise FormatError(f"{path} has more clusters than its size needs")
            self.owned[number] = 1
            found.append(number)
        return found

    def _chain(self, cluster: int, path: str) -> Iterator[int]:
        for _ in range(self.clusters):
            if not 2 <= cluster < self.clusters + 2:
                raise FormatError(f"{path} goes on in cluster {cluster} of {self.clusters}")
            yield cluster
            cluster = int.from_bytes(self._table[cluster * 4:cluster * 4 + 4], "little") & 0x0FFFFFFF
            if cluster >= END:
                return
        raise FormatError(f"the clusters of {path} go in a circle")

    def where(self, cluster: int) -> int:
        """Where a cluster's bytes begin."""
        return self.data + (cluster - 2) * self.cluster_size

    def _at(self, at: int, count: int) -> bytes:
        if at < 0 or at + count > self._size:
            raise FormatError(f"{count} bytes at {at} of a file system of {self._size}")
        self._file.seek(self._start + at)
        data = self._file.read(count)
        if len(data) != count:
            raise FormatError(f"the disk ends within {count} bytes at {self._start + at}")
        return data


def _entry(path: str, raw: bytes) -> Entry:
    size = int.from_bytes(raw[28:32], "little")
    if raw[11] & DIRECTORY and size:
        raise FormatError(f"the folder {path} has a size")
    return Entry(path, size, cluster_of(raw), raw)

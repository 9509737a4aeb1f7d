"""What lies between the files of an image: nothing. Where no stage names the bytes of a whole image (its program was
signed afterwards), this is what can be said of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from toolchain.formats import gpt
from toolchain.formats.fat import Entry, Fat
from toolchain.release.verify.lie import Lie

PIECE = 1 << 20
SECTOR = gpt.SECTOR
RESERVED = (0, 1, 6)  # sectors of FAT32 that hold something: the first, FSInfo, a copy of the first


def check(file: BinaryIO, name: str, table: gpt.Table, system: Fat, entries: list[Entry]) -> None:
    """Raises Lie where a byte is not zero that belongs to no file, folder or table."""
    partition = table.partitions[0]
    for first, end in _outside(table, partition):
        _blank(file, name, first, end)
    for first, end in _inside(system, entries, partition.size):
        _blank(file, name, partition.first + first, partition.first + end)


def _outside(table: gpt.Table, partition: gpt.Partition) -> Iterator[tuple[int, int]]:
    """Ranges of the disk around the partition: [first, end)."""
    second = table.disk - (gpt.TABLE + 1) * SECTOR
    header = gpt.HEADER.size
    yield 0, 440  # a program for firmware before UEFI
    yield SECTOR + header, 2 * SECTOR
    yield (2 + gpt.TABLE) * SECTOR, partition.first
    yield partition.first + partition.size, second
    yield table.disk - SECTOR + header, table.disk


def _inside(system: Fat, entries: list[Entry], size: int) -> Iterator[tuple[int, int]]:
    """Ranges of the partition."""
    for sector in range(system.table_at // SECTOR):
        if sector not in RESERVED:
            yield sector * SECTOR, (sector + 1) * SECTOR
    for copy in range(system.table_at, system.data, system.table_size):
        yield from ((copy + 4 * first, copy + 4 * end) for first, end in _free(system.owned))
        yield copy + 4 * len(system.owned), copy + system.table_size
    yield from ((system.where(first), system.where(end)) for first, end in _free(system.owned))
    for entry in entries:
        if entry.size % system.cluster_size:
            last = system.where(system.chain(entry)[-1])
            yield last + entry.size % system.cluster_size, last + system.cluster_size
    yield system.where(len(system.owned)), size


def _free(owned: bytearray) -> Iterator[tuple[int, int]]:
    """Runs of clusters that belong to nothing; the first two are none."""
    end = 2
    while (first := owned.find(0, end)) >= 0:
        end = owned.find(1, first)
        if end < 0:
            end = len(owned)
        yield first, end


def _blank(file: BinaryIO, name: str, first: int, end: int) -> None:
    file.seek(first)
    while first < end:
        piece = file.read(min(PIECE, end - first))
        if not piece or piece.count(0) != len(piece):
            raise Lie(name, f"something lies in the image near byte {first}, where no file or table is")
        first += len(piece)

"""Writing and reading back, with disks that lie, fill up or are pulled out: files in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from toolchain.flash.write import BACKUP, Refused, read_back, write

PIECE = 4096
IMAGE = hashlib.shake_256(b"image").digest(5 * PIECE + 1024)
DISK = 1 << 20


class Disk(io.BytesIO):
    """As many bytes as a disk has, full of old ones. Remembers the order in which it was written."""

    def __init__(self, size: int = DISK, at_most: int = DISK) -> None:
        super().__init__(b"\xa5" * size)
        self.size, self.at_most, self.order = size, at_most, []

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        count = min(len(data), self.at_most, self.size - self.tell())
        self.order.append((self.tell(), bytes(data[:count])))
        return super().write(data[:count])

    def sync(self) -> None:
        self.order.append((-1, b""))


def pieces() -> Iterator[bytes]:
    for start in range(0, len(IMAGE), PIECE):
        yield IMAGE[start:start + PIECE]


def quiet(done: int, total: int | None) -> None:
    assert total is not None and done <= total


@pytest.mark.parametrize("at_most", [DISK, 1000, 1])
def test_an_image_is_written(at_most: int) -> None:
    disk = Disk(at_most=at_most)
    write(disk, pieces(), len(IMAGE), DISK, quiet)
    data = disk.getvalue()
    assert data[:len(IMAGE)] == IMAGE
    assert data[len(IMAGE):-BACKUP] == b"\xa5" * (DISK - len(IMAGE) - BACKUP)  # nobody asked for these to go
    assert data[-BACKUP:] == bytes(BACKUP)


def test_the_partition_table_comes_last() -> None:
    disk = Disk()
    write(disk, pieces(), len(IMAGE), DISK, quiet)
    first = disk.order[0]
    assert first == (0, bytes(PIECE)), "the old table goes first"
    syncs = [n for n, (offset, _) in enumerate(disk.order) if offset == -1]
    assert disk.order[-2] == (0, IMAGE[:PIECE]) and syncs[-2:] == [len(disk.order) - 3, len(disk.order) - 1]
    assert all(not data.startswith(IMAGE[:16]) for _, data in disk.order[:-2])


@pytest.mark.parametrize("spare", [0, 512, BACKUP - 512, BACKUP, BACKUP + 512])
def test_a_disk_hardly_larger_than_the_image(spare: int) -> None:
    disk = Disk(len(IMAGE) + spare)
    write(disk, pieces(), len(IMAGE), len(IMAGE) + spare, quiet)
    assert disk.getvalue()[:len(IMAGE)] == IMAGE
    assert disk.getvalue()[len(IMAGE):][-BACKUP:] == bytes(min(spare, BACKUP))


def test_a_disk_that_is_full_before_it_says_so() -> None:
    disk = Disk(3 * PIECE)
    with pytest.raises(Refused, match="nothing more at byte"):
        write(disk, pieces(), len(IMAGE), len(IMAGE), quiet)
    assert disk.getvalue()[:PIECE] == bytes(PIECE)


class PulledOut(Disk):
    def write(self, data: memoryview) -> int:  # type: ignore[override]
        if len(self.order) > 4:
            raise OSError(5, "Input/output error")
        return super().write(data)


def test_a_disk_that_is_pulled_out_boots_nowhere() -> None:
    disk = PulledOut()
    with pytest.raises(OSError, match="Input/output error"):
        write(disk, pieces(), len(IMAGE), DISK, quiet)
    assert disk.getvalue()[:PIECE] == bytes(PIECE)


def interrupted() -> Iterator[bytes]:
    yield from list(pieces())[:3]
    raise KeyboardInterrupt


def test_ctrl_c_in_the_middle_boots_nowhere() -> None:
    disk = Disk()
    with pytest.raises(KeyboardInterrupt):
        write(disk, interrupted(), len(IMAGE), DISK, quiet)
    assert disk.getvalue()[:PIECE] == bytes(PIECE)


def test_reading_back() -> None:
    file = io.BytesIO(IMAGE + b"more")
    assert read_back(file.read, len(IMAGE), PIECE, quiet) == hashlib.sha256(IMAGE).hexdigest()
    file = io.BytesIO(IMAGE)
    assert read_back(lambda n: file.read(min(n, 7)), len(IMAGE), PIECE, quiet) == hashlib.sha256(IMAGE).hexdigest()
    with pytest.raises(Refused, match="nothing more at byte"):
        read_back(io.BytesIO(IMAGE[:-1]).read, len(IMAGE), PIECE, quiet)


def test_a_counterfeit_wraps_around() -> None:
    """It has less room than it says, and writes what comes later over what came first."""
    room = 2 * PIECE
    disk = bytearray(room)
    for offset in range(0, len(IMAGE) - 1023, 1024):
        disk[offset % room:offset % room + 1024] = IMAGE[offset:offset + 1024]
    wrapped = io.BytesIO(bytes(disk) * 3)
    assert read_back(wrapped.read, len(IMAGE), PIECE, quiet) != hashlib.sha256(IMAGE).hexdigest()

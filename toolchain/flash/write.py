"""The bytes, there and back. A disk is any file that can seek; device.py has the real ones.

The first piece, with the partition table in it, is blank until all others are safe on the disk: a stick that was
pulled out, or an interrupted write, leaves what boots nowhere instead of half an image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from toolchain.flash.facts import SECTOR

BACKUP = 33 * SECTOR  # where a table's second copy lies, at the end of a disk
_SYNC_EVERY = 8  # pieces: a slow stick is waited for in small portions, so that the progress is true and Ctrl-C quick

Progress = Callable[[int, int | None], None]


class Target(Protocol):
    """What is written to."""

    def seek(self, offset: int, /) -> int:
        """As files have it."""

    def write(self, data: bytes, /) -> int | None:
        """May write less than it was given."""

    def sync(self) -> None:
        """Returns when everything is on the disk itself."""


class Refused(OSError):
    """The disk took fewer bytes than it should have."""


def write(target: Target, pieces: Iterator[bytes], size: int, disk: int, progress: Progress) -> None:
    """Writes an image of `size` bytes to a disk of `disk` bytes. The last sectors of the disk, where an older
    partition table may have its second copy, are blanked."""
    head = next(pieces)
    _put(target, 0, bytes(len(head)))
    tail = max(size, disk - BACKUP)
    if tail < disk:
        _put(target, tail, bytes(disk - tail))
    target.sync()
    done, count = len(head), 0
    for piece in pieces:
        _put(target, done, piece)
        done, count = done + len(piece), count + 1
        if count % _SYNC_EVERY == 0:
            target.sync()
            progress(done - len(head), size)
    target.sync()
    _put(target, 0, head)
    target.sync()
    progress(size, size)


def _put(target: Target, offset: int, data: bytes) -> None:
    target.seek(offset)
    view = memoryview(data)
    while view:
        written = target.write(view)  # type: ignore[arg-type]  # bytes-like is enough
        if not written:
            raise Refused(f"it takes nothing more at byte {offset + len(data) - len(view)}")
        view = view[written:]


def read_back(read: Callable[[int], bytes], size: int, piece: int, progress: Progress) -> str:
    """The sha256 of the first `size` bytes; `read` gives the next bytes, up to so many."""
    digest, done = hashlib.sha256(), 0
    while done < size:
        data = read(min(piece, size - done))
        if not data:
            raise Refused(f"it gives nothing more at byte {done}")
        digest.update(data)
        done += len(data)
        progress(done, size)
    return digest.hexdigest()

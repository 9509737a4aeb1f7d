"""A real block device of Linux: claimed for this process alone, and read past the kernel's cache."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from toolchain.errors import UserError
from toolchain.flash.source import PIECE

_BLKRRPART, _BLKFLSBUF, _BLKGETSIZE64 = 0x125F, 0x1261, 0x80081272


class Device:
    """A disk that is open for writing. While it is, nobody can mount it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.seek: Callable[[int], int] = lambda offset: os.lseek(handle, offset, os.SEEK_SET)
        self.write: Callable[[bytes], int] = lambda data: os.write(handle, data)

    def sync(self) -> None:
        """Until the disk itself has it."""
        os.fsync(self.handle)

    @property
    def number(self) -> str:
        """major:minor of what was really opened."""
        status = os.fstat(self.handle)
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if stat.S_ISBLK(status.st_mode) else ""

    @property
    def size(self) -> int:
        """By the kernel's own word."""
        return int(struct.unpack("Q", fcntl.ioctl(self.handle, _BLKGETSIZE64, bytes(8)))[0])

    def forget_cache(self) -> bool:
        """Whether the kernel's copy of the disk is dropped, so that reading asks the disk."""
        try:
            fcntl.ioctl(self.handle, _BLKFLSBUF, 0)
        except OSError:
            os.posix_fadvise(self.handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return False
        return True

    def reread_table(self) -> bool:
        """Whether the kernel has taken the new partition table."""
        try:
            fcntl.ioctl(self.handle, _BLKRRPART, 0)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def claim(path: Path) -> Iterator[Device]:
    """Opens it with O_EXCL: of a block device the kernel then refuses one that anybody else has claimed."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            raise UserError(f"{path} is in use: the kernel says so", "end what uses it, then run this again") from exc
        if exc.errno in (errno.EACCES, errno.EPERM):
            raise UserError(f"{path} may not be written by this user", "sudo ./doit flash ...") from exc
        raise UserError(f"{path} cannot be opened: {exc.strerror}", "plug it in again") from exc
    try:
        yield Device(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def reader(path: Path) -> Iterator[tuple[Callable[[int], bytes], bool]]:
    """A function that gives the next bytes, and whether it goes past the cache (O_DIRECT)."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        handle, direct = os.open(path, flags | os.O_DIRECT), True
    except OSError:
        handle, direct = os.open(path, flags), False
    buffer = mmap.mmap(-1, PIECE)  # whole pages, as O_DIRECT wants them
    offset = 0

    def read(count: int) -> bytes:
        nonlocal offset
        with memoryview(buffer)[:count] as view:
            got = os.preadv(handle, [view], offset)
            offset += got
            return bytes(view[:got])

    try:
        yield read, direct
    finally:
        buffer.close()
        os.close(handle)

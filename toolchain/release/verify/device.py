"""A disk: a file or a block device, packed or not. It is only ever read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolchain.errors import UserError
from toolchain.release.verify import image
from toolchain.release.verify.lie import Progress


@contextlib.contextmanager
def opened(path: Path, progress: Progress) -> Iterator[tuple[BinaryIO, int]]:
    """The disk, and its size in bytes."""
    if path.name.endswith(".zst"):
        unpacked, size, _ = image.unpack(path, image.IMAGE_MAX, progress)
        with unpacked:
            yield unpacked, size
        return
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise UserError(f"{path} is neither a file nor a disk", "PATH is a release folder, an image or a disk")
        file = path.open("rb")
    except PermissionError:
        raise UserError(f"{path} may not be read by you", "sudo ./doit verify … reads it, and writes nothing"
                        if path.is_block_device() else "check its rights") from None
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", "check the path") from None
    with file:
        size = file.seek(0, os.SEEK_END)
        if stat.S_ISBLK(mode) and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):  # what lies on the disk, not what was written to it a moment ago
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        yield file, size

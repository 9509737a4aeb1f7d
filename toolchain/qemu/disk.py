"""The disk of a boot: the built image, never written to, or a copy that keeps what interactive boots save."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain import files
from toolchain.digest import StatCache


@dataclass(frozen=True)
class Disk:
    """What QEMU opens; with `keep` it writes to it."""

    path: Path
    keep: bool


@contextlib.contextmanager
def kept_copy(image: Path, folder: Path, *, fresh: bool, say: Callable[[str], None]) -> Iterator[Disk]:
    """A copy of `image` in `folder`, named by the image's digest and held for this boot alone.

    While another boot holds it, the image itself with its writes dropped.
    """
    cache = StatCache(folder / "digests.json")
    with files.disk_errors(f"copying {image} for this boot"):
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{cache.digest(image)[:16]}.img"
        cache.save()
        with (folder / f"{copy.stem}.lock").open("a+b") as lock:
            if not _lock(lock.fileno()):
                say("this image is running elsewhere: what this boot saves will not last")
                yield Disk(image, False)
                return
            if fresh or not copy.exists():
                with files.atomic(copy) as out:
                    files.copy(image, out)
            yield Disk(copy, True)


def _lock(fd: int) -> bool:
    """Whether the lock is ours now; it goes when the file is closed, or we die."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    os.set_inheritable(fd, False)
    return True

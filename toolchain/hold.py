"""Who works in the store: builds share one lock, the collector wants it alone; each work folder has one too.

All of them go with the process that holds them, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from toolchain.files import remove_tree

try:
    import fcntl
except ImportError:  # Windows: finished images boot there, builds do not run there
    fcntl = None  # type: ignore[assignment]

_PREFIX = "work-"


def _lock(handle: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Takes the lock of an open file or folder; False where somebody else has it."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    return True


class Use:
    """The lock on the store as a whole, held from the first use until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._handle: int | None = None
        self._users = 0
        self._left = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Others may do the same; waits while a collector is at work."""
        with self._guard:
            if self._handle is None:
                self._handle = self._open()
                _lock(self._handle, shared=True)
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                self._close()

    def release(self) -> None:
        """This process has ended its work; what another thread still does keeps the lock until it is done."""
        with self._guard:
            self._left = True
            self._close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """False, at once, where somebody works in the store."""
        handle = self._open()
        try:
            yield _lock(handle, wait=False)
        finally:
            os.close(handle)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)

    def _close(self) -> None:
        if self._left and not self._users and self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextlib.contextmanager
def workplace(above: Path) -> Iterator[Path]:
    """An empty folder in `above`, locked, gone after the block.

    The folder itself is locked: a file in it would be seen by the program that works there.
    """
    above.mkdir(parents=True, exist_ok=True)
    folder, handle = _new(above)
    try:
        yield folder
    finally:
        remove_tree(folder)
        if handle is not None:
            os.close(handle)


def _new(above: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
        if fcntl is None:
            return folder, None
        with contextlib.suppress(FileNotFoundError):  # swept before it was locked: once more
            handle = os.open(folder, os.O_RDONLY)
            try:
                _lock(handle)
                if os.path.samestat(os.stat(folder), os.fstat(handle)):
                    return folder, handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)


def sweep(above: Path) -> int:
    """Removes the work folders of processes that are no more; returns how many."""
    count = 0
    for folder in sorted(above.glob(f"{_PREFIX}*")):
        if fcntl is None or folder.is_symlink() or not folder.is_dir():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            if not os.access(folder, os.R_OK):
                folder.chmod(0o700)
            handle = os.open(folder, os.O_RDONLY)
            try:
                if _lock(handle, wait=False):
                    remove_tree(folder)
                    count += 1
            finally:
                os.close(handle)
    return count

"""Small file operations that leave nothing half-written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from toolchain.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: finished images boot there, builds do not run there
    fcntl = None  # type: ignore[assignment]

_FICLONE = 0x40049409  # ioctl of Linux: share the extents of another file


def from_user(text: str) -> Path:
    """A path as the user typed it: seen from the folder where the command was typed, a ~ in front meaning a home."""
    return Path(os.environ.get("INGOT_CALLED_FROM", ""), os.path.expanduser(text))


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = False, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A writable file that becomes `path` when the block ends well, and is gone when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(name, "wb") as out:
            os.close(handle)
            yield out
            out.flush()
            if durable:
                os.fsync(out.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """Sorted, indented JSON at `path`, replaced as a whole."""
    with atomic(path, durable=durable) as out:
        out.write(json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")


def read_json(path: Path) -> Any:
    """The JSON at `path`, or None where there is none that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def flock(file: IO[Any]) -> None:
    """Waits for the exclusive lock of an open file; it goes with the file's closing, or the process."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def copy(source: Path, out: IO[bytes]) -> None:
    """The bytes of `source` to `out`: by reflink where the file system can, else copied."""
    with source.open("rb") as src:
        if fcntl is not None:
            try:
                fcntl.ioctl(out.fileno(), _FICLONE, src.fileno())
                return
            except OSError:
                pass
        shutil.copyfileobj(src, out, 1 << 20)


def remove_tree(path: Path) -> None:
    """Deletes `path` and what is in it, read-only folders included; what is already gone is no error."""
    shutil.rmtree(path, ignore_errors=True)
    if path.is_dir():  # a program has left folders that its owner may not write to
        path.chmod(0o700)
        for folder, folders, _ in os.walk(path):
            for inner in (Path(folder, name) for name in folders):
                if not inner.is_symlink():
                    inner.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turns a full disk or a refused write inside the block into an error that the user can mend."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(f"{doing}: no space left on the disk", "free some space and run the same command again: "
                            "finished stages are kept") from exc
        if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{doing}: {exc.strerror}: {exc.filename}", "check who owns that folder") from exc
        raise

"""Reads the whole store again and removes what is damaged: ./doit cache verify=1."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from toolchain.collect import digests, keys
from toolchain.digest import sha256
from toolchain.files import remove_tree
from toolchain.roots.parallel import GoOn, each
from toolchain.store import Result, Store


def verify(store: Store, progress: Callable[[int, int | None], None]) -> list[str]:
    """Reads every blob and every record; what is wrong is removed, and told in a line each."""
    found: list[str] = []
    blobs = [(digest, path, path.lstat().st_size) for digest, path in digests(store)]
    total, done, adding = sum(size for _, _, size in blobs), 0, threading.Lock()

    def check(blob: tuple[str, Path, int], _: GoOn) -> None:
        nonlocal done
        digest, path, size = blob
        if not _right(digest, path):
            _remove(path)
            found.append(f"blob {digest}: its bytes are not those of its name: removed")
        with adding:
            done += size
            progress(done, total)

    each(check, blobs, min(8, os.cpu_count() or 1))
    found.sort()
    for key, path in keys(store):
        result = store.result(key)
        wrong = _lacking(store, result) if result is not None else "it is not the record of a result"
        if wrong and os.path.lexists(path):  # a build beside this one may have dropped it
            _remove(path)
            stage = result.stage if result is not None else ""
            store.journal.add("damaged", key, stage)
            found.append(f"result {key}{f' of {stage}' if stage else ''}: {wrong}: removed")
    return found


def _right(digest: str, path: Path) -> bool:
    """Whether the blob is a file that holds the bytes of its name; one that is gone meanwhile is not wrong."""
    if path.is_symlink() or path.is_dir():
        return False
    try:
        return sha256(path) == digest
    except FileNotFoundError:
        return True
    except OSError as exc:
        if exc.errno != errno.EIO:
            raise
        return False


def _lacking(store: Store, result: Result) -> str:
    """What is the matter with a result's blobs; empty where nothing is."""
    for output in result.outputs:
        try:
            size = store.blob(output.sha256).lstat().st_size
        except FileNotFoundError:
            return f"its {output.path} is not in the store"
        if size != output.size:
            return f"its {output.path} has {size} bytes, not {output.size}"
    return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)

"""sha256 of files, remembered by their stat so that large ones are read once."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from toolchain.files import read_json, write_json

# A file changed again within the clock's resolution keeps its stat: younger files are never remembered.
_SETTLED_NS = 2_000_000_000


def sha256(path: Path) -> str:
    """Hex sha256 of the bytes of `path`."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class StatCache:
    """path -> sha256, valid while size, mtime, ctime and inode are the same.

    ctime cannot be set by a program, so an edit that restores the mtime is still seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[Any]] = {}
        self._dirty = False
        loaded = read_json(path)
        if isinstance(loaded, dict):
            self._known = loaded

    def digest(self, path: Path) -> str:
        """Hex sha256 of `path`; raises OSError where it cannot be read."""
        name = str(path)
        stat = os.stat(name)
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = self._known.get(name)
        if isinstance(known, list) and known[:-1] == mark:
            return str(known[-1])
        started = time.time_ns()
        digest = sha256(path)
        if started - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_NS:
            self._known[name] = [*mark, digest]
            self._dirty = True
        return digest

    def save(self) -> None:
        """Writes what was learnt; losing it costs time, never correctness."""
        if self._dirty:
            self._known = {name: mark for name, mark in self._known.items() if os.path.exists(name)}
            write_json(self._path, self._known)
            self._dirty = False

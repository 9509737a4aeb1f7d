"""A tree of files: its sha256, and the one way in which archives may write into it.

The digest covers paths, kinds, executable bits, link targets and content; not times, owners or the modes
of folders, which differ between machines.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from toolchain.roots.parallel import GoOn, each

WORKERS = 4
MOST_BYTES = 8 << 30  # of one file
LONGEST = 1000  # bytes of a path, and of a link's target
_PIECE = 1 << 20


class BadMember(Exception):
    """A member of an archive that may not become part of a tree."""


class Source(Protocol):
    """What a file's bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


def digest(root: Path) -> str:
    """Hex sha256 of the tree under `root`; raises OSError where it cannot be read."""
    base = os.fsencode(root)
    entries: dict[bytes, bytes] = {}
    files: list[bytes] = []
    pending = [b""]
    while pending:
        folder = pending.pop()
        with os.scandir(base + b"/" + folder) as found:
            for entry in found:
                path = folder + b"/" + entry.name if folder else entry.name
                if entry.is_symlink():
                    entries[path] = b"l\0" + os.readlink(entry.path)
                elif entry.is_dir():
                    entries[path] = b"d\0"
                    pending.append(path)
                elif entry.is_file():
                    files.append(path)
                else:
                    entries[path] = b"?\0"

    def hashed(path: bytes, go_on: GoOn) -> None:
        entries[path] = _file(base + b"/" + path, go_on)

    each(hashed, files, min(WORKERS, os.cpu_count() or 1))
    total = hashlib.sha256(b"ingot tree 1\0")
    for path in sorted(entries):
        total.update(path + b"\0" + entries[path] + b"\0")
    return total.hexdigest()


def _file(path: bytes, go_on: GoOn) -> bytes:
    content = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        kind = b"x\0" if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else b"f\0"
        while piece := file.read(_PIECE):
            content.update(piece)
            go_on()
    return kind + content.digest()


def inside(name: str) -> str:
    """A member's path as one inside the tree, without `./`; raises BadMember for one that leaves it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if "\0" in name or len(_bytes(name)) > LONGEST or any(len(_bytes(part)) > 255 for part in parts):
        raise BadMember(f"{name[:40]!r}… is too long, or no path")
    if name.startswith("/") or ".." in parts:
        raise BadMember(f"{name!r} leaves the tree")
    return "/".join(parts)


class Writer:
    """Puts members of archives under one folder; several threads may share it.

    Nothing is ever replaced or followed: a member whose place is taken, or whose way leads through a link, is an
    error. So neither the order of the packages nor a link that one of them holds can change where bytes go.
    """

    def __init__(self, root: Path, placed: Callable[[str], str | None] = inside) -> None:
        """`placed`: where a path of an archive belongs in this tree; None where it does not."""
        self._root = _bytes(str(root))
        self._placed = placed
        self._folders = {""}
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        root.chmod(0o755)

    def _at(self, path: str) -> bytes:
        return self._root + b"/" + _bytes(path)

    def folder(self, path: str) -> None:
        """A folder, with those above it."""
        if path in self._folders:
            return
        self.folder(posixpath.dirname(path))
        try:
            os.mkdir(self._at(path))
            os.chmod(self._at(path), 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(self._at(path)).st_mode):
                raise BadMember(f"{path!r} is a folder in one package and no folder in another") from None
        self._folders.add(path)

    def file(self, path: str, source: Source, size: int, executable: bool, go_on: GoOn) -> None:
        """A file of exactly `size` bytes, which nobody may write to."""
        if not 0 <= size <= MOST_BYTES:
            raise BadMember(f"{path!r} has {size} bytes")
        self.folder(posixpath.dirname(path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            handle = os.open(self._at(path), flags, 0o600)
        except FileExistsError:
            raise BadMember(f"{path!r} is there twice") from None
        with open(handle, "wb", buffering=0) as out:
            left = size
            while left:
                go_on()
                piece = source.read(min(left, _PIECE))
                if not piece:
                    raise BadMember(f"{path!r} ends too early")
                _write(out.fileno(), piece)
                left -= len(piece)
            os.fchmod(handle, 0o555 if executable else 0o444)

    def link(self, path: str, target: str) -> None:
        """A symbolic link. One to /… becomes relative, so that it means the same wherever the tree lies."""
        if not target or "\0" in target or len(target) > LONGEST:
            raise BadMember(f"the link {path!r} has no usable target")
        above = posixpath.dirname(path)
        if target.startswith("/"):
            aim = posixpath.normpath(target.lstrip("/"))
            if aim.startswith(".."):
                raise BadMember(f"the link {path!r} -> {target!r} leaves the tree")
            target = posixpath.relpath("/" + (self._placed(aim) or aim), "/" + above)
        elif posixpath.normpath(posixpath.join(above, target)).split("/")[0] == "..":
            raise BadMember(f"the link {path!r} -> {target!r} leaves the tree")
        self.folder(above)
        try:
            os.symlink(_bytes(target), self._at(path))
        except FileExistsError:
            raise BadMember(f"{path!r} is there twice") from None

    def hard_link(self, path: str, target: str) -> None:
        """A second name of a file that the tree holds already."""
        self.folder(posixpath.dirname(path))
        try:
            self.folder(posixpath.dirname(target))
            if not stat.S_ISREG(os.lstat(self._at(target)).st_mode):
                raise BadMember(f"the hard link {path!r} is to {target!r}, which is no file")
            os.link(self._at(target), self._at(path), follow_symlinks=False)
        except FileNotFoundError:
            raise BadMember(f"the hard link {path!r} is to {target!r}, which is not there") from None
        except FileExistsError:
            raise BadMember(f"{path!r} is there twice") from None


def _bytes(path: str) -> bytes:
    """Names as they are in archives, whatever the locale."""
    return path.encode("utf-8", "surrogateescape")


def _write(handle: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(handle, view) :]

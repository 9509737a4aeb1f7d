"""Unpacks .deb files with Python alone: no root, no maintainer scripts.

A root holds only usr/: what packages keep in /bin, /sbin, /lib… goes to /usr/bin and so on, as on a
merged Debian system; /etc, /var and the like are left out, because executors make their own.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any

from toolchain.roots.parallel import GoOn
from toolchain.roots.tree import BadMember, Writer, inside

MERGED = ("bin", "sbin", "lib", "lib32", "lib64")
MOST_MEMBERS = 200_000
_MOST_PARTS = 16  # of the outer archive
_KINDS = {"data.tar": "", "data.tar.gz": "gz", "data.tar.xz": "xz", "data.tar.zst": "zst"}


class BadPackage(Exception):
    """The file is not a package that can be unpacked."""


def placed(name: str) -> str | None:
    """Where a path of a package belongs in a root; None where it does not. Raises BadMember for one that leaves it."""
    path = inside(name)
    top = path.partition("/")[0]
    if top in MERGED:
        return f"usr/{path}"
    return path if top == "usr" else None


def unpack(deb: Path, writer: Writer, go_on: GoOn) -> None:
    """Puts a package's files into the tree; raises BadPackage, BadMember, or OSError where the disk will not."""
    with deb.open("rb") as file:
        data, kind = _data(file)
        try:
            with _plain(data, kind) as plain, tarfile.open(fileobj=plain, mode="r|", bufsize=1 << 18, encoding="utf-8",
                                                           errors="surrogateescape") as tar:
                for count, member in enumerate(tar):
                    go_on()
                    if count == MOST_MEMBERS:
                        raise BadPackage(f"it has more than {MOST_MEMBERS} members")
                    _put(tar, member, writer, go_on)
        except (tarfile.TarError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, ValueError,
                OverflowError) as exc:
            raise BadPackage(f"it cannot be unpacked: {exc}") from exc


def _plain(data: _Slice, kind: str) -> Any:
    """The bytes as they were before packing, read piece by piece: tarfile's own way holds all that a packed
    piece becomes in memory.
    """
    if kind == "xz":
        return lzma.LZMAFile(data)  # type: ignore[arg-type]
    if kind == "gz":
        return gzip.GzipFile(fileobj=data)  # type: ignore[call-overload]
    if kind == "zst":
        try:
            return importlib.import_module("compression.zstd").ZstdFile(data)  # Python 3.14
        except ImportError:
            raise BadPackage("it is packed with zstd, which this Python cannot read") from None
    return contextlib.nullcontext(data)


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, writer: Writer, go_on: GoOn) -> None:
    path = placed(member.name)
    if not (member.isdir() or member.issym() or member.islnk() or member.isreg()) or member.issparse():
        raise BadMember(f"{member.name!r} is neither file nor folder nor link")
    if path is None:
        return
    if not member.isdir() and path in ("usr", *(f"usr/{top}" for top in MERGED)):
        raise BadMember(f"{member.name!r} is no folder")
    if member.isdir():
        writer.folder(path)
    elif member.issym():
        writer.link(path, member.linkname)
    elif member.islnk():
        target = placed(member.linkname)
        if target is None:
            raise BadMember(f"the hard link {member.name!r} is to {member.linkname!r}, which is left out")
        writer.hard_link(path, target)
    else:
        source = tar.extractfile(member)
        if source is None:
            raise BadMember(f"{member.name!r} has no bytes")
        writer.file(path, source, member.size, bool(member.mode & 0o100), go_on)


def _data(file: IO[bytes]) -> tuple[_Slice, str]:
    """The archive of files inside the `ar` archive, and how it is packed."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(8) != b"!<arch>\n":
        raise BadPackage("it is not a .deb")
    at = 8
    for number in range(_MOST_PARTS):
        file.seek(at)
        header = file.read(60)
        if len(header) < 60 or header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            break
        name, length = header[:16].decode("latin-1").rstrip().rstrip("/"), int(header[48:58])
        at += 60
        if at + length > size:
            raise BadPackage("it is cut")
        if number == 0 and (name != "debian-binary" or not file.read(min(length, 4)).startswith(b"2.")):
            raise BadPackage("it is not a .deb of format 2")
        if name in _KINDS:
            return _Slice(file, length), _KINDS[name]
        if name.startswith("data.tar"):
            raise BadPackage(f"it is packed in a way that is not known: {name!r}")
        at += length + length % 2
    raise BadPackage("it holds no files")


class _Slice:
    """The next so many bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none after the end."""
        piece = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(piece)
        return piece

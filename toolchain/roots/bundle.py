"""A bundle: the packages of some roots in one tar file, each named by its sha256, for machines without a network."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from toolchain.errors import UserError
from toolchain.files import atomic, disk_errors
from toolchain.roots.folder import RootFolder
from toolchain.roots.lockfile import Lock
from toolchain.store import CorruptBlob, Store


def write(path: Path, locks: Sequence[Lock], roots: RootFolder) -> int:
    """Writes the packages of these roots, fetched where they are lacking; returns the file's size.

    The same locks give the same bytes.
    """
    wanted = {file.sha256: file for lock in locks for file in lock.files()}
    for lock in locks:
        roots.fetch(lock)
    with disk_errors(str(path)), atomic(path) as out, \
            tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for digest in sorted(wanted):
            member = tarfile.TarInfo(digest)
            member.mode = 0o444
            try:
                with roots.store.verified(digest).open("rb") as blob:
                    member.size = wanted[digest].size
                    tar.addfile(member, blob)
            except CorruptBlob:
                raise UserError(f"{wanted[digest].name} is no longer in the store",
                                "run the same command again") from None
    return path.stat().st_size


def take(path: Path, locks: Sequence[Lock], store: Store) -> int:
    """Puts into the store what the locks name; returns how many packages that were.

    What no lock names, or has other bytes than its name says, is left out; a UserError then names it.
    """
    wanted = {file.sha256: file for lock in locks for file in lock.files()}
    taken, refused = 0, []
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar, store.workspace() as folder:
            for member in tar:
                known = wanted.get(member.name)
                source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if known is None or source is None or member.size != known.size:
                    refused.append(f"{_shown(member.name)} (no lock names it)")
                elif _add(source, folder / "blob", member.name, store):
                    taken += 1
                else:
                    refused.append(f"{known.name} {known.version} (wrong bytes)")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", "name a file that ./doit toolchain export=FILE has written") from None
    except (IsADirectoryError, PermissionError) as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", "name the file that was exported") from None
    except (tarfile.TarError, EOFError, ValueError) as exc:
        raise UserError(f"{path} is not a whole bundle: {exc}", "copy it again: ./doit toolchain export=FILE") from None
    if refused:
        more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise UserError(f"{path}: refused {', '.join(refused[:3])}{more}; {taken} packages taken",
                        "export the bundle with the same locks as here")
    return taken


def _add(source: IO[bytes], blob: Path, digest: str, store: Store) -> bool:
    """Whether the bytes are those of the digest; then they are in the store."""
    from toolchain.digest import sha256

    with disk_errors("the store"), blob.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    if sha256(blob) != digest:
        blob.unlink()
        return False
    store.add(blob)
    return True


def _shown(name: str) -> str:
    """A member's name, fit for a terminal."""
    return re.sub(r"[^!-~]", "?", name[:80]) or "a nameless file"

"""From the packages in the store to the tree of a root."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import disk_errors
from toolchain.roots import deb, wheels
from toolchain.roots.lockfile import Lock, Package, Wheel
from toolchain.roots.parallel import GoOn, each
from toolchain.roots.tree import BadMember, Writer
from toolchain.store import Store
from toolchain.ui import Ui

ALWAYS = ("bin", "sbin", "lib", "lib64")  # links into usr/ that every root has
SOMETIMES = ("lib32",)  # and those that it has where there is something to link to


def unpack(lock: Lock, store: Store, root: Path, ui: Ui, stage: str) -> None:
    """Makes `root`, a folder that is not there yet, the tree of the lock; UserError, naming the package, if it cannot.

    The blobs are those of the store, which has checked them.
    """
    writer = Writer(root, deb.placed)
    tell = ui.progress(stage, lambda count: f"{count} packages")
    done: list[str] = []
    files = sorted(lock.files(), key=lambda file: -file.size)  # the largest first, so that the threads end together

    def put(file: Package | Wheel, go_on: GoOn) -> None:
        blob = store.blob(file.sha256)
        try:
            (deb.unpack if isinstance(file, Package) else wheels.unpack)(blob, writer, go_on)
        except (deb.BadPackage, BadMember, zipfile.BadZipFile) as exc:
            raise UserError(f"toolchain root {lock.root}: {file.name} {file.version}: {exc}",
                            "the package is not one that ingot can unpack: name another in toolchain/packages.yaml "
                            f"and ./doit lock {lock.root}") from exc
        done.append(file.name)
        tell(len(done), len(files))

    with disk_errors(f"toolchain root {lock.root}"):
        each(put, files, min(4, os.cpu_count() or 1))
        try:
            for path, target in lock.links:
                writer.link(path, target)
            for name in ALWAYS:
                writer.folder(f"usr/{name}")
                writer.link(name, f"usr/{name}")
            for name in SOMETIMES:
                if (root / "usr" / name).is_dir():
                    writer.link(name, f"usr/{name}")
        except BadMember as exc:
            raise UserError(f"toolchain root {lock.root}: {exc}",
                            "a package brings it already: take the link out of toolchain/packages.yaml") from exc

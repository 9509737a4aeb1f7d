"""The roots of this machine: STORE/roots/TREE/root, each unpacked once and never changed.

A root is known by its lock: PROJECT/toolchain/NAME.lock, else the one of that name that comes with ingot.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.errors import UserError
from toolchain.files import disk_errors, remove_tree
from toolchain.roots import Root, lockfile
from toolchain.roots.lockfile import Lock
from toolchain.store import Store
from toolchain.ui import Ui

if TYPE_CHECKING:
    from toolchain.remote.client import Remote

LOCKS = Path(__file__).resolve().parent.parent  # what comes with ingot


class RootFolder:
    """Roots as executors see them: known by their locks, unpacked when they are first needed."""

    def __init__(self, store: Store, ui: Ui, *folders: Path) -> None:
        """`folders` hold locks and packages.yaml: the first that knows a root counts; new locks go into the first."""
        self.store = store
        self.ui = ui
        self.folders = folders or (LOCKS,)
        self.remote: Callable[[], Remote | None] = lambda: None  # where packages may be had before the mirrors
        self._bytes: dict[str, bytes] = {}
        self._read: dict[str, Lock] = {}

    @property
    def locks(self) -> Path:
        """Where new locks are written: the project's folder."""
        return self.folders[0]

    def lock_path(self, name: str) -> Path:
        """Where the root's lock lies, or should: a packages.yaml that asks for the root needs one beside it."""
        paths = [lockfile.lock_path(folder, name) for folder in self.folders]
        return next((path for path in paths if path.exists() or _asked(path.parent / "packages.yaml", name)), paths[0])

    def _data(self, name: str) -> bytes:
        """The lock file, read once: what a key holds is what is unpacked, whoever edits the file meanwhile."""
        if name not in self._bytes:
            self._bytes[name] = lockfile.read(self.lock_path(name))
        return self._bytes[name]

    def lock(self, name: str) -> Lock:
        """The root's lock; UserError where there is none that can be used."""
        if name not in self._read:
            path = self.lock_path(name)
            lock = lockfile.decode(self._data(name), str(path))
            if lock.root != name:
                raise UserError(f"{path} is the lock of the root {lock.root}", f"./doit lock {name}")
            self._read[name] = lock
        return self._read[name]

    def names(self) -> list[str]:
        """The roots that have a lock."""
        return sorted({path.stem for folder in self.folders for path in folder.glob("*.lock")})

    def identity(self, name: str) -> str:
        """`NAME:sha256 of its lock file`."""
        return lockfile.identity(name, self._data(name))

    def look(self, name: str) -> Root | None:
        """The root where it is unpacked already; nothing is fetched."""
        root = self._root(self.lock(name))
        return root if root.path.is_dir() else None

    def ensure(self, name: str) -> Root:
        """The root, fetched and unpacked where it is not there yet."""
        lock = self.lock(name)
        root = self._root(lock)
        if not root.path.is_dir():
            with self._held(lock):
                if not root.path.is_dir():
                    self.place(lock)
        with contextlib.suppress(OSError):
            os.utime(root.path.parent)  # when it was used last, for gc
        return root

    def check(self, name: str) -> Root:
        """The root, every file of it read again; one that was damaged is unpacked anew."""
        from toolchain.roots.tree import digest

        root = self.ensure(name)
        with self._held(self.lock(name)):
            if digest(root.path) != root.tree:
                self.ui.warn(f"toolchain root {name} was damaged: it is unpacked anew")
                self.place(self.lock(name))
        return root

    def fetch(self, lock: Lock) -> None:
        """Brings the packages of a root into the store, without unpacking them."""
        from toolchain.roots import fetch

        stage = f"root {lock.root}"
        with disk_errors("the store"), self.store.workspace() as work, self.ui.running(stage):
            fetch.fetch(lock, self.store, work, self.ui.progress(stage), self.remote())

    def _root(self, lock: Lock) -> Root:
        return Root(lock.root, lock.tree, self.store.folder / "roots" / lock.tree / "root")

    @contextlib.contextmanager
    def _held(self, lock: Lock) -> Iterator[None]:
        with disk_errors("the store"), self.store.lock(f"root-{lock.root}"):
            yield

    def place(self, lock: Lock) -> str:
        """Fetches and unpacks a root, replacing what is there; returns its tree's sha256.

        A lock that has a tree yet must give that one. The caller holds the root's lock.
        """
        from toolchain.roots import fetch, tree, unpack

        stage, begun = f"root {lock.root}", time.monotonic()
        # One name a root: what a killed process has left is found, and gone, the next time.
        work = self.store.folder / "tmp" / f"root-{lock.root}"
        remove_tree(work)
        try:
            with disk_errors(f"toolchain root {lock.root}"), self.ui.running(stage):
                (work / "new").mkdir(parents=True)
                fetch.fetch(lock, self.store, work, self.ui.progress(stage), self.remote())
                unpack.unpack(lock, self.store, work / "new" / "root", self.ui, stage)
                found = tree.digest(work / "new" / "root")
                if lock.tree and found != lock.tree:
                    raise UserError(f"toolchain root {lock.root}: the tree is {found}, the lock says {lock.tree}",
                                    "the lock was edited or made by another version of ingot: "
                                    f"restore it, or ./doit lock {lock.root}")
                place = self.store.folder / "roots" / found
                if not place.exists() or tree.digest(place / "root") != found:  # one that is right may be in use
                    _settle(work)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    if place.exists():
                        os.rename(place, work / "old")
                    try:
                        os.rename(work / "new", place)
                    except OSError:  # another store with this folder of roots was quicker: its lock is not ours
                        if tree.digest(place / "root") != found:
                            raise
        finally:
            remove_tree(work)
        self.ui.done(stage, "unpacked", time.monotonic() - begun, sum(file.size for file in lock.files()))
        return found


def _asked(packages: Path, name: str) -> bool:
    """Whether a packages.yaml wants the root. YAML is parsed only where the name is in it."""
    try:
        text = packages.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if not re.search(rf"\b{re.escape(name)}['\"]?\s*:", text):
        return False
    from toolchain.roots import wanted

    return name in wanted.read(packages)


def _settle(folder: Path) -> None:
    """Makes the file system write what is in the folder: a tree has its name only when it lies on the disk."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            ctypes.CDLL(None).syncfs(handle)
        finally:
            os.close(handle)

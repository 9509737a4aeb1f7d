"""Makes the lock of a root: apt resolves, the packages are fetched and unpacked, the tree is hashed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from toolchain.errors import UserError
from toolchain.files import atomic, disk_errors
from toolchain.roots import lockfile, wanted, wheels
from toolchain.roots.folder import RootFolder
from toolchain.roots.lockfile import Lock, Wheel
from toolchain.roots.mirrors import mirrors
from toolchain.roots.resolve import Apt
from toolchain.store import Store

# What a first packages.yaml may be: every executor finds in it what it needs.
_BEGIN = ("those that come with ingot stay as they are; for one of your own, begin the file with: "
          "{suite: bookworm, roots: {cc: {packages: [gcc, binutils, libc6-dev, bubblewrap, bash, coreutils, libc-bin], "
          "links: {usr/bin/sh: bash}}}}")


@dataclass(frozen=True)
class Relocked:
    """A root's lock as it was (None where there was none) and as it is now."""

    old: Lock | None
    new: Lock

    def changes(self) -> list[str]:
        """A line a package that was added, removed or has another version."""
        before = {file.name: file.version for file in self.old.files()} if self.old else {}
        after = {file.name: file.version for file in self.new.files()}
        lines = []
        for name in sorted({*before, *after}):
            if name not in before:
                lines.append(f"+ {name} {after[name]}")
            elif name not in after:
                lines.append(f"- {name} {before[name]}")
            elif before[name] != after[name]:
                lines.append(f"~ {name} {before[name]} -> {after[name]}")
        return lines


def relock(names: Sequence[str], roots: RootFolder) -> Iterator[Relocked]:
    """Locks these roots of the project's packages.yaml anew, all without names; each is unpacked when it is yielded."""
    path = roots.locks / "packages.yaml"
    if not path.exists():
        raise UserError(f"this project has no toolchain roots of its own: {path} does not exist", _BEGIN)
    table = wanted.read(path)
    for name in names:
        if name not in table:
            raise UserError(f"there is no toolchain root {name}", f"{path} names {', '.join(table)}")
    chosen = [table[name] for name in names or table]
    with disk_errors("the store"), roots.store.workspace() as folder:
        apt = Apt(folder, chosen[0].suite, mirrors())
        for want in chosen:
            packages = apt.resolve(want.packages)
            found = tuple(_wheels(want.wheels, wheels.python_of(packages), roots.store)) if want.wheels else ()
            lock = Lock(want.root, want.suite, apt.inrelease(), want.packages, want.wheels, want.links, packages, found)
            yield _write(lock, roots)


def _write(lock: Lock, roots: RootFolder) -> Relocked:
    path = lockfile.lock_path(roots.locks, lock.root)
    old = None
    with contextlib.suppress(UserError):  # one that cannot be read is replaced
        old = lockfile.decode(lockfile.read(path), str(path))
    with roots.store.lock(f"root-{lock.root}"):
        lock = replace(lock, tree=roots.place(lock))
    data = lockfile.encode(lock)
    if lockfile.decode(data, str(path)) != lock:
        raise UserError(f"the lock of {lock.root} cannot be written", "report this: a package has an unexpected name")
    if not path.exists() or path.read_bytes() != data:
        with atomic(path) as out:
            out.write(data)
    return Relocked(old, lock)


def _wheels(wanted_wheels: Sequence[str], python: str, store: Store) -> Iterator[Wheel]:
    """The wheels that pip chooses, each fetched: only the file itself says how long it is."""
    found = wheels.resolve(wanted_wheels, python)
    missing = [wheel for wheel in found if not store.blob(wheel.sha256).exists()]
    if missing:
        with store.workspace() as folder:
            for path in wheels.get_wheels(missing, python, folder / "wheels"):
                store.add(path)
    for wheel in found:
        yield replace(wheel, size=store.blob(wheel.sha256).stat().st_size)

"""`./doit toolchain [cc vm …]`: fetches, unpacks and checks the pinned roots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.commands import IngotCommand
from toolchain.errors import UserError, typed
from toolchain.files import from_user
from toolchain.plugin import Session
from toolchain.ui import size_text

if TYPE_CHECKING:
    from toolchain.roots.folder import RootFolder

VARIABLES = {
    "export": "toolchain: write the packages of the roots to this file, for machines without a network",
    "import": "toolchain: take packages from such a file",
}

class Toolchain(IngotCommand):
    """Leaves the roots whole and ready, and says what they are."""

    name = "toolchain"
    doc_purpose = "fetch, unpack and check the pinned toolchain roots"
    doc_usage = "[ROOT ...] [export=FILE] [import=FILE]"
    takes_names = True
    also: tuple[str, ...] = ()  # roots that no stage runs in

    def go(self, current: Session, names: list[str]) -> int:
        """A line a root on stdout."""
        roots = current.roots
        known = roots.names()
        for name in names:
            if name not in known:
                raise UserError(f"there is no toolchain root {name}", f"locked are: {', '.join(known) or 'none'}")
        if "import" in current.given:
            from toolchain.roots.bundle import take

            count = take(_path(current, "import"), [roots.lock(name) for name in known], current.graph.store)
            current.ui.say(f"{count} packages taken from {current.given['import']}")
            names = names or _complete(roots)
        names = names or list(dict.fromkeys([*stage_roots(current), *self.also]))
        for name in names:
            _check(roots, name)
        if "export" in current.given:
            from toolchain.roots.bundle import write

            path = _path(current, "export")
            size = write(path, [roots.lock(name) for name in names], roots)
            print(f"{path}: {size_text(size)}")
        current.graph.save()
        return 0


def stage_roots(current: Session) -> list[str]:
    """The roots that the project's stages run in."""
    return sorted({stage.root for stage in current.graph.stages.values() if stage.download is None})


def _check(roots: RootFolder, name: str) -> None:
    lock, root = roots.lock(name), roots.check(name)
    size = sum(file.size for file in lock.files())
    wheels = f" and {len(lock.wheels)} wheels" if lock.wheels else ""
    print(f"{name:<4} {len(lock.packages)} packages{wheels}, {size_text(size)}, tree {root.tree[:12]}, {root.path}")
    packages = roots.lock_path(name).parent / "packages.yaml"
    if packages.exists():
        from toolchain.roots import wanted

        want = wanted.read(packages).get(name)
        if want is not None and want.asked != lock.asked:
            roots.ui.warn(typed(f"{packages} has changed since {name}.lock was made: ./doit lock {name}"))


def _complete(roots: RootFolder) -> list[str]:
    """The roots of which the store has every package."""
    from toolchain.roots.fetch import lacking

    return [name for name in roots.names() if not lacking(roots.lock(name), roots.store)]


def _path(current: Session, variable: str) -> Path:
    given = current.given[variable]
    if not given:
        raise UserError(f"{variable}= names no file", f"./doit toolchain {variable}=FILE")
    path = from_user(given)
    if path.is_dir():
        raise UserError(f"{variable}={given} is a folder", f"./doit toolchain {variable}={given.rstrip('/')}/roots.tar")
    return path

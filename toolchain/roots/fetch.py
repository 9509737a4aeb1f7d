"""Brings the packages of a root into the store: side by side, resumed, each checked against its sha256."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from toolchain import download
from toolchain.errors import UserError
from toolchain.roots.lockfile import Lock, Package, Wheel
from toolchain.roots.mirrors import mirrors
from toolchain.roots.parallel import GoOn, each
from toolchain.store import CorruptBlob, Store

if TYPE_CHECKING:
    from toolchain.remote.client import Remote

WORKERS = 4
HINT = "if the mirror no longer has it, name a snapshot archive too: DEBIAN_MIRROR=ADDRESS,…; " \
    "without a network: ./doit toolchain import=FILE"

Progress = Callable[[int, int | None], None]


def lacking(lock: Lock, store: Store) -> list[Package | Wheel]:
    """What the store does not have, or not whole."""
    found = []
    for file in lock.files():
        try:
            store.verified(file.sha256)
        except CorruptBlob:
            found.append(file)
    return found


def fetch(lock: Lock, store: Store, work: Path, progress: Progress, remote: Remote | None = None) -> int:
    """Fetches what the store lacks of the root, by way of the folder `work`; returns how many bytes that were.

    The remote cache is asked before the mirrors, and given what they had.
    Raises UserError, naming the package, where one cannot be had.
    """
    wanted = lacking(lock, store)
    packages = [file for file in wanted if isinstance(file, Package)]
    wheels = [file for file in wanted if isinstance(file, Wheel)]
    total = sum(file.size for file in wanted)
    told = _Sum(total, progress)
    if packages:
        servers = _Servers()

        def get(package: Package, go_on: GoOn) -> None:
            taken = remote is not None and remote.blob(package.sha256, package.size, work / package.file)
            if not taken:
                servers.get(package, lock.root, work, told, go_on)
            store.add(work / package.file)
            if remote is not None and not taken:
                remote.push_blob(package.sha256)
            told(package.file, package.size)

        each(get, sorted(packages, key=lambda package: -package.size), WORKERS)
    if wheels:
        from toolchain.roots.wheels import get_wheels, python_of

        for path in get_wheels(wheels, python_of(lock.packages), work / "wheels"):
            store.add(path)
    return total


class _Sum:
    """Adds up what the threads tell."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str, done: int) -> None:
        with self._lock:
            self._done[name] = done
            self._progress(sum(self._done.values()), self._total)


class _Servers:
    """The mirrors; one that has failed is asked last from then on."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._lock = threading.Lock()

    def get(self, package: Package, root: str, work: Path, told: _Sum, go_on: GoOn) -> None:
        """The package's file in `work`; UserError with the reason of every mirror."""

        def progress(done: int, _: int | None) -> None:
            go_on()
            told(package.file, done)

        with self._lock:  # asked for only here: whoever has all of it elsewhere needs no mirror
            self._order = self._order or list(mirrors())
            order = tuple(self._order)
        reasons: list[str] = []
        for address in order:
            go_on()
            url = f"{address}/{quote(package.path, safe='/+~:=@')}"
            try:
                download.fetch([url], package.sha256, work / package.file, name=package.file, size=package.size,
                               progress=progress, sleep=_sleeper(go_on))
                return
            except UserError as exc:
                reason = exc.what.removeprefix(f"cannot fetch {package.file}: ")
                if reason.startswith("no space left"):
                    raise UserError(f"toolchain root {root}: {exc.what}", exc.hint) from exc
                reasons.append(reason)
                self._demote(address)
        raise UserError(f"toolchain root {root}: cannot fetch {package.name} {package.version}: {'; '.join(reasons)}",
                        HINT)

    def _demote(self, address: str) -> None:
        with self._lock:
            self._order.remove(address)
            self._order.append(address)


def _sleeper(go_on: GoOn) -> Callable[[float], None]:
    """time.sleep, ended early when there is no use in waiting."""
    pause = threading.Event()

    def sleep(seconds: float) -> None:
        while seconds > 0:
            go_on()
            pause.wait(min(seconds, 0.25))
            seconds -= 0.25

    return sleep

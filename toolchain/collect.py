"""What may leave the store: gc. Deciding is pure; the deletions are at the end."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import remove_tree
from toolchain.hold import workplace
from toolchain.store import Store

YOUNG = 3600.0  # seconds: what nobody names yet may be work in progress, of a version without locks say
ROOT_AGE = 30 * 86400.0  # seconds that an unpacked root which no lock names is kept
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Limit:
    """How much may stay: bytes, or seconds since the last use."""

    size: float | None = None
    age: float | None = None


def limit(text: str) -> Limit:
    """`5G`, `500M` or `30d`; UserError for anything else."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([KMGTkmgtd])B?", text)
    if found is None:
        raise UserError(f"gc={text} is neither a size nor an age", "gc=5G, gc=500M or gc=30d")
    number, unit = float(found[1]), found[2]
    return Limit(age=number * 86400) if unit == "d" else Limit(size=number * _UNITS[unit.upper()])


# -- deciding --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """What may be dropped: a result, or the scratch folder of one that is not finished."""

    key: str
    used: float
    size: int  # without its blobs
    stage: str = ""
    blobs: frozenset[str] = frozenset()
    scratch: bool = False


@dataclass(frozen=True)
class Blob:
    """`since`: when it came into the store."""

    size: int
    since: float


@dataclass(frozen=True)
class Shelf:
    """All that the store holds; `other` is the size of what is neither entry nor blob."""

    entries: tuple[Entry, ...]
    blobs: Mapping[str, Blob]
    other: int = 0

    @property
    def size(self) -> int:
        """Bytes of it all."""
        return self.other + sum(one.size for one in self.entries) + sum(blob.size for blob in self.blobs.values())


@dataclass(frozen=True)
class Kept:
    """What is needed: keys, outputs that a lock pins (and so the results that have them), packages of roots."""

    keys: frozenset[str] = frozenset()
    pins: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()

    def holds(self, entry: Entry) -> bool:
        """Whether the entry has to stay."""
        return entry.key in self.keys or not self.pins.isdisjoint(entry.blobs)


@dataclass(frozen=True)
class Decision:
    """What goes, and the size of what stays."""

    entries: tuple[Entry, ...]
    blobs: frozenset[str]
    left: int


def decide(shelf: Shelf, kept: Kept, most: Limit, now: float) -> Decision:
    """The least recently used go first; what is kept stays, whatever the limit is."""
    stored = {entry.key for entry in shelf.entries if not entry.scratch}
    named = Counter(digest for entry in shelf.entries for digest in entry.blobs)
    fixed = kept.pins | kept.packages
    done = [entry for entry in shelf.entries if entry.scratch and entry.key in stored]
    rest = [entry for entry in shelf.entries if not (entry.scratch and entry.key in stored or kept.holds(entry))]
    lost = {digest for digest, blob in shelf.blobs.items()
            if not named[digest] and digest not in fixed and now - blob.since >= YOUNG}
    left = shelf.size - sum(entry.size for entry in done) - sum(shelf.blobs[digest].size for digest in lost)
    gone = list(done)
    for entry in sorted(rest, key=lambda entry: (entry.used, entry.key, entry.scratch)):
        if most.size is not None and left <= most.size:
            break
        if most.age is not None and now - entry.used <= most.age:
            break
        gone.append(entry)
        left -= entry.size
        for digest in entry.blobs:
            named[digest] -= 1
            if not named[digest] and digest in shelf.blobs and digest not in fixed:
                lost.add(digest)
                left -= shelf.blobs[digest].size
    return Decision(tuple(gone), frozenset(lost), left)


def stale_roots(trees: Mapping[str, float], named: frozenset[str], now: float) -> list[str]:
    """The unpacked trees (name -> last use) that no lock names and that nobody has used for long."""
    return sorted(name for name, used in trees.items() if name not in named and now - used > ROOT_AGE)


# -- looking ---------------------------------------------------------------------------------------


def digests(store: Store) -> Iterator[tuple[str, Path]]:
    """Every blob's name and path; what bears no blob's name, or lies where none is looked for, is none."""
    for path in sorted((store.folder / "cas").glob("*/*")):
        if re.fullmatch("[0-9a-f]{64}", path.name) and path == store.blob(path.name):
            yield path.name, path


def keys(store: Store) -> Iterator[tuple[str, Path]]:
    """Every record's key and path."""
    for path in sorted((store.folder / "ac").glob("*/*")):
        if re.fullmatch("[0-9a-f]{64}", path.name) and path == store.record(path.name):
            yield path.name, path


def tree_size(path: Path) -> int:
    """Bytes of the files below `path`; each counts once, however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                info = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            seen[info.st_dev, info.st_ino] = info.st_size
    return sum(seen.values())


def look(store: Store) -> Shelf:
    """What the store holds now."""
    entries, blobs = [], {}
    for key, path in keys(store):
        info, result = path.lstat(), store.result(key)
        named = frozenset(output.sha256 for output in result.outputs) if result is not None else frozenset()
        entries.append(Entry(key, info.st_mtime, info.st_size, result.stage if result is not None else "", named))
    for digest, path in digests(store):
        info = path.lstat()
        # ctime is that of its arrival: a program may give its outputs any mtime.
        blobs[digest] = Blob(info.st_size, max(info.st_mtime, info.st_ctime))
    scratches = store.folder / "scratch"
    for folder in sorted(scratches.iterdir()) if scratches.is_dir() else []:
        used = max((path.lstat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
        entries.append(Entry(folder.name, used, tree_size(folder), scratch=True))
    bare = Shelf(tuple(entries), blobs)
    return Shelf(bare.entries, blobs, tree_size(store.folder) - bare.size)


# -- doing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Freed:
    """What gc has removed."""

    decision: Decision
    roots: list[str]
    before: int
    after: int


def collect(store: Store, kept: Kept, trees: frozenset[str], most: Limit) -> Freed:
    """Drops what `decide` says, and what killed processes have left. Nobody else may work in the store."""
    now, shelf = time.time(), look(store)
    with workplace(store.folder / "tmp") as bin_:
        roots = _roots(store, trees, now)
        for number, name in enumerate(roots):
            _away(store.folder / "roots" / name, bin_ / f"root{number}")
        _sweep(store, bin_, now)
    other = tree_size(store.folder) - Shelf(shelf.entries, shelf.blobs).size
    decision = decide(Shelf(shelf.entries, shelf.blobs, other), kept, most, now)
    with workplace(store.folder / "tmp") as bin_:
        for number, entry in enumerate(decision.entries):  # before the blobs: no result is ever without its own
            if entry.scratch:
                _away(store.folder / "scratch" / entry.key, bin_ / f"scratch{number}")
            elif store.drop(entry.key):
                size = sum(shelf.blobs[digest].size for digest in entry.blobs if digest in shelf.blobs)
                store.journal.add("evicted", entry.key, entry.stage, size=size)
        for digest in sorted(decision.blobs):
            store.blob(digest).unlink(missing_ok=True)
    return Freed(decision, roots, shelf.size, decision.left)


def _roots(store: Store, trees: frozenset[str], now: float) -> list[str]:
    """The roots that go. A roots/ that is a link belongs to another store."""
    folder = store.folder / "roots"
    if folder.is_symlink() or not folder.is_dir():
        return []
    return stale_roots({path.name: path.lstat().st_mtime for path in folder.iterdir()}, trees, now)


def _away(path: Path, dest: Path) -> None:
    """Renamed first: half a tree must not be there under its name."""
    try:
        os.rename(path, dest)
    except FileNotFoundError:
        return
    remove_tree(dest)


def _sweep(store: Store, bin_: Path, now: float) -> None:
    """What killed processes have left: work folders, temporary names, locks of keys."""
    store.sweep()

    def old(path: Path) -> bool:
        return now - path.lstat().st_mtime >= YOUNG

    for path in (store.folder / "tmp").iterdir():
        if path != bin_ and old(path):
            remove_tree(path)
    for pattern in (".*", "ac/*/.*", "cas/*/.*", "locks/*"):
        for path in store.folder.glob(pattern):
            if path.name != "use" and path.is_file() and old(path):
                path.unlink(missing_ok=True)

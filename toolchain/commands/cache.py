"""`./doit cache [verify=1] [gc=5G|30d]`: what the store holds and was good for; checks it; makes it smaller."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.files import disk_errors
from toolchain.plugin import Session
from toolchain.ui import size_text, time_text

if TYPE_CHECKING:
    from toolchain.collect import Kept, Limit
    from toolchain.roots.lockfile import Lock
    from toolchain.store import Store

VARIABLES = {
    "verify": "cache: 1 reads every blob and record again and removes what is damaged",
    "gc": "cache: drop the least recently used results, down to a size (5G, 500M) or an age (30d)",
}
MONTH = 30 * 86400.0


class Cache(IngotCommand):
    """Without variables it looks, and changes nothing."""

    name = "cache"
    doc_purpose = "show what the store holds and saves, check it, make it smaller"
    doc_usage = "[verify=1] [gc=SIZE|AGE]"

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when verify=1 found damage."""
        from toolchain.collect import limit

        store = current.graph.store
        most = limit(current.given["gc"]) if "gc" in current.given else None
        checking = current.get("verify", "0") not in ("", "0")
        with disk_errors("the store"):
            wrong = checking and _verify(current, store)
            if most is not None:
                _collect(current, store, most)
            if most is None and not checking:
                _show(current, store)
        return 1 if wrong else 0


def _verify(current: Session, store: Store) -> bool:
    """Says a line for each thing that was wrong; tells whether there was one."""
    from toolchain.scrub import verify

    with store.use.shared(), current.ui.running("verify"):
        found = verify(store, current.ui.progress("verify"))
    store.use.release()
    for line in found:
        print(line)
    shelf = _shelf_line(store)
    print(f"{len(found)} damaged, all removed; right are {shelf}" if found else f"all right: {shelf}")
    return bool(found)


def _shelf_line(store: Store) -> str:
    from toolchain.collect import digests, keys

    sizes = [path.lstat().st_size for _, path in digests(store)]
    return f"{sum(1 for _ in keys(store))} results and {len(sizes)} blobs, {size_text(sum(sizes))}"


def _collect(current: Session, store: Store, most: Limit) -> None:
    """Refuses while a build is at work, which may count on any result that it has seen."""
    from toolchain.collect import collect

    with store.use.alone() as alone:
        if not alone:
            raise UserError(f"a build is at work in {store.folder}", "wait until it has ended, then run this again")
        locks = _locks(current)
        freed = collect(store, _kept(current, locks), frozenset(lock.tree for lock in locks), most)
    gone = freed.decision
    for entry in gone.entries:
        what = "unfinished work" if entry.scratch else f"result of {entry.stage or 'nothing'}"
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        print(f"dropped {what} {entry.key[:12]}, last used {used}")
    for tree in freed.roots:
        print(f"dropped root {tree[:12]}, which no lock names")
    print(f"{len(gone.entries)} entries, {len(gone.blobs)} blobs and {len(freed.roots)} roots dropped: "
          f"{size_text(max(0, freed.before - freed.after))} freed, {size_text(freed.after)} left")
    if most.size is not None and freed.after > most.size:
        print(f"not down to {size_text(int(most.size))}: the rest is what this project uses now, or its locks name")


def _locks(current: Session) -> list[Lock]:
    """The locks of toolchain roots, the project's and those that come with ingot."""
    from toolchain.roots import lockfile

    return [lockfile.decode(lockfile.read(path), str(path))
            for folder in current.roots.folders for path in sorted(folder.glob("*.lock"))]


def _kept(current: Session, locks: list[Lock]) -> Kept:
    """What this project would use now, as far as its keys are known, and what its locks name."""
    from toolchain.collect import Kept
    from toolchain.key import key_of
    from toolchain.manifest import read_lock

    graph, keys = current.graph, set()
    for stage in graph.stages.values():
        fields = graph.fields(stage)
        keys.add(key_of(fields) if fields is not None else str(graph.record(stage).get("key")))  # waits: the last one
    pins = {pin for path in (current.root / "images").glob("*.lock") for pin in read_lock(path).values()}
    return Kept(frozenset(keys), frozenset(pins), frozenset(file.sha256 for lock in locks for file in lock.files()))


def _show(current: Session, store: Store) -> None:
    from toolchain.collect import look, tree_size
    from toolchain.journal import totals

    shelf = look(store)
    named = {file.sha256 for lock in _locks(current) for file in lock.files()}
    packages = [blob.size for digest, blob in shelf.blobs.items() if digest in named]
    blobs = [blob.size for digest, blob in shelf.blobs.items() if digest not in named]
    results = [entry for entry in shelf.entries if not entry.scratch]
    scratch = [entry for entry in shelf.entries if entry.scratch]
    trees = store.folder / "roots"
    own = trees.is_dir() and not trees.is_symlink()
    unpacked = tree_size(trees) if own else 0
    rows = [
        ("results", len(results), sum(entry.size for entry in results) + sum(blobs), f"in {len(blobs)} blobs"),
        ("packages", len(packages), sum(packages), "of toolchain roots"),
        ("roots", sum(1 for _ in trees.iterdir()) if own else 0, unpacked, "unpacked"),
        ("scratch", len(scratch), sum(entry.size for entry in scratch), "of stages that are not finished"),
    ]
    print(f"{store.folder}: {size_text(shelf.size)}")
    for what, count, size, note in rows:
        print(f"  {what:<9} {count:>6} {size_text(size):>9}  {note}")
    events = store.journal.events()
    for title, since in (("in all", 0.0), ("in the last 30 days", time.time() - MONTH)):
        sums = totals(events, since)
        rate = "" if sums.rate is None else f", {100 * sums.rate:.0f} % hits"
        fetched = f", {sums.fetched} fetched" if sums.fetched else ""
        print(f"{title}: {sums.built} built, {sums.restored} restored{fetched}{rate}, {time_text(sums.saved)} saved")

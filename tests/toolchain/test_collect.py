"""gc and verify: what goes, what stays, what is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project import ROOT, Project
from toolchain.collect import (
    ROOT_AGE,
    YOUNG,
    Blob,
    Entry,
    Kept,
    Limit,
    Shelf,
    collect,
    decide,
    limit,
    look,
    stale_roots,
    tree_size,
)
from toolchain.errors import UserError
from toolchain.graph import Graph
from toolchain.scrub import verify
from toolchain.stage import Stage
from toolchain.store import Output, Result, Store

Make = Callable[[], Graph]
Shell = Callable[..., Stage]
NOW = 1_000_000.0

# -- deciding --------------------------------------------------------------------------------------

NAMES = [f"{number:064x}" for number in range(12)]
moments = st.floats(0, NOW)


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    blobs = {name: Blob(draw(st.integers(0, 100)), draw(moments | st.floats(NOW - YOUNG, NOW)))
             for name in draw(st.sets(st.sampled_from(NAMES)))}
    several = st.frozensets(st.sampled_from(NAMES), max_size=4)
    results = [Entry(key, draw(moments), draw(st.integers(1, 20)), "s", draw(several))
               for key in draw(st.sets(st.sampled_from(NAMES)))]
    scratch = [Entry(key, draw(moments), draw(st.integers(0, 50)), scratch=True)
               for key in draw(st.sets(st.sampled_from(NAMES), max_size=3))]
    return Shelf((*results, *scratch), blobs, draw(st.integers(0, 100)))


kept_ones = st.builds(Kept, *[st.frozensets(st.sampled_from(NAMES), max_size=4)] * 3)
limits = st.builds(Limit, size=st.floats(0, 800)) | st.builds(Limit, age=st.floats(0, NOW))


@given(shelves(), kept_ones, limits)
def test_gc_drops_what_it_may_and_nothing_else(shelf: Shelf, kept: Kept, most: Limit) -> None:
    decision = decide(shelf, kept, most, NOW)
    gone = set(decision.entries)
    stay = [entry for entry in shelf.entries if entry not in gone]
    finished = {entry.key for entry in shelf.entries if not entry.scratch}
    for entry in gone:
        assert entry.scratch and entry.key in finished or entry.key not in kept.keys and not entry.blobs & kept.pins
    for digest in decision.blobs:
        assert digest in shelf.blobs and digest not in kept.pins | kept.packages
        assert not any(digest in entry.blobs for entry in stay)
        named = any(digest in entry.blobs for entry in shelf.entries)
        assert named or NOW - shelf.blobs[digest].since >= YOUNG
    left = shelf.size - sum(entry.size for entry in gone) - sum(shelf.blobs[digest].size for digest in decision.blobs)
    assert decision.left == left and 0 <= left <= shelf.size
    may_go = [entry for entry in stay if entry.key not in kept.keys and not entry.blobs & kept.pins]
    if most.size is not None:
        assert decision.left <= most.size or not may_go
    if most.age is not None:
        assert all(NOW - entry.used <= most.age for entry in may_go)
    used = [entry.used for entry in gone if not (entry.scratch and entry.key in finished)]
    assert all(entry.used >= max(used, default=0) for entry in may_go)  # by use, the longest ago first
    again = decide(Shelf(tuple(stay), {name: blob for name, blob in shelf.blobs.items() if name not in decision.blobs},
                         shelf.other), kept, most, NOW)
    assert again.entries == () and again.blobs == frozenset() and again.left == decision.left


@given(shelves(), kept_ones)
def test_gc_under_its_size_drops_only_what_nobody_names(shelf: Shelf, kept: Kept) -> None:
    decision = decide(shelf, kept, Limit(size=10**9), NOW)
    assert all(entry.scratch for entry in decision.entries)
    assert not decision.blobs & {digest for entry in shelf.entries for digest in entry.blobs}


def test_a_shared_blob_stays_until_its_last_result_goes() -> None:
    both = frozenset({NAMES[0]})
    shelf = Shelf((Entry("a", 1, 1, "s", both), Entry("b", 2, 1, "s", both)), {NAMES[0]: Blob(100, 0)})
    assert decide(shelf, Kept(), Limit(size=101), NOW).blobs == frozenset()
    assert decide(shelf, Kept(), Limit(size=100), NOW).blobs == both


@pytest.mark.parametrize(("text", "most"), [
    ("5G", Limit(size=5e9)), ("500M", Limit(size=5e8)), ("1.5g", Limit(size=1.5e9)), ("10KB", Limit(size=1e4)),
    ("30d", Limit(age=30 * 86400)), ("0M", Limit(size=0))])
def test_limits(text: str, most: Limit) -> None:
    assert limit(text) == most


@pytest.mark.parametrize("text", ["", "5", "G", "-5G", "5Gd", "30 d", "1e9G", "9" * 99 + "G", "5G\n", "٣G"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UserError, match="neither a size nor an age"):
        limit(text)


def test_stale_roots() -> None:
    trees = {"named": 0.0, "used": NOW * 10 - 5, "old": 0.0}
    assert stale_roots(trees, frozenset({"named"}), NOW * 10) == ["old"]
    assert stale_roots(trees, frozenset({"named"}), ROOT_AGE) == []


# -- a store of shell stages -----------------------------------------------------------------------


def build(make: Make, shell: Shell, folder: Path, text: str) -> str:
    """Builds one stage from a text; returns its key."""
    (folder / "in.txt").write_text(text)
    graph = make()
    one = graph.add(shell("one", "cat in.txt in.txt > out", ["out"], {"in.txt": "in.txt"}))
    graph.bring(one)
    graph.used()
    graph.save()
    result = graph.result(one)
    assert result is not None
    return result.key


def used(store: Store, key: str, moment: float) -> None:
    os.utime(store.record(key), (moment, moment))


def test_the_least_recently_used_goes_first(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second, third = (build(make_graph, shell, tmp_path, name * 1000) for name in "abc")
    for number, key in enumerate((first, second, third)):
        used(store, key, 1000 + number)
    build(make_graph, shell, tmp_path, "a" * 1000)  # restored: the oldest is now the one used last
    size = tree_size(store.folder)
    freed = collect(store, Kept(), frozenset(), Limit(size=size - 1))
    assert [entry.key for entry in freed.decision.entries] == [second]
    assert store.result(second) is None and store.result(first) and store.result(third)
    assert len(list((store.folder / "cas").glob("*/*"))) == 2
    freed = collect(store, Kept(), frozenset(), Limit(age=3600))
    assert [entry.key for entry in freed.decision.entries] == [third]
    assert [event.key for event in store.journal.events() if event.event == "evicted"] == [second, third]
    assert verify(store, lambda done, total: None) == []


def test_an_up_to_date_build_counts_as_use(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    key = build(make_graph, shell, tmp_path, "a")
    used(store, key, 1000)
    build(make_graph, shell, tmp_path, "a")
    assert store.record(key).stat().st_mtime > 1000


def test_size_counts_hard_links_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 500)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("a")
    assert tree_size(tmp_path) == 500 + 1
    assert tree_size(tmp_path / "none") == 0


def test_what_gc_says_is_what_the_disk_says(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    keys = [build(make_graph, shell, tmp_path, name * 5000) for name in "abcd"]
    journal = store.journal.path.stat().st_size
    freed = collect(store, Kept(keys=frozenset(keys[:1])), frozenset(), Limit(size=0))
    written = store.journal.path.stat().st_size - journal
    assert freed.after == tree_size(store.folder) - written and freed.before - freed.after > 3 * 10000
    assert look(store).size == tree_size(store.folder)


def test_unfinished_work_counts_by_its_last_write(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    key = build(make_graph, shell, tmp_path, "a")
    old, new, mine = ("1" * 64, "2" * 64, "3" * 64)
    for name in (old, new, mine, key):
        (store.scratch(name) / "deep").mkdir()
        (store.scratch(name) / "deep/checkpoint").write_bytes(b"x" * 1000)
    for name in (old, new, mine):
        for path in (store.scratch(name) / "deep", store.scratch(name)):
            os.utime(path, (1000, 1000))
    for name in (old, mine):
        os.utime(store.scratch(name) / "deep/checkpoint", (1000, 1000))
    collect(store, Kept(keys=frozenset({mine, key})), frozenset(), Limit(age=86400))
    assert sorted(path.name for path in (store.folder / "scratch").iterdir()) == [new, mine]


def test_what_killed_processes_left_goes(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    key = build(make_graph, shell, tmp_path, "a")
    blob = next((store.folder / "cas").glob("*/*"))
    left = [store.folder / "tmp/work-dead", store.folder / "tmp/root-cc", store.folder / "locks" / key,
            store.record(key).with_name(f".{key}.x1"), blob.with_name(".half"), store.folder / ".stat.json.x"]
    for path in left[:2]:
        path.mkdir()
    for path in left[3:]:
        path.touch()
    young = store.folder / ".stat.json.y"
    young.touch()
    for path in left[1:]:
        os.utime(path, (1000, 1000))
    collect(store, Kept(), frozenset(), Limit(size=1e9))
    assert not [path for path in left if path.exists()]
    assert young.exists() and (store.folder / "locks/use").exists() and store.result(key) is not None


def test_blobs_that_no_result_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    digests = []
    for text in ("lost", "package", "pinned"):
        (tmp_path / text).write_text(text)
        os.utime(tmp_path / text, (1000, 1000))  # what a program says of its file's age means nothing
        digests.append(store.add(tmp_path / text))
    kept = Kept(packages=frozenset(digests[1:2]), pins=frozenset(digests[2:]))
    collect(store, kept, frozenset(), Limit(size=0))
    assert all(store.blob(digest).exists() for digest in digests)
    later = time.time() + YOUNG + 5
    monkeypatch.setattr("toolchain.collect.time.time", lambda: later)
    collect(store, kept, frozenset(), Limit(size=1e9))
    assert [store.blob(digest).exists() for digest in digests] == [False, True, True]


def test_roots(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for name in ("named", "old", "used"):
        (store.folder / "roots" / name / "root/usr").mkdir(parents=True)
        os.utime(store.folder / "roots" / name, (1000, 1000) if name != "used" else None)
    (store.folder / "roots/old/root/usr").chmod(0o555)
    assert collect(store, Kept(), frozenset({"named"}), Limit(size=1e12)).roots == ["old"]
    assert sorted(path.name for path in (store.folder / "roots").iterdir()) == ["named", "used"]
    assert list((store.folder / "tmp").iterdir()) == []


def test_roots_of_another_store_are_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "elsewhere/old/root").mkdir(parents=True)
    os.utime(tmp_path / "elsewhere/old", (1000, 1000))
    store.folder.mkdir()
    (store.folder / "roots").symlink_to(tmp_path / "elsewhere")
    assert collect(store, Kept(), frozenset(), Limit(size=0)).roots == []
    assert (tmp_path / "elsewhere/old/root").is_dir()


# -- verify ----------------------------------------------------------------------------------------


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def check(store: Store) -> list[str]:
    """What verify says; a second time it says nothing."""
    told: list[tuple[int, int | None]] = []
    found = verify(store, lambda done, total: told.append((done, total)))
    assert not told or told[-1][0] == told[-1][1]
    assert verify(store, lambda done, total: None) == []
    return found


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "folder", "link", "missing"])
def test_verify_finds_each_damaged_blob(make_graph: Make, shell: Shell, tmp_path: Path, how: str) -> None:
    store = Store(tmp_path / "store")
    good, bad = build(make_graph, shell, tmp_path, "good"), build(make_graph, shell, tmp_path, "bad")
    result = store.result(bad)
    assert result is not None
    blob = store.blob(result.outputs[0].sha256)
    data = blob.read_bytes()
    if how == "flip":
        damage(blob, bytes([data[0] ^ 1]) + data[1:])
    elif how == "cut":
        damage(blob, data[:-1])
    elif how == "empty":
        damage(blob, b"")
    else:
        blob.rename(tmp_path / "away")
        if how == "folder":
            (blob / "in").mkdir(parents=True)
        elif how == "link":
            blob.symlink_to(tmp_path / "away")
    found = check(store)
    assert [line.split()[0] for line in found] == (["result"] if how == "missing" else ["blob", "result"])
    assert bad in found[-1] and "of one" in found[-1] and "removed" in found[-1]
    assert not os.path.lexists(blob) and store.result(bad) is None and store.result(good) is not None
    assert [event.key for event in store.journal.events() if event.event == "damaged"] == [bad]
    assert build(make_graph, shell, tmp_path, "bad") == bad
    assert blob.read_bytes() == data


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 3}', "\xff", "[" * 100_000])
def test_verify_finds_damaged_records(make_graph: Make, shell: Shell, tmp_path: Path, text: str) -> None:
    store = Store(tmp_path / "store")
    key = build(make_graph, shell, tmp_path, "a")
    store.record(key).write_bytes(text.encode("latin-1"))
    assert check(store) == [f"result {key}: it is not the record of a result: removed"]
    assert not store.record(key).exists()


def test_verify_finds_a_record_that_lies_about_a_size(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "made").write_text("hello")
    store.put(Result("ab" * 32, "one", (Output("x", store.add(tmp_path / "made"), 4, False),), 1, "host"))
    assert "its x has 5 bytes, not 4" in check(store)[0]


def test_verify_of_an_empty_store(tmp_path: Path) -> None:
    assert check(Store(tmp_path / "none")) == []


# -- the command line ------------------------------------------------------------------------------


def test_cache_on_a_built_image(smoke: Project) -> None:
    store = Store(smoke.cache / "ingot")
    stages = len(smoke.manifest())
    shown = smoke.doit("cache", "image=smoke").stdout
    assert f"{stages} built, 0 restored, 0 % hits" in shown and str(store.folder) in shown
    subprocess.run(["rm", "-rf", str(smoke.folder / "build")], check=True)
    smoke.doit("image=smoke")
    assert f"{stages} restored, 50 % hits" in smoke.doit("cache", "image=smoke").stdout
    assert f"all right: {stages} results" in smoke.doit("cache", "verify=1", "image=smoke").stdout

    train, image = (next(e for e in smoke.manifest().items() if e[0] == name)[1] for name in ("train", "image"))
    digest = train["outputs"]["weights.bin"]["sha256"]
    damage(store.blob(digest), b"x")
    done = smoke.doit("cache", "verify=1", "image=smoke", status=1)
    assert f"blob {digest}" in done.stdout and f"result {train['key']} of train" in done.stdout
    assert smoke.doit("image=smoke").stderr.count("up to date") == 1  # the files in build/ are right

    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 30")  # the present results are now those of an old recipe
    smoke.doit("image=smoke")
    smoke.edit("images/smoke.yaml", "steps: 30", "steps: 40")
    kept = {path.name for path in (store.folder / "ac").glob("*/*")}
    done = smoke.doit("cache", "gc=0M", "image=smoke")
    gone = kept - {path.name for path in (store.folder / "ac").glob("*/*")}
    assert image["key"] not in gone or store.result(train["key"]) is None
    assert len(gone) >= 1 and "not down to 0 B" in done.stdout and "dropped result of" in done.stdout
    assert "all right" in smoke.doit("cache", "verify=1", "image=smoke").stdout


def test_gc_never_touches_what_this_project_or_its_locks_need(smoke: Project) -> None:
    store = Store(smoke.cache / "ingot")
    smoke.doit("lock", "image=smoke")
    weights = smoke.outputs_of("train")["weights.bin"]
    for path in (store.folder / "ac").glob("*/*"):
        os.utime(path, (1000, 1000))
    done = smoke.doit("cache", "gc=0M", "image=smoke")
    assert "0 entries, 0 blobs" in done.stdout
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 30")  # now only the lock names the weights
    smoke.doit("cache", "gc=1d", "image=smoke")
    assert store.blob(weights).exists()
    (smoke.folder / "images/smoke.lock").unlink()
    for path in (store.folder / "ac").glob("*/*"):
        os.utime(path, (1000, 1000))
    smoke.doit("cache", "gc=1d", "image=smoke")
    assert not store.blob(weights).exists()


def test_gc_beside_a_running_build_is_refused(smoke: Project) -> None:
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 1000000")
    scratch, child = smoke.cache / "ingot/scratch", smoke.start("image=smoke")
    try:
        while not list(scratch.glob("*")):
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        done = smoke.doit("cache", "gc=0M", "image=smoke", status=1)
        assert "a build is at work" in done.stderr and "hint: wait" in done.stderr and done.stdout == ""
        assert "all right" in smoke.doit("cache", "verify=1", "image=smoke").stdout
        assert list(scratch.glob("*"))
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate()
    smoke.doit("cache", "gc=1G", "image=smoke")


@pytest.mark.parametrize("words", [["gc="], ["gc=5"], ["gc=all"], ["verify"]])
def test_cache_refuses_what_it_does_not_know(project: Project, words: list[str]) -> None:
    done = project.doit("cache", *words, "image=smoke", status=1)
    assert "hint:" in done.stderr and "Traceback" not in done.stderr


def test_a_broken_lock_stops_gc_before_anything_goes(smoke: Project) -> None:
    lock = smoke.folder / "toolchain/cc.lock"
    smoke.edit("toolchain/cc.lock", '"root"', '"tree"')
    before = sorted(path.name for path in (smoke.cache / "ingot/ac").glob("*/*"))
    done = smoke.doit("cache", "gc=0M", "image=smoke", status=1)
    assert "is not a lock" in done.stderr and lock.exists()
    assert sorted(path.name for path in (smoke.cache / "ingot/ac").glob("*/*")) == before


KILLED = """
import os, sys
from pathlib import Path
from toolchain.collect import Kept, Limit, collect
from toolchain.store import Store
import toolchain.store as store
left = int(sys.argv[2])
def count(real):
    def call(*words, **more):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*words, **more)
    return call
Path.unlink = count(Path.unlink)
os.rename = count(os.rename)
collect(Store(Path(sys.argv[1])), Kept(), frozenset(), Limit(size=0))
"""


def test_gc_killed_at_any_moment_leaves_a_store_that_verifies(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for step in range(8):
        for name in "abc":
            build(make_graph, shell, tmp_path, name * 100)
        subprocess.run([sys.executable, "-c", KILLED, str(store.folder), str(step)], cwd=ROOT, check=False)
        assert verify(store, lambda done, total: None) == []
    assert json.loads((store.folder / "journal.jsonl").read_text().splitlines()[-1])["event"] == "evicted"

"""Blobs, results, the stat cache, keys."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project import ROOT
from toolchain.digest import StatCache
from toolchain.files import atomic, read_json
from toolchain.key import canonical, differences, key_of
from toolchain.store import CorruptBlob, Output, Result, Store

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@given(st.dictionaries(st.text(), JSON))
def test_key_ignores_the_order_of_fields(fields: dict[str, object]) -> None:
    assert key_of(fields) == key_of(dict(reversed(list(fields.items()))))


def test_key_is_the_sha256_of_canonical_json() -> None:
    fields = {"b": [1, "é"], "a": None}
    assert canonical(fields) == '{"a":null,"b":[1,"é"]}'.encode()
    assert key_of(fields) == hashlib.sha256(canonical(fields)).hexdigest()


def test_differences_name_nested_fields() -> None:
    old = {"inputs": {"a.c": "1", "b.c": "2"}, "argv": ["x"]}
    new = {"inputs": {"a.c": "9", "c.c": "3"}, "argv": ["x"]}
    assert differences(old, new) == [("inputs.a.c", "1", "9"), ("inputs.b.c", "2", None), ("inputs.c.c", None, "3")]


def test_blob_round_trip_and_corruption(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = tmp_path / "made"
    made.write_bytes(b"hello")
    digest = store.add(made)
    assert not made.exists()
    output = Output("x/y", digest, 5, True)
    store.restore(output, tmp_path / "x/y")
    assert (tmp_path / "x/y").read_bytes() == b"hello"
    assert (tmp_path / "x/y").stat().st_mode & 0o777 == 0o755
    blob = store.blob(digest)
    blob.chmod(0o644)
    blob.write_bytes(b"hellO")
    with pytest.raises(CorruptBlob):
        store.restore(output, tmp_path / "z")
    assert not (tmp_path / "z").exists()
    assert not blob.exists()


def test_result_round_trip(tmp_path: Path) -> None:
    store = Store(tmp_path)
    result = Result("ab" * 32, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host")
    assert store.result(result.key) is None
    store.put(result)
    assert store.result(result.key) == result
    assert store.drop(result.key) and not store.drop(result.key)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"outputs": 3}', '{"outputs": [{"path": 1}], "stage": "x"}', "\xff"])
def test_damaged_record_is_a_miss(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    key = "ab" * 32
    path = tmp_path / "ac" / "ab" / key
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    assert store.result(key) is None


def test_stat_cache_does_not_trust_young_files(tmp_path: Path) -> None:
    file, cache = tmp_path / "f", StatCache(tmp_path / "cache.json")
    file.write_text("one")
    first = cache.digest(file)
    file.write_text("two")  # same size, and quite possibly the same clock tick
    assert cache.digest(file) != first


def test_stat_cache_reads_settled_files_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "f", StatCache(tmp_path / "cache.json")
    file.write_text("one")
    now = time.time_ns()
    monkeypatch.setattr("toolchain.digest.time.time_ns", lambda: now + 10**10)
    first = cache.digest(file)
    cache.save()
    monkeypatch.setattr("toolchain.digest.sha256", lambda path: pytest.fail("read again"))
    assert StatCache(tmp_path / "cache.json").digest(file) == first
    os.utime(file, ns=(0, 0))  # ctime moves even when somebody sets the mtime back
    with pytest.raises(pytest.fail.Exception):
        StatCache(tmp_path / "cache.json").digest(file)


def test_atomic_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "t"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as out:
        out.write(b"half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert read_json(target) is None


@pytest.mark.parametrize("change", [
    {"path": "../../x"}, {"path": "/etc/x"}, {"path": ""}, {"sha256": "/etc/passwd"}, {"sha256": "AB" * 32},
    {"size": "x"}])
def test_hostile_record_is_a_miss(tmp_path: Path, change: dict[str, object]) -> None:
    store, key = Store(tmp_path), "ab" * 32
    store.put(Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host"))
    path = tmp_path / "ac" / "ab" / key
    record = read_json(path)
    record["outputs"][0].update(change)
    path.write_text(json.dumps(record))
    assert store.result(key) is None


def test_record_of_another_key_or_without_outputs_is_a_miss(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "ab" * 32
    for result in (Result("ef" * 32, "train", (Output("w", "cd" * 32, 4, False),), 1, "host"),
                   Result(key, "train", (), 1, "host")):
        store.put(result)
        path = tmp_path / "ac" / "ab" / key
        path.parent.mkdir(exist_ok=True)
        (tmp_path / "ac" / result.key[:2] / result.key).replace(path)
        assert store.result(key) is None


def test_rot_that_the_stat_cache_cannot_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, made = Store(tmp_path / "store"), tmp_path / "made"
    made.write_bytes(b"hello")
    digest = store.add(made)
    monkeypatch.setattr(StatCache, "digest", lambda self, path: digest)
    store.blob(digest).chmod(0o644)
    store.blob(digest).write_bytes(b"hellO")
    with pytest.raises(CorruptBlob):
        store.restore(Output("x", digest, 5, False), tmp_path / "x")
    assert not (tmp_path / "x").exists()


# -- records that may say anything, last use, places to work in ------------------------------------


def test_fields_of_a_result_are_kept(tmp_path: Path) -> None:
    store, fields = Store(tmp_path), {"argv": ["x"], "params": {"é": 1.5, "none": None}}
    result = Result(key_of(fields), "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host", fields)
    store.put(result)
    assert store.result(result.key) == result and key_of(store.result(result.key).fields) == result.key  # type: ignore[union-attr]


@pytest.mark.parametrize("fields", [None, 3, "x", [], [["a", 1]]])
def test_a_record_without_fields_is_read(tmp_path: Path, fields: object) -> None:
    store, key = Store(tmp_path), "ab" * 32
    store.put(Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host"))
    record = read_json(store.record(key))
    record["fields"] = fields
    if fields is None:
        del record["fields"]
    store.record(key).write_text(json.dumps(record))
    result = store.result(key)
    assert result is not None and result.fields == {}


@pytest.mark.parametrize("fetched", [True, False, None, "yes", 1])
def test_where_a_result_came_from_is_kept(tmp_path: Path, fetched: Any) -> None:
    """An old record does not say it, and nothing is guessed."""
    store, key = Store(tmp_path), "ab" * 32
    result = Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host")
    store.put(replace(result, fetched=fetched))
    found = store.result(key)
    assert found is not None and found.fetched is (fetched if isinstance(fetched, bool) else None)
    record = read_json(store.record(key))
    del record["fetched"]
    store.record(key).write_text(json.dumps(record))
    found = store.result(key)
    assert found == result and found.fetched is None


@pytest.mark.parametrize(("name", "value"), [
    ("seconds", "1e999"), ("seconds", "NaN"), ("size", "1e999"), ("size", "-1"), ("fields", "[" * 100_000),
    ("fields", '{"a": "' + "x" * (8 << 20) + '"}'), ("size", "9" * 10_000)])
def test_a_record_out_of_bounds_is_a_miss(tmp_path: Path, name: str, value: str) -> None:
    store, key = Store(tmp_path), key_of({"a": 1})
    store.put(Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host", {"a": 1}))
    text, old = store.record(key).read_text(), {"seconds": "1.5", "size": "4", "fields": '{\n  "a": 1\n }'}[name]
    assert store.result(key) is not None and f'"{name}": {old}' in text
    store.record(key).write_text(text.replace(f'"{name}": {old}', f'"{name}": {value}'))
    assert store.result(key) is None


@pytest.mark.parametrize(("old", "new"), [('"a": 1', '"a": 2'), ('"executable": false', '"executable": "false"')])
def test_a_record_that_was_changed_is_a_miss(tmp_path: Path, old: str, new: str) -> None:
    store, key = Store(tmp_path), key_of({"a": 1})
    store.put(Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host", {"a": 1}))
    text = store.record(key).read_text()
    assert old in text and store.result(key) is not None
    store.record(key).write_text(text.replace(old, new))
    assert store.result(key) is None


def test_touch_moves_the_last_use(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "ab" * 32
    store.touch(key)  # not there: no error, and nothing made
    assert not store.record(key).exists()
    store.put(Result(key, "train", (Output("w", "cd" * 32, 4, False),), 1.5, "host"))
    os.utime(store.record(key), (1000, 1000))
    store.touch(key)
    assert store.record(key).stat().st_mtime > 1000


def test_damaged_changes_nothing(tmp_path: Path) -> None:
    store, made = Store(tmp_path / "store"), tmp_path / "made"
    made.write_bytes(b"hello")
    digest = store.add(made)
    result = Result("ab" * 32, "one", (Output("x", digest, 5, False), Output("y", "cd" * 32, 5, False)), 1, "host")
    assert store.damaged(result) == ["y"]
    store.blob(digest).chmod(0o644)
    store.blob(digest).write_bytes(b"hellO")
    assert store.damaged(result) == ["x", "y"] and store.blob(digest).exists()


HOLD = """
import sys, time
from dataclasses import replace
from pathlib import Path
from typing import Any
from toolchain.store import Store
with Store(Path(sys.argv[1])).workspace() as folder:
    (folder / "half").write_text("done")
    print(folder, flush=True)
    time.sleep(60)
"""


def holder(store: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process at work in the store, and its work folder."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(store)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def test_sweep_takes_the_work_folders_of_dead_processes_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    child, folder = holder(tmp_path)
    with store.workspace() as own:
        assert list(own.iterdir()) == []  # nothing that a program would see
        assert store.sweep() == 0 and folder.is_dir() and own.is_dir()
        child.kill()
        child.wait()
        assert folder.is_dir()
        folder.chmod(0)
        assert store.sweep() == 1 and not folder.exists() and own.is_dir()
    assert list((tmp_path / "tmp").iterdir()) == [] and store.sweep() == 0


def test_sweep_leaves_other_folders_and_links(tmp_path: Path) -> None:
    for name in ("root-cc", "tmpabc", "elsewhere/kept"):
        (tmp_path / "tmp" / name).mkdir(parents=True)
    (tmp_path / "tmp/work-link").symlink_to("elsewhere")
    assert Store(tmp_path).sweep() == 0 and (tmp_path / "tmp/work-link/kept").is_dir()


def test_a_sweep_beside_new_work_folders_takes_none(tmp_path: Path) -> None:
    store, stop, taken = Store(tmp_path), threading.Event(), []

    def clear() -> None:
        while not stop.is_set():
            taken.append(store.sweep())

    sweeper = threading.Thread(target=clear)
    sweeper.start()
    try:
        for _ in range(300):
            with store.workspace() as folder:
                (folder / "file").write_text("x")
    finally:
        stop.set()
        sweeper.join()


def test_the_collector_is_alone_or_refused(tmp_path: Path) -> None:
    child, _ = holder(tmp_path)
    use = Store(tmp_path).use
    with use.alone() as alone:
        assert not alone
    child.kill()
    child.wait()
    with use.alone() as alone:
        assert alone


def test_work_keeps_the_store_until_it_is_released(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)

    def free() -> bool:
        with other.use.alone() as alone:
            return alone

    assert free()
    with store.lock("ab"), store.workspace():
        assert not free()
        store.use.release()
        assert not free()  # another thread of the process is still at work
    assert free()
    with store.lock("ab"):
        assert not free()
    assert free()


def test_two_builds_share_the_store(tmp_path: Path) -> None:
    child, _ = holder(tmp_path)
    with Store(tmp_path).workspace() as folder:
        assert folder.is_dir()
    child.kill()
    child.wait()

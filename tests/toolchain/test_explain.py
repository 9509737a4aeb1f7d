"""Why a stage runs: each answer, as a table and as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.project import Project
from toolchain.collect import Kept, Limit, collect
from toolchain.commands.explain import clean, pair, rows_of
from toolchain.explain import MOST, Change, Explanation, explain
from toolchain.graph import Graph
from toolchain.key import key_of
from toolchain.scrub import verify
from toolchain.stage import Stage
from toolchain.store import Output, Result

Make = Callable[[], Graph]
Shell = Callable[..., Stage]


@pytest.fixture
def asked(make_graph: Make, shell: Shell, tmp_path: Path) -> Callable[..., Explanation]:
    """`asked("upper", build=True, text="…", level=3)`: upper reads in.txt, count reads upper; explains one of them."""

    def ask(name: str = "upper", *, build: bool = False, text: str | None = None, **params: Any) -> Explanation:
        if text is not None:
            (tmp_path / "in.txt").write_text(text)
        graph = make_graph()
        upper = graph.add(shell("upper", "tr a-z A-Z < in.txt > upper.txt", ["upper.txt"], {"in.txt": "in.txt"},
                                params=params))
        count = graph.add(shell("count", "wc -c < upper.txt > count.txt", ["count.txt"],
                                {"upper.txt": upper["upper.txt"]}))
        if build:
            for one in (upper, count):
                graph.bring(one)
            graph.save()
        return explain(graph, graph.stages[name])

    return ask


Ask = Callable[..., Explanation]


def test_never_built(asked: Ask) -> None:
    found = asked(text="a")
    assert (found.state, found.reason, found.earlier, found.changes) == ("run", "never built here", None, ())


def test_fresh(asked: Ask) -> None:
    found = asked(build=True, text="a")
    assert (found.state, found.reason, found.earlier, found.changes) == ("fresh", "up to date", None, ())


def test_a_file(asked: Ask, tmp_path: Path) -> None:
    old = asked(build=True, text="a")
    found = asked(text="b")
    assert (found.state, found.reason) == ("run", "1 field differs from the nearest earlier key")
    assert found.earlier is not None and found.earlier.key == old.key and found.earlier.here and found.earlier.time > 0
    change, = found.changes
    assert (change.field, change.stage) == ("inputs.in.txt", None)
    assert change.new == "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"  # of b
    assert change.old == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # of a


def test_after_the_build_it_still_says_why(asked: Ask) -> None:
    asked(build=True, text="a")
    found = asked(build=True, text="b")
    assert found.state == "fresh" and [change.field for change in found.changes] == ["inputs.in.txt"]
    assert found.earlier is not None and not found.earlier.here


def test_parameters(asked: Ask) -> None:
    asked(build=True, text="a", level=3, kind="x")
    found = asked(level=4, kind="x", more=True)
    assert [(one.field, one.old, one.new) for one in found.changes] == [
        ("params.level", 3, 4), ("params.more", None, True)]


def test_the_toolchain(asked: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(build=True, text="a")
    monkeypatch.setattr("toolchain.executors.host.Host.digest", lambda self, root, tools: "cc:" + "12" * 32)
    found = asked()
    assert [(one.field, one.new) for one in found.changes] == [("toolchain", "cc:" + "12" * 32)]


def test_the_stage_whose_output_changed(asked: Ask) -> None:
    asked(build=True, text="a")
    asked("count", build=True, text="bb")
    found = asked("count")
    assert [(one.field, one.stage) for one in found.changes] == [("inputs.upper.txt", "upper")]


def test_a_stage_that_waits_explains_what_it_waits_for(asked: Ask) -> None:
    asked(build=True, text="a")
    found = asked("count", text="b")
    assert (found.state, found.reason, found.key) == ("wait", "waits for upper", None)
    assert found.waits_for is not None and found.waits_for.stage == "upper"
    assert [change.field for change in found.waits_for.changes] == ["inputs.in.txt"]


def test_restore(asked: Ask, tmp_path: Path) -> None:
    asked(build=True, text="a")
    (tmp_path / "build/upper.txt").unlink()
    assert (asked().state, asked().reason) == ("restore", "upper.txt is missing")
    asked(build=True, text="b")
    found = asked(text="a")
    assert found.state == "restore" and found.earlier is not None and found.earlier.here
    assert [change.field for change in found.changes] == ["inputs.in.txt"]


def test_the_nearest_is_that_with_the_fewest_differences(asked: Ask) -> None:
    near = asked(build=True, text="a", one=1, two=2)
    asked(build=True, text="b", one=3, two=4)  # this folder's last, yet further away
    found = asked(text="a", one=1, two=5)
    assert found.earlier is not None and found.earlier.key == near.key and not found.earlier.here
    assert [change.field for change in found.changes] == ["params.two"]
    here = asked(build=True, text="a", one=1, two=6)
    found = asked(text="a", one=1, two=5)
    assert found.earlier is not None and found.earlier.key == here.key and found.earlier.here  # equally near


def test_evicted(asked: Ask, make_graph: Make, tmp_path: Path) -> None:
    key = asked(build=True, text="a").key
    store = make_graph().store
    collect(store, Kept(), frozenset(), Limit(size=0))
    found = asked()
    assert (found.state, found.reason, found.lost) == ("run", "its result was evicted by gc", "evicted")
    assert found.key == key
    assert found.lost_at in [event.time for event in store.journal.events() if event.event == "evicted"]
    assert asked(text="never").lost == ""
    assert asked(build=True, text="a").lost == ""


def test_found_damaged_by_verify(asked: Ask, make_graph: Make, tmp_path: Path) -> None:
    asked(build=True, text="a")
    for blob in (tmp_path / "store/cas").glob("*/*"):
        blob.unlink()
    verify(make_graph().store, lambda done, total: None)
    assert (asked().reason, asked().lost) == ("its result was found damaged by verify", "damaged")


def test_lost_otherwise(asked: Ask, make_graph: Make, tmp_path: Path) -> None:
    key = asked(build=True, text="a").key
    assert key is not None and make_graph().store.drop(key)
    assert (asked().state, asked().reason) == ("run", "same key, its result is no longer in the store")


def test_same_key_its_blobs_are_damaged(asked: Ask, tmp_path: Path) -> None:
    asked(build=True, text="a")
    for blob in (tmp_path / "store/cas").glob("*/*"):
        blob.chmod(0o644)
        blob.write_bytes(b"?" * blob.stat().st_size)
    found = asked()
    assert (found.state, found.damaged) == ("fresh", ("upper.txt",))  # nothing needs them
    (tmp_path / "build/upper.txt").unlink()
    found = asked()
    assert (found.state, found.reason) == ("run", "same key, its blobs are damaged: upper.txt")
    assert len(list((tmp_path / "store/cas").glob("*/*"))) == 2  # it only looks
    assert asked(build=True).state == "fresh"


def test_records_that_lie_are_no_earlier_keys(asked: Ask, make_graph: Make, tmp_path: Path) -> None:
    key = asked(build=True, text="a").key
    assert key is not None
    store = make_graph().store
    subprocess.run(["rm", "-r", str(tmp_path / "build")], check=True)
    assert asked(text="b").earlier is not None
    for change in ({"fields": {"argv": ["x"]}}, {"fields": {"n": float("nan")}}, {"fields": {}}, {"fields": 3}):
        record = json.loads(store.record(key).read_text())
        store.record(key).write_text(json.dumps({**record, **change}))
        found = asked()
        assert found.earlier is None and found.reason == "never built here"


def test_only_the_newest_keys_are_looked_at(asked: Ask, make_graph: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_graph().store
    keys = []
    for number in range(MOST + 20):
        fields = {"stage": "upper", "n": number}
        keys.append(key_of(fields))
        store.put(Result(keys[-1], "upper", (Output("x", "0" * 64, 1, False),), 1, "host", fields))
        store.journal.add("built", keys[-1], "upper")
    read: list[str] = []
    real = type(store).result
    monkeypatch.setattr("toolchain.store.Store.result", lambda self, key: [read.append(key), real(self, key)][1])
    asked(text="a")
    assert [key for key in read if key in keys] == keys[:-MOST - 1:-1]


# -- what is shown ---------------------------------------------------------------------------------

SHA1, SHA2 = "a" * 63 + "1", "a" * 63 + "2"


@pytest.mark.parametrize(("change", "rows"), [
    (Change("inputs.a/b.c", "1" * 64, "2" * 64), [("file", "a/b.c", "1" * 12, "2" * 12)]),
    (Change("inputs.a.o", None, "2" * 64 + "+x", "cc"), [("file", "a.o (from cc)", "—", "2" * 12 + "+x")]),
    (Change("inputs.a", "1" * 64, "1" * 64 + "+x"), [("file", "a", "1" * 12, "1" * 12 + "+x")]),
    (Change("toolchain", "cc:" + SHA1, "cc:" + SHA2), [("toolchain", "", "cc:" + SHA1, "cc:" + SHA2)]),
    (Change("params.deep.x", 1, [2]), [("parameter", "deep.x", "1", "[2]")]),
    (Change("params.x", "[red]", True), [("parameter", "x", "[red]", "true")]),
    (Change("argv", ["t", "--n", "1", "--m", "2"], ["t", "--n", "3", "--m", "2"]), [("argv", "--n", "1", "3")]),
    (Change("argv", ["t", "a", "b"], ["t", "b", "--c", "d", "e"]),
     [("argv", "", "a", "—"), ("argv", "", "—", "--c d e")]),
    (Change("outputs", ["a"], ["a", "b"]), [("output", "", "—", "b")]),
    (Change("scratch", False, True), [("scratch", "", "false", "true")]),
])
def test_rows(change: Change, rows: list[tuple[str, str, str, str]]) -> None:
    assert list(rows_of(change)) == rows


words = st.lists(st.text("abc-", min_size=1, max_size=3), max_size=6)


@given(words, words)
def test_argv_that_differs_has_rows(old: list[str], new: list[str]) -> None:
    rows = list(rows_of(Change("argv", old, new)))
    assert bool(rows) == (old != new)
    assert all(before != after for _, _, before, after in rows)


@given(st.text("ab\n", max_size=400), st.text("ab\n", max_size=400))
def test_values_that_differ_look_different(old: str, new: str) -> None:
    before, after = pair(old, new)
    assert (before == after) == (old == new) and max(len(before), len(after)) <= 162


def test_a_hostile_value_moves_no_cursor() -> None:
    assert clean("a\x1b[2Jb\r\n\u202e") == "a·[2Jb···"


# -- the command line, on a real image -------------------------------------------------------------


def changes(project: Project, *words: str) -> dict[str, Any]:
    """`explain … json=1`: stdout holds one object and nothing else."""
    return dict(json.loads(project.doit("explain", *words, "json=1", "image=smoke").stdout))


def test_explain_on_a_built_image(smoke: Project) -> None:
    assert changes(smoke, "link")["state"] == "fresh"
    keys = {path.name for path in (smoke.cache / "ingot/ac").glob("*/*")}

    source = smoke.folder / "efi_src/uefi/clock.c"
    smoke.edit("efi_src/uefi/clock.c", "{", "{ __asm__ volatile(\"nop\");")
    found = changes(smoke, "link")
    assert (found["state"], found["waits_for"]["stage"]) == ("wait", "compile:uefi/clock")
    change, = found["waits_for"]["changes"]
    assert change["field"] == "inputs.efi_src/uefi/clock.c"
    assert change["new"] == subprocess.run(["sha256sum", str(source)], capture_output=True, text=True,
                                           check=True).stdout.split()[0]
    assert re.fullmatch("[0-9a-f]{64}", change["old"]) and change["old"] != change["new"]
    text = smoke.doit("explain", "link", "image=smoke").stdout
    assert text.index("compile:uefi/clock: run") < text.index("link: wait")
    assert re.search(rf"file +efi_src/uefi/clock.c +{change['old'][:12]} +{change['new'][:12]}", text)
    assert keys == {path.name for path in (smoke.cache / "ingot/ac").glob("*/*")}  # nothing was run

    smoke.doit("image=smoke")
    found = changes(smoke, "link")
    assert found["state"] == "fresh"
    assert [(one["field"], one["stage"]) for one in found["changes"]] == [("inputs.uefi-clock.o", "compile:uefi/clock")]

    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 41")
    text = smoke.doit("explain", "train", "image=smoke").stdout
    assert re.search(r"argv +--steps +40 +41", text) and len(re.findall("argv", text)) == 1


def test_one_byte_of_a_toolchain_lock(smoke: Project) -> None:
    smoke.edit("toolchain/cc.lock", "\n}", "\n }")
    found = changes(smoke, "dataset")
    change, = found["changes"]
    assert (found["state"], change["field"]) == ("run", "toolchain")
    assert change["old"].startswith("cc:") and change["new"].startswith("cc:") and change["old"] != change["new"]
    text = smoke.doit("explain", "dataset", "image=smoke").stdout
    assert re.search(r"toolchain +cc:[0-9a-f]{12} +cc:[0-9a-f]{12}", text)


def test_evicted_is_told_from_never_built(smoke: Project) -> None:
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 41")
    for path in (smoke.cache / "ingot/ac").glob("*/*"):
        os.utime(path, (1000, 1000))
    smoke.doit("cache", "gc=1d", "image=smoke")
    assert changes(smoke, "train")["lost"] is None
    smoke.edit("images/smoke.yaml", "steps: 41", "steps: 40")
    assert changes(smoke, "train")["lost"]["how"] == "evicted"
    text = smoke.doit("explain", "train", "image=smoke").stdout
    assert re.search(r"train: run: its result was evicted by gc \(20\d\d-\d\d-\d\d \d\d:\d\d\)", text)


@pytest.mark.parametrize(("words", "hint"), [
    (["trian"], "did you mean train?"), (["compile"], "compile:engine/arena for one"), ([], "./doit list --all"),
    (["train", "link"], "./doit list --all")])
def test_explain_asks_for_one_stage(project: Project, words: list[str], hint: str) -> None:
    done = project.doit("explain", *words, "image=smoke", status=1)
    assert re.search(rf"hint: .*{re.escape(hint)}", done.stderr) and done.stdout == ""

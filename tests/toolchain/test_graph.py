"""Freshness, early cut-off, restoring, damage."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.graph import Graph
from toolchain.stage import Stage

Make = Callable[[], Graph]
Shell = Callable[..., Stage]
Runs = Callable[[], list[str]]


def declare(graph: Graph, shell: Shell, folder: Path) -> tuple[Stage, Stage]:
    """upper: a file in capitals, its comment lines dropped; count: its size."""
    (folder / "in.txt").touch()
    upper = graph.add(shell("upper", "grep -v '^#' in.txt | tr a-z A-Z > upper.txt || true", ["upper.txt"],
                            {"in.txt": "in.txt"}))
    count = graph.add(shell("count", "wc -c < upper.txt > count.txt", ["count.txt"],
                            {"upper.txt": upper["upper.txt"]}))
    return upper, count


def build(make: Make, shell: Shell, folder: Path) -> None:
    graph = make()
    _, count = declare(graph, shell, folder)
    for stage in graph.order(["count"]):
        graph.bring(stage)
    graph.save()


def test_builds_once_and_stays(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("abc\n")
    build(make_graph, shell, tmp_path)
    assert (tmp_path / "build/upper.txt").read_text() == "ABC\n"
    build(make_graph, shell, tmp_path)
    assert runs() == ["upper", "count"]


def test_edit_that_keeps_size_and_mtime_is_seen(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("abc\n")
    stat = source.stat()
    build(make_graph, shell, tmp_path)
    source.write_text("abd\n")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    build(make_graph, shell, tmp_path)
    assert (tmp_path / "build/upper.txt").read_text() == "ABD\n"
    assert runs() == ["upper", "count", "upper", "count"]


def test_same_output_cuts_off(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("abc\n")
    build(make_graph, shell, tmp_path)
    (tmp_path / "in.txt").write_text("# a comment\nabc\n")
    build(make_graph, shell, tmp_path)
    assert runs() == ["upper", "count", "upper"]


def test_back_to_an_earlier_input_restores(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    for text in ("one\n", "two!\n", "one\n"):
        (tmp_path / "in.txt").write_text(text)
        build(make_graph, shell, tmp_path)
    assert runs() == ["upper", "count"] * 2
    assert (tmp_path / "build/upper.txt").read_text() == "ONE\n"
    assert (tmp_path / "build/count.txt").read_text().strip() == "4"


@pytest.mark.parametrize("damage", ["delete", "change", "truncate", "chmod"])
@pytest.mark.parametrize("name", ["upper.txt", "count.txt"])
def test_damaged_output_is_restored(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path, damage: str,
                                    name: str) -> None:
    (tmp_path / "in.txt").write_text("abc\n")
    build(make_graph, shell, tmp_path)
    path = tmp_path / "build" / name
    right = path.read_bytes()
    if damage == "delete":
        path.unlink()
    elif damage == "change":
        path.write_bytes(b"X" + right[1:])
    elif damage == "truncate":
        path.write_bytes(b"")
    else:
        path.chmod(0o755)
    build(make_graph, shell, tmp_path)
    assert path.read_bytes() == right
    assert not path.stat().st_mode & 0o100
    assert runs() == ["upper", "count"]


def test_each_bit_of_a_blob_counts(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("abc\n")
    build(make_graph, shell, tmp_path)
    for blob in (tmp_path / "store/cas").glob("*/*"):
        right = blob.read_bytes()
        blob.chmod(0o644)
        blob.write_bytes(bytes([right[0] ^ 1]) + right[1:])
        (tmp_path / "build/upper.txt").unlink(missing_ok=True)
        (tmp_path / "build/count.txt").unlink(missing_ok=True)
        build(make_graph, shell, tmp_path)
        assert (tmp_path / "build/upper.txt").read_text() == "ABC\n"
        assert (tmp_path / "build/count.txt").read_text().strip() == "4"
    assert sorted(runs()) == ["count", "count", "upper", "upper"]


def test_undeclared_input_is_not_there(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    graph = make_graph()
    stage = graph.add(shell("peek", "cat secret.txt > out", ["out"]))
    with pytest.raises(UserError, match="stage peek: sh ended with status"):
        graph.bring(stage)
    assert graph.result(stage) is None
    assert not list((tmp_path / "store/tmp").iterdir())


def test_a_program_s_own_error_and_hint_are_the_stage_s(make_graph: Make, shell: Shell) -> None:
    told = "stage tell: a.txt is bad"
    for script, what in (("echo error: no; echo error: a.txt is bad; echo hint: mend it", told),
                         ("echo hint: mend it", "ended with status 1"), ("echo error: a; echo b", "ended with")):
        graph = make_graph()
        with pytest.raises(UserError, match=what) as found:
            graph.bring(graph.add(shell("tell", f"{script}; exit 1", ["out"])))
        assert (found.value.hint == "mend it") == (what == told)


def test_missing_output_is_an_error(make_graph: Make, shell: Shell) -> None:
    graph = make_graph()
    with pytest.raises(UserError, match="left no out"):
        graph.bring(graph.add(shell("lazy", "true", ["out"])))


def test_missing_input_names_file_and_stage(make_graph: Make, shell: Shell) -> None:
    graph = make_graph()
    with pytest.raises(UserError, match=r"stage copy: input gone.txt does not exist"):
        graph.bring(graph.add(shell("copy", "true", ["out"], {"gone.txt": "gone.txt"})))


def test_scratch_survives_a_failure_and_goes_with_success(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    script = "if [ -e scratch/seen ]; then cp scratch/seen out; else echo half > scratch/seen; exit 3; fi"
    graph = make_graph()
    stage = graph.add(shell("train", script, ["out"], scratch=True))
    with pytest.raises(UserError, match="status 3"):
        graph.bring(stage)
    graph = make_graph()
    graph.add(stage)
    graph.bring(stage)
    assert (tmp_path / "build/out").read_text() == "half\n"
    assert not list((tmp_path / "store/scratch").iterdir())


def test_environment_of_a_stage(make_graph: Make, shell: Shell, tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leak")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    before = os.umask(0o077)
    try:
        graph = make_graph()
        graph.bring(graph.add(shell("env", "env > out; umask >> out", ["out"])))
    finally:
        os.umask(before)
    text = (tmp_path / "build/out").read_text()
    assert "SECRET" not in text
    for line in ("TZ=UTC", "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH=0", "PYTHONHASHSEED=0", "0022"):
        assert line in text.splitlines()


def test_executable_outputs_stay_executable(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    graph = make_graph()
    tool = graph.add(shell("tool", "printf '#!/bin/sh\\necho hi\\n' > hi; chmod +x hi", ["hi"]))
    use = graph.add(shell("use", "./hi > said", ["said"], {"hi": tool["hi"]}))
    for stage in (tool, use):
        graph.bring(stage)
    assert (tmp_path / "build/said").read_text() == "hi\n"
    assert (tmp_path / "build/hi").stat().st_mode & 0o111


def test_standing_tells_the_reason(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("abc\n")
    graph = make_graph()
    upper, count = declare(graph, shell, tmp_path)
    assert (graph.standing(upper).state, graph.standing(upper).reason) == ("run", "not built yet")
    assert (graph.standing(count).state, graph.standing(count).reason) == ("wait", "waits for upper")
    build(make_graph, shell, tmp_path)

    def now() -> tuple[Graph, Stage, Stage]:
        graph = make_graph()
        return graph, *declare(graph, shell, tmp_path)

    graph, upper, count = now()
    assert graph.standing(count).state == "fresh"
    (tmp_path / "in.txt").write_text("new\n")
    graph, upper, count = now()
    assert graph.standing(upper).reason == "changed: inputs.in.txt"
    (tmp_path / "in.txt").write_text("abc\n")
    (tmp_path / "build/count.txt").unlink()
    graph, upper, count = now()
    assert (graph.standing(count).state, graph.standing(count).reason) == ("restore", "count.txt is missing")
    graph.forget(upper)
    assert graph.standing(upper).reason == "its result is no longer in the store"


def test_target_that_is_a_directory(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    graph = make_graph()
    stage = graph.add(shell("one", "echo 1 > out", ["out"]))
    graph.bring(stage)
    (tmp_path / "build/out").unlink()
    (tmp_path / "build/out").mkdir()
    with pytest.raises(UserError, match="is not a file"):
        graph.bring(stage)


def test_two_processes_build_a_stage_once(make_graph: Make, shell: Shell, runs: Runs) -> None:
    def work() -> None:
        graph = make_graph()
        graph.bring(graph.add(shell("slow", "sleep 0.3; echo 1 > out", ["out"])))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs() == ["slow"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_paths_outside_the_work_folder_are_refused(shell: Shell, path: str) -> None:
    with pytest.raises(UserError, match="not a path inside"):
        shell("bad", "true", [path])


# -- a program that is not to be trusted -----------------------------------------------------------


@pytest.mark.parametrize("script", [
    "rmdir d; ln -s {outside} d",
    "ln -s {outside}/secret d/secret",
    "mkdir e; ln -s {outside} e/f; rmdir d; ln -s e/f d",
])
def test_an_output_by_way_of_a_link_is_refused(make_graph: Make, shell: Shell, tmp_path: Path, script: str) -> None:
    """Else a file of this machine would be moved into the store."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    graph = make_graph()
    one = graph.add(shell("one", script.format(outside=outside), ["d/secret"]))
    with pytest.raises(UserError, match="left no d/secret"):
        graph.bring(one)
    assert (outside / "secret").read_text() == "secret" and not (tmp_path / "build/d/secret").exists()


def test_a_note_by_way_of_a_link_is_left_out(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    graph = make_graph()
    graph.bring(graph.add(shell("one", f"touch o; ln -s {tmp_path}/secret scratch/note", ["o"], scratch=True,
                                notes=("note",))))
    assert (tmp_path / "build/o").exists() and not (tmp_path / "build/note").exists()


def test_the_modes_of_sources_are_those_of_the_key(make_graph: Make, shell: Shell, runs: Runs, tmp_path: Path) -> None:
    source, tool = tmp_path / "in.txt", tmp_path / "tool"
    source.touch()
    tool.touch()
    seen = set()
    for mode in (0o644, 0o600, 0o444, 0o664):
        source.chmod(mode)
        tool.chmod(mode | 0o100)
        graph = make_graph()
        one = graph.add(shell("one", "stat -c %a in.txt tool > o", ["o"], {"in.txt": "in.txt", "tool": "tool"}))
        graph.forget(one)
        graph.bring(one)
        seen.add((tmp_path / "build/o").read_text())
    assert seen == {"644\n755\n"} and len(runs()) == 4


@pytest.mark.parametrize(("inputs", "outputs"), [
    (["x"], ["x"]), (["x"], ["x/y"]), (["x/y"], ["x"]), ([], ["x", "x"]), ([], ["x", "x/y"]), ([], ["scratch/x"]),
    (["scratch"], ["x"]),
])
def test_files_that_would_cover_each_other(shell: Shell, inputs: list[str], outputs: list[str]) -> None:
    with pytest.raises(UserError):
        shell("one", "true", outputs, {path: path for path in inputs})


# -- damage while a build runs ---------------------------------------------------------------------


def test_an_input_that_was_made_anew_and_differs_gives_another_key(make_graph: Make, shell: Shell, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a stage's key and its start another thread finds an input damaged, and builds it again: not the same."""
    def declare(graph: Graph) -> tuple[Stage, Stage]:
        upper = graph.add(shell("u", f"cat {tmp_path}/now > u", ["u"]))  # a stage that cannot be reproduced
        return upper, graph.add(shell("x", "cp u x", ["x"], {"u": upper["u"]}))

    (tmp_path / "now").write_text("one")
    graph = make_graph()
    u, x = declare(graph)
    graph.bring(u)
    true, done = graph._lay_out, []

    def late(stage: Stage, fields: dict[str, object], work: Path) -> dict[str, Path]:
        if stage.name == "x" and not done:
            done.append(True)
            (tmp_path / "now").write_text("two")
            graph.forget(u)
            graph.bring(u)
        return true(stage, fields, work)

    monkeypatch.setattr(graph, "_lay_out", late)
    graph.bring(x)
    assert done and (tmp_path / "build/x").read_text() == "two"
    fields, result = graph.fields(x), graph.result(x)
    assert fields is not None and result is not None
    assert fields["inputs"]["u"] == result.output("x").sha256  # x is a copy of u


def test_many_damaged_inputs_at_once(make_graph: Make, shell: Shell, tmp_path: Path) -> None:
    """A disk seldom spoils one blob alone."""
    def build(text: str) -> None:
        graph = make_graph()
        parts = [graph.add(shell(f"part{n}", f"echo {n} > o{n}", [f"o{n}"])) for n in range(6)]
        (tmp_path / "in.txt").write_text(text)
        graph.bring(graph.add(shell("link", "cat in.txt o* > all", ["all"], {
            "in.txt": "in.txt", **{f"o{n}": part[f"o{n}"] for n, part in enumerate(parts)}})))

    build("first\n")
    for blob in (tmp_path / "store/cas").glob("*/*"):
        blob.chmod(0o644)
        blob.write_text("damaged")
    build("second\n")
    assert (tmp_path / "build/all").read_text() == "second\n0\n1\n2\n3\n4\n5\n"

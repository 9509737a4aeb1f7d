"""The parts of a reproduction: what counts as the first build, what is compared, what surrounds the second one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolchain.errors import UserError
from toolchain.reproduce import checkout, compare, executors, explain, first, show, surroundings
from toolchain.reproduce.compare import DIFFERS, GONE, SAME, UNKNOWN
from toolchain.reproduce.first import First, Made


def entry(outputs: dict[str, str], executor: str = "sandbox", cache: str = "built", *argv: str) -> dict[str, Any]:
    """A stage of a manifest."""
    return {"key": "k", "inputs": {"a.c": "i"}, "parameters": {"argv": list(argv), "level": 2}, "toolchain": "cc:t",
            "executor": executor, "pinned": executor != "host", "cache": cache, "seconds": 1.0,
            "outputs": {name: {"sha256": digest, "size": 1} for name, digest in outputs.items()}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "build/one").mkdir(parents=True)
    return tmp_path


def manifest(folder: Path, **entries: dict[str, Any]) -> None:
    (folder / "build/one/manifest.json").write_text(json.dumps(entries))


def lock(folder: Path, **pins: str) -> None:
    lines = "".join(f"{digest}  {name.replace('__', '/')}\n" for name, digest in pins.items())
    (folder / "images/one.lock").write_text(lines)


A, B = "a" * 64, "b" * 64


# -- the first build --


def test_nothing_to_compare_with(folder: Path) -> None:
    with pytest.raises(UserError, match="nothing to compare with"):
        first.of_folder("one")


def test_a_manifest_alone(folder: Path) -> None:
    manifest(folder, link={**entry({"x": A}, "docker", "built", "ld", "-s")})
    found = first.of_folder("one")
    assert found.name == "build/one/manifest.json" and found.expected("link", "x") == A
    assert found.executors == {"link": "docker"} and found.pinned
    assert found.fields["link"] == {"argv": ["ld", "-s"], "params": {"level": 2}, "inputs": {"a.c": "i"},
                                    "toolchain": "cc:t"}


def test_the_lock_decides_and_the_manifest_explains(folder: Path) -> None:
    """What is in build/ counts only where it is what the lock pins."""
    lock(folder, link__x=A, train__w=A)
    manifest(folder, link=entry({"x": A}), train=entry({"w": B}, "docker"))
    found = first.of_folder("one")
    assert found.name == "images/one.lock" and found.outputs == {"link": {"x": A}, "train": {"w": A}}
    assert found.executors == {"link": "sandbox"} and set(found.fields) == {"link"}
    assert found.built["train"] == {"w": B}


def test_names_with_slashes(folder: Path) -> None:
    lock(folder, **{"compile:a/b__sub__x.o": A})
    assert first.of_folder("one").outputs == {"compile:a/b/sub": {"x.o": A}}
    manifest(folder, **{"compile:a/b": entry({"sub/x.o": A})})
    assert first.of_folder("one").outputs == {"compile:a/b": {"sub/x.o": A}}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"link": 1}', '{"link": {"outputs": {}}}'])
def test_a_manifest_that_is_none(folder: Path, text: str) -> None:
    (folder / "build/one/manifest.json").write_text(text)
    assert first.made(folder / "build/one/manifest.json") is None


def test_what_was_taken(folder: Path) -> None:
    """A download, and weights that a recipe pins: neither was made by this build."""
    manifest(folder, dataset=entry({"c": A}, "download"), train=entry({"w": A}, "sandbox", "hit"), link=entry({"x": A}))
    found = first.made(folder / "build/one/manifest.json")
    assert found is not None and found.taken == {"dataset", "train"}


# -- comparing --


def made(outputs: dict[str, dict[str, str]], taken: frozenset[str] = frozenset()) -> Made:
    return Made(outputs, dict.fromkeys(outputs, "docker"), {}, taken, True)


def test_verdicts() -> None:
    before = First("it", {"one": {"a": A}, "two": {"b": A, "c": A}, "gone": {"d": A}}, {"one": "sandbox"})
    now = made({"two": {"b": A, "c": B}, "new": {"e": A}, "one": {"a": A}})
    rows = compare.rows(before, now, ["one", "two", "new"])
    assert [(row.stage, row.verdict) for row in rows] == [
        ("one", SAME), ("two", DIFFERS), ("new", UNKNOWN), ("gone", GONE)]
    assert rows[0].before == "sandbox" and rows[0].now == "docker" and rows[1].wrong == ("c",)
    assert not compare.verdict_on(rows) and compare.verdict_on(rows[:1])


def test_what_is_not_known_is_not_the_same() -> None:
    rows = compare.rows(First("it", {"one": {"a": A}}), made({"one": {"a": A, "b": A}}), ["one"])
    assert rows[0].verdict == UNKNOWN and not compare.verdict_on(rows)


def test_an_output_that_was_not_rebuilt() -> None:
    rows = compare.rows(First("it", {"one": {"a": A, "b": A}}), made({"one": {"a": A}}), ["one"])
    assert rows[0].verdict == DIFFERS and rows[0].wrong == ("b",)


def test_a_taken_stage_is_told_as_such() -> None:
    rows = compare.rows(First("it", {"one": {"a": A}}), made({"one": {"a": A}}, frozenset({"one"})), ["one"])
    assert show.shown(rows[0])[-1] == "same (taken, not rebuilt)"


# -- what differs --


def test_an_argument() -> None:
    old = {"argv": ["gcc", "-std=c11", "-O2", "-c"], "inputs": {"a.c": "1"}, "params": {}, "toolchain": "cc:1"}
    assert list(explain.of_key("it", old, {**old, "argv": ["gcc", "-std=c11", "-O1", "-c"]})) == \
        ["argument (after -std=c11): -O2 -> -O1"]
    assert list(explain.of_key("it", old, {**old, "inputs": {"a.c": "2"}, "toolchain": "cc:2"})) == \
        ["file a.c: 1 -> 2", "toolchain: cc:1 -> cc:2"]
    assert "does not give the same twice" in next(explain.of_key("it", old, old))
    assert "holds digests alone" in next(explain.of_key("it", None, old))


def test_bytes_that_are_not_at_hand(tmp_path: Path) -> None:
    assert "the first build's bytes are not at hand" in next(explain.of_bytes(None, tmp_path, tmp_path / "r"))


def test_diffoscope_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_text("one\n")
    (tmp_path / "new").write_text("two\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    report = tmp_path / "kept/report"
    assert not any("diffoscope" in line for line in explain.of_bytes(tmp_path / "old", tmp_path / "new", report))
    program = tmp_path / "diffoscope"
    text = '"x" * 500 + "\\n" + "\\x1b[2J\\n" * 50'
    program.write_text(f'#!{sys.executable}\nimport sys\nopen(sys.argv[2], "w").write({text})')
    program.chmod(0o755)
    lines = list(explain.of_bytes(tmp_path / "old", tmp_path / "new", report))
    assert "-one" in lines and f"diffoscope ({report}, 51 lines):" in lines and lines[-1] == "  and more"
    assert not any("\x1b" in line or len(line) > 202 for line in lines)
    program.write_text("#!/bin/false\n")
    report.unlink()
    assert "diffoscope could not" in list(explain.of_bytes(tmp_path / "old", tmp_path / "new", report))[-1]


# -- the executor --


def test_another_executor() -> None:
    def none(name: str) -> None:
        return None

    assert executors.pick({"sandbox"}, True, none) == ("docker", [])
    assert executors.pick({"docker"}, True, none) == ("sandbox", [])
    assert executors.pick({"docker", "sandbox"}, True, none) == ("nix", [])
    assert executors.pick(set(), True, none) == ("docker", [])
    assert executors.pick({"host"}, False, none)[0] == "host"


def test_no_other_executor() -> None:
    name, reasons = executors.pick({"sandbox"}, True, lambda name: None if name == "sandbox" else "none here")
    assert name == "sandbox"
    assert reasons == ["docker cannot be used here (none here)", "nix cannot be used here (none here)"]
    assert executors.pick({"sandbox"}, True, lambda name: "no")[0] == "host"


# -- the sources --


def test_files_without_git(tmp_path: Path) -> None:
    for name in ("dodo.py", "build/x", "dist/x", "model/build/x.py", "model/__pycache__/x.pyc", ".venv/x", "doit"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert checkout.files(tmp_path) == ["dodo.py", "doit", "model/build/x.py"]


def test_files_with_git(tmp_path: Path) -> None:
    for name in ("dodo.py", "new.py", "gone.py", "ignored"):
        (tmp_path / name).write_text("text")
    (tmp_path / ".gitignore").write_text("ignored\n")
    for words in (["init", "--quiet"], ["add", "dodo.py", "gone.py"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "gone.py").unlink()
    (tmp_path / "dodo.py").chmod(0o775)
    (tmp_path / "link").symlink_to("dodo.py")
    assert checkout.files(tmp_path) == [".gitignore", "dodo.py", "gone.py", "link", "new.py"]
    assert checkout.copy(tmp_path, tmp_path / "copy") == 4
    assert (tmp_path / "copy/dodo.py").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "copy/new.py").stat().st_mode & 0o777 == 0o600
    assert os.readlink(tmp_path / "copy/link") == "dodo.py"


# -- the surroundings --


def plan(tmp_path: Path, environ: dict[str, str]) -> surroundings.Plan:
    return surroundings.vary(surroundings.look(), environ, tmp_path, ["C", "C.utf8", "de_DE.utf8"], {0, 1})


def test_everything_is_varied(tmp_path: Path) -> None:
    now = {"PATH": "/bin", "TZ": "UTC", "LC_ALL": "C", "PYTHONPATH": "/x", "XDG_CONFIG_HOME": "/x", "LC_TIME": "x",
           "USER": "me", "SOURCE_DATE_EPOCH": "1", "HOME": "/me", "XDG_RUNTIME_DIR": "/run/me"}
    found = plan(tmp_path, now)
    assert found.umask == 0o077 and found.cpus == [1] and found.hostname
    changed = {name for name in now if found.environment.get(name) != now[name]}
    assert changed == set(now) - {"PATH", "XDG_RUNTIME_DIR"}
    assert found.environment["LC_ALL"] == "de_DE.utf8" and "PYTHONPATH" not in found.environment
    again = plan(tmp_path, found.environment)  # in those, others still
    assert all(again.environment[name] != found.environment[name] for name in ("TZ", "LC_ALL", "SOURCE_DATE_EPOCH"))


def test_a_process_sees_them(tmp_path: Path, root: Path) -> None:
    """Umask, CPUs and host name are no variables: what was asked for is what is there."""
    found = plan(tmp_path, dict(os.environ))
    cpus = sorted(os.sched_getaffinity(0))[-1:]
    words = surroundings.Plan(found.environment, found.umask, cpus, found.hostname).words()
    done = subprocess.run([*words, sys.executable, "-m", "toolchain.reproduce.surroundings", "host"], cwd=root,
                          env=found.environment, check=True, capture_output=True, text=True)
    there = surroundings.read(done.stdout)
    assert there.umask == "0077" and there.cpus == 1 and there.trouble == "" and there.home == str(tmp_path / "home")
    assert there.locale == "de_DE.utf8 (not installed)" or there.locale == "de_DE.utf8"
    assert there.timezone == found.environment["TZ"] and there.user == found.environment["USER"]
    rows = {row.what: row for row in surroundings.variations(surroundings.look(), there, "sandbox")}
    assert {what for what, row in rows.items() if not row.applied} <= {"host name", "CPUs", "folder"}
    assert done.stderr == ""

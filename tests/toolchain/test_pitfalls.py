"""What doit alone gets wrong, and stages do not: docs/plugin.md lists these. Each test shows both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import ROOT

OURS = """from toolchain import DOIT_CONFIG, session, stage, tasks

def task_stages():
    return tasks()

"""


@dataclass(frozen=True)
class Place:
    """A folder with a dodo.py; `doit` and this checkout's plugin, but no other part of ingot."""

    folder: Path
    words: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(self.folder / "cache"), "TERM": "dumb",
                "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "doit", *words, *self.words], cwd=self.folder, env=self.env,
                                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def doit(self, *words: str, status: int | None = 0) -> str:
        """Both streams of `doit WORDS…`."""
        run = self.start(*words)
        out, err = run.communicate(timeout=60)
        assert status is None or run.returncode == status, f"exit {run.returncode}\n{out}\n{err}"
        return out + err

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def runs(self) -> list[str]:
        """What ran so far: each action adds a word."""
        return self.read("runs").split() if (self.folder / "runs").exists() else []


@pytest.fixture
def plain(tmp_path: Path) -> Callable[[str], Place]:
    """A project of doit alone."""

    def make(dodo: str) -> Place:
        (tmp_path / "plain").mkdir()
        place = Place(tmp_path / "plain")
        place.write("dodo.py", dodo)
        return place

    return make


@pytest.fixture
def ours(tmp_path: Path) -> Callable[[str], Place]:
    """A project of stages, on this machine's own tools; HERE in its dodo.py is its folder."""

    def make(dodo: str) -> Place:
        (tmp_path / "ours").mkdir()
        place = Place(tmp_path / "ours", ("toolchain=host",))
        place.write("dodo.py", OURS + f"HERE = {str(place.folder)!r}\n" + dodo)
        shutil.copy(ROOT / "pyproject.toml", place.folder)  # where doit finds the reporter; the wheel has entry points
        return place

    return make


Make = Callable[[str], Place]
PLAIN_COPY = """def task_copy():
    return {"file_dep": ["in"], "targets": ["out"], "actions": ["cp in out; echo copy >> runs"]}
"""
OUR_COPY = """stage("copy", folder=".", inputs=["in"], outputs=["out"],
      argv=["sh", "-ec", f"cp in out; echo copy >> {HERE}/runs"])
"""


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"waited in vain for {path.name}"
        time.sleep(0.02)


def both(plain: Make, ours: Make) -> tuple[Place, Place]:
    """The same copy, made once."""
    made = plain(PLAIN_COPY), ours(OUR_COPY)
    for place in made:
        place.write("in", "one")
        place.doit()
        assert place.read("out") == "one"
    return made


# -- what is fresh -------------------------------------------------------------------------------------


def test_a_target_that_was_changed_by_hand(plain: Make, ours: Make) -> None:
    theirs, mine = both(plain, ours)
    for place in (theirs, mine):
        place.write("out", "two")
        place.doit()
    assert theirs.read("out") == "two"
    assert mine.read("out") == "one" and mine.runs == ["copy"]  # restored, not run again


def test_an_edit_that_keeps_size_and_mtime(plain: Make, ours: Make) -> None:
    theirs, mine = both(plain, ours)
    for place in (theirs, mine):
        stat = (place.folder / "in").stat()
        place.write("in", "two")
        os.utime(place.folder / "in", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        place.doit()
    assert theirs.read("out") == "one"
    assert mine.read("out") == "two"


def test_an_edit_during_the_run(plain: Make, ours: Make) -> None:
    """The program has read its input when that is edited: what it makes belongs to the old bytes."""
    theirs = plain(PLAIN_COPY.replace("cp in out;", "cp in out; test -e edited || { echo two > in; touch edited; };"))
    mine = ours(OUR_COPY.replace(
        "cp in out;", "cp in out; test -e {HERE}/edited || {{ echo two > {HERE}/in; touch {HERE}/edited; }};"))
    for place in (theirs, mine):
        place.write("in", "one\n")
        place.doit()
        place.doit()
    assert theirs.read("out") == "one\n" and theirs.runs == ["copy"]  # for ever
    assert mine.read("out") == "two\n" and mine.runs == ["copy", "copy"]


def test_an_input_that_was_not_declared(plain: Make, ours: Make) -> None:
    """doit cannot know; a stage does not see the file (in a root not even by its whole path)."""
    theirs = plain(PLAIN_COPY.replace("cp in out", "cat in more > out"))
    mine = ours(OUR_COPY.replace("cp in out", "cat in more > out"))
    for place in (theirs, mine):
        place.write("in", "one")
        place.write("more", "two")
    theirs.doit()
    theirs.write("more", "three")
    theirs.doit()
    assert theirs.read("out") == "onetwo"
    assert "more: No such file" in mine.doit(status=1)


# -- what is remembered --------------------------------------------------------------------------------


def test_kill_9_after_a_finished_task(plain: Make, ours: Make) -> None:
    kill = "test -e {0}killed || {{ touch {0}killed; kill -9 $PPID; sleep 9; }}; echo b >> {0}runs"
    theirs = plain('def task_a():\n    return {"file_dep": ["in"], "targets": ["a"], '
                   '"actions": ["echo a > a; echo a >> runs"]}\n'
                   f'def task_b():\n    return {{"actions": ["{kill.format("")}"], "task_dep": ["a"]}}\n')
    mine = ours('a = stage("a", outputs=["a"], argv=["sh", "-c", f"echo a > a; echo a >> {HERE}/runs"])\n'
                'stage("b", inputs={"a": a["a"]}, outputs=["b"],\n'
                '      argv=["sh", "-c", f"' + kill.format("{HERE}/").replace("{ ", "{{ ").replace("; }", "; }}")
                + '; echo b > b"])\n')
    for place in (theirs, mine):
        place.write("in", "one")
        place.doit(status=-9)
        assert place.runs == ["a"]
        place.doit()
    assert theirs.runs == ["a", "a", "b"]
    assert mine.runs == ["a", "b"]


def test_two_runs_at_once(plain: Make, ours: Make) -> None:
    """Each loads doit's database when it begins and writes it when it ends: the later one undoes the other."""
    wait = "touch {0}begun; while test ! -e {0}go; do sleep 0.02; done"
    theirs = plain('DOIT_CONFIG = {"backend": "json"}\n'
                   'def task_a():\n    return {"file_dep": ["in"], "targets": ["a"], '
                   f'"actions": ["{wait.format("")}; echo a > a; echo a >> runs"]}}\n'
                   'def task_b():\n    return {"file_dep": ["in"], "targets": ["b"], '
                   '"actions": ["echo b > b; echo b >> runs"]}\n')
    mine = ours(f'stage("a", outputs=["a"], argv=["sh", "-c", f"{wait.format("{HERE}/")}; echo a > a; '
                'echo a >> {HERE}/runs"])\n'
                'stage("b", outputs=["b"], argv=["sh", "-c", f"echo b > b; echo b >> {HERE}/runs"])\n')
    for place in (theirs, mine):
        place.write("in", "one")
        first = place.start("a")
        wait_for(place.folder / "begun")
        place.doit("b")
        place.write("go", "")
        first.communicate(timeout=60)
        assert first.returncode == 0 and sorted(place.runs) == ["a", "b"]
        place.doit()
    assert sorted(theirs.runs) == ["a", "b", "b"]
    assert sorted(mine.runs) == ["a", "b"]


# -- what is said --------------------------------------------------------------------------------------


def test_a_misspelt_variable(plain: Make, ours: Make) -> None:
    theirs = plain('from doit import get_var\n'
                   'def task_a():\n    return {"actions": ["echo " + get_var("name", "x") + " > a"]}\n')
    mine = ours('stage("a", outputs=["a"], argv=["sh", "-c", "echo $0 > a", session().get("name", "x")])\n')
    theirs.doit("nmae=y")
    assert theirs.read("a") == "x\n"
    shown = mine.doit("nmae=y", status=3)
    assert "no command or stage knows the variable nmae=y" in shown and "did you mean name=?" in shown
    mine.doit("name=y")
    assert mine.read("build/a") == "y\n"


def test_a_directory_as_input(plain: Make, ours: Make) -> None:
    theirs, mine = plain(PLAIN_COPY), ours(OUR_COPY)
    for place in (theirs, mine):
        (place.folder / "in").mkdir()
    assert "IsADirectoryError" in theirs.doit(status=None)
    shown = mine.doit(status=3)
    assert "stage copy: input in is a directory" in shown and "hint: declare the files in it" in shown
    assert "Traceback" not in shown


def test_two_spellings_of_one_path(plain: Make, ours: Make) -> None:
    """doit ties tasks by equal strings; stages are tied by the stage itself."""
    theirs = plain('def task_a():\n    return {"targets": ["./out"], "actions": ["echo a > out"]}\n'
                   'def task_b():\n    return {"file_dep": ["out"], "actions": ["cat out"]}\n')
    assert "'out' does not exist" in theirs.doit("b", status=None)
    mine = ours('a = stage("a", outputs=["out"], argv=["sh", "-c", "echo a > out"])\n'
                'stage("b", inputs={"x": a["./out"]}, outputs=["b"], argv=["cp", "x", "b"])\n')
    assert "stage a has no output './out'\nhint: it has out" in mine.doit(status=3)
    mine.write("dodo.py", mine.read("dodo.py").replace('a["./out"]', 'a["out"]'))
    mine.doit("b")
    assert mine.read("build/b") == "a\n"


def test_lines_of_two_programs_at_once(plain: Make, ours: Make) -> None:
    """Both print while the other runs: a line says whose it is."""
    def script(me: str, other: str, here: str) -> str:
        return (f"echo line of {me}; touch {here}{me}.on; while test ! -e {here}{other}.on; do sleep 0.02; done; "
                f"echo more of {me}; echo {me} > {me}")

    theirs = plain("".join(f'def task_{me}():\n    return {{"actions": ["{script(me, other, "")}"]}}\n'
                           for me, other in (("a", "b"), ("b", "a"))))
    mine = ours("".join(f'stage("{me}", outputs=["{me}"], argv=["sh", "-c", f"{script(me, other, "{HERE}/")}"])\n'
                        for me, other in (("a", "b"), ("b", "a"))))
    shown = theirs.doit("-n", "2", "-P", "thread", "-v", "2").splitlines()
    assert {"line of a", "line of b", "more of a", "more of b"} <= set(shown)  # nothing says whose
    for line in mine.doit("-n", "2").splitlines():
        assert "more of" not in line or line.split()[0] == line.split()[-1]


def test_the_page_lists_exactly_these() -> None:
    named = re.findall(r"`(test_\w+)` \|$", (ROOT / "docs/plugin.md").read_text(), re.M)
    here = [name for name in globals() if name.startswith("test_") and "page" not in name]
    assert sorted(named) == sorted(here)

"""A program that misses a file: is it one that its stage should have declared?"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.stage import Stage
from toolchain.undeclared import undeclared


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path in ("src/engine/math.h", "src/other.h", "src/a/two.h", "src/b/two.h",
                 "model/names.py", "model/story/__init__.py", "notes.txt",
                 "build/made.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


STAGE = Stage("one", Path("build"), ("out",), ("true",), {"src/other.h": "src/other.h"})


@pytest.mark.parametrize(("line", "missed"), [
    ("cat: notes.txt: No such file or directory", "notes.txt"),
    ("cat: ./notes.txt: No such file or directory", "notes.txt"),
    ("cat: /build/notes.txt: No such file or directory", "notes.txt"),
    ("src/main.c:3:10: fatal error: engine/math.h: No such file or directory", "src/engine/math.h"),
    ("src/main.c:3:10: fatal error: math.h: No such file or directory", "src/engine/math.h"),
    ("src/main.c:3:10: fatal error: two.h: No such file or directory", None),  # which of the two?
    ("env: /usr/bin/git: No such file or directory", None),  # the toolchain's matter
    ("FileNotFoundError: [Errno 2] No such file or directory: 'notes.txt'", "notes.txt"),
    ("ModuleNotFoundError: No module named 'model.names'", "model/names.py"),
    ("ModuleNotFoundError: No module named 'model.story'", "model/story/__init__.py"),
    ("/usr/bin/ld: cannot find notes.txt: No such file or directory", "notes.txt"),
    ("sh: 1: cannot open notes.txt: No such file", "notes.txt"),
    ("cat: src/other.h: No such file or directory", None),  # declared: something else is wrong
    ("see notes.txt for what to do", None),  # no complaint
    ("cat: nowhere.txt: No such file or directory", None),
    ("cat: made.txt: No such file or directory", None),  # an output, to be named as its stage's
    ("cat: ../notes.txt: No such file or directory", None),
    ("ModuleNotFoundError: No module named 'numpy'", None),
])
def test_what_was_missed(line: str, missed: str | None, project: Path) -> None:
    assert undeclared(["before", line, "after"], STAGE, project) == missed


def test_the_last_complaint_counts(project: Path) -> None:
    lines = ["checking for math.h: not found, using defaults", "cat: notes.txt: No such file or directory"]
    assert undeclared(lines, STAGE, project) == "notes.txt"


def test_a_file_of_this_machine(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "data.txt"
    outside.touch()
    assert undeclared([f"cat: {outside}: No such file or directory"], STAGE, project) == str(outside)
    assert undeclared([f"cat: {project}/notes.txt: No such file or directory"], STAGE, project) == "notes.txt"
    assert undeclared(["cat: /no/where: No such file or directory"], STAGE, project) is None

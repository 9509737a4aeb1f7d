"""/model: another model in place of the one that is open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import models
from tests.host.conftest import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """one.gguf, two.gguf, and bad.gguf, which is cut."""
    folder = tmp_path_factory.mktemp("models")
    for name, context in (("one", 16), ("two", 64)):
        shape = models.Shape(context=context)
        (folder / f"{name}.gguf").write_bytes(models.model_bytes(shape, models.random_tensors(shape)))
    (folder / "bad.gguf").write_bytes((folder / "two.gguf").read_bytes()[:3000])
    return folder


def talk(run: Run, folder: Path, typed: bytes) -> list[bytes]:
    return run("one.gguf", "two.gguf", "bad.gguf", "--chat", "-t", "0", "--tokens", "5",
               stdin=b"/stats off\r" + typed, cwd=folder).stdout.split(b"\n> ")


def test_there_and_back(run: Run, folder: Path) -> None:
    """Each says what it says alone; the log and the lines typed before go on."""
    parts = talk(run, folder, b"Hi\r/model two\rHi\r/model\r/model one\rHi\r/log\r")
    alone = {name: b"Hi\n" + run(folder / f"{name}.gguf", "-t", "0", "--tokens", "5", "-i", "Hi").stdout + b"\n"
             for name in ("one", "two")}
    assert alone["one"] != alone["two"]
    assert (parts[2], parts[4], parts[7]) == (alone["one"], alone["two"], alone["one"])
    assert b" context=64 " in parts[3] and b"\n[memory] " in parts[3]
    assert [line[:5] for line in parts[5].splitlines()[1:4]] == [b"  one", b"* two", b"  bad"]
    assert parts[8].count(b"turn begins") == 3
    assert talk(run, folder, b"/seed 4\r/model two\r\x1b[A\x1b[A\r")[4].endswith(b"/seed 4\nseed=4\n")


def test_one_that_cannot_be_opened(run: Run, folder: Path) -> None:
    """The chat says why and goes on with the former one."""
    parts = talk(run, folder, b"Hi\r/model bad\rHi\r/model tow\r/model two\r")
    assert b"\nerror: the file ends inside " in parts[3]
    assert parts[4] == parts[2]
    assert parts[5] == b"/model tow\nerror: no model tow; nearest: two\n"
    assert b" context=64 " in parts[6]


def test_the_settings_file_names_the_first(run: Run, folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two", "bad"):
        (tmp_path / f"{name}.gguf").write_bytes((folder / f"{name}.gguf").read_bytes())
    (tmp_path / "ingot.cfg").write_bytes(b"model = two\n")
    assert b" context=64 " in talk(run, tmp_path, b"")[0]

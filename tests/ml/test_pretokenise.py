"""Shards of token ids: the tokenizer's own, and none is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.documents import split
from model.pretokenise import main, pack
from model.tokenizers import make, simple, table
from model.tokenizers.llama import from_sentencepiece

DATA = Path("data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table.write(tmp_path / "tokenizer.json", simple.words_table("a b c d e f g h one two three"))
    (tmp_path / "in").mkdir()
    for shard in range(3):
        stories = [{"story": f"one {'abcdefgh'[i % 8]} two {i}"} for i in range(25)]
        (tmp_path / f"in/data{shard:02}.json").write_text(json.dumps(stories))
    return tmp_path


def run(folder: Path, *more: str) -> int:
    return main([f"{folder}/in", f"--tokenizer={folder}/tokenizer.json", f"--out={folder}/out", *more])


def test_shards(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--jobs=2") == 0
    assert "3 shards, 3 made" in capsys.readouterr().out
    words = make(table.read(folder / "tokenizer.json"))
    stories = [item["story"] for item in json.loads((folder / "in/data01.json").read_text())]
    train, val = split(stories)
    for kind, texts in (("train", train), ("val", val)):
        ids = [i for text in texts for i in [*words.encode(text), words.table.eos]]
        assert np.fromfile(folder / f"out/data01.{kind}.bin", "<u2").tolist() == ids


def test_only_what_is_missing_is_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--jobs=1") == 0
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    (folder / "out/data01.shard").unlink()  # as if it had been killed before the end
    (folder / "in/data02.json").write_text(json.dumps([{"story": "one two"}] * 12))
    assert run(folder, "--jobs=1") == 0
    assert "3 shards, 2 made" in capsys.readouterr().out
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    assert {name[:6] for name in before if before[name] != after[name]} == {"data01", "data02"}
    table.write(folder / "tokenizer.json", simple.bytes_table())
    assert run(folder, "--jobs=1") == 0
    assert "3 shards, 3 made" in capsys.readouterr().out


def test_after_kill_9_no_finished_shard_is_made_again(folder: Path) -> None:
    text = " ".join(["one two three"] * 200_000)
    (folder / "in/data99.json").write_text(json.dumps([text] * 20))  # the last, and a long one
    argv = [sys.executable, "-m", "model.pretokenise", f"{folder}/in", f"--tokenizer={folder}/tokenizer.json",
            f"--out={folder}/out", "--jobs=1"]
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    while not (folder / "out/data02.shard").exists():
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (folder / "out/data99.shard").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("data0*")}
    (folder / "in/data99.json").write_text(json.dumps(["one two"] * 20))
    assert run(folder, "--jobs=1") == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("data0*")}
    assert (folder / "out/data99.shard").exists()


def test_the_quick_way_gives_the_same_ids() -> None:
    if not DATA.is_dir():
        pytest.skip("needs ../shared/data")
    llama = make(from_sentencepiece(DATA / "llama2-tokenizer.model"))
    texts = [*(DATA / "tinystories-sample.txt").read_text().split("<|endoftext|>"), "", " ", "two  spaces", " a ",
             "x\ny", "\u2581", "\u6771\u4eac \U0001f600"]
    ids = [i for text in texts for i in [1, *llama.encode(text)]]
    assert np.frombuffer(pack(llama, texts), "<u2").tolist() == ids


@pytest.mark.parametrize("args, what", [(["--jobs=0"], "--jobs 0"), (["--scheduler=tcp://127.0.0.1:1"], "Dask")])
def test_what_cannot_be(args: list[str], what: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, *args) == 1
    said = capsys.readouterr().err
    assert what in said and said.count("\n") == 2


def test_a_file_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.txt", f"--tokenizer={folder}/tokenizer.json", f"--out={folder}/out"]) == 1
    assert "nowhere.txt cannot be read" in capsys.readouterr().err


def test_what_is_wrong_in_another_process(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in/data01.json").write_text("{no JSON")
    assert run(folder, "--jobs=2") == 1
    said = capsys.readouterr().err
    assert "data01.json is not JSON" in said and said.count("\n") == 2 and "hint: download" in said


def test_two_files_of_one_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in/more").mkdir()
    (folder / "in/more/data00.json").write_text("[]")
    assert run(folder) == 1
    assert "two files are called data00" in capsys.readouterr().err

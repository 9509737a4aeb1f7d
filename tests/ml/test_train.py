"""Training: it learns, it goes on where it was stopped, and two processes do the work of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model import checkpoint, train, windows
from model.program import InputError
from model.tokenizers import simple, table
from model.training.options import Options

TEXT = b"the cat sat on the mat. the dog sat on the log. " * 200
SMALL = ["--preset=260k", "--size=layers=1", "--size=width=32", "--size=heads=4", "--size=kv_heads=2",
         "--size=hidden=44", "--size=context=24", "--batch=8", "--lr=0.01", "--warmup=5", "--log-every=1",
         "--eval-every=10", "--sample-every=10", "--prompt=the"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table.write(tmp_path / "tokenizer.json", simple.bytes_table())
    np.frombuffer(TEXT, np.uint8).astype("<u2").tofile(tmp_path / "train.bin")
    np.frombuffer(TEXT[:500], np.uint8).astype("<u2").tofile(tmp_path / "val.bin")
    return tmp_path


def argv(folder: Path, out: str, *more: str) -> list[str]:
    (folder / out).mkdir(exist_ok=True)
    return [*SMALL, f"--tokenizer={folder}/tokenizer.json", f"--train={folder}/train.bin", f"--val={folder}/val.bin",
            f"--out={folder}/{out}/model.safetensors", f"--metrics={folder}/{out}/train.jsonl",
            f"--samples={folder}/{out}/samples.txt", *more]


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


def test_it_learns_and_goes_on_exactly(folder: Path) -> None:
    assert train.main(argv(folder, "whole", "--steps=30")) == 0
    records = log(folder / "whole")
    assert records[0]["loss"] > 5 > 2.5 > records[-1]["loss"] and records[-1]["val_loss"] < 2.5
    assert [record["step"] for record in records] == list(range(1, 31))
    assert "the" in (folder / "whole/samples.txt").read_text()
    found = checkpoint.read(folder / "whole/model.safetensors")
    assert found.meta == {"steps": 30} and found.rest == {}

    (folder / "scratch").mkdir()
    again = argv(folder, "parts", "--steps=30", f"--scratch={folder}/scratch")
    child = subprocess.Popen([sys.executable, "-m", "model.train", *again], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("\x1e") and json.loads(line[1:])["done"] == 7:
            child.send_signal(signal.SIGTERM)
            break
    child.communicate()
    assert child.returncode == 128 + signal.SIGTERM and not outputs(folder / "parts")
    assert train.main(again) == 0
    assert outputs(folder / "parts") == outputs(folder / "whole")


def test_two_processes_do_the_work_of_one(folder: Path) -> None:
    assert train.main(argv(folder, "one", "--steps=12")) == 0
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "model.train",
           *argv(folder, "two", "--steps=12")]
    done = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    for one, two in zip(log(folder / "one"), log(folder / "two"), strict=True):
        assert one == pytest.approx(two, rel=1e-3)


def test_windows_of_an_epoch() -> None:
    tokens = np.arange(100, dtype="<u2")
    source = windows.Epochs([tokens], context=8, rows=4, seed=1, stride=8)
    seen = np.concatenate([source.batch(step).inputs[:, 0] for step in range(source.steps)])
    assert sorted(seen) == list(range(0, 99, 8))  # each once
    again = np.concatenate([source.batch(step + source.steps).inputs[:, 0] for step in range(source.steps)])
    assert sorted(again) == sorted(seen) and list(again) != list(seen)
    last = next(batch for step in range(source.steps) for batch in [source.batch(step)] if 96 in batch.inputs[:, 0])
    row = list(last.inputs[:, 0]).index(96)
    assert last.targets[row].tolist() == [97, 98, 99, *[windows.NO_LOSS] * 5]


def test_random_windows_follow_seed_and_step_alone() -> None:
    files = [np.arange(50, dtype="<u2"), np.arange(5, dtype="<u2"), np.arange(100, 140, dtype="<u2")]
    source = windows.Random(files, context=8, rows=500, seed=3)
    batch = source.batch(7)
    assert (batch.targets == batch.inputs + 1).all()
    assert {*batch.inputs[:, 0].tolist()} == {*range(42), *range(100, 132)}
    assert (windows.Random(files, 8, 500, 3).batch(7).inputs == batch.inputs).all()
    assert not (source.batch(8).inputs == batch.inputs).all()


def test_epochs_see_every_window(folder: Path) -> None:
    args = argv(folder, "out", "--epochs=2", "--epochs-stride=400", "--log-every=1")
    assert train.main(args) == 0
    windows_of_an_epoch = -(-(len(TEXT) - 1) // 400)
    assert log(folder / "out")[-1]["step"] == 2 * -(-windows_of_an_epoch // 8)
    for wrong in (["--epochs=2"], ["--steps=3", "--epochs=2", "--epochs-stride=400"], []):
        assert train.main(argv(folder, "out", *wrong)) == 1


@pytest.mark.parametrize("args, what", [
    (["--size=width=33"], "heads cannot share"), (["--size=hiden=3"], "no size hiden"),
    (["--size=width"], "is no size"), (["--size=vocab=100"], "tokens"),
    (["--size=context=20000"], "no file has more than"), (["--lr=nan"], "lr nan"), (["--batch=0"], "batch 0"),
    (["--accumulate=3"], "must divide"), (["--device=cuda"], "none that PyTorch can use"),
])
def test_what_cannot_be(args: list[str], what: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(argv(folder, "out", "--steps=1", *args)) == 1
    said = capsys.readouterr().err
    assert what in said and said.count("\n") == 2 and "hint: " in said


def test_files_that_cannot_be(folder: Path) -> None:
    (folder / "odd.bin").write_bytes(b"abc")
    np.array([5, 300], "<u2").tofile(folder / "large.bin")
    for name, what in (("odd.bin", "no whole tokens"), ("large.bin", "a token 300")):
        with pytest.raises(InputError, match=what):
            windows.read([folder / name], 256)


def test_a_checkpoint_of_another_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scratch").mkdir()
    args = argv(folder, "out", "--steps=2", f"--scratch={folder}/scratch", "--save-every=1")
    assert train.main(args) == 0
    assert train.main([*args, "--size=layers=2"]) == 1
    assert train.main([*args, "--lr=0.5"]) == 1
    assert capsys.readouterr().err.count("is the checkpoint of another training") == 2


def test_the_rate_rises_and_falls() -> None:
    options = Options(steps=100, warmup=10, lr=1.0)
    rates = [options.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[10] == 1.0 and rates[-1] < 0.11
    assert rates[10:] == sorted(rates[10:], reverse=True)

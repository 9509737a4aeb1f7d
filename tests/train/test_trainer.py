"""What the trainer computes and says, and how it refuses bad input."""

from __future__ import annotations

import math
import resource
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.conftest import TEXT, Run, write_tokens
from tests.train.reference import Stream, batch, held_out_loss, losses, read_weights

VAL = np.frombuffer(TEXT * 2 + b"the cat sang.", np.uint8).astype(np.int64)
TRAIN = np.frombuffer(TEXT * 20, np.uint8).astype(np.int64)


@pytest.mark.parametrize(("layers", "heads", "context", "count"),
                         [(2, 2, 64, 120576), (2, 2, 256, 132864), (4, 4, 64, 220544)])
def test_parameter_counts(small: Run, layers: int, heads: int, context: int, count: int) -> None:
    tokens = write_tokens(Path(small.options["train"]).parent / "long.tokens", TEXT * 20)
    run = small.with_(train=tokens, layers=layers, heads=heads, width=64, context=context, steps=1, warmup=0, batch=1,
                      sample_every=0)
    assert run.run().stdout.startswith(f"{count} parameters, kernel ")
    assert (run.folder / "weights.bin").stat().st_size == 64 + 4 * count


def test_first_weights_are_gpt2_s(small: Run) -> None:
    run = small.with_(lr=0, steps=1, warmup=0)
    run.run()
    sizes, weights = read_weights(run.folder / "weights.bin")
    assert sizes == {"vocab": 256, "context": 21, "layers": 2, "heads": 3, "width": 18, "hidden": 72}
    stream = Stream(7, 1, 0)
    for name, tensor in weights.items():
        if tensor.ndim == 1:
            assert np.all(tensor == (1 if name.endswith(("ln1_w", "ln2_w", "norm_w")) else 0)), name
            continue
        deviation = 0.02 / math.sqrt(4) if name.endswith(("proj_w", "down_w")) else 0.02
        want = [stream.normal() * deviation for _ in range(tensor.size)]
        assert np.allclose(tensor.ravel(), want, rtol=1e-6, atol=1e-12), name


def test_losses_are_those_of_a_plain_model(small: Run) -> None:
    """Batch loss at the start; held-out loss of the trained weights, last short window included."""
    run = small.with_(steps=60, warmup=5, log_every=1)
    run.run()
    sizes, weights = read_weights(run.folder / "weights.bin")
    assert (len(VAL) - 1) % 21 != 0, "the test means to see a short window"
    assert run.log()[-1]["val_loss"] == pytest.approx(held_out_loss(weights, sizes, VAL), abs=3e-6)
    start = small.with_(run.folder.parent / "start", lr=0, steps=1, warmup=0)
    start.run()
    sizes, weights = read_weights(start.folder / "weights.bin")
    windows = batch(TRAIN, 5, 21, 7, 1)
    want = np.mean([losses(weights, sizes, window) for window in windows])
    assert start.log()[0]["loss"] == run.log()[0]["loss"] == pytest.approx(want, abs=3e-6)


@pytest.mark.parametrize("length", [2, 3, 21, 22, 23, 43, 44])
def test_held_out_splits_of_any_length(small: Run, length: int) -> None:
    run = small.with_(val=write_tokens(small.folder.parent / "short.tokens", VAL[:length].tolist()), steps=3)
    run.run()
    sizes, weights = read_weights(run.folder / "weights.bin")
    assert run.log()[-1]["val_loss"] == pytest.approx(held_out_loss(weights, sizes, VAL[:length]), abs=3e-6)


def test_it_learns(small: Run) -> None:
    run = small.with_(steps=400, warmup=20, width=24, sample_every=400)
    run.run()
    log = run.log()
    assert log[0]["loss"] == pytest.approx(math.log(256), abs=0.1)
    assert log[-1]["loss"] < 0.35 and log[-1]["val_loss"] < 0.6
    title, text = (run.folder / "samples.txt").read_text().split("\n", 1)
    assert title == "== step 400 ==" and len(text) == 101
    words = set(TEXT.decode().replace("\n", " ").split())
    found = text.split()[:-1]
    assert sum(word in words for word in found) > 0.7 * len(found), text


def test_log_and_output(small: Run) -> None:
    done = small.run()
    log = small.log()
    assert [line["step"] for line in log] == [1, 2, 4, 5, 6, 8, 10, 12]
    assert [line["step"] for line in log if "val_loss" in line] == [5, 10, 12]
    for line in log:
        step, warmup, steps = line["step"], 3, 12
        done_part = (step - warmup) / (steps - warmup)
        rate = step / warmup if step < warmup else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done_part))
        assert line["lr"] == pytest.approx(0.004 * rate, abs=1e-9)
    lines = done.stdout.splitlines()
    assert sum(line.startswith("step ") for line in lines) == 3
    progress = [line.split(" ", 3) for line in lines if line.startswith("progress ")]
    assert progress[-1][1:3] == ["12", "12"] and "tok/s" in progress[-1][3] and "eta" in progress[-1][3]
    assert (small.folder / "samples.txt").read_text().count("== step ") == 2
    assert {path.name for path in small.folder.iterdir()} == {"weights.bin", "train.jsonl", "samples.txt",
                                                              "train.times.jsonl"}


def test_samples_outlast_the_context(small: Run) -> None:
    """100 tokens through a context of 5 (and of 1)."""
    for context in (5, 1):
        run = small.with_(context=context)
        run.run()
        sample = (run.folder / "samples.txt").read_text().split("==\n")[-1]
        assert 50 < len(sample) <= 101, "100 bytes, some of which are no text"


def test_larger_vocabularies(small: Run) -> None:
    ids = (np.arange(2000) * 7 % 1000).tolist()
    tokens = write_tokens(small.folder.parent / "many.tokens", ids)
    run = small.with_(train=tokens, val=tokens, vocab=1000)
    run.run()
    sample = (run.folder / "samples.txt").read_text().splitlines()[1].split()
    assert len(sample) == 100 and all(0 <= int(word) < 1000 for word in sample)


# -- refusals --


def refused(run: Run, status: int, *said: str) -> None:
    """The run fails with one line `error`, one line `hint`, and leaves nothing."""
    done = run.run(status)
    error, hint = done.stderr.splitlines()
    assert error.startswith("train: error: ") and hint.startswith("hint: ")
    for part in said:
        assert part in error
    left = {path.name for path in run.folder.iterdir()} if run.folder.is_dir() else set()
    assert left <= {"train.times.jsonl"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"steps": "0"}, "--steps: 0 is not in 1 to"),
    ({"steps": "12x"}, "--steps: '12x' is not a whole number"),
    ({"steps": "-3"}, "--steps: '-3' is not a whole number"),
    ({"steps": ""}, "--steps: '' is not a whole number"),
    ({"steps": "1.5"}, "--steps: '1.5' is not a whole number"),
    ({"steps": "99999999999999999999999"}, "--steps: '99999999999999999999999' is not a whole number"),
    ({"steps": None}, "--steps is missing"),
    ({"seed": "-1"}, "--seed"),
    ({"lr": "fast"}, "--lr: 'fast' is not a number"),
    ({"lr": "nan"}, "--lr: 'nan' is not a number"),
    ({"lr": "-0.1"}, "--lr"),
    ({"lr": "11"}, "--lr: 11 is not in 0 to 10"),
    ({"decay": "0.1.2"}, "--decay"),
    ({"width": "20"}, "--width 20 is not a multiple of --heads 3"),
    ({"layers": "129"}, "--layers: 129 is not in 1 to 128"),
    ({"vocab": "1"}, "--vocab"),
    ({"vocab": "70000"}, "--vocab"),
    ({"warmup": "13"}, "--warmup 13 is longer than --steps 12"),
    ({"threads": "0"}, "--threads"),
    ({"threads": "100000"}, "--threads"),
    ({"checkpoint-every": "0"}, "--checkpoint-every"),
    ({"kernel": "a"}, "no kernel is called a; there are auto, scalar, sse2, avx2, avx512 and avx512vnni"),
    ({"kernel": "AVX2"}, "no kernel is called AVX2"),
    ({"out": ""}, "--out is empty"),
    ({"colour": "red"}, "no option is called '--colour'"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[str(change) for change, _ in BAD])
def test_bad_arguments(small: Run, change: dict[str, Any], said: str) -> None:
    refused(small.with_(**change), 2, said)


@pytest.mark.parametrize(("words", "said"), [
    (["--train"], "--train lacks its value"), (["steps", "1"], "called 'steps'"),
    (["--steps", "1", "--steps", "1"], "--steps is given twice"), ([], "--train is missing")])
def test_bad_words(program: Path, words: list[str], said: str) -> None:
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and "hint: train --help" in done.stderr


def test_help(program: Path) -> None:
    done = subprocess.run([program, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: train ")


@pytest.mark.parametrize("which", ["train", "val"])
def test_bad_token_files(small: Run, tmp_path: Path, which: str) -> None:
    path = tmp_path / "bad.tokens"
    run = small.with_(**{which: path})
    refused(run, 1, f"cannot read {path}: No such file")
    path.mkdir()
    refused(run, 1, f"cannot read {path}: not a regular file")
    path.rmdir()
    path.write_bytes(b"abc")
    refused(run, 1, f"{path}: 3 bytes is not a whole number of 16-bit tokens")
    write_tokens(path, [5] * 30 + [256])
    refused(run, 1, f"{path}: token 30 is 256, but the vocabulary has 256")
    write_tokens(path, [5])
    refused(run, 1, f"{path}: 1 tokens, but at least")


def test_a_corpus_shorter_than_a_window(small: Run, tmp_path: Path) -> None:
    refused(small.with_(train=write_tokens(tmp_path / "t", [1] * 21)), 1, "21 tokens, but at least 22 are needed")
    small.with_(train=write_tokens(tmp_path / "t", [1] * 22)).run()


def test_a_model_that_does_not_fit(small: Run) -> None:
    refused(small.with_(layers=128, width=65535, heads=3), 1, "not enough memory")


def test_a_rate_that_diverges(small: Run) -> None:
    refused(small.with_(lr=10, warmup=0, decay=10, steps=3000), 1, "is not a number: --lr is too high")


@pytest.mark.parametrize("which", ["out", "log", "samples", "scratch"])
def test_outputs_that_cannot_be_written(small: Run, tmp_path: Path, which: str) -> None:
    """Said before anything is trained."""
    refused(small.with_(**{which: tmp_path / "no" / "file"}), 1, f"cannot write {tmp_path}/no/file", "No such file")
    if which != "scratch":
        refused(small.with_(**{which: tmp_path}), 1, f"cannot write {tmp_path}: Is a directory")


def test_a_disk_that_fills_up(small: Run) -> None:
    """A limit on file sizes stands in for the disk."""
    small.folder.mkdir()
    done = subprocess.run(small.argv, capture_output=True, text=True, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
    assert done.returncode == 1
    assert f"cannot write {small.folder}/weights.bin: File too large" in done.stderr
    assert "hint: check that the path exists and its disk has room" in done.stderr
    assert {path.name for path in small.folder.iterdir()} == {"train.times.jsonl"}


# -- the goals --


@pytest.mark.slow
@pytest.mark.parametrize(("count", "goal"), [(8, 1.85), (32, 1.65)])
def test_goals_on_tiny_shakespeare(program: Path, tmp_path: Path, data: Any, count: int, goal: float) -> None:
    text = data("tinyshakespeare.txt").read_bytes()
    cut = len(text) * 9 // 10
    run = Run(program, tmp_path / "run", {
        "train": str(write_tokens(tmp_path / "t", text[:cut])), "val": str(write_tokens(tmp_path / "v", text[cut:])),
        "layers": "2", "heads": "2", "width": "64", "context": "64", "vocab": "256", "steps": "5000",
        "batch": str(count), "lr": "0.012", "warmup": "100", "decay": "0.1", "seed": "1",
        "eval-every": "0", "sample-every": "0", "log-every": "100"})
    run.run()
    assert run.log()[-1]["val_loss"] <= goal

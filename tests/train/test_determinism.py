"""The same bytes whatever the threads, the kernel and the interruptions."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from tests.train.conftest import Run


def kernels_here() -> list[str]:
    flags = set(re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())  # type: ignore[index]
    wide = {"avx2": {"avx2"}, "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"}}
    return ["sse2", *(name for name, needs in wide.items() if needs <= flags)]


@pytest.fixture
def reference(small: Run) -> dict[str, bytes]:
    """The outputs on one thread with the scalar kernels."""
    small.with_(kernel="scalar", threads=1).run()
    return small.outputs()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kernel", ["auto", "scalar", "sse2", "avx2", "avx512"])
def test_threads_and_kernels(small: Run, tmp_path: Path, reference: dict[str, bytes], kernel: str,
                             threads: int) -> None:
    if kernel not in ("auto", "scalar", *kernels_here()):
        pytest.skip(f"this CPU lacks {kernel}")
    other = small.with_(tmp_path / "other", kernel=kernel, threads=threads)
    other.run()
    assert other.outputs() == reference


def test_another_seed_gives_another_model(small: Run, tmp_path: Path, reference: dict[str, bytes]) -> None:
    other = small.with_(tmp_path / "other", seed=8)
    other.run()
    assert all(new != reference[name] for name, new in other.outputs().items())


def test_a_batch_larger_than_the_chunks(small: Run, tmp_path: Path) -> None:
    """Chunks of unequal size, several pieces each."""
    one = small.with_(tmp_path / "1", batch=61, steps=3, threads=1, kernel="scalar")
    three = small.with_(tmp_path / "3", batch=61, steps=3, threads=3)
    one.run()
    three.run()
    assert one.outputs() == three.outputs()


# -- checkpoints --


@pytest.fixture
def long(small: Run, tmp_path: Path) -> Run:
    """Long enough to be stopped: a second or two."""
    return small.with_(steps=1500, warmup=50, batch=8, eval_every=200, sample_every=300, log_every=7,
                       checkpoint_every=20, scratch=tmp_path / "scratch")


@pytest.fixture
def uninterrupted(long: Run, tmp_path: Path) -> dict[str, bytes]:
    run = long.with_(tmp_path / "uninterrupted", scratch=None, checkpoint_every=None)
    run.run()
    return run.outputs()


def wait_for_progress(stream: IO[str], step: int) -> None:
    """Reads until the trainer has done `step` steps."""
    for line in stream:
        words = line.split()
        if words[:1] == ["progress"] and int(words[1]) >= step:
            return
    raise AssertionError("the trainer ended early")


def stop(run: Run, number: int, step: int) -> subprocess.Popen[str]:
    """Starts a run and sends it a signal once it has done `step` steps."""
    child = run.start()
    assert child.stdout
    wait_for_progress(child.stdout, step)
    child.send_signal(number)
    child.communicate(timeout=30)
    return child


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_resumes_after_sigkill(long: Run, tmp_path: Path, uninterrupted: dict[str, bytes]) -> None:
    (tmp_path / "scratch").mkdir()
    for step in (100, 500, 900):
        assert stop(long, signal.SIGKILL, step).returncode == -signal.SIGKILL
        assert files(long.folder) == set(), "no output before the end"
    last = long.with_(threads=1, kernel="sse2").run()
    resumed = re.search(r"^resumed at step (\d+) of 1500$", last.stdout, re.M)
    assert resumed and int(resumed[1]) >= 880
    assert long.outputs() == uninterrupted


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_a_checkpoint(long: Run, tmp_path: Path, uninterrupted: dict[str, bytes], number: int,
                                   status: int) -> None:
    (tmp_path / "scratch").mkdir()
    run = long.with_(checkpoint_every=100000)  # so the only one is that of the signal
    child = stop(run, number, 50)
    assert child.returncode == status
    assert files(run.folder) == set() and "train.checkpoint" in files(tmp_path / "scratch")
    assert "resumed at step" in run.run().stdout
    assert run.outputs() == uninterrupted


def test_stops_when_nobody_reads(long: Run, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    child = long.with_(steps=1000000).start()
    assert child.stdout and child.stderr
    wait_for_progress(child.stdout, 1)
    child.stdout.close()
    assert child.wait(timeout=30) == 141
    assert child.stderr.read() == ""
    assert "train.checkpoint" in files(tmp_path / "scratch")
    child.stderr.close()


@pytest.fixture
def stopped(small: Run, tmp_path: Path) -> tuple[Run, Path, dict[str, bytes]]:
    """A finished short run with its checkpoint, and its outputs."""
    (tmp_path / "scratch").mkdir()
    run = small.with_(scratch=tmp_path / "scratch", checkpoint_every=5)
    run.run()
    outputs = run.outputs()
    return run, tmp_path / "scratch" / "train.checkpoint", outputs


def test_a_finished_run_resumes_at_its_end(stopped: tuple[Run, Path, dict[str, bytes]]) -> None:
    run, _, outputs = stopped
    assert "resumed at step 12 of 12" in run.run().stdout
    assert run.outputs() == outputs


@pytest.mark.parametrize("where", ["magic", "weights", "text", "checksum", "cut", "empty", "longer"])
def test_a_damaged_checkpoint_is_not_used(stopped: tuple[Run, Path, dict[str, bytes]], where: str) -> None:
    run, path, outputs = stopped
    data = bytearray(path.read_bytes())
    spot = {"magic": 0, "weights": 5000, "text": len(data) - 30, "checksum": len(data) - 1}
    if where in spot:
        data[spot[where]] ^= 1
    changed = {"cut": data[:-100], "empty": bytearray(), "longer": data + b"x"}
    path.write_bytes(changed.get(where, data))
    said = run.run().stdout
    assert "starting afresh: " in said and str(path) in said and "resumed" not in said
    assert run.outputs() == outputs


@pytest.mark.parametrize("change", [{"lr": 0.003}, {"steps": 13}, {"seed": 8}, {"log_every": 3}, {"batch": 6}])
def test_another_run_s_checkpoint_is_not_used(stopped: tuple[Run, Path, dict[str, bytes]],
                                              change: dict[str, Any]) -> None:
    run, _, _ = stopped
    said = run.with_(**change).run().stdout
    assert "starting afresh: " in said and "belongs to a run with other options or data" in said


def test_other_data_is_another_run(stopped: tuple[Run, Path, dict[str, bytes]]) -> None:
    run, _, _ = stopped
    tokens = Path(run.options["val"])
    data = tokens.read_bytes()
    tokens.write_bytes(b"a" + data[1:])
    assert "belongs to a run with other options or data" in run.run().stdout


def test_times_are_kept_apart(stopped: tuple[Run, Path, dict[str, bytes]], tmp_path: Path) -> None:
    run, checkpoint, outputs = stopped
    assert b"seconds" not in outputs["train.jsonl"]
    times = (checkpoint.parent / "train.times.jsonl").read_text()
    assert times.count('"seconds"') == outputs["train.jsonl"].count(b"\n")
    run.with_(tmp_path / "beside", scratch=None, checkpoint_every=None).run()
    assert (tmp_path / "beside" / "train.times.jsonl").exists()

"""The command line as a user meets it, on images/smoke.yaml."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project


def built(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a run built, in order."""
    return [line.split()[1] for line in done.stderr.splitlines() if line.split()[:1] == ["built"]]


def restored(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a run restored, in order."""
    return [line.split()[1] for line in done.stderr.splitlines() if line.split()[:1] == ["restored"]]


# -- what a build leaves ---------------------------------------------------------------------------


def test_outputs_that_users_rely_on(smoke: Project) -> None:
    for name in ("smoke.img", "BOOTX64.EFI", "model.gguf", "corpus.txt", "manifest.json", "train.jsonl"):
        assert (smoke.folder / "build/smoke" / name).is_file(), name
    assert os.access(smoke.folder / "build/host/ingot", os.X_OK)
    entries = smoke.manifest()
    assert {"dataset", "tokenize", "train", "export", "compile:model", "link", "image"} <= set(entries)
    for entry in entries.values():
        assert len(entry["key"]) == 64 and entry["cache"] in ("built", "hit") and entry["seconds"] >= 0
        assert entry["executor"] and all(len(output["sha256"]) == 64 for output in entry["outputs"].values())
    last = json.loads((smoke.folder / "build/smoke/train.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 40 and 0 < last["val_loss"] < 6
    assert set(last) == {"step", "loss", "lr", "val_loss"}


def test_second_run_does_nothing(smoke: Project) -> None:
    done = smoke.doit("image=smoke")
    assert built(done) == restored(done) == []
    assert "up to date" in done.stderr


def test_one_line_in_uefi_never_trains(smoke: Project) -> None:
    smoke.edit("efi_src/uefi/clock.c", "{", "{ __asm__ volatile(\"nop\");")
    assert built(smoke.doit("image=smoke")) == ["compile:uefi/clock", "link", "image"]


def test_comment_in_c_stops_at_the_object(smoke: Project) -> None:
    with (smoke.folder / "efi_src/uefi/clock.c").open("a") as file:
        file.write("/* nothing new */\n")
    assert built(smoke.doit("image=smoke")) == ["compile:uefi/clock"]


def test_parameter_rebuilds_from_its_stage_on_and_back_restores(smoke: Project) -> None:
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 41")
    plan = smoke.doit("plan", "image=smoke").stdout
    assert "argv" in next(line for line in plan.splitlines() if " train " in line)
    assert built(smoke.doit("image=smoke")) == ["train", "export", "compile:model", "link", "image"]
    smoke.edit("images/smoke.yaml", "steps: 41", "steps: 40")
    done = smoke.doit("image=smoke")
    assert built(done) == []
    assert restored(done) == ["train", "export", "compile:model", "link", "image"]


def test_new_clone_restores_everything(smoke: Project, tmp_path: Path) -> None:
    image = (smoke.folder / "build/smoke/smoke.img").read_bytes()
    subprocess.run(["rm", "-rf", str(smoke.folder / "build")], check=True)
    done = smoke.doit("image=smoke")
    assert built(done) == []
    assert (smoke.folder / "build/smoke/smoke.img").read_bytes() == image


# -- doit's own commands ---------------------------------------------------------------------------


def test_list_and_info_show_the_state(smoke: Project) -> None:
    lines = smoke.doit("list", "-s", "--all", "image=smoke").stdout.splitlines()
    assert all(line.startswith("U ") for line in lines if line.split()[1] != "compile"), lines
    assert "smoke.img" in smoke.doit("info", "image", "image=smoke").stdout
    smoke.edit("images/smoke.yaml", "steps: 40", "steps: 41")
    lines = smoke.doit("list", "-s", "image=smoke").stdout.splitlines()
    states = {line.split()[1]: line.split()[0] for line in lines}
    assert (states["tokenize"], states["train"], states["image"]) == ("U", "R", "R")
    reason = smoke.doit("info", "train", "image=smoke", status=1).stdout  # doit's way of saying "not up to date"
    assert "run" in reason and "stage train" in reason


def test_clean_leaves_the_store(smoke: Project) -> None:
    smoke.doit("clean", "image", "image=smoke")
    assert not (smoke.folder / "build/smoke/smoke.img").exists()
    assert (smoke.folder / "build/smoke/model.gguf").exists()
    done = smoke.doit("image=smoke")
    assert (built(done), restored(done)) == ([], ["image"])


def test_forget_drops_one_result(smoke: Project) -> None:
    assert smoke.doit("forget", "link", "image=smoke").stdout == "forgot link\n"
    done = smoke.doit("image=smoke")
    assert built(done) == ["link"]  # the same bytes again, so the image stays
    assert "no stage lnik\nhint: did you mean link" in smoke.doit("forget", "lnik", "image=smoke", status=1).stderr


def test_side_by_side_gives_the_same(smoke: Project) -> None:
    right = smoke.manifest()
    for name in ("image", "link", "host", "compile"):  # a stage whose input is unknown has no key to forget
        smoke.doit("forget", name, "image=smoke")
    done = smoke.doit("-n", "3", "image=smoke")
    assert {"compile:engine/gpt2", "compile:uefi/main", "link", "image"} <= set(built(done))
    now = smoke.manifest()
    assert {name: entry["outputs"] for name, entry in now.items()} == {
        name: entry["outputs"] for name, entry in right.items()}


def test_help_and_version(smoke: Project) -> None:
    assert smoke.doit("--version").stdout.startswith("ingot 0.")
    text = smoke.doit("help").stdout
    for command in ("boot", "generate", "plan", "doctor", "test", "lock", "plots", "bench", "list", "clean"):
        assert command in text
    for command in ("boot", "generate", "plan", "doctor", "test", "lock", "plots", "bench"):
        assert "PURPOSE" in smoke.doit("help", command).stdout


def test_lock_pins_and_a_difference_is_named(smoke: Project) -> None:
    smoke.doit("lock", "image=smoke")
    lock = (smoke.folder / "images/smoke.lock").read_text()
    assert "  train/weights.bin\n" in lock and "  image/smoke.img\n" in lock
    smoke.edit("images/smoke.yaml", "seed: 1\n  log", "seed: 2\n  log")
    done = smoke.doit("image=smoke")
    assert "warning: stage train gave another weights.bin than images/smoke.lock pins" in done.stderr


# -- generate --------------------------------------------------------------------------------------


def test_generate_prints_the_text_and_nothing_else(smoke: Project) -> None:
    words = ("generate", "image=smoke", "prompt=Once upon a time", "tokens=40", "temp=0.9")
    first, again = smoke.doit(*words, "seed=3").stdout, smoke.doit(*words, "seed=3").stdout
    assert first == again != smoke.doit(*words, "seed=4").stdout
    assert first.startswith("Once upon a time")


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "says"), [
    (["imag=smoke"], "no command or stage knows the variable imag=smoke\nhint: did you mean image="),
    (["image=smoek"], "images/smoek.yaml does not exist\nhint: did you mean smoke"),
    (["boot", "image=smoke", "accel=kwm"], "accel=kwm"),
    (["image=smoke", "toolchain=magic"], "toolchain=magic"),
    (["generate", "image=smoke"], "generate needs a prompt"),
    (["plan", "image=smoke", "imgae"], "there is no stage imgae\nhint: did you mean image"),
    (["lock", "image=smoke", "cc"], "lock takes either image= or toolchain roots"),
    (["toolchain", "dd"], "there is no toolchain root dd"),
    (["image=shakespeare", "data_dir=/nonexistent", "dataset"], "data_dir=/nonexistent is not a folder"),
])
def test_mistake_is_an_error_with_a_hint(smoke: Project, words: list[str], says: str) -> None:
    done = smoke.doit(*words, status=None)
    assert done.returncode != 0
    assert says in done.stderr and "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_recipe_typo_builds_nothing(smoke: Project) -> None:
    smoke.edit("images/smoke.yaml", "  heads", "  haeds")
    done = smoke.doit("image=smoke", status=3)
    assert "images/smoke.yaml:11: unknown key model.haeds\nhint: did you mean heads?" in done.stderr


def test_damaged_source_is_an_error_of_its_stage(smoke: Project) -> None:
    smoke.edit("efi_src/uefi/clock.c", "{", "{ this is not C;")
    done = smoke.doit("image=smoke", status=1)
    assert "error: stage compile:uefi/clock: gcc ended with status 1" in done.stderr
    assert "clock.c:" in done.stderr  # gcc's own words
    assert "Traceback" not in done.stderr


def test_image_path_that_is_a_directory(smoke: Project) -> None:
    target = smoke.folder / "build/smoke/smoke.img"
    target.unlink()
    target.mkdir()
    done = smoke.doit("image=smoke", status=None)
    assert done.returncode != 0 and "smoke.img is not a file\nhint:" in done.stderr


def test_full_disk_leaves_nothing_half_written(smoke: Project) -> None:
    """A file size limit stands in for the full disk: the kernel refuses the write in the same place."""
    smoke.doit("clean", "image", "image=smoke")
    script = "ulimit -f 20000; trap '' XFSZ; exec \"$@\""
    done = subprocess.run(["sh", "-c", script, "sh", sys.executable, "-m", "toolchain", "image=smoke"],
                          cwd=smoke.folder, env=smoke.env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no space left on the disk\nhint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((smoke.folder / "build/smoke").glob("*.img"))
    assert not list((smoke.folder / "build/smoke").glob(".smoke.img.*"))
    assert restored(smoke.doit("image=smoke")) == ["image"]


# -- interruption ----------------------------------------------------------------------------------


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes below `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(stat.parent.name), *children(int(stat.parent.name))]
    return found


@pytest.mark.parametrize("number", [
    signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_interrupted_training_resumes_to_the_same_weights(smoke: Project, number: int) -> None:
    steps = 100_000 if number == signal.SIGKILL else 5000  # by itself the trainer writes one each ten seconds
    smoke.edit("images/smoke.yaml", "steps: 40", f"steps: {steps}")
    for every in ("evaluate_every", "sample_every"):  # else the pipe that nobody reads is full, and the trainer waits
        smoke.edit("images/smoke.yaml", f"{every}: 20", f"{every}: 5000")
    run = smoke.start("train", "image=smoke")
    scratch = smoke.cache / "ingot/scratch"
    # a trainer that is told to end writes a checkpoint first; one that is killed leaves the last it wrote
    wait_for(lambda: list(scratch.glob("*/train.checkpoint" if number == signal.SIGKILL else "*/train.times.jsonl")))
    below = children(run.pid)
    assert below
    os.killpg(run.pid, number)  # doit alone: stages lead groups of their own
    _, err = run.communicate(timeout=30)
    assert run.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number], err
    assert "Traceback" not in err
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 30)
    before = (smoke.folder / "build/smoke/weights.bin").read_bytes()
    assert list(scratch.glob("*/train.checkpoint"))
    done = smoke.doit("train", "image=smoke")
    assert "train │ resumed" in done.stderr or "train │ resuming" in done.stderr
    assert (smoke.folder / "build/smoke/weights.bin").read_bytes() != before
    assert not list(scratch.iterdir())
    resumed = smoke.outputs_of("train")
    smoke.doit("forget", "train", "image=smoke")
    smoke.doit("train", "image=smoke")
    assert smoke.outputs_of("train") == resumed


def test_interrupted_image_leaves_no_part_of_it(smoke: Project) -> None:
    smoke.edit("toolchain/image.py", "        image.replace(out)", "        __import__('time').sleep(60)")
    smoke.doit("clean", "image", "image=smoke")
    run = smoke.start("image", "image=smoke")
    wait_for(lambda: list((smoke.cache / "ingot/tmp").glob("*/.smoke.img.*/image")))
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode == 130
    assert not list((smoke.cache / "ingot/tmp").iterdir())
    assert not list((smoke.folder / "build/smoke").glob("*.img"))

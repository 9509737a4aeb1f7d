"""Builds that are killed, stores that rot, many builds at once: never a wrong byte, nothing done twice."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.project import Project, checkout, clone

FILES = ("smoke/smoke.img", "smoke/BOOTX64.EFI", "smoke/model.gguf", "host/ingot")


def digests(project: Project) -> dict[str, str]:
    return {name: hashlib.sha256((project.folder / "build" / name).read_bytes()).hexdigest() for name in FILES}


def blobs(project: Project) -> list[Path]:
    return sorted(path for path in (project.cache / "ingot/cas").glob("*/*") if path.is_file())


def whole(project: Project) -> None:
    """Every blob holds the bytes of its name, every record is JSON and names blobs that are there."""
    store = project.cache / "ingot"
    for blob in blobs(project):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    for record in (path for path in (store / "ac").glob("*/*") if not path.name.startswith(".")):
        for output in json.loads(record.read_text())["outputs"]:
            assert (store / "cas" / output["sha256"][:2] / output["sha256"]).is_file(), record


def built(project: Project) -> Counter[tuple[str, str]]:
    """How often each key was built, by the store's journal."""
    events = [json.loads(line) for line in (project.cache / "ingot/journal.jsonl").read_text().splitlines()]
    return Counter((event["stage"], event["key"]) for event in events if event["event"] == "built")


@pytest.mark.slow
def test_killed_at_fifty_random_moments(smoke: Project, tmp_path: Path) -> None:
    """SIGKILL, then a second run that goes on: the store is whole, no finished stage runs twice, the image is right."""
    right, chance = digests(smoke), random.Random(50)
    seconds = 8.0
    for number in range(50):
        project = checkout(tmp_path / str(number))
        run = project.start("image=smoke", "-n", "2")
        try:
            run.communicate(timeout=chance.uniform(0.2, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
        whole(project)
        started = time.monotonic()
        project.doit("image=smoke", "-n", "2")
        seconds = max(2.0, 0.9 * seconds + 0.1 * (time.monotonic() - started))
        whole(project)
        assert digests(project) == right, number
        assert set(built(project).values()) == {1}, number
        subprocess.run(["rm", "-rf", str(tmp_path / str(number))], check=True)


@pytest.mark.slow
def test_a_bit_flipped_in_each_blob(smoke: Project) -> None:
    """By a disk that rots: not even the times of the file tell."""
    right = digests(smoke)
    for blob in blobs(smoke):
        rot(smoke, blob)
        subprocess.run(["rm", "-rf", str(smoke.folder / "build")], check=True)
        smoke.doit("image=smoke")
        assert digests(smoke) == right, blob
        whole(smoke)


def test_a_rotten_input_reaches_no_stage(smoke: Project) -> None:
    right = digests(smoke)
    model = smoke.outputs_of("export")["model.gguf"]
    rot(smoke, smoke.cache / "ingot/cas" / model[:2] / model)
    smoke.doit("forget", "compile:model", "link", "image", "image=smoke")
    done = smoke.doit("image=smoke")
    assert digests(smoke) == right and "built  export" in done.stderr


def rot(project: Project, blob: Path) -> None:
    """Flips a bit, and makes the store's memory of the file's times fit what is there now."""
    before = os.stat(blob)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 4
    blob.chmod(0o644)
    blob.write_bytes(data)
    blob.chmod(0o444)
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
    memory = project.cache / "ingot/stat.json"
    known = json.loads(memory.read_text()) if memory.exists() else {}
    after = os.stat(blob)
    known[str(blob)] = [after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, blob.name]
    memory.write_text(json.dumps(known))


@pytest.mark.slow
def test_four_builds_on_one_empty_store(smoke: Project, tmp_path: Path) -> None:
    """Each stage is built once; three of four wait and take it."""
    right = digests(smoke)
    first = checkout(tmp_path / "first")
    projects = [first]
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        other = clone(first, tmp_path / str(number))
        subprocess.run(["rm", "-rf", str(other.cache)], check=True)
        projects.append(Project(other.folder, first.cache))
    runs = [project.start("image=smoke") for project in projects]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
    assert all(digests(project) == right for project in projects)
    counts = built(first)
    assert set(counts.values()) == {1} and len(counts) == len(first.manifest())
    whole(first)


@pytest.mark.slow
def test_two_builds_of_one_clone(smoke: Project, tmp_path: Path) -> None:
    right = digests(smoke)
    project = checkout(tmp_path / "one")
    runs = [project.start("image=smoke") for _ in range(2)]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
    assert digests(project) == right and set(built(project).values()) == {1}

"""The disk image: its bytes, its structure, its errors."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain import image

PROGRAM = Path(image.__file__)
MIB = 1 << 20


def run(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program as its own process, as a stage runs it."""
    command = [sys.executable, str(PROGRAM), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """--file arguments: a program, a small file, one with a long name."""
    sources = {"EFI/BOOT/BOOTX64.EFI": b"MZ" + os.urandom(300_000), "hello.txt": b"hello\n",
               "models/a rather long name.gguf": b""}
    arguments = []
    for i, (dest, data) in enumerate(sources.items()):
        (tmp_path / f"source{i}").write_bytes(data)
        arguments += ["--file", f"{dest}={tmp_path / f'source{i}'}"]
    return arguments


def test_same_bytes_elsewhere(tmp_path: Path, files: list[str]) -> None:
    """Another folder, time, umask, TZ, order, mode and mtools configuration."""
    first, second = tmp_path / "first.img", tmp_path / "an other" / "se@@cond:img"
    assert run("--out", first, *files).returncode == 0
    second.parent.mkdir()
    for source in tmp_path.glob("source*"):
        os.utime(source, (1e9, 1e9))
        source.chmod(0o444)
    pairs = [files[i : i + 2] for i in range(0, len(files), 2)]
    turned = [word for pair in reversed(pairs) for word in pair]
    (tmp_path / ".mtoolsrc").write_text("MTOOLS_LOWER_CASE=1\n")
    environment = {**os.environ, "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1700000000", "HOME": str(tmp_path),
                   "MTOOLS_LOWER_CASE": "1", "LC_ALL": "C"}
    time.sleep(2)  # FAT counts in steps of two seconds
    done = run("--out", second.name, *turned, cwd=second.parent, env=environment, umask=0o077)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in second.parent.iterdir()] == [second.name]
    assert stat.S_IMODE(second.stat().st_mode) == 0o644


def test_other_content_has_another_identity(tmp_path: Path, files: list[str]) -> None:
    def identity() -> tuple[bytes, bytes, bytes]:
        assert run("--out", tmp_path / "x.img", *files).returncode == 0
        data = (tmp_path / "x.img").read_bytes()
        return data[512 + 56 : 512 + 72], data[1024 + 16 : 1024 + 32], data[MIB + 67 : MIB + 71]

    before = identity()
    (tmp_path / "source1").write_bytes(b"hullo\n")
    assert all(a != b for a, b in zip(before, identity(), strict=True))


def test_structure(tmp_path: Path, files: list[str]) -> None:
    """By the tools' own checks, and read back."""
    disk, partition = tmp_path / "x.img", tmp_path / "partition"
    assert run("--out", disk, "--label", "TALES", *files).returncode == 0

    def say(*command: object) -> str:
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}).stdout

    assert "No problems found" in say("sgdisk", "-v", disk)
    info = say("sgdisk", "-i", "1", disk)
    assert "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in info  # EFI system partition
    assert "First sector: 2048 " in info and "'TALES'" in info
    sectors = int(info.split("Partition size: ")[1].split()[0])
    data = disk.read_bytes()
    partition.write_bytes(data[MIB : MIB + sectors * 512])
    report = say("fsck.fat", "-n", "-v", partition)
    assert "FATs, 32 bit entries" in report and "2048 hidden sectors" in report
    assert "Dirty" not in report and "differences" not in report
    at = f"{disk}@@{MIB}"
    assert "BOOTX64  EFI    300002 1980-01-01" in say("mdir", "-i", at, "::/EFI/BOOT")
    for i, dest in enumerate(("EFI/BOOT/BOOTX64.EFI", "hello.txt", "models/a rather long name.gguf")):
        say("mcopy", "-n", "-i", at, f"::/{dest}", tmp_path / f"back{i}")
        assert (tmp_path / f"back{i}").read_bytes() == (tmp_path / f"source{i}").read_bytes()
    assert disk.stat().st_size < 36 * MIB
    assert disk.stat().st_blocks * 512 < 4 * MIB


@given(st.lists(st.integers(0, 3 << 30), max_size=5), st.integers(0, 20))
def test_layout_is_fat32_with_room(sizes: list[int], folders: int) -> None:
    plan = image.layout(sizes, folders)
    reserved_and_fats = 64 * 512 + 2 * (4 * (plan.partition // plan.cluster + 2) + 512)
    clusters = (plan.partition - reserved_and_fats) // plan.cluster
    assert clusters >= 65_525
    assert clusters * plan.cluster >= sum(sizes)
    assert plan.partition % MIB == 0
    assert plan.partition <= max(36 * MIB, sum(sizes) * 1.02 + 16 * MIB)


def error_of(done: subprocess.CompletedProcess[str], hint: str) -> str:
    """The one line of an error whose second line is a hint with `hint` in it."""
    assert done.returncode == 1 and done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ") and second.startswith("hint: ") and hint in second
    return first


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (["--out", "folder", "--file", "a=source0"], "folder is a directory", "--out"),
        (["--out", "no/x.img", "--file", "a=source0"], "no is not a directory", "make it"),
        (["--out", "x.img", "--file", "a=nothing"], "cannot read nothing", "path"),
        (["--out", "x.img", "--file", "a=folder"], "cannot read folder", "path"),
        (["--out", "x.img", "--file", "../a=source0"], "'../a' is no path", "letters"),
        (["--out", "x.img", "--file", "a:b=source0"], "'a:b' is no path", "letters"),
        (["--out", "x.img", "--file", "a=source0", "--file", "A=source0"], "'A' is given twice", "lower case"),
        (["--out", "x.img", "--file", "a=source0", "--file", "a/b=source0"], "'a' is both", "rename"),
        (["--out", "x.img", "--label", "much too long", "--file", "a=source0"], "'much too long' is no", "11"),
        (["--out", "x.img", "--file", "a=huge"], "huge is larger than FAT32 allows", "split"),
    ],
)
def test_errors(tmp_path: Path, files: list[str], arguments: list[str], what: str, hint: str) -> None:
    (tmp_path / "folder").mkdir()
    if "a=huge" in arguments:
        with (tmp_path / "huge").open("wb") as file:
            file.truncate(1 << 32)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert what in error_of(run(*arguments, cwd=tmp_path), hint)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_missing_tool(tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool, path=None: None if tool == "mformat" else f"/usr/sbin/{tool}")
    with pytest.raises(image.ImageError, match="mformat is missing") as caught:
        image.run("mformat", folder=tmp_path)
    assert "mtools" in caught.value.hint


def limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_disk_that_takes_no_more(tmp_path: Path, files: list[str]) -> None:
    """A limit on file sizes stands in for a full disk: the image cannot grow to its size."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.img").write_bytes(b"the one before")
    assert "x.img" in error_of(run("--out", out / "x.img", *files, preexec_fn=limit(20 * MIB)), "space")
    assert [path.name for path in out.iterdir()] == ["x.img"]
    assert (out / "x.img").read_bytes() == b"the one before"


def test_full_disk(tmp_path: Path, files: list[str]) -> None:
    """A file system of 3 MiB, where users may mount one."""
    out = tmp_path / "out"
    out.mkdir()
    script = 'mount -t tmpfs -o size=3m none "$0" && cd "$0" || exit 77; "$@"; status=$?; ls -A; exit $status'
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, str(out), sys.executable, str(PROGRAM),
                           "--out", "x.img", *files], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        pytest.skip("needs mounts in user namespaces")
    assert "bytes" in error_of(done, "free")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """While mcopy, which is slow here, is at work."""
    tools, out = tmp_path / "tools", tmp_path / "out"
    tools.mkdir()
    out.mkdir()
    (tools / "mcopy").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "mcopy").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "--out", str(out / "x.img"), "--file", f"a={PROGRAM}"], text=True,
        stderr=subprocess.PIPE, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not _runs(process.pid, "sleep"):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert said.splitlines()[0].startswith("error: interrupted")
    assert list(out.iterdir()) == []


def _runs(group: int, name: str) -> bool:
    """Whether a process of that name runs in the group."""
    found = subprocess.run(["ps", "-eo", "pgid=,comm="], capture_output=True, text=True, check=True).stdout
    return any(line.split(None, 1) == [str(group), name] for line in found.splitlines())

"""Files that the program writes to the disk that it came from: read back by another program, on disks that take no
more, and on none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.uefi.machine import PROMPT, Machine
from toolchain.image import FIRST

pytestmark = pytest.mark.qemu

OFF = b"/quit\r"


def mtools(image: Path, tool: str, *words: str) -> bytes:
    """What the tool prints; it works on the partition."""
    env = {**os.environ, "MTOOLSRC": "/dev/null"}
    return subprocess.run([tool, "-i", f"{image}@@{FIRST}", *words], check=True, env=env, capture_output=True).stdout


def listed(image: Path) -> set[str]:
    """The names in the root."""
    return set(mtools(image, "mdir", "-b", "::/").decode().split())


def fill(image: Path, folder: Path) -> None:
    """Leaves not one free cluster."""
    left = re.search(rb"([\d ]+) bytes free", mtools(image, "mdir", "::/"))
    assert left
    (folder / "filler").write_bytes(bytes(int(left[1].replace(b" ", b""))))
    mtools(image, "mcopy", str(folder / "filler"), "::/filler")


def off(machine: Machine) -> None:
    machine.send(OFF)
    assert machine.power_off() == 0
    machine.close()


def test_written_read_back_and_written_over(tmp_path: Path, disk: Path) -> None:
    """In one boot: a log, then a longer one over it; a half-written one of an earlier boot is in nobody's way."""
    image = tmp_path / "disk.img"
    shutil.copyfile(disk, image)
    (tmp_path / "half").write_bytes(b"half" * 5000)
    mtools(image, "mcopy", str(tmp_path / "half"), "::/log.txt.new")
    machine = Machine(tmp_path, image, written=True)
    machine.until(PROMPT)
    machine.ask(b"/nonsense")
    first = machine.ask(b"/save_log")
    for _ in range(20):
        machine.ask(b"/nonsense")
    told = machine.ask(b"/log").split(b"\r\n", 1)[1]
    second = machine.ask(b"/save_log")
    off(machine)
    found = [re.search(rb"\r\n\[saved\] log\.txt bytes=(\d+)\r\n", said) for said in (first, second)]
    assert all(found), (first, second)
    sizes = [int(one[1]) for one in found if one]
    log = mtools(image, "mtype", "::/log.txt")
    assert len(log) == sizes[1] > sizes[0] and log == told.replace(b"\r\n", b"\n")
    assert listed(image) == {"::/EFI/", "::/log.txt"}


def test_a_full_disk(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "disk.img"
    shutil.copyfile(disk, image)
    (tmp_path / "old").write_bytes(b"the old log\n")
    mtools(image, "mcopy", str(tmp_path / "old"), "::/log.txt")
    fill(image, tmp_path)
    machine = Machine(tmp_path, image, written=True)
    machine.until(PROMPT)
    machine.ask(b"/nonsense")
    for _ in range(2):
        assert b"\r\nerror: log.txt cannot be written: the disk is full\r\n" in machine.ask(b"/save_log")
    off(machine)
    assert mtools(image, "mtype", "::/log.txt") == b"the old log\n"
    assert "::/log.txt.new" not in listed(image)


def test_a_disk_that_is_only_read(tmp_path: Path, disk: Path) -> None:
    machine = Machine(tmp_path, disk, written=False)
    machine.until(PROMPT)
    assert b"\r\nerror: log.txt cannot be written: the disk is write-protected\r\n" in machine.ask(b"/save_log")
    off(machine)

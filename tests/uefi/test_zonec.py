"""The log outlives a warm reset; what it holds can be read after it, and written to the disk with all else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.uefi.machine import PROMPT, Machine
from tests.uefi.test_disk import mtools, off

pytestmark = pytest.mark.qemu


def test_warm_reset_and_dump(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "disk.img"
    shutil.copyfile(disk, image)
    machine = Machine(tmp_path, image, smp=2, written=True)
    assert b"\r\n[log] " not in machine.until(PROMPT)
    assert b"\r\nno log of the last run" in machine.ask(b"/log last")
    machine.ask(b"/nonsense")
    machine.ask(b"/max_tokens 20")
    machine.ask(b"/test_failsafe exception")
    machine.ask(b"cats")
    told = machine.ask(b"/log").split(b"\r\n", 1)[1]
    machine.execute("system_reset")
    count = re.search(rb"\r\n\[log\] (\d+) records of the last run: /log last\r\n", machine.until(PROMPT))
    assert count and int(count[1]) == told.count(b"\r\n")
    assert machine.ask(b"/log last").split(b"\r\n", 1)[1] == told
    assert b"nonsense" not in machine.ask(b"/log")

    machine.ask(b"/max_tokens 20")
    machine.ask(b"cats")
    machine.ask(b"/test_failsafe worker")
    machine.ask(b"cats")
    machine.ask(b"cats")
    assert b"\r\n[saved] dump.txt bytes=" in machine.ask(b"/save_dump")
    off(machine)
    dump = mtools(image, "mtype", "::/dump.txt").decode()
    parts = dict(zip(*[iter(re.split(r"^== (.*)\n", dump, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert list(parts) == ["machine", "model", "memory", "settings", "session", "exception", "log", "last log"]
    assert " cores=2\n" in parts["machine"] and "name=tiny " in parts["model"] and " zonec=65536 " in parts["memory"]
    assert "max_tokens=20\n" in parts["settings"] and "\ntokens: 99 97 116 115 " in parts["session"]
    assert parts["exception"].startswith("exception 6 (invalid opcode) on core 1 ")
    assert "] crash: exception 6 " in parts["log"] and parts["last log"].encode() == told.replace(b"\r\n", b"\n")

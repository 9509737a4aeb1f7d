"""A made-up machine, and a loop device that is surely nobody's disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.flash.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def ours(device: Path, folder: Path) -> Path:
    """The device, if it is a loop device on a file of this test; nothing else is ever written to."""
    backing = Path(f"/sys/block/{device.name}/loop/backing_file").read_text().strip()
    assert device.name.startswith("loop") and Path(backing).is_relative_to(folder), f"{device} is not this test's"
    return device


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Path]:
    """A real block device of 64 MiB, full of old bytes."""
    needs("root", None if os.geteuid() == 0 else "loop devices are made by root alone")
    backing = tmp_path / "backing"
    backing.write_bytes(b"\xa5" * (64 << 20))
    made = subprocess.run(["losetup", "--find", "--show", "--partscan", str(backing)], capture_output=True, text=True,
                          check=False)
    needs("losetup", None if made.returncode == 0 else made.stderr.strip())
    device = Path(made.stdout.strip())
    try:
        yield ours(device, tmp_path)
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)

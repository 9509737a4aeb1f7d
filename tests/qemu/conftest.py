"""A test bed: a fake QEMU, a firmware that is only files, an image, and a cache of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.real import as_program, real_qemu

ROOT = Path(__file__).resolve().parent.parent.parent
FAKE = Path(__file__).with_name("fake_qemu.py")


@dataclass
class Bed:
    """`boot` runs `python -m toolchain.qemu` to its end; `start` only starts it."""

    folder: Path
    fake: bool = True
    named: dict[str, str] = field(default_factory=dict)

    @property
    def image(self) -> Path:
        return self.folder / "image dir" / "a,b.img"  # names that need care

    @property
    def environ(self) -> dict[str, str]:
        found = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"), "PYTHONPATH": str(ROOT),
                 "FAKE_LOG": str(self.folder / "log"), "INGOT_CALLED_FROM": str(self.folder)}
        for name in ("INGOT_QEMU", "INGOT_OVMF"):
            found.pop(name, None)
        if self.fake:
            found |= {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "INGOT_OVMF": str(self.folder / "ovmf")}
        return found | self.named

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "toolchain.qemu", str(self.image), *words]

    def start(self, plan: dict[str, str], *words: str, **how: Any) -> subprocess.Popen[bytes]:
        environ = {**self.environ, "FAKE_QEMU": json.dumps(plan)}
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        return subprocess.Popen(self.command(*words), env=environ, cwd=self.folder, **how)

    def boot(self, plan: dict[str, str], *words: str, typed: bytes | None = None,
             seconds: float = 60.0) -> tuple[int, bytes, str]:
        how = {} if typed is None else {"stdin": subprocess.PIPE}
        running = self.start(plan, *words, **how)
        try:
            out, err = running.communicate(typed, timeout=seconds)
        finally:
            running.kill()
            running.wait()
        return running.returncode, out, err.decode()

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def starts(self) -> list[str]:
        """'ACCEL CPU' of each QEMU that was started."""
        return [" ".join(line.split()[2:]) for line in self.log if line.startswith("start")]

    @property
    def typed(self) -> list[str]:
        return [line[7:-1] for line in self.log if line.startswith("typed")]

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads((self.image.parent / "boot.json").read_text()))

    def digest(self) -> str:
        return hashlib.sha256(self.image.read_bytes()).hexdigest()

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.log if line.startswith("start")]

    def wait_started(self, seconds: float = 20.0) -> int:
        """The process id of the (fake) QEMU, once there is one."""
        return int(wait_until(lambda: self.pids()[-1] if self.pids() else None, seconds))


def wait_until(test: Any, seconds: float = 20.0) -> Any:
    """The first true value of `test`, or a failed test."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = test()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return re.search(r"\) ([A-Z])", Path(f"/proc/{pid}/stat").read_text())[1] == "Z"  # type: ignore[index]
    except OSError:
        return True


def _bed(folder: Path) -> Bed:
    made = Bed(folder)
    made.image.parent.mkdir()
    made.image.write_bytes(b"\0" * 65536 + b"image" * 1000 + b"\0" * 65536)
    return made


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = _bed(tmp_path)
    program = tmp_path / "bin" / "qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -IS\n" + FAKE.read_text())
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    ovmf = tmp_path / "ovmf"
    ovmf.mkdir()
    (ovmf / "OVMF_CODE_4M.fd").write_bytes(b"code")
    (ovmf / "OVMF_VARS_4M.fd").write_bytes(b"vars")
    yield made
    left = [pid for pid in made.pids() if not gone(pid)]
    assert not left, f"QEMU left running: {left}"


@pytest.fixture
def real(tmp_path: Path) -> Bed:
    """The same with a QEMU and a firmware that are none of ours."""
    qemu, code = real_qemu()
    made = _bed(tmp_path)
    made.fake = False
    made.named = {"INGOT_QEMU": str(as_program(qemu, tmp_path / "qemu")), "INGOT_OVMF": str(code.code)}
    return made

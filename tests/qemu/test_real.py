"""This machine's QEMU and OVMF. The image holds no program: the firmware's own output is the life."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tests.qemu.conftest import Bed, gone, wait_until

pytestmark = pytest.mark.qemu

NO_PROGRAM = ("prompt=x", "timeout=15")


def qemu_of(bed: Bed, accel: str) -> int | None:
    """The process id of this bed's QEMU."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = any(str(bed.folder).encode() in word for word in words)
        if ours and f"-accel\0{accel}\0".encode() in b"\0".join(words):
            return int(entry.name)
    return None


@pytest.mark.parametrize("machine", ["q35", pytest.param("pc", marks=pytest.mark.slow)])
def test_firmware_lives_and_the_image_is_only_read(real: Bed, machine: str) -> None:
    before = real.digest()
    running = real.start({}, "accel=tcg", f"machine={machine}", "smp=2", *NO_PROGRAM)
    try:
        pid = wait_until(lambda: qemu_of(real, "tcg"), 20)
        wait_until(lambda: opened(pid, real.image), 10)
        modes = opened(pid, real.image)
        assert modes and all(mode & os.O_ACCMODE == os.O_RDONLY for mode in modes)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 1
    text = err.decode()
    assert text.startswith("error: the guest hung before the program's prompt") and "BdsDxe" in text
    assert real.report["accel_used"] == "tcg" and gone(pid)
    assert real.digest() == before


def opened(pid: int, path: Path) -> list[int]:
    """The flags of each descriptor that the process has on `path`."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(entry) == str(path):
                info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                found.append(int(re.search(r"flags:\s*(\d+)", info)[1], 8))  # type: ignore[index]
        except OSError:
            continue
    return found


@pytest.mark.parametrize("cpu", ["auto", pytest.param("qemu64", marks=pytest.mark.slow)])
def test_auto_runs_whatever_this_machine_has(real: Bed, cpu: str) -> None:
    """Where KVM is broken it costs under 3 s once, and nothing the second time."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/kvm, broken or not")
    for again in (False, True):
        started = time.monotonic()
        code, _, err = real.boot({}, "accel=auto", f"cpu={cpu}", "prompt=x", "timeout=12")
        assert code == 1 and time.monotonic() - started < 20
        report = real.report
        assert err.startswith("accelerator: ") and report["attempts"][-1]["outcome"] == "ok"
        lost = sum(one["seconds"] for one in report["attempts"][:-1])
        assert lost < 3.0
        if report["accel_used"] == "tcg":
            assert re.match(r"accelerator: kvm failed (before )?\(.+\), using tcg\n", err)
            if again:
                assert lost == 0.0 and report["attempts"][0]["outcome"] == "remembered"


def test_sigkill_takes_the_real_one_along(real: Bed) -> None:
    running = real.start({}, "accel=tcg", *NO_PROGRAM)
    pid = wait_until(lambda: qemu_of(real, "tcg"), 20)
    running.kill()
    running.communicate()
    wait_until(lambda: gone(pid), 5)


def test_an_unknown_cpu_is_an_error_of_qemu(real: Bed) -> None:
    code, _, err = real.boot({}, "accel=tcg", "cpu=typo", "prompt=x")
    assert code == 1 and err.startswith("error: no boot with accel=tcg: unable to find CPU model 'typo'\nhint: ")

"""Whatever ends a boot, QEMU is gone and the terminal is as it was."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.conftest import ROOT, Bed, gone, wait_until

CHAT = {"tcg": "chat"}


class Terminal:
    """A pty whose far end is a boot's stdin, stdout and stderr."""

    def __init__(self) -> None:
        self.near, self.far = pty.openpty()
        os.set_blocking(self.near, False)
        self.before = termios.tcgetattr(self.far)
        self.shown = b""

    def files(self) -> dict[str, Any]:
        return {"stdin": self.far, "stdout": self.far, "stderr": self.far, "start_new_session": True}

    def see(self, text: bytes) -> None:
        """Waits until `text` has been shown; fails with what was."""
        def look() -> bool:
            with contextlib.suppress(OSError):  # nothing yet
                self.shown += os.read(self.near, 65536)
            return text in self.shown

        try:
            wait_until(look, 20)
        except AssertionError:
            raise AssertionError(f"{text!r} was not shown, but {self.shown!r}") from None

    def type(self, keys: bytes) -> None:
        os.write(self.near, keys)

    def restored(self) -> bool:
        return termios.tcgetattr(self.far) == self.before


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    os.close(made.near)
    os.close(made.far)


def test_a_conversation(bed: Bed, terminal: Terminal) -> None:
    before = bed.digest()
    running = bed.start(CHAT, "accel=tcg", "temp=0", "seed=7", **terminal.files())
    terminal.see(b"seed=7\r\r\n\r\r\n> ")  # the settings were typed
    assert not terminal.restored()
    assert b"\x1b[2J" not in terminal.shown  # the firmware does not clear the screen
    terminal.type(b"Hello\r")
    terminal.see("Hello and café seed=7".encode())
    terminal.see(b"[stats]")
    terminal.type(b"/quit\r")
    assert running.wait(20) == 0
    assert bed.typed == ["/temp 0", "/seed 7", "Hello", "/quit"]
    assert terminal.restored()
    assert bed.digest() == before


def test_ctrl_c_in_a_conversation(bed: Bed, terminal: Terminal) -> None:
    running = bed.start(CHAT, "accel=tcg", **terminal.files())
    terminal.see(b"> ")
    terminal.type(b"Hel\x03")
    assert running.wait(20) == 0
    assert gone(bed.pids()[-1]) and terminal.restored()


def test_ctrl_c_before_life(bed: Bed, terminal: Terminal) -> None:
    running = bed.start({"tcg": "silent"}, "accel=tcg", **terminal.files())
    pid = bed.wait_started()
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    assert gone(pid) and terminal.restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_in_a_conversation(bed: Bed, terminal: Terminal, number: signal.Signals) -> None:
    running = bed.start(CHAT, "accel=tcg", **terminal.files())
    terminal.see(b"> ")
    running.send_signal(number)
    assert running.wait(20) == 128 + number
    assert gone(bed.pids()[-1]) and terminal.restored()


def test_qemu_dies_in_a_conversation(bed: Bed, terminal: Terminal) -> None:
    running = bed.start(CHAT, "accel=tcg", **terminal.files())
    terminal.see(b"> ")
    os.kill(bed.pids()[-1], signal.SIGKILL)
    terminal.see(b"error: QEMU failed while running: QEMU ended with status signal 9")
    assert running.wait(20) == 1
    assert terminal.restored()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_in_a_scripted_boot(bed: Bed, number: signal.Signals) -> None:
    running = bed.start({"tcg": "hang"}, "accel=tcg", "prompt=Hello")
    assert running.stdout is not None
    running.stdout.read(5)
    running.send_signal(number)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 128 + number and err == b""
    assert gone(bed.pids()[-1])
    assert bed.report["exit"] == 128 + number


def test_sigkill_takes_qemu_along(bed: Bed) -> None:
    running = bed.start({"tcg": "hang"}, "accel=tcg", "prompt=Hello")
    pid = bed.wait_started()
    running.kill()
    running.communicate(timeout=20)
    wait_until(lambda: gone(pid), 5)


def test_the_shell_that_guards_elsewhere(tmp_path: Path) -> None:
    """What stands in for PDEATHSIG on macOS and the BSDs works here too."""
    program = ("import subprocess, sys, time\nfrom toolchain.qemu.process import _shell_guard\n"
               "child = subprocess.Popen(['sleep', '60'])\nguard = _shell_guard(child.pid)\n"
               "print(child.pid, flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT,
                          stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        wait_until(lambda: gone(pid), 5)


@pytest.mark.parametrize(("status", "code", "raw"), [(0, 0, 0), (1, 0, 1), (2, 0, 2), (130, 0, 130), (3, 1, 1)])
def test_exit_codes_after_life(bed: Bed, status: int, code: int, raw: int) -> None:
    plan = {"tcg": f"life:{status}"}
    for words, expected in (([], code), (["raw_exit=1"], raw)):
        near, far = pty.openpty()
        try:
            running = bed.start(plan, "accel=tcg", *words, stdin=far, stdout=subprocess.PIPE)
            _, err = running.communicate(timeout=20)
        finally:
            os.close(near)
            os.close(far)
        assert running.returncode == expected
        assert (b"error: QEMU failed" in err) == (expected == 1 and status == 3)


def test_exit_codes_before_life_are_failures(bed: Bed) -> None:
    for status in (0, 1, 2, 130):
        code, _, err = bed.boot({"tcg": f"die:{status}"}, "accel=tcg")
        assert code == 1 and f"QEMU ended with status {status}" in err


def test_lines_from_a_pipe(bed: Bed) -> None:
    code, out, err = bed.boot(CHAT, "accel=tcg", "seed=7", typed=b"Hello\n/nonsense\n")
    assert (code, err) == (0, "")
    assert bed.typed == ["/script", "/seed 7", "Hello", "/nonsense", "/quit"]
    shown = out.decode()
    assert shown.index("[boot] ingot") < shown.index("Hello and café seed=7\nend.") < shown.index("[stats]")
    assert "error: no such thing" in shown


def test_what_was_saved_lasts_until_fresh(bed: Bed) -> None:
    """The copy is made once per image; a second boot beside the first leaves it alone and says so."""
    assert bed.boot(CHAT, "accel=tcg", typed=b"")[0] == 0
    copies = list((bed.image.parent / "boot").glob("*.img"))
    assert len(copies) == 1 and copies[0].read_bytes() == bed.image.read_bytes()
    copies[0].write_bytes(b"saved")
    first = bed.start(CHAT, "accel=tcg", stdin=subprocess.PIPE)
    wait_until(lambda: "typed '/script'" in bed.log[-1], 20)
    code, _, err = bed.boot(CHAT, "accel=tcg", "fresh=1", typed=b"")
    assert code == 0 and err == "this image is running elsewhere: what this boot saves will not last\n"
    assert first.communicate(b"", timeout=20)[1] == b"" and first.returncode == 0
    assert copies[0].read_bytes() == b"saved"
    assert bed.boot(CHAT, "accel=tcg", "fresh=1", typed=b"")[0] == 0
    assert copies[0].read_bytes() == bed.image.read_bytes()

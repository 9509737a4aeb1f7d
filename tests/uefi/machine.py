"""A machine under QEMU's emulator: its serial line, its keys, its screen."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.qemu.real import real_qemu

PATIENCE = 60.0  # seconds: all of a test run's workers share two cores
PROMPT = b"\r\n> "
STX, ETX, ENQ = b"\x02", b"\x03", b"\x05"


@dataclass(frozen=True)
class Reply:
    """A reply in script mode."""

    text: bytes
    stats: dict[str, float]
    seconds: float  # by this machine's clock, between the frame's first and last byte


class Machine:
    """Boots `image` with a serial line on a socket. What the program writes to its disk is forgotten; with
    `written=True` it is in the image, and with `written=False` the disk is write-protected."""

    def __init__(
        self, folder: Path, image: Path, *, machine: str = "q35", cpu: str = "max", smp: int = 1,
        mem: str = "256M", more: Sequence[str] = (), fds: Sequence[int] = (),
        written: bool | None = None
    ) -> None:
        qemu, code = real_qemu()
        self.folder = folder
        variables = folder / "vars.fd"
        shutil.copyfile(code.variables, variables)
        self.started = time.monotonic()
        self.banner = b""
        self.received = b""
        access = {None: "snapshot=on", True: "snapshot=off", False: "readonly=on"}[written]
        self.log = (folder / "qemu.log").open("wb")
        (self.line, line), (monitor, control) = socket.socketpair(), socket.socketpair()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # a reader who pauses is soon felt
        self.process = subprocess.Popen(
            qemu.argv(
                "-accel", "tcg", "-machine", machine, "-cpu", cpu, "-smp", str(smp), "-m", mem, *more,
                "-nodefaults", "-vga", "std", "-display", "none",
                "-drive", f"if=pflash,format={code.format},readonly=on,file={code.code}",
                "-drive", f"if=pflash,format={code.format},file={variables}",
                "-drive", f"if=virtio,format=raw,{access},file={image}",
                "-chardev", f"socket,id=line,fd={line.fileno()}", "-serial", "chardev:line",
                "-chardev", f"socket,id=qmp,fd={control.fileno()}", "-mon", "chardev=qmp,mode=control"),
            env=qemu.environ(os.environ),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            pass_fds=(line.fileno(), control.fileno(), *fds))
        line.close()
        control.close()
        self.qmp = monitor.makefile("rwb")
        monitor.close()
        assert self.qmp.readline(), (folder / "qemu.log").read_text()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        self.line.close()
        self.qmp.close()
        self.process.kill()
        self.process.wait()
        self.log.close()

    # -- serial --------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self.line.sendall(data)

    def until(self, end: bytes) -> bytes:
        """What comes up to and with `end`."""
        deadline = time.monotonic() + PATIENCE
        while end not in self.received:
            ready, _, _ = select.select([self.line], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {end!r}, have {self.received[-2000:]!r}"
            piece = self.line.recv(65536)
            assert piece, f"the line closed before {end!r}, after {self.received[-2000:]!r}"
            self.received += piece
        at = self.received.index(end) + len(end)
        found, self.received = self.received[:at], self.received[at:]
        return found

    def ask(self, line: bytes) -> bytes:
        """What is printed after `line` was typed and before the next prompt; lines end in CR LF."""
        self.send(line + b"\r")
        return self.until(PROMPT)[: -len(PROMPT)]

    def ask_framed(self, prompt: bytes) -> Reply:
        """In script mode (`/script`), after ENQ."""
        self.send(prompt + b"\r")
        self.until(STX)
        start = time.monotonic()
        text = self.until(ETX)[:-1]
        seconds = time.monotonic() - start
        after = self.until(ENQ).decode()
        line = next(line for line in after.splitlines() if line.startswith("[stats] "))
        return Reply(text, {k: float(v) for k, v in (word.split("=") for word in line.split()[1:])}, seconds)

    def power_off(self) -> int:
        """Waits for the machine to switch itself off; QEMU's exit status."""
        return self.process.wait(PATIENCE)

    # -- QMP -----------------------------------------------------------------------------------

    def execute(self, command: str, **arguments: Any) -> Any:
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "event" not in answer:
                assert "error" not in answer, answer
                return answer["return"]

    def press(self, *keys: str) -> None:
        """`press("h", "shift-i", "ret")`: presses and releases keys, by QEMU's names."""
        for key in keys:
            codes = [{"type": "qcode", "data": code} for code in key.split("-")]
            self.execute("send-key", keys=codes, **{"hold-time": 40})
            time.sleep(0.1)  # the firmware looks at its keyboard 50 times a second

    def lit(self) -> int:
        """How much of the screen is not black, once it has come to rest: the screen follows the serial line."""
        seen, same = self._lit_now(), 0
        while same < 3:
            time.sleep(0.05)
            now = self._lit_now()
            seen, same = now, same + 1 if now == seen else 0
        return seen

    def _lit_now(self) -> int:
        """The colours above 0, of all pixels."""
        pixels = self.screen()[2]
        return len(pixels) - pixels.count(0)

    def screen(self) -> tuple[int, int, bytes]:
        """What the screen shows now: width, height, and three bytes a pixel, row by row."""
        path = self.folder / "screen.ppm"
        self.execute("screendump", filename=str(path))
        kind, size, depth, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        assert (kind, depth, len(pixels)) == (b"P6", b"255", 3 * width * height)
        return width, height, pixels

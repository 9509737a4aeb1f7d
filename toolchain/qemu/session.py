"""One running QEMU: its process, its serial line, its monitor. Whatever happens, it is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from types import TracebackType

from toolchain.errors import UserError
from toolchain.qemu import life, machine
from toolchain.qemu.attempts import Attempt
from toolchain.qemu.channel import Channel
from toolchain.qemu.monitor import Monitor
from toolchain.qemu.process import Child

_POLL = 0.05  # seconds between looks at the process and the monitor
_LOG_KEPT = 1 << 20


class Session:
    """Context manager. `receive` and `send` are the serial line; `log` is what came over it."""

    def __init__(self, parts: machine.Machine, attempt: Attempt) -> None:
        serial, monitor = Channel(), Channel()
        self.started = time.monotonic()
        self.log = b""
        try:
            argv = machine.command(parts, attempt, serial.chardev, monitor.chardev)
            self.child = Child(argv, serial.inherited + monitor.inherited, parts.qemu.environ(os.environ))
        except OSError as exc:
            serial.close()
            monitor.close()
            raise UserError(f"{parts.qemu.path} cannot be started: {exc.strerror}", "check the installation") from None
        self.serial: socket.socket | None = None
        self.monitor: Monitor | None = None
        with contextlib.suppress(OSError):  # (Windows) it ended before it called; its status says the rest
            self.serial = serial.connected(2.0)
            self.serial.settimeout(10.0)  # a guest that takes nothing must not block us for ever
            self.monitor = Monitor(monitor.connected(2.0))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self, *, flush: bool = False) -> int:
        """Ends QEMU, with `flush` giving it time to write its disk. Its exit status."""
        code = self.child.stop() if flush else self.child.kill()
        if self.monitor is not None:
            self.monitor.join(0.5)
        if self.serial is not None:
            self.serial.close()
        return code

    def receive(self, seconds: float = _POLL) -> bytes | None:
        """What the guest has written; b'' when nothing came in time, None when the line is closed."""
        if self.serial is None:
            return None
        if not select.select([self.serial], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            data = self.serial.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return None
        self.log = (self.log + data)[-_LOG_KEPT:]
        return data

    def send(self, data: bytes) -> None:
        """Types to the guest. A line that is closed takes nothing: the process's end tells why."""
        if self.serial is not None:
            with contextlib.suppress(OSError):
                self.serial.sendall(data)

    def stopped(self) -> life.Failure | None:
        """A guest that has stopped while QEMU goes on."""
        stderr = self.child.stderr()
        if self.monitor is not None and self.monitor.dead:
            return life.stopped(self.monitor.dead, stderr)
        return life.stopped("internal-error", stderr) if life.fatal_line(stderr) else None

    def ended(self, code: int) -> life.Failure:
        """Why QEMU ended with this status."""
        if self.monitor is not None:
            self.monitor.join(0.5)
        return life.exited(code, self.child.stderr(), self.monitor.shutdown if self.monitor is not None else None)

    def await_life(self, seconds: float) -> life.Failure | None:
        """Waits for the first byte of the firmware; None is good."""
        end = self.started + seconds
        while True:
            data = self.receive(min(_POLL, end - time.monotonic()))
            if data:
                return None
            code = self.child.wait(0.2 if data is None else 0.0)
            if code is not None:
                return self.ended(code)
            failure = self.stopped()
            if failure is not None:
                return failure
            if time.monotonic() >= end:
                return life.silent(time.monotonic() - self.started)

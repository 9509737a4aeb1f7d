"""A machine under QEMU's emulator with Secure Boot on, whose firmware trusts Debian's snakeoil key alone."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.qemu.real import vm_root
from toolchain.qemu import binary

PATIENCE = 60.0  # seconds: all of a test run's workers share two cores
PROMPT = b"\r\n> "
NOTHING_LEFT = b"No bootable option or device was found."  # OVMF, when no program may start


def secure(firmware: Path, variables: Path, image: Path) -> list[str]:
    """The machine with Secure Boot: docs/secure-boot.md shows the same."""
    return ["-machine", "q35,smm=on",
            "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,readonly=on,file={firmware / 'OVMF_CODE_4M.secboot.fd'}",
            "-drive", f"if=pflash,format=raw,file={variables}",
            "-drive", f"if=virtio,format=raw,snapshot=on,file={image}"]


class SecureMachine:
    """Boots `image`, which it never writes to. The serial line is on a socket; the firmware's variables are a copy."""

    def __init__(self, folder: Path, image: Path, *more: str) -> None:
        root = vm_root()
        qemu = binary.of_root(root)
        firmware = root / "usr/share/OVMF"
        variables = folder / "vars.fd"
        shutil.copyfile(firmware / "OVMF_VARS_4M.snakeoil.fd", variables)
        self.received = b""
        self.folder = folder
        self.line, line = socket.socketpair()
        with (folder / "qemu.log").open("wb") as log:
            self.process = subprocess.Popen(
                qemu.argv(
                    "-accel", "tcg", "-cpu", "max", "-m", "256M", *secure(firmware, variables, image),
                    "-nodefaults", "-vga", "none", "-display", "none", "-monitor", "none",
                    "-chardev", f"socket,id=line,fd={line.fileno()}", "-serial", "chardev:line", *more),
                env=qemu.environ(os.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[line.fileno()])
        line.close()

    def __enter__(self) -> SecureMachine:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()

    def until(self, *ends: bytes) -> bytes:
        """What comes up to and with the first of `ends`; a machine that stops short of all fails the test."""
        deadline = time.monotonic() + PATIENCE
        while not (found := [self.received.index(end) + len(end) for end in ends if end in self.received]):
            ready, _, _ = select.select([self.line], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {ends!r}, have {self.received[-2000:]!r}"
            piece = self.line.recv(65536)
            assert piece, f"the line closed: {(self.folder / 'qemu.log').read_text()}{self.received[-2000:]!r}"
            self.received += piece
        got, self.received = self.received[:min(found)], self.received[min(found):]
        return got

    def boot(self) -> tuple[bool, bytes]:
        """Whether the program has reached its prompt; if not, the firmware has none left to start. And what was
        printed until then. Both come within seconds, so no test waits for a machine that does nothing."""
        printed = self.until(PROMPT, NOTHING_LEFT)
        return printed.endswith(PROMPT), printed

    def ask(self, line: bytes) -> bytes:
        """What is printed after `line` was typed and before the next prompt."""
        self.line.sendall(line + b"\r")
        return self.until(PROMPT)[:-len(PROMPT)]

    def power_off(self) -> int:
        """Waits for the machine to switch itself off; QEMU's exit status."""
        return self.process.wait(PATIENCE)


def snakeoil(folder: Path) -> tuple[Path, Path, Callable[[str], bytes]]:
    """Key, certificate and passphrase that the firmware trusts: Debian's, for tests; the key as private as keys are."""
    shipped = vm_root() / "usr/share/ovmf"
    key = folder / "snakeoil.key"
    key.touch(0o600)
    key.write_bytes((shipped / "PkKek-1-snakeoil.key").read_bytes())
    return key, shipped / "PkKek-1-snakeoil.pem", lambda prompt: b"snakeoil"

"""swtpm of the toolchain root `vm`, with a test between it and QEMU that may ask the TPM itself."""

from __future__ import annotations

import array
import socket
import struct
import subprocess
import threading
from pathlib import Path
from types import TracebackType

from tests.qemu.real import vm_root
from toolchain.roots import LIBRARIES

PCR_READ = 0x17E
NO_SESSIONS, SHA256 = 0x8001, 0x000B


class Tpm:
    """A new TPM 2.0, its state in `folder`. `options` makes it QEMU's; `fds` are for QEMU to inherit.

    QEMU has a control line to it, over which it hands it one end of a data line. Here the test hands over an end of
    its own instead, and passes commands and answers on, so that it can also read the TPM while the machine runs.
    """

    def __init__(self, folder: Path) -> None:
        root = vm_root()
        libraries = root / LIBRARIES
        loader = [str(libraries / "ld-linux-x86-64.so.2"), "--inhibit-cache", "--library-path",
                  f"{libraries}:{libraries}/swtpm", str(root / "usr/bin/swtpm")]
        (folder / "tpm").mkdir()
        self._control, theirs = socket.socketpair()
        self._from_qemu, self._for_qemu = socket.socketpair()
        self._data, self._for_tpm = socket.socketpair()
        self._guest: socket.socket | None = None
        self._busy = threading.Lock()  # a command and its answer are one
        self.log = folder / "swtpm.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*loader, "socket", "--tpm2", "--tpmstate", f"dir={folder / 'tpm'}",
                 "--ctrl", f"type=unixio,clientfd={theirs.fileno()}", "--seccomp", "action=none"],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        theirs.close()
        self._threads = [threading.Thread(target=self._orders, daemon=True)]
        self._threads[0].start()

    @property
    def fds(self) -> tuple[int, ...]:
        return (self._for_qemu.fileno(),)

    @property
    def options(self) -> tuple[str, ...]:
        return ("-chardev", f"socket,id=tpm,fd={self._for_qemu.fileno()}", "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", "tpm-crb,tpmdev=tpm")

    def __enter__(self) -> Tpm:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        for sock in (self._control, self._from_qemu, self._for_qemu, self._data, self._for_tpm, self._guest):
            if sock is not None:
                with sock:
                    _shut(sock)
        for thread in self._threads:
            thread.join(5)

    def pcr(self, number: int) -> bytes:
        """What the PCR holds now, in the bank of sha256."""
        selection = struct.pack(">IHB3s", 1, SHA256, 3, (1 << number).to_bytes(3, "little"))
        command = struct.pack(">HII", NO_SESSIONS, 10 + len(selection), PCR_READ) + selection
        with self._busy:
            self._data.sendall(command)
            answer = _message(self._data)
        (code,) = struct.unpack_from(">I", answer, 6)
        assert code == 0, f"the TPM answers {code:#x}: {self.log.read_text()}"
        assert answer[14:24] == selection
        count, size = struct.unpack_from(">IH", answer, 24)
        assert (count, size) == (1, 32)
        return answer[30:62]

    def _orders(self) -> None:
        """The control line: each order of QEMU's gets its answer; with the one that has a file descriptor begins
        the data line."""
        try:
            while True:
                order, held, _, _ = self._from_qemu.recvmsg(65536, 1024)
                if not order:
                    return
                fds = array.array("i", b"".join(data for _, kind, data in held if kind == socket.SCM_RIGHTS))
                if fds:
                    self._guest = socket.socket(fileno=fds[0])
                    ours = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self._for_tpm.fileno()]))]
                    self._control.sendmsg([order], ours)
                    self._threads.append(threading.Thread(target=self._commands, args=[self._guest], daemon=True))
                    self._threads[-1].start()
                else:
                    self._control.sendall(order)
                self._from_qemu.sendall(self._control.recv(65536))
        except OSError:
            return  # closed

    def _commands(self, guest: socket.socket) -> None:
        """The data line: one command, one answer."""
        try:
            while command := _message(guest):
                with self._busy:
                    self._data.sendall(command)
                    answer = _message(self._data)
                guest.sendall(answer)
        except OSError:
            return


def _message(sock: socket.socket) -> bytes:
    """A whole command or answer: the four bytes from the third on are its size. Empty where the line has closed."""
    data = b""
    while len(data) < 6 or len(data) < struct.unpack_from(">I", data, 2)[0]:
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
    except OSError:
        return

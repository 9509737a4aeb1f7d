"""The user's terminal as a stream of raw bytes, put back as it was on every way out."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """`fileno` can be given to select; `read` then gives bytes, b'' at the end of input."""

    source: int | socket.socket

    def fileno(self) -> int:
        """For select."""
        return self.source if isinstance(self.source, int) else self.source.fileno()

    def read(self) -> bytes:
        """What was typed."""
        if isinstance(self.source, int):
            try:
                return os.read(self.source, 4096)
            except OSError:  # the terminal went away
                return b""
        return self.source.recv(4096)


@contextlib.contextmanager
def raw() -> Iterator[Keys]:
    """Every key as it is pressed, Ctrl-C as the byte 3. Output processing stays, so that lines written by
    others look right."""
    if sys.platform == "win32":
        with _windows() as keys:
            yield keys
        return
    import termios

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    mode = termios.tcgetattr(fd)
    mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    try:
        termios.tcsetattr(fd, termios.TCSANOW, mode)
        yield Keys(fd)
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(fd, termios.TCSANOW, before)


# Second code of msvcrt's two-code keys -> what a terminal sends.
_SPECIAL = {"H": "\x1b[A", "P": "\x1b[B", "M": "\x1b[C", "K": "\x1b[D", "G": "\x1b[H", "O": "\x1b[F", "S": "\x1b[3~",
            "I": "\x1b[5~", "Q": "\x1b[6~"}


@contextlib.contextmanager
def _windows() -> Iterator[Keys]:  # pragma: no cover (Windows)
    import ctypes
    import msvcrt

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.GetStdHandle.restype = ctypes.c_void_p
    console = ctypes.c_void_p(kernel.GetStdHandle(-11))
    mode = ctypes.c_uint32()
    known = kernel.GetConsoleMode(console, ctypes.byref(mode))
    if known:
        kernel.SetConsoleMode(console, mode.value | 4)  # ENABLE_VIRTUAL_TERMINAL_PROCESSING
    ours, theirs = socket.socketpair()

    def pump() -> None:
        with contextlib.suppress(OSError):
            while True:
                key = msvcrt.getwch()  # type: ignore[attr-defined]
                if key in "\x00\xe0":
                    key = _SPECIAL.get(msvcrt.getwch(), "")  # type: ignore[attr-defined]
                theirs.sendall(key.encode("utf-8", "ignore"))

    threading.Thread(target=pump, name="keyboard", daemon=True).start()
    try:
        yield Keys(ours)
    finally:
        ours.close()
        theirs.close()
        if known:
            kernel.SetConsoleMode(console, mode.value)

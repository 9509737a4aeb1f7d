"""The talk with process 1 of a container: what init.sh reads and writes."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from toolchain.errors import UserError


class Wire:
    """The container's input and output, attached. It ends with this process, and so does the container."""

    def __init__(self, connection: Any) -> None:
        """`connection` is what the SDK's attach_socket gives; it must be kept, or the SDK closes it."""
        self._connection = connection
        self._socket: socket.socket = connection._sock
        self._socket.settimeout(None)
        self._sending = threading.Lock()
        self._asked = False
        self._mark = b""

    def begin(self, words: Sequence[str]) -> None:
        """Starts a program: `words` are those of `env`."""
        self._mark = secrets.token_hex(16).encode()
        message = [self._mark, str(len(words)).encode(), *(os.fsencode(word) for word in words)]
        with self._sending:
            if self._asked:
                raise SystemExit(143)  # this process is ending: nothing new begins
            self._socket.sendall(b"".join(word + b"\0" for word in message))

    def ask(self) -> None:
        """Asks the program to end. It has GRACE seconds, then it is made to. No other follows it here.

        May be called from any thread.
        """
        with contextlib.suppress(OSError), self._sending:
            self._asked = True
            self._socket.sendall(b"\n")

    def listen(self, on_line: Callable[[str], None]) -> tuple[int, bool]:
        """Output, line by line, until the program's end; then its status, and whether it left no trace."""
        mark, held = b"\0" + self._mark + b" ", b""
        for piece in self._pieces():
            held += piece
            text, found, rest = held.partition(mark)
            ended = found and rest.endswith(b"\n")
            *lines, held = text.split(b"\n") if ended or not found else [held]
            for line in [*lines, held] if ended and held else lines:
                on_line(line.rstrip(b"\r").decode(errors="replace"))
            if ended:
                status, same = rest.split()
                return int(status), same == b"1"
        raise UserError("the container ended before its program did", "it may have taken too much memory: "
                        "see what else runs, or use toolchain=sandbox")

    def _pieces(self) -> Iterator[bytes]:
        """What process 1 and the program write, as it comes."""
        while True:
            header = self._read(8)
            length = int.from_bytes(header[4:], "big")
            while length:
                piece = self._socket.recv(min(length, 1 << 16))
                if not piece:
                    return
                length -= len(piece)
                yield piece
            if not header:
                return

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes, or none at the end."""
        held = b""
        while len(held) < size:
            piece = self._socket.recv(size - len(held))
            if not piece:
                return b""
            held += piece
        return held

    def await_end(self, seconds: float) -> None:
        """Waits until the program has ended, so long at most. Its output is not wanted any more."""
        until, tail = time.monotonic() + seconds, b""
        with contextlib.suppress(OSError):
            while self._mark not in tail and (left := until - time.monotonic()) > 0:
                self._socket.settimeout(left)
                piece = self._socket.recv(1 << 16)
                if not piece:
                    return
                tail = (tail + piece)[-1000:]

    def alive(self) -> bool:
        """Whether the container is still there; it says nothing while it waits."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Lets go; process 1 then ends by itself."""
        self._socket.close()

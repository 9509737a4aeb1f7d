"""The two lines to QEMU, serial and monitor: a socket whose other end QEMU holds."""

from __future__ import annotations

import socket
import sys


class Channel:
    """On POSIX a socket pair, one end inherited: nothing in the file system, nobody else can connect. On Windows,
    where sockets are not inherited so, a port of 127.0.0.1 that QEMU calls once."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._theirs: socket.socket | None = None
        self._ours: socket.socket | None = None
        if sys.platform == "win32":
            self._listener = socket.create_server(("127.0.0.1", 0))
        else:
            self._ours, self._theirs = socket.socketpair()

    @property
    def chardev(self) -> str:
        """The back end for QEMU's -chardev."""
        if self._theirs is not None:
            return f"socket,fd={self._theirs.fileno()}"
        assert self._listener is not None
        return f"socket,host=127.0.0.1,port={self._listener.getsockname()[1]}"

    @property
    def inherited(self) -> list[int]:
        """File descriptors that QEMU must be given."""
        return [self._theirs.fileno()] if self._theirs is not None else []

    def connected(self, seconds: float) -> socket.socket:
        """Our end, once QEMU has started. Raises OSError where it does not call."""
        if self._theirs is not None:
            self._theirs.close()
            self._theirs = None
        if self._listener is not None:
            self._listener.settimeout(seconds)
            self._ours = self._listener.accept()[0]
            self._listener.close()
            self._listener = None
        assert self._ours is not None
        return self._ours

    def close(self) -> None:
        """Closes what is open."""
        for sock in (self._ours, self._theirs, self._listener):
            if sock is not None:
                sock.close()

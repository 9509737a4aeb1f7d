"""requests, made safe against a server that means harm."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.client import HTTPConnection as Connection
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Watched(Connection):
    """Cut when status and headers are not there after `seconds`: a timeout starts anew with every byte."""

    seconds: float

    def getresponse(self) -> Any:
        late = threading.Event()
        sock = self.sock  # one that is to be closed after this answer is taken away before it is read

        def cut() -> None:
            late.set()
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()
            if late.is_set():  # half a head would be taken for a whole one
                raise TimeoutError("timed out")


class Session(requests.Session):
    """One that gives the server `seconds` to begin an answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(seconds))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: even to look at a redirect, requests reads its whole body, and parses where it leads."""


class _Adapter(HTTPAdapter):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """The usual pools, of connections that are watched."""
        super().init_poolmanager(*args, **kwargs)
        more = {"seconds": self._seconds}
        plain = type("_Plain", (_Watched, HTTPConnection), more)
        tls = type("_Tls", (_Watched, HTTPSConnection), more)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }

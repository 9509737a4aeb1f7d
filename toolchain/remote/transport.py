"""GET, HEAD and PUT, one connection a thread, with every way in which a server can fail told in a few words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, TypeVar

from toolchain.remote.address import Address, Credentials
from toolchain.remote.body import ENCODINGS, Failure, Lie, Limits, Sink, announced, drain, receive

if TYPE_CHECKING:
    import requests

ABSENT = (204, 404, 410)
STORED = (200, 201, 202, 204)
_ALLOW = "; name a user or a token: see docs/sharing.md"

T = TypeVar("T")


class Transport:
    """The server, as /ac and /cas paths. Raises Failure and Lie, and nothing else that is the server's fault."""

    def __init__(self, address: Address, credentials: Credentials, limits: Limits) -> None:
        self._base = address.base
        self._credentials = credentials
        self._limits = limits
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []

    def get(self, path: str, sink: Sink, size: int | None = None) -> bool:
        """The body of a path to `sink`; False where there is none."""

        def take(response: requests.Response) -> bool:
            if response.status_code in ABSENT:
                drain(response, self._limits)
                return False
            if response.status_code != 200:
                raise Failure(_refusal(response.status_code))
            sink.restart()
            try:
                receive(response, sink, self._limits, size)
            except Lie as lie:
                raise Lie(f"{brief(path)} {lie}") from None
            return True

        return self._ask("GET", path, take, {"Accept-Encoding": ENCODINGS})

    def has(self, path: str, size: int) -> bool:
        """Whether the server says that it has these bytes already; a refusal is left for PUT to tell."""

        def look(response: requests.Response) -> bool:
            drain(response, self._limits)
            return response.status_code == 200 and announced(response) in (None, size)

        return self._ask("HEAD", path, look, {"Accept-Encoding": "identity"})

    def put(self, path: str, body: Callable[[], bytes | IO[bytes]]) -> None:
        """Stores what `body` gives; it is asked again for another try."""

        def look(response: requests.Response) -> None:
            if response.status_code not in STORED:
                raise Failure(_refusal(response.status_code))
            drain(response, self._limits)

        self._ask("PUT", path, look, {"Content-Type": "application/octet-stream"}, body)

    def close(self) -> None:
        """Lets go of the connections that are not in use."""
        with self._lock:
            for session in self._sessions:
                session.close()

    def _ask(self, method: str, path: str, take: Callable[[requests.Response], T], headers: dict[str, str],
             body: Callable[[], bytes | IO[bytes]] | None = None) -> T:
        """One request; a second one where the connection broke, which may have been an old one."""
        import requests
        from urllib3.exceptions import HTTPError

        timeout = (self._limits.connect, self._limits.silence)
        for last in (False, True):
            data = body() if body is not None else None
            try:
                with self._session().request(method, self._base + path, data=data, headers=headers, stream=True,
                                             allow_redirects=False, timeout=timeout) as response:
                    return take(response)
            except (requests.RequestException, HTTPError, ValueError) as error:
                if last or not _broke(error):
                    raise Failure(_reason(error)) from None
            finally:
                if data is not None and not isinstance(data, bytes):
                    data.close()
        raise AssertionError("the second try returns or raises")

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            from toolchain.remote.adapter import Session

            new = self._local.session = Session(self._limits.grace)
            new.auth = self._credentials.auth()
            with self._lock:
                self._sessions.append(new)
        session: requests.Session = self._local.session
        return session


def brief(path: str) -> str:
    """A path as messages name it."""
    kind, digest = path.strip("/").split("/")
    return f"{kind}/{digest[:12]}"


def _refusal(status: int) -> str:
    """A status in our own words: the server's could say anything."""
    if 300 <= status < 400:
        return f"it answers HTTP {status}: redirects are not followed, name the address they lead to"
    try:
        phrase = " " + HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"it answers HTTP {status}{phrase}{_ALLOW if status in (401, 403) else ''}"


def _broke(error: Exception) -> bool:
    """Whether a connection that was there has ended, without an answer or in the middle of one."""
    from urllib3.exceptions import ProtocolError

    return isinstance(error, ProtocolError) or bool(error.args and isinstance(error.args[0], ProtocolError))


def _reason(error: Exception) -> str:
    """What a network error comes down to. Its own text may hold addresses and headers, and is never shown."""
    text = f"{type(error).__name__} {error}".lower()
    known = (
        ("resol", "its name cannot be resolved"),
        ("connection refused", "connection refused"),
        ("proxyerror", "the proxy does not answer"),
        ("timed out", "it does not answer"),
        ("timeout", "it does not answer"),
        ("certificate", "its certificate is not valid"),
        ("sslerror", "TLS fails"),
        ("unreachable", "there is no way to it"),
        ("unicode", "user or password cannot be sent"),
        ("invalidheader", "user or password cannot be sent"),
    )
    if _broke(error):
        return "the connection was cut"
    return next((reason for sign, reason in known if sign in text), type(error).__name__)

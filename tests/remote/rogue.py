"""A cache server that keeps what it is given, and misbehaves where a test says so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable


class Handler(http.server.BaseHTTPRequestHandler):
    """GET, HEAD and PUT over a dict of path -> bytes."""

    protocol_version = "HTTP/1.1"
    server: Rogue

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers.items())))
        self.server.links.add(self.client_address[1])
        answer = self.server.rules.get(self.command)
        if answer is None or answer(self) is False:
            self.behave()

    def behave(self) -> None:
        """As a good server would."""
        if self.command == "PUT":
            assert "Transfer-Encoding" not in self.headers and "Expect" not in self.headers
            self.server.files[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(201)
        elif self.path in self.server.files:
            self.reply(200, self.server.files[self.path])
        else:
            self.reply(404, b"nothing here")

    def reply(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        """A response; `length`: what Content-Length says, if not the truth; a negative one is left out."""
        self.send_response(status)
        if length is None or length >= 0:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


Rule = Callable[[Handler], object]  # returns False to leave a request to behave()


class Rogue(http.server.ThreadingHTTPServer):
    """On a free port of the loopback; close() stops it. `rules`: method -> what is done instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.rules: dict[str, Rule] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.links: set[int] = set()  # the clients' ports: one a connection
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are no news here."""

    def asked(self, method: str) -> list[str]:
        """The paths of all requests of this method."""
        return [path for verb, path, _ in self.requests if verb == method]

    def close(self) -> None:
        """No more answers."""
        self.shutdown()
        self.server_close()


def on(part: str, rule: Rule) -> Rule:
    """The rule for paths that hold `part` alone."""
    return lambda handler: rule(handler) if part in handler.path else False

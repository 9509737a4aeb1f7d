"""Downloads against real servers on the loopback, most of them bad ones."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolchain import download
from toolchain.download import GAIN, TRIES, fetch
from toolchain.errors import UserError

CONTENT = bytes(i * i % 251 for i in range(1_000_003))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()

Reply = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Does what the server's `reply` says, and keeps each request's headers."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        self.server.reply(self)

    def send(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        """A response; `length`: what Content-Length says, if not the truth."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def start(self) -> int | None:
        """The first byte of a Range."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else None

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """On a free port; close() stops it."""

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.requests: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/file.txt"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Reply], Server]]:
    """serve(reply): a server that answers so."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers: list[Server] = []

    def start(reply: Reply) -> Server:
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Naps:
    """Stands in for time.sleep."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


def whole(handler: Handler) -> None:
    handler.send(200, CONTENT, ETag='"1"')


def cutting(after: int, etag: str = '"1"') -> Reply:
    """Serves ranges, and cuts the connection every so many bytes."""

    def reply(handler: Handler) -> None:
        start = handler.start() if handler.headers.get("If-Range") == etag else None
        body = CONTENT[start or 0 :]
        headers = {"ETag": etag}
        if start is not None:
            headers["Content_Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.send(200 if start is None else 206, body[:after], length=len(body), **headers)

    return reply


def status(*codes: int) -> Reply:
    """These statuses, one a request, then the file."""
    left = list(codes)

    def reply(handler: Handler) -> None:
        if left:
            handler.send(left.pop(0), b"an error page")
        else:
            whole(handler)

    return reply


def dead_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file.txt"


def only(folder: Path, *names: str) -> None:
    assert sorted(os.listdir(folder)) == sorted(names)


def refused(tmp_path: Path, urls: list[str], sha256: str = SHA256, **options: object) -> UserError:
    """The error of a fetch that has to fail, and has left nothing."""
    with pytest.raises(UserError) as caught:
        fetch(urls, sha256, tmp_path / "out", name="file.txt", **options)  # type: ignore[arg-type]
    assert "out" not in os.listdir(tmp_path) and not [n for n in os.listdir(tmp_path) if n.startswith(".")]
    assert "\n" not in caught.value.what and caught.value.hint
    return caught.value


def test_whole(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    server = serve(whole)
    told: list[tuple[int, int | None]] = []
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", size=len(CONTENT),
          progress=lambda done, total: told.append((done, total)))
    assert (tmp_path / "out").read_bytes() == CONTENT
    only(tmp_path, "out")
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(server.requests) == 1
    assert server.requests[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("after", [GAIN + 20_000, 300_000, 999_999])
def test_cut_every_n_bytes_is_resumed(after: int, tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    server = serve(cutting(after))
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert "Range" not in server.requests[0]
    resumed = [int(re.fullmatch(r"bytes=(\d+)-", r["Range"])[1]) for r in server.requests[1:]]  # type: ignore[index]
    assert resumed and resumed == sorted(set(resumed))
    assert resumed[0] > after - 2 * download.PIECE
    assert all(r["If-Range"] == '"1"' for r in server.requests[1:])
    assert len(naps.seconds) == len(resumed)


def test_a_server_that_cuts_every_download(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    server = serve(lambda handler: handler.send(200, CONTENT[:70_000], length=len(CONTENT), ETag='"1"'))
    error = refused(tmp_path, [server.url], sleep=naps)
    assert f"{server.url}: the connection was cut" in error.what and "tried 5 times" in error.what
    assert naps.seconds == sorted(naps.seconds) and naps.seconds[-1] > naps.seconds[0]
    assert len(server.requests) <= TRIES + 2


def test_a_drip_is_not_waited_for_for_ever(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    server = serve(cutting(5_000))
    refused(tmp_path, [server.url], sleep=naps)
    assert len(server.requests) == TRIES


def test_server_that_ignores_range(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    sent: list[int] = []

    def reply(handler: Handler) -> None:
        sent.append(1)
        handler.send(200, CONTENT if len(sent) > 1 else CONTENT[:500_000], length=len(CONTENT), ETag='"1"')

    server = serve(reply)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert "Range" in server.requests[1]


def test_a_changed_file_is_not_spliced(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    """The first answer is of an older file; If-Range makes the server send the new one whole."""
    old = bytes(len(CONTENT))
    sent: list[int] = []

    def reply(handler: Handler) -> None:
        sent.append(1)
        if len(sent) == 1:
            handler.send(200, old[:200_000], length=len(old), ETag='"old"')
        else:
            cutting(2_000_000, '"new"')(handler)

    server = serve(reply)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert server.requests[1]["If-Range"] == '"old"'


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_strong_validator_it_starts_again(
    headers: dict[str, str], tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps
) -> None:
    sent: list[int] = []

    def reply(handler: Handler) -> None:
        sent.append(1)
        handler.send(200, CONTENT if len(sent) > 1 else CONTENT[:500_000], length=len(CONTENT), **headers)

    server = serve(reply)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert "Range" not in server.requests[1]


def test_last_modified_will_do(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"

    def reply(handler: Handler) -> None:
        start = handler.start()
        if start is None:
            handler.send(200, CONTENT[:400_000], length=len(CONTENT), Last_Modified=date)
        else:
            handler.send(206, CONTENT[start:], Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")

    server = serve(reply)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert server.requests[1]["If-Range"] == date


@pytest.mark.parametrize("wrong", ["bytes 7-1000002/1000003", "nonsense", ""])
def test_another_range_than_asked_for(
    wrong: str, tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps
) -> None:
    def reply(handler: Handler) -> None:
        if handler.start() is None and len(handler.server.requests) == 1:
            handler.send(200, CONTENT[:400_000], length=len(CONTENT), ETag='"1"')
        elif handler.start() is not None:
            handler.send(206, CONTENT[7:], Content_Range=wrong, ETag='"1"')
        else:
            whole(handler)

    server = serve(reply)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_416_starts_again(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    def reply(handler: Handler) -> None:
        if len(handler.server.requests) == 1:
            handler.send(200, CONTENT[:400_000], length=len(CONTENT), ETag='"1"')
        elif handler.start() is not None:
            handler.send(416)
        else:
            whole(handler)

    fetch([serve(reply).url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_passing_errors_are_tried_again(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    server = serve(status(500, 503, 429))
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert naps.seconds == [0.5, 1.0, 2.0]


def test_404_is_not_tried_again_and_the_next_address_is(
    tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps
) -> None:
    missing, mirror, never = serve(status(404)), serve(whole), serve(whole)
    fetch([missing.url, mirror.url, never.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert [len(s.requests) for s in (missing, mirror, never)] == [1, 1, 0]
    assert naps.seconds == []


def test_wrong_bytes_keep_nothing_and_say_both_hashes(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    server = serve(lambda handler: handler.send(200, b"other"))
    error = refused(tmp_path, [server.url])
    assert server.url in error.what and SHA256 in error.what and OTHER in error.what


def test_wrong_bytes_here_right_bytes_there(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    wrong = serve(lambda handler: handler.send(200, b"x" * (len(CONTENT) + 5)))
    fetch([wrong.url, serve(whole).url], SHA256, tmp_path / "out", name="file.txt")
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_every_source_is_named_with_its_reason(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "file.txt").write_bytes(b"other")
    missing, broken, dead = serve(status(404)), serve(status(*[500] * TRIES)), dead_url()
    error = refused(tmp_path, [missing.url, broken.url, dead], data_dir=data_dir, sleep=naps)
    for part in (f"{data_dir}/file.txt: sha256 is {OTHER}, expected {SHA256}", f"{missing.url}: HTTP 404 Not Found",
                 f"{broken.url}: HTTP 500", f"{dead}: connection refused"):
        assert part in error.what
    assert (data_dir / "file.txt").read_bytes() == b"other"


def test_no_address_at_all(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    error = refused(tmp_path, [], data_dir=tmp_path / "data")
    assert f"{tmp_path}/data/file.txt: No such file or directory" in error.what
    assert "no address" in refused(tmp_path, []).what


def test_data_dir_wins(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    server = serve(whole)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "file.txt").write_bytes(CONTENT)
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", data_dir=data_dir)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert server.requests == []


def test_redirects_are_followed_and_resumed(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    target = serve(cutting(600_000))
    server = serve(lambda handler: handler.send(302, Location=target.url))
    fetch([server.url], SHA256, tmp_path / "out", name="file.txt", sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert "Range" in target.requests[1]


def test_redirects_without_end(tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps) -> None:
    server = serve(lambda handler: handler.send(302, Location="/again"))
    assert "redirects" in refused(tmp_path, [server.url], sleep=naps).what
    assert naps.seconds == []


def test_encoded_bytes_are_not_decoded_behind_our_back(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    """A file that is itself compressed is kept as it is; a server that encodes is refused."""
    packed = gzip.compress(CONTENT, mtime=0)
    plain = serve(lambda handler: handler.send(200, packed, Content_Type="application/gzip"))
    fetch([plain.url], hashlib.sha256(packed).hexdigest(), tmp_path / "packed", name="packed")
    assert (tmp_path / "packed").read_bytes() == packed
    (tmp_path / "packed").unlink()
    encoding = serve(lambda handler: handler.send(200, packed, Content_Encoding="gzip"))
    assert "sends it encoded (gzip)" in refused(tmp_path, [encoding.url]).what


def test_never_more_than_the_expected_size(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(65536))
        except OSError:
            pass

    told: list[int] = []
    error = refused(tmp_path, [serve(endless).url], size=100_000, progress=lambda done, _: told.append(done))
    assert "is longer than the 100000 bytes that were expected" in error.what
    assert max(told) <= 100_000


def test_an_announced_size_that_is_too_large_is_not_read(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    told: list[int] = []
    error = refused(tmp_path, [serve(whole).url], size=5, progress=lambda done, _: told.append(done))
    assert f"has {len(CONTENT)} bytes, expected 5" in error.what
    assert told == []


def test_a_file_that_is_shorter_says_both_hashes(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    error = refused(tmp_path, [serve(lambda handler: handler.send(200, b"other")).url], size=len(CONTENT))
    assert SHA256 in error.what and OTHER in error.what


def test_a_cut_without_content_length_is_noticed_by_size(
    tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps
) -> None:
    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000] if len(handler.server.requests) == 1 else CONTENT)

    fetch([serve(reply).url], SHA256, tmp_path / "out", name="file.txt", size=len(CONTENT), sleep=naps)
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_a_server_that_falls_silent(
    tmp_path: Path, serve: Callable[[Reply], Server], naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", (0.2, 0.2))
    stop = threading.Event()

    def silent(handler: Handler) -> None:
        handler.send(200, CONTENT[:10], length=len(CONTENT))
        stop.wait(5)

    error = refused(tmp_path, [serve(silent).url], sleep=naps)
    stop.set()
    assert "the server does not answer" in error.what


def test_ctrl_c_leaves_nothing_and_an_old_file_as_it_was(tmp_path: Path, serve: Callable[[Reply], Server]) -> None:
    (tmp_path / "out").write_bytes(b"before")

    def interrupt(done: int, total: int | None) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([serve(whole).url], SHA256, tmp_path / "out", name="file.txt", progress=interrupt)
    only(tmp_path, "out")
    assert (tmp_path / "out").read_bytes() == b"before"


FULL_DISK = """
import resource, sys
from pathlib import Path
from toolchain.download import fetch
from toolchain.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    fetch([sys.argv[1]], sys.argv[2], Path("out"), name="file.txt")
except UserError as error:
    print(error.what)
"""


def test_a_disk_that_fills_up(tmp_path: Path, root: Path, serve: Callable[[Reply], Server]) -> None:
    """The limit on file sizes makes write() fail halfway, as a full disk does."""
    made = subprocess.run([sys.executable, "-c", FULL_DISK, serve(whole).url, SHA256], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert made.stdout.startswith("cannot fetch file.txt: no space left on the disk in "), made.stderr
    assert str(tmp_path) in made.stdout
    only(tmp_path)


@pytest.mark.parametrize("sha256", ["", "abc", SHA256.upper(), SHA256 + "0"])
def test_a_hash_that_is_none(sha256: str, tmp_path: Path) -> None:
    assert "is not a sha256" in refused(tmp_path, [], sha256).what

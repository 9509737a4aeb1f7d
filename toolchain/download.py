"""One file from outside, pinned by its sha256: from data_dir, or from the first address that has it.

Only a whole and right file ever gets its name. Whatever ends a download (a wrong hash, a full disk,
Ctrl-C), nothing is left; a connection that breaks is resumed within the same call.
"""

from __future__ import annotations

import errno
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from toolchain.errors import UserError
from toolchain.files import atomic

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int | None], None]

PIECE = 1 << 14  # bytes read at once; what is lost at most when a connection breaks
GAIN = 1 << 16  # bytes further that a try must bring to count as a good one
TRIES = 5  # tries in a row that bring less than that
PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds before the next try: doubled each time, up to
TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be gone at the next try
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Refused(Exception):
    """This source will not do; the next may."""


class _Broken(Exception):
    """This try has ended early; another may do better."""


def fetch(
    urls: Sequence[str],
    sha256: str,
    dest: Path,
    *,
    name: str,
    size: int | None = None,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Makes `dest` the file whose sha256 this is: data_dir/name where it is right, else from the first of `urls`
    that serves it.

    `size`: of the file, where known; never more than that is written. `progress` is told the bytes
    so far, and of how many. Raises UserError with the reason of every source where none will do, or
    where the disk is full; `dest` is then as it was.
    """
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UserError(f"{name}: {sha256!r} is not a sha256", "write 64 hexadecimal digits, in lower case")
    reasons: list[str] = []
    try:
        with atomic(dest) as out:
            sink = _Sink(out, sha256, size, progress)
            if data_dir is not None and _tried(reasons, str(data_dir / name), partial(_copy, data_dir / name, sink)):
                return
            for url in urls:
                if _tried(reasons, url, partial(_download, url, sink, sleep)):
                    return
            hint = f"check the network; or get {name} another way and name its folder: data_dir=DIR"
            raise UserError(f"cannot fetch {name}: " + ("; ".join(reasons) or "it has no address"), hint)
    except OSError as error:
        if error.errno in FULL:
            where = dest.parent.resolve()
            raise UserError(f"cannot fetch {name}: no space left on the disk in {where}", "free some space") from error
        raise


def _tried(reasons: list[str], source: str, attempt: Callable[[], None]) -> bool:
    """Whether the attempt has brought the file; if not, the reason is noted."""
    try:
        attempt()
    except _Refused as refused:
        reasons.append(f"{source}: {refused}")
        return False
    return True


class _Sink:
    """Where the bytes go, and what is known of them."""

    def __init__(self, out: IO[bytes], sha256: str, size: int | None, progress: Progress | None) -> None:
        self._out = out
        self._sha256 = sha256
        self._progress = progress
        self.size = size
        self.restart()

    def restart(self) -> None:
        """Forgets all bytes."""
        self._out.seek(0)
        self._out.truncate()
        self._hash = hashlib.sha256()
        self.length = 0

    def write(self, piece: bytes, total: int | None) -> None:
        """Adds bytes; refuses those that are too many."""
        if self.size is not None and self.length + len(piece) > self.size:
            raise _Refused(f"is longer than the {self.size} bytes that were expected")
        self._out.write(piece)
        self._hash.update(piece)
        self.length += len(piece)
        if self._progress is not None:
            self._progress(self.length, total)

    def check(self) -> None:
        """Refuses a file that is whole but not the right one."""
        if self._hash.hexdigest() != self._sha256:
            raise _Refused(f"sha256 is {self._hash.hexdigest()}, expected {self._sha256}")


def _copy(source: Path, sink: _Sink) -> None:
    sink.restart()
    try:
        file = source.open("rb")
    except OSError as error:
        raise _Refused(error.strerror or str(error)) from error
    with file:
        total = source.stat().st_size
        while piece := file.read(1 << 20):
            sink.write(piece, total)
    sink.check()


def _download(url: str, sink: _Sink, sleep: Callable[[float], None]) -> None:
    """From one address, in as many tries as make sense."""
    sink.restart()
    furthest = failures = 0
    transfer = _Transfer(_session(), url, sink)
    while True:
        try:
            transfer.proceed()
            break
        except _Broken as broken:
            failures = 0 if sink.length >= furthest + GAIN else failures + 1
            furthest = max(furthest, sink.length)
            if failures == TRIES:
                raise _Refused(f"{broken} (tried {TRIES} times)") from broken
            sleep(min(PAUSE * 2 ** max(failures - 1, 0), LONGEST_PAUSE))
    sink.check()


_thread = threading.local()


def _session() -> requests.Session:
    """One a thread: many files from one server share a connection, and one question for its address."""
    import requests

    if not hasattr(_thread, "session"):
        _thread.session = requests.Session()
    session: requests.Session = _thread.session
    return session


class _Transfer:
    """The file at one address: what is there already, and how to ask for the rest."""

    def __init__(self, session: requests.Session, url: str, sink: _Sink) -> None:
        self._session = session
        self._url = url
        self._sink = sink
        self._validator: str | None = None  # of the file that the bytes so far are from

    def proceed(self) -> None:
        """One request, for all or for the rest. Raises _Broken or _Refused where it does not bring the end."""
        import requests

        sink = self._sink
        headers = {"Accept-Encoding": "identity"}  # the bytes that the hash is of
        if sink.length and self._validator:
            headers |= {"Range": f"bytes={sink.length}-", "If-Range": self._validator}
        else:
            sink.restart()
        try:
            response = self._session.get(self._url, headers=headers, stream=True, timeout=TIMEOUT)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Broken(_reason(error)) from error
        except requests.RequestException as error:
            raise _Refused(_reason(error)) from error
        with response:
            total = self._accept(response)
            for piece in _pieces(response):
                sink.write(piece, total)
        if total is not None and sink.length < total:
            raise _Broken(f"the connection was cut after {sink.length} of {total} bytes")

    def _accept(self, response: requests.Response) -> int | None:
        """Checks what the server has answered, makes the sink fit it; how long the whole file is, if known."""
        sink = self._sink
        status, headers = response.status_code, response.headers
        if status in PASSING:
            raise _Broken(f"HTTP {status} {response.reason}")
        if status == 206:
            start, total = _content_range(headers.get("Content-Range", ""))
            if start != sink.length:
                sink.restart()
                raise _Broken(f"the server sent bytes from {start}, not from those asked for")
        elif status == 200:
            sink.restart()
            length = headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        elif status == 416:
            sink.restart()
            raise _Broken("the server has fewer bytes than it sent before")
        else:
            raise _Refused(f"HTTP {status} {response.reason}")
        if headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise _Refused(f"the server sends it encoded ({headers['Content-Encoding']})")
        if sink.size is not None and total is not None and total > sink.size:
            raise _Refused(f"has {total} bytes, expected {sink.size}")
        etag = headers.get("ETag", "")
        self._validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        return total if total is not None else sink.size


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it was sent. Raises _Broken where it ends early."""
    from urllib3.exceptions import HTTPError

    while True:
        try:
            piece = response.raw.read(PIECE, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _Broken(_reason(error)) from error
        if not piece:
            return
        yield piece


def _content_range(value: str) -> tuple[int, int | None]:
    """First byte and size of the whole from "bytes 5-9/10"; (-1, None) where it is something else."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", value.strip())
    if match is None:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _reason(error: Exception) -> str:
    """What a network error comes down to, in a few words."""
    text = str(error).lower()
    known = (
        ("name resolution", "the name of the server cannot be resolved"),
        ("failed to resolve", "the name of the server cannot be resolved"),
        ("connection refused", "connection refused"),
        ("timed out", "the server does not answer"),
        ("certificate", "the server's certificate is not valid"),
        ("incompleteread", "the connection was cut"),
        ("incomplete read", "the connection was cut"),
        ("reset by peer", "the connection was cut"),
        ("remote end closed", "the connection was cut"),
    )
    return next((reason for sign, reason in known if sign in text), " ".join(str(error).split()))

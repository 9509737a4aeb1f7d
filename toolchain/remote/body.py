"""The body of a response: never more than was asked for, never longer than it may take, unpacked where it is packed."""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import requests

ENCODINGS = "gzip"  # what we ask for; zstd is no part of Python before 3.14
PIECE = 1 << 16


class Lie(Exception):
    """What the server sent is not what was asked for."""


class Failure(Exception):
    """The server cannot be used."""


@dataclass(frozen=True)
class Limits:
    """What a server is given; seconds and bytes."""

    connect: float = 3.0
    silence: float = 10.0  # without a byte
    grace: float = 20.0  # for the head of an answer; and for its body, which has more where it is long:
    slowest: int = 64 << 10  # a second for so many bytes
    message: int = 4 << 20  # the most that a message or a record may hold
    lost: float = 30.0  # for all misses of a run: then it is too slow to be asked
    close: float = 60.0  # for uploads that are left in the end


class Sink:
    """Where a body goes, and the sha256 of what went there."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()

    def restart(self) -> None:
        """Forgets all bytes."""
        self._out.seek(0)
        self._out.truncate()
        self._hash = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Adds bytes."""
        self._out.write(piece)
        self._hash.update(piece)

    def digest(self) -> str:
        """Hex sha256 of all bytes."""
        return self._hash.hexdigest()


def receive(response: requests.Response, sink: Sink, limits: Limits, size: int | None) -> None:
    """The body to `sink`: `size` bytes exactly, where that is known, else at most `limits.message`."""
    most = limits.message if size is None else size
    packed = response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
    length = announced(response)
    if not packed and length is not None and (length > most or size not in (None, length)):
        raise Lie("announces another size")
    total = 0
    pieces = _pieces(response, limits, size or 0)
    for piece in _unpacked(response, pieces, most) if packed else pieces:
        total += len(piece)
        if total > most:
            raise Lie("is too long")
        sink.write(piece)
    if size is not None and total != size:
        raise Lie("is too short")


def announced(response: requests.Response) -> int | None:
    """What Content-Length says, where that is a number."""
    length = response.headers.get("Content-Length", "")
    return int(length[:19]) if re.fullmatch("[0-9]+", length) else None  # 19 digits are more than any disk holds


def _pieces(response: requests.Response, limits: Limits, size: int) -> Iterator[bytes]:
    """The bytes as they come: read1 returns what there is, so that a trickle is seen as one."""
    ends = time.monotonic() + limits.grace + size / limits.slowest
    while piece := response.raw.read1(PIECE, decode_content=False):
        yield piece
        if time.monotonic() > ends:
            raise Failure("it is too slow")


def _unpacked(response: requests.Response, pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The bytes of a body in gzip, in pieces that cannot be a bomb; no more than `most` + 1."""
    if response.headers["Content-Encoding"].strip().lower() not in ("gzip", "x-gzip"):
        raise Lie("is packed in a way that was not asked for")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    taken, left = 0, most + 1
    try:
        for piece in pieces:
            taken += len(piece)
            if unpack.eof or taken > most + most // 100 + (64 << 10):  # gzip adds less, or it is no honest gzip
                raise Lie("goes on after its end")
            while piece and left:
                part = unpack.decompress(piece, min(left, PIECE))
                left -= len(part)
                yield part
                piece = unpack.unconsumed_tail
    except zlib.error:
        raise Lie("is not the gzip that it says it is") from None
    if not unpack.eof or unpack.unused_data:
        raise Lie("is not whole")


def drain(response: requests.Response, limits: Limits) -> None:
    """Reads the short body, or none, that nobody wants, so that the connection can be used again."""
    taken = 0
    for piece in _pieces(response, limits, 0):
        taken += len(piece)
        if taken > PIECE:
            return

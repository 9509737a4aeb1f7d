"""Where a zstd frame ends (RFC 8878, section 3.1.1), without unpacking it: programs differ in what they make of bytes
behind it, and some do not even notice."""

from __future__ import annotations

from typing import BinaryIO

from toolchain.formats import FormatError

MAGIC = b"\x28\xb5\x2f\xfd"
RLE, RESERVED = 1, 3  # types of blocks


def frame_end(file: BinaryIO) -> int:
    """The number of bytes of the frame that the file begins with."""
    head = _take(file, 5)
    if head[:4] != MAGIC:
        raise FormatError("it is not compressed with zstd")
    flags = head[4]
    single = flags >> 5 & 1
    # window, dictionary, size of the content: each field's length is in the flags
    _take(file, (1 - single) + (0, 1, 2, 4)[flags & 3] + ((single, 2, 4, 8)[flags >> 6]))
    last = 0
    while not last:
        block = int.from_bytes(_take(file, 3), "little")
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        if kind == RESERVED:
            raise FormatError("it has a block of an unknown kind")
        _take(file, 1 if kind == RLE else size)
    _take(file, 4 if flags >> 2 & 1 else 0)  # checksum
    return file.tell()


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise FormatError("it ends too early")
    return data

"""The names in a FAT folder. A file has two, a long one and one of 8.3 letters, and firmware finds it by either, in
upper or lower case. So that all who read a disk find the same file under a name, only one way to write a folder is
read: that of mtools."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.formats import FormatError

DIRECTORY, VOLUME, LONG_NAME = 0x10, 0x08, 0x0F
ATTRIBUTES = 0x37  # all but that of a label, and two that mean nothing
LOWER_BASE, LOWER_SUFFIX = 0x08, 0x10
LAST = 0x40  # marks the last piece of a long name, which comes first
PIECES_MAX = 20
DOTS = (b".          \x10", b"..         \x10")
_SHORT = re.compile(rb"[A-Z0-9$%'_@~`!(){}^#&-]+\.[A-Z0-9$%'_@~`!(){}^#&-]*")
_LONG = re.compile(r"(?! )[ !#-)+-.0-9;=@A-Z\[\]^_`a-z{}~]{1,255}(?<![ .])")


def listing(data: bytes, dots: tuple[int, int] | None) -> Iterator[tuple[str, bytes]]:
    """Name and 32 bytes of each file and folder. `dots`: clusters of the folder and of the one above it; None for the
    root, which has a label instead."""
    taken: set[str] = set()
    pieces: list[bytes] = []
    labels = 0
    for at in range(0, len(data), 32):
        raw = data[at:at + 32]
        if raw[0] == 0:
            if pieces or data.count(0, at) != len(data) - at:
                raise FormatError("something lies behind the end of a folder")
            break
        if raw[0] == 0xE5:
            raise FormatError("a folder holds a deleted name: the disk was changed after it was made")
        if raw[11] == LONG_NAME and len(pieces) < PIECES_MAX:
            pieces.append(raw)
        elif dots is not None and at < 64:
            if pieces or (raw[:12], cluster(raw)) != (DOTS[at // 32], dots[at // 32]):
                raise FormatError("a folder does not begin with itself and the one above it")
        elif raw[11] == VOLUME and dots is None and not labels and not pieces:
            labels += 1
        else:
            yield _name(raw, pieces, taken), raw
            pieces = []
    if pieces:
        raise FormatError("a folder ends within a name")


def cluster(raw: bytes) -> int:
    """Where a file or folder begins."""
    return int.from_bytes(raw[20:22], "little") << 16 | int.from_bytes(raw[26:28], "little")


def checksum(short: bytes) -> int:
    """That which ties a long name to its short one."""
    total = 0
    for byte in short:
        total = ((total >> 1) | (total & 1) << 7) + byte & 0xFF
    return total


def _name(raw: bytes, pieces: list[bytes], taken: set[str]) -> str:
    """The name that is shown; neither of the two may be `taken` by another file, and both are then."""
    if raw[11] & ~ATTRIBUTES or raw[12] & ~(LOWER_BASE | LOWER_SUFFIX):
        raise FormatError(f"a file is marked {raw[11]:#x}, {raw[12]:#x}")
    base, suffix = raw[:8].rstrip(b" "), raw[8:11].rstrip(b" ")
    if not _SHORT.fullmatch(base + b"." + suffix):
        raise FormatError(f"a file has the short name {raw[:11]!r}")
    base, suffix = base.lower() if raw[12] & LOWER_BASE else base, suffix.lower() if raw[12] & LOWER_SUFFIX else suffix
    short = (base + b"." + suffix if suffix else base).decode("ascii")
    name = _long(pieces, raw[:11]) if pieces else short
    names = {name.upper(), short.upper()}
    if names & taken:
        raise FormatError(f"two files of a folder have the name {min(names & taken)}")
    taken |= names
    return name


def _long(pieces: list[bytes], short: bytes) -> str:
    count, total = len(pieces), checksum(short)
    if ([piece[0] for piece in pieces] != [count | LAST, *range(count - 1, 0, -1)]
            or any(piece[12] or piece[13] != total or any(piece[26:28]) for piece in pieces)):
        raise FormatError(f"the long name of {short!r} is not whole, or not its own")
    units = b"".join(piece[1:11] + piece[14:26] + piece[28:32] for piece in reversed(pieces))
    name, _, rest = units.decode("utf-16-le", "replace").partition("\0")
    if rest.strip("\uffff") or -(-len(name) // 13) != count or not _LONG.fullmatch(name):
        raise FormatError(f"a file has the long name {name!r}")
    return name

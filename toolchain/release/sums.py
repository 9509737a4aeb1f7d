"""SHA256SUMS: lines as coreutils' `sha256sum -c` reads them, and a last one (a comment to it) over the others.

The last line tells a damaged list from a damaged file. It proves nothing of who wrote the list: signatures do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

MOST_BYTES = 64 << 10
_FILE = r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,200}"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({_FILE})")
_LAST = "# sha256 of the lines above: "


class BadSums(Exception):
    """Bytes that are no SHA256SUMS of a release; the text says what is wrong with them."""


def encode(digests: Mapping[str, str]) -> bytes:
    """The list of these files (name -> hex sha256)."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    return lines + f"{_LAST}{hashlib.sha256(lines).hexdigest()}\n".encode()


def decode(data: bytes) -> dict[str, str]:
    """The files of a list (name -> hex sha256); raises BadSums for whatever `encode` would not write."""
    if len(data) > MOST_BYTES:
        raise BadSums(f"it is longer than {MOST_BYTES} bytes")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise BadSums("it is not plain text") from None
    above, mark, last = text.rpartition(_LAST)
    if not mark or not re.fullmatch(r"[0-9a-f]{64}\n", last):
        raise BadSums("its last line is not the sha256 of the lines above")
    if hashlib.sha256(above.encode()).hexdigest() != last.strip():
        raise BadSums("its lines are not those that its last line speaks of")
    digests: dict[str, str] = {}
    for number, line in enumerate(above.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadSums(f"line {number} is not a sha256 and a file's name")
        digests[match[2]] = match[1]
    if encode(digests) != data:
        raise BadSums("its lines are not sorted, or a file is there twice")
    return digests

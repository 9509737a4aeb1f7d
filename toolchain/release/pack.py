"""The image, compressed: the same bytes whenever it is done with one version of the library."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

LEVEL = 19
Progress = Callable[[int, "int | None"], None]  # how much is done, of how much
_PIECE = 1 << 20


def pack(source: Path, target: Path, progress: Progress) -> str:
    """Compresses with zstandard: one thread, the size in the frame's head, a checksum at its end; no times.

    Returns the sha256 of what went in.
    """
    import zstandard

    size, done, digest = source.stat().st_size, 0, hashlib.sha256()
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
    with source.open("rb") as file, target.open("xb") as out, packer.stream_writer(out, size=size) as writer:
        while piece := file.read(_PIECE):
            digest.update(piece)
            writer.write(piece)
            done += len(piece)
            progress(done, size)
    return digest.hexdigest()

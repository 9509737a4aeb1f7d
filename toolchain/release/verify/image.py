"""A disk image, read as firmware reads it: partition table, FAT, files. It may hold anything."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from toolchain.errors import UserError
from toolchain.formats import FormatError, fat, gpt, pe, zstd
from toolchain.release.verify import gaps
from toolchain.release.verify.folder import PIECE, opened
from toolchain.release.verify.lie import Lie, Progress

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
WINDOW_MAX = 1 << 27  # bytes of memory that a compressed image may ask for
IMAGE_MAX = 64 << 30
HEADER = 18  # bytes of the longest zstd frame header


@dataclass(frozen=True)
class Held:
    """A file of the image."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """What an image holds. `size`: the bytes that its partition table speaks of."""

    size: int
    partition: gpt.Partition
    files: tuple[Held, ...]
    program: bytes = field(repr=False)


def look(file: BinaryIO, size: int, name: str, *, alone: bool = False) -> Contents:
    """Reads the image through; raises Lie. `size`: bytes of the file or device, which may be larger than the image.
    `alone`: nothing may lie between its files."""
    try:
        table = gpt.table(file, size)
        partition = gpt.esp(file, size)
    except FormatError as exc:
        raise Lie(name, f"partition table: {exc}") from None
    try:
        system = fat.Fat(file, partition.first, partition.size)
        entries = system.files()
        files, program = [], b""
        for entry in entries:
            is_program = entry.path.upper() == PROGRAM  # to FAT it is the same
            if is_program and entry.size > pe.LARGEST:
                raise FormatError(f"{entry.path} is larger than a program can be")
            digest, kept = hashlib.sha256(), []
            for piece in system.read(entry):
                digest.update(piece)
                if is_program:
                    kept.append(piece)
            files.append(Held(entry.path, entry.size, digest.hexdigest()))
            program = b"".join(kept) if is_program else program
    except FormatError as exc:
        raise Lie(name, f"file system: {exc}") from None
    if not program:
        raise Lie(name, f"it holds no {PROGRAM}, so nothing boots")
    if alone:
        gaps.check(file, name, table, system, entries)
    return Contents(table.disk, partition, tuple(files), program)


def sha256(file: BinaryIO, size: int, name: str, progress: Progress) -> str:
    """Of the first `size` bytes."""
    digest, done = hashlib.sha256(), 0
    file.seek(0)
    while done < size:
        piece = file.read(min(PIECE, size - done))
        if not piece:
            raise Lie(name, f"it ends after {done} of {size} bytes")
        digest.update(piece)
        done += len(piece)
        progress(name, done, size)
    return digest.hexdigest()


def unpack(path: Path, most: int, progress: Progress) -> tuple[BinaryIO, int, str]:
    """The image in a compressed file: a nameless file, its size, its sha256. Never more than it says itself, nor
    more than `most`."""
    import zstandard

    out = tempfile.TemporaryFile(prefix="ingot-verify-")  # noqa: SIM115
    try:
        with opened(path) as file:
            size = zstandard.frame_content_size(file.read(HEADER))
            if not 0 < size <= most:
                raise Lie(path.name, f"it says that it holds {size} bytes, at most {most} are right" if size > 0 else
                          "it does not say how much it holds")
            file.seek(0)
            end, length = zstd.frame_end(file), file.seek(0, os.SEEK_END)
            if end != length:
                raise Lie(path.name, f"{length - end} bytes follow the image in it")
            file.seek(0)
            reader = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX).stream_reader(file)
            digest, done = hashlib.sha256(), 0
            while piece := reader.read(PIECE):
                done += len(piece)
                if done > size:
                    raise Lie(path.name, f"it holds more than the {size} bytes that it speaks of")
                digest.update(piece)
                if piece.count(0) == len(piece):  # an image is mostly empty: its file need not be
                    out.seek(len(piece), 1)
                else:
                    out.write(piece)
                progress(path.name, done, size)
            out.truncate(done)
            out.flush()
            if done != size:
                raise Lie(path.name, f"it holds {done} of the {size} bytes that it speaks of")
        return out, size, digest.hexdigest()
    except (zstandard.ZstdError, FormatError) as exc:
        out.close()
        raise Lie(path.name, f"it cannot be unpacked: {exc}") from None
    except OSError as exc:
        out.close()
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(f"{tempfile.gettempdir()} has no room for the unpacked image",
                            "TMPDIR=FOLDER ./doit verify … unpacks it elsewhere") from None
        raise Lie(path.name, f"it cannot be read: {exc.strerror}") from None
    except BaseException:
        out.close()
        raise

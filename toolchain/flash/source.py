"""The image that is written: built here, or out of a release. It is read through and checked before a disk is touched,
and again while it is written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.flash.facts import SECTOR
from toolchain.flash.rules import LARGEST
from toolchain.recipe import NAME

PIECE = 4 << 20
_WINDOW = 128 << 20  # the most memory that unpacking may ask for
_HEADER = 18  # bytes of a zstd frame that say how much it holds


@dataclass(frozen=True)
class Source:
    """`size` and `sha256` are those of the image itself, also where the file is compressed."""

    path: Path
    size: int
    sha256: str
    packed: bool
    said_by: str  # who says that it must have this sha256


def built(root: Path, image: str) -> Source:
    """build/IMAGE/IMAGE.img, as the stage `image` left it. Nothing is built: whoever may write to disks is root, and
    root has another store."""
    hint = f"./doit image={image} builds it (not as root)"
    if not re.fullmatch(NAME, image):
        raise UserError(f"image={image} is not the name of a recipe", "it is the NAME of a file images/NAME.yaml")
    folder = Path("build") / image
    path, state = folder / f"{image}.img", folder / ".state/image.json"
    try:
        record = json.loads((root / state).read_bytes())
        digest = str(record["outputs"][path.name])
        size = (root / path).stat().st_size
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path} is not built", hint) from None
    return _checked(Source(root / path, size, digest, False, str(state)))


def released(folder: Path) -> Source:
    """The compressed image of a release folder, by its provenance."""
    from toolchain import release
    from toolchain.release import provenance

    path = folder / release.PROVENANCE
    hint = "from= names a folder that ./doit release has made; ./doit verify FOLDER checks all of it"
    try:
        with path.open("rb") as file:
            said = provenance.read(file.read(provenance.MOST_BYTES + 1))
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", hint) from None
    except provenance.BadProvenance as exc:
        raise UserError(f"{path} is no provenance of a release: {exc}", hint) from None
    if not release.is_name(said.image) or not release.is_version(said.version):
        raise UserError(f"{path} names no image and version", hint)
    digest = said.subjects.get(release.image_of(said.image, said.version))
    packed = folder / release.packed_of(said.image, said.version)
    if digest is None:
        raise UserError(f"{path} says nothing of {packed.stem}", hint)
    found = _checked(Source(packed, _unpacked_size(packed, hint), digest, True, str(path)))
    _one_frame(packed, hint)
    return found


def _checked(source: Source) -> Source:
    if not re.fullmatch(r"[0-9a-f]{64}", source.sha256):
        raise UserError(f"{source.said_by} holds no sha256 of the image", "make it anew")
    if source.size < 2 * SECTOR or source.size % SECTOR or source.size > LARGEST:
        raise UserError(f"{source.path} is no disk image: it has {source.size} bytes", "make it anew")
    return source


def _unpacked_size(path: Path, hint: str) -> int:
    import zstandard

    try:
        with path.open("rb") as file:
            size = int(zstandard.frame_content_size(file.read(_HEADER)))
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", hint) from None
    except zstandard.ZstdError:
        raise UserError(f"{path} is not compressed with zstd", hint) from None
    if size < 0:
        raise UserError(f"{path} does not say how large the image is", hint)
    return size


def _one_frame(path: Path, hint: str) -> None:
    """What follows is in no sum of the image, and other programs may unpack it too."""
    from toolchain.formats import FormatError
    from toolchain.formats.zstd import frame_end

    try:
        with path.open("rb") as file:
            end, size = frame_end(file), path.stat().st_size
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", hint) from None
    except FormatError as exc:
        raise UserError(f"{path} cannot be unpacked: {exc}", "fetch it anew") from None
    if end != size:
        raise UserError(f"{path} holds {size - end} bytes behind the image", "fetch it anew")


def pieces(source: Source) -> Iterator[bytes]:
    """The image, PIECE bytes at a time (the last may be shorter); UserError unless it is exactly as it should be."""
    digest, left = hashlib.sha256(), source.size
    for piece in _raw(source):
        left -= len(piece)
        if left < 0:
            raise UserError(f"{source.path} holds more than the {source.size} bytes that it should", "fetch it anew")
        digest.update(piece)
        yield piece
    if left:
        raise UserError(f"{source.path} ends {left} bytes too early", "fetch or build it anew")
    if digest.hexdigest() != source.sha256:
        raise UserError(f"{source.path} is not the image that {source.said_by} speaks of: its sha256 is "
                        f"{digest.hexdigest()}, not {source.sha256}", "fetch or build it anew")


def _raw(source: Source) -> Iterator[bytes]:
    try:
        with source.path.open("rb") as file:
            if not source.packed:
                yield from iter(lambda: file.read(PIECE), b"")
                return
            import zstandard

            try:
                with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(file) as reader:
                    while piece := _full(reader.read):
                        yield piece
            except zstandard.ZstdError as exc:
                raise UserError(f"{source.path} cannot be unpacked: {exc}", "fetch it anew") from None
    except OSError as exc:
        raise UserError(f"{source.path} cannot be read: {exc.strerror}", "check the disk that it is on") from exc


def _full(read: Callable[[int], bytes]) -> bytes:
    """A whole piece: the reader may give less at a time."""
    found = b""
    while len(found) < PIECE and (more := read(PIECE - len(found))):
        found += more
    return found


def check(source: Source, progress: Callable[[int, int | None], None]) -> None:
    """Reads it through; UserError unless it is the right one, and a disk image."""
    done = 0
    for piece in pieces(source):
        if done == 0 and (piece[510:512] != b"\x55\xaa" or piece[SECTOR:SECTOR + 8] != b"EFI PART"):
            raise UserError(f"{source.path} is no disk image: it has no partition table", "make it anew")
        done += len(piece)
        progress(done, source.size)

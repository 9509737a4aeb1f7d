"""A release as the first build: what its provenance says, and the program and the image that it holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain import release
from toolchain.differ import disk
from toolchain.differ.span import opened
from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.formats import FormatError, pe
from toolchain.release import provenance
from toolchain.release.provenance import BadProvenance, Provenance
from toolchain.reproduce.compare import Row
from toolchain.reproduce.first import First

SLACK = 64 << 20  # bytes that a signature may make an image longer
_PIECE = 1 << 20


@dataclass(frozen=True)
class Released:
    """A release's folder and its provenance."""

    folder: Path
    provenance: Provenance

    @property
    def efi(self) -> Path:
        """The EFI program."""
        return self.folder / release.EFI

    @property
    def packed(self) -> Path:
        """The compressed image."""
        return self.folder / release.packed_of(self.provenance.image, self.provenance.version)


def read(folder: Path) -> Released:
    """The release; UserError where the folder is none."""
    path = folder / release.PROVENANCE
    try:
        if path.stat().st_size > provenance.MOST_BYTES:
            raise BadProvenance(f"it is longer than {provenance.MOST_BYTES} bytes")
        found = provenance.read(path.read_bytes())
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", "from= names the folder of a release") from None
    except BadProvenance as exc:
        raise UserError(f"{path}: {exc}", f"./doit verify {folder} says what else is wrong with it") from None
    return Released(folder, found)


def first(of: Released) -> First:
    """The first build as the provenance tells it. Fields that do not give the stage's key are nobody's."""
    stages = of.provenance.stages
    return First(
        str(of.folder / release.PROVENANCE),
        {stage.name: {name: file.sha256 for name, file in stage.outputs.items()} for stage in stages},
        {stage.name: stage.executor for stage in stages},
        {stage.name: _fields(stage) for stage in stages if stage.holds},
        all(stage.pinned for stage in stages))


def _fields(stage: provenance.StageRecord) -> dict[str, object]:
    fields = dict(stage.fields)
    return {"argv": fields.get("argv", []), "inputs": fields.get("inputs", {}), "params": fields.get("params", {}),
            "toolchain": fields.get("toolchain")}


# -- what lies in the release --


def efi_row(of: Released, rebuilt: Path | None) -> Row:
    """The program, signed or not, beside the one that was rebuilt."""
    wrong: tuple[str, ...] = (release.EFI,)
    note = ""
    with contextlib.suppress(OSError, FormatError):
        if rebuilt is not None and of.efi.stat().st_size <= rebuilt.stat().st_size + SLACK:
            there, here = of.efi.read_bytes(), rebuilt.read_bytes()
            if there == here:
                wrong = ()
            elif pe.read(there).signature and pe.unsigned(there) == pe.unsigned(here):
                wrong, note = (), "without its signature"
    return Row("the release", (release.EFI,), "", "rebuilt" if rebuilt else "", wrong, note=note)


def image_row(of: Released, unpacked: Path | None, rebuilt: Path | None) -> Row:
    """The image, by its bytes, or where it holds a signed program by its files, beside the one that was rebuilt."""
    wrong: tuple[str, ...] = (of.packed.name,)
    note = "" if unpacked else "it cannot be unpacked, or is far longer"
    if unpacked is not None and rebuilt is not None:
        if sha256(unpacked) == sha256(rebuilt):
            wrong = ()
        else:
            with contextlib.suppress(FormatError):
                if _same_files(unpacked, rebuilt):
                    wrong, note = (), "by its files, without their signatures"
    return Row("the release", (of.packed.name,), "", "rebuilt" if rebuilt else "", wrong, note=note)


def _same_files(there: Path, here: Path) -> bool:
    """Whether both disks hold the same files, signatures of programs left out; False where none is signed."""
    signed = False
    with opened(there) as a, opened(here) as b:
        first_disk, second = disk.read(a), disk.read(b)
        if first_disk.files.keys() != second.files.keys():
            return False
        for path, entry in first_disk.files.items():
            before = b"".join(first_disk.fat.read(entry))
            after = b"".join(second.fat.read(second.files[path]))
            if before == after:
                continue
            if before[:2] != b"MZ" or not pe.read(before).signature or pe.unsigned(before) != pe.unsigned(after):
                return False
            signed = True
    return signed


@contextlib.contextmanager
def unpacked(of: Released, work: Path, longest: int) -> Iterator[Path | None]:
    """The image without its compression; None where it cannot be had, or is far longer than so many bytes."""
    import zstandard

    target = work / "released.img"
    try:
        with of.packed.open("rb") as source, target.open("wb") as out:
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(source, read_across_frames=True)
            while piece := reader.read(_PIECE):
                out.write(piece)
                if out.tell() > longest + SLACK:
                    raise OSError(f"{of.packed} is too long")
    except (OSError, zstandard.ZstdError):
        target.unlink(missing_ok=True)
    try:
        yield target if target.exists() else None
    finally:
        target.unlink(missing_ok=True)

"""`./doit verify`: whether a release, an image or a stick is what it says it is.

The checks go from the outside in, each standing on those before it; the first lie ends them. What comes from outside
is read with bounds, and nothing of it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import release
from toolchain.release.provenance import Provenance
from toolchain.release.verify import bill, chain, folder, image, page, program, tie
from toolchain.release.verify.lie import Lie, Line, Progress, Say, short

__all__ = ["Lie", "Line", "Trusted", "disk", "whole"]

SIGNED_ROOM = 64 << 20  # bytes by which an image may grow when its program is signed


@dataclass(frozen=True)
class Trusted:
    """What the one who asks trusts already, and knows."""

    key: bytes | None = None  # public, PEM
    certificate: program.Certificate | None = None
    locks: bill.Locks = lambda _: None


def whole(path: Path, trusted: Trusted, say: Say, progress: Progress) -> None:
    """Checks a release folder; raises Lie."""
    files, said = _papers(path, trusted, say, progress)
    contents = _packed_image(files, said, say, progress)
    efi = files.data[release.EFI]
    if contents.program != efi:
        raise Lie(release.EFI, "it is not the program in the image")
    say(Line(release.EFI, "it is the program in the image"))
    program.check(efi, said, trusted.certificate, say)
    bill.check(files.data[release.SBOM], said, contents, trusted.locks, say)
    page.check(files.data[release.REPORT], _named(files, said, contents), say)


def disk(path: Path, of: Path | None, trusted: Trusted, say: Say, progress: Progress) -> None:
    """Checks an image, packed or not, or a device; `of` is the release folder that it should be of. Raises Lie."""
    from toolchain.release.verify import device

    papers = _papers(of, trusted, say, progress) if of is not None else None
    with device.opened(path, progress) as (file, size):
        signed = papers is not None and bool(papers[1].certificate)
        contents = image.look(file, size, str(path), alone=signed)
        say(Line(str(path), f"partition table and file system are whole; {_holding(contents)}"))
        program.signature(contents.program, image.PROGRAM, trusted.certificate, say)
        if papers is None:
            for held in contents.files:
                say(Line(held.path, f"{held.size:,} bytes, sha256 {held.sha256}"))
            say(Line(str(path), "whose it is, and whether it was changed, could not be known: from=dist/NAME-VERSION "
                     "names the release to compare it with", False))
            return
        files, said = papers
        tie.same(contents, tie.wanted(said), str(path))
        digest = image.sha256(file, contents.size, str(path), progress)
        name = release.image_of(*files.name)
        if digest != said.subjects[name]:
            raise Lie(str(path), f"its files are those of the release, but not all bytes around them: sha256 "
                      f"{short(digest)}, {release.PROVENANCE} says {short(said.subjects[name])}")
        say(Line(str(path), f"it is {name}, byte for byte"))
        if size > contents.size:
            say(Line(str(path), f"{size - contents.size:,} bytes follow the image, and were not looked at", False))


def _papers(path: Path, trusted: Trusted, say: Say, progress: Progress) -> tuple[folder.Folder, Provenance]:
    """The folder's files, sums, signatures and provenance: all but the contents of the image."""
    files = folder.check(path, trusted.key, say, progress)
    said = chain.check(files.data[release.PROVENANCE], files.name, say)
    for name in (files.packed, release.EFI, release.SBOM):
        if said.subjects[name] != files.digests[name]:
            raise Lie(name, f"it is not the one that {release.PROVENANCE} speaks of: {short(files.digests[name])}, not "
                      f"{short(said.subjects[name])}")
    say(Line(release.PROVENANCE, "it speaks of these files"))
    return files, said


def _packed_image(files: folder.Folder, said: Provenance, say: Say, progress: Progress) -> image.Contents:
    name = release.image_of(*files.name)
    most = min(chain.product(said, f"{said.image}.img").size + SIGNED_ROOM, image.IMAGE_MAX)
    paths = tie.wanted(said)
    unpacked, size, digest = image.unpack(files.path / files.packed, most, progress)
    with unpacked:
        if digest != said.subjects[name]:
            raise Lie(files.packed, f"the image in it is {short(digest)}, {release.PROVENANCE} says "
                      f"{short(said.subjects[name])}")
        say(Line(files.packed, f"the image in it is the one that {release.PROVENANCE} speaks of, {size:,} bytes"))
        contents = image.look(unpacked, size, files.packed, alone=bool(said.certificate))
        if contents.size != size:
            raise Lie(files.packed, f"the image in it has {size - contents.size} bytes too many")
    tie.same(contents, paths, files.packed)
    say(Line(files.packed, f"its partition table and file system are whole; {_holding(contents)}"))
    say(Line(files.packed, "these are the files that went in" + (", and nothing lies between them" if said.certificate
                                                                 else "")))
    return contents


def _holding(contents: image.Contents) -> str:
    files = ", ".join(f"{held.path} ({held.size:,} bytes)" for held in contents.files[:4])
    more = f" and {len(contents.files) - 4} more" if len(contents.files) > 4 else ""
    return f"partition {contents.partition.name} holds {files}{more}"


def _named(files: folder.Folder, said: Provenance, contents: image.Contents) -> Mapping[str, str]:
    """All that the report must name, and all that it may."""
    wanted = {f"file {name}": digest for name, digest in files.digests.items() if name != release.REPORT}
    wanted |= {f"file {name}": digest for name, digest in said.subjects.items()}
    wanted |= {f"{held.path} in the image": held.sha256 for held in contents.files}
    wanted |= {f"the key of stage {stage.name}": stage.key for stage in said.stages}
    if said.commit:
        wanted["the commit"] = said.commit
    if files.signer:
        wanted["the signer's key"] = files.signer
    return wanted

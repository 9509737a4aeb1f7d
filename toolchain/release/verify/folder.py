"""The files of a release folder: that they are all there and nothing else, their sums, and who has signed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from toolchain import release
from toolchain.errors import UserError
from toolchain.formats import pe
from toolchain.release import provenance, sums
from toolchain.release.verify.lie import Lie, Line, Progress, Say, short

PIECE = 1 << 20
ENTRIES_MAX = 1000  # of a folder
PACKED = re.compile(rf"({release.NAME})-({release.VERSION})\.img\.zst")
FIXED = (release.EFI, release.SBOM, release.PROVENANCE, release.REPORT, release.SUMS)
LARGEST = {  # bytes of the files that are read as a whole
    release.EFI: pe.LARGEST, release.SBOM: 64 << 20, release.PROVENANCE: provenance.MOST_BYTES,
    release.REPORT: 32 << 20, release.SUMS: sums.MOST_BYTES, **dict.fromkeys(release.SIGNATURES, 1 << 16)}


@dataclass(frozen=True)
class Folder:
    """A release folder whose files are as SHA256SUMS says. `data`: those of them that were read as a whole."""

    path: Path
    packed: str  # name of the compressed image
    signed: bool
    digests: Mapping[str, str]
    signer: str = ""  # fingerprint; empty where nobody has signed
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> tuple[str, str]:
        """Image and version, as the compressed image's name has them."""
        match = PACKED.fullmatch(self.packed)
        assert match is not None
        return match[1], match[2]


def check(path: Path, key: bytes | None, say: Say, progress: Progress) -> Folder:
    """Raises Lie. `key` is the public key that must have signed."""
    packed, signed = _listing(path)
    count = len(FIXED) + 1 + (len(release.SIGNATURES) if signed else 0)
    say(Line(str(path), f"{count} files: none is missing, none does not belong"))
    digests, listed = _listed(path, packed)
    say(Line(release.SUMS, "it is whole, by its own last line"))
    data = {release.SUMS: listed}
    for name in sorted(digests):
        found, content = _digest(path, name, progress)
        if found != digests[name]:
            raise Lie(name, f"its sha256 is {short(found)}, {release.SUMS} says {short(digests[name])}")
        if content is not None:
            data[name] = content
        say(Line(name, f"sha256 {short(found)}, as {release.SUMS} says"))
    data |= {name: _digest(path, name, progress)[1] or b"" for name in release.SIGNATURES if signed}
    signer = _signatures(data, signed, key, say)
    return Folder(path, packed, signed, digests, signer, data)


def _listing(path: Path) -> tuple[str, bool]:
    """The compressed image's name, and whether there are signatures."""
    names: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise Lie(entry.name, "it is a link: a release is made of plain files")
            if not entry.is_file(follow_symlinks=False):
                raise Lie(entry.name, "it is not a plain file")
            names.append(entry.name)
            if len(names) > ENTRIES_MAX:
                raise Lie(path.name, f"more than {ENTRIES_MAX} files: this is no release folder")
    packed = _packed(path, names)
    signed = any(name in names for name in release.SIGNATURES)
    wanted = {*FIXED, packed, *(release.SIGNATURES if signed else ())}
    for name in sorted(wanted - set(names)):
        raise Lie(name, "it is missing, and other signatures are there" if name in release.SIGNATURES else
                  "it is missing")
    for name in sorted(set(names) - wanted):
        raise Lie(name, "it does not belong to a release")
    return packed, signed


def _packed(path: Path, names: list[str]) -> str:
    """The one that SHA256SUMS names, where that can be read; else the one that is there."""
    found = sorted(name for name in names if PACKED.fullmatch(name))
    try:
        listed = sums.decode(_whole(path, release.SUMS)) if release.SUMS in names else {}
    except (sums.BadSums, Lie):
        listed = {}
    found = sorted(name for name in listed if PACKED.fullmatch(name)) or found
    return found[0] if found else "NAME-VERSION.img.zst"


def _listed(path: Path, packed: str) -> tuple[dict[str, str], bytes]:
    data = _whole(path, release.SUMS)
    try:
        digests = sums.decode(data)
    except sums.BadSums as exc:
        raise Lie(release.SUMS, str(exc)) from None
    wanted = {packed, *FIXED} - {release.SUMS}
    for name in sorted(wanted ^ digests.keys()):
        raise Lie(release.SUMS, f"it does not list {name}" if name in wanted else
                  f"it lists {name}, which is no file of this release")
    return digests, data


def opened(path: Path) -> BinaryIO:
    """A plain file, never a link nor what a read could wait for; OSError where it is none."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
                     | getattr(os, "O_BINARY", 0))
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return file


def _pieces(path: Path, name: str, progress: Progress) -> Iterator[bytes]:
    try:
        with opened(path / name) as file:
            size, done = os.fstat(file.fileno()).st_size, 0
            while piece := file.read(PIECE):
                done += len(piece)
                progress(name, done, size)
                yield piece
    except FileNotFoundError:
        raise Lie(name, "it is missing") from None
    except OSError as exc:
        raise Lie(name, f"it cannot be read: {exc.strerror}") from None


def _digest(path: Path, name: str, progress: Progress) -> tuple[str, bytes | None]:
    """Its sha256, and its bytes where it is one of those that are read as a whole."""
    digest, pieces, size = hashlib.sha256(), [], 0
    for piece in _pieces(path, name, progress):
        digest.update(piece)
        size += len(piece)
        if name in LARGEST:
            if size > LARGEST[name]:
                raise Lie(name, f"it is longer than {LARGEST[name]} bytes")
            pieces.append(piece)
    return digest.hexdigest(), b"".join(pieces) if name in LARGEST else None


def _whole(path: Path, name: str) -> bytes:
    return _digest(path, name, lambda *_: None)[1] or b""


# -- signatures -----------------------------------------------------------------------------------


def _signatures(data: Mapping[str, bytes], signed: bool, key: bytes | None, say: Say) -> str:
    """The fingerprint of the key that has signed. Of several witnesses the one that stands alone is the liar."""
    from toolchain.release import sign

    if not signed:
        if key is not None:
            raise Lie(release.SUMS_SIGNATURE, "it is missing: this release is not signed, and key= asks for that")
        say(Line(release.SUMS, "it is not signed: the files fit each other, but nobody says whose they are", False))
        return ""
    public = data[release.PUBLIC_KEY]
    try:
        fingerprint = sign.fingerprint(public)
        plain = canonical(public)
    except UserError as exc:
        raise Lie(release.PUBLIC_KEY, f"it is {exc.what}") from None
    if key is not None and fingerprint != sign.fingerprint(key):
        raise Lie(release.PUBLIC_KEY, f"it is the key {fingerprint}, key= is {sign.fingerprint(key)}")
    if plain != public:
        raise Lie(release.PUBLIC_KEY, "it is not written as ./doit release writes it")
    pairs = ((release.SUMS, release.SUMS_SIGNATURE), (release.PROVENANCE, release.PROVENANCE_SIGNATURE))
    bad = [(name, signature) for name, signature in pairs if not sign.verify(public, data[name], data[signature])]
    if len(bad) == 2 and key is None:
        raise Lie(release.PUBLIC_KEY, f"its owner has signed neither {release.SUMS} nor {release.PROVENANCE}")
    for name, signature in bad:
        raise Lie(signature, f"it is not that key's signature of {name}: one of the two was changed")
    for name, signature in pairs:
        say(Line(signature, f"{name} is signed by the key in {release.PUBLIC_KEY}"))
    if key is not None:
        say(Line(release.PUBLIC_KEY, f"it is the key that key= names, {fingerprint}"))
    else:
        say(Line(release.PUBLIC_KEY, f"its fingerprint is {fingerprint}; nobody vouches for it here: ask its owner, "
                 "or give key=", False))
    return fingerprint


def canonical(pem: bytes) -> bytes:
    """A public key as ./doit release writes it; UserError for what is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UserError("not a public key in PEM") from None
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

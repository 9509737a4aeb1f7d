"""The EFI program: its signature for Secure Boot, and what it was before it was signed."""

from __future__ import annotations

import hashlib
import sys
from array import array
from dataclasses import dataclass

from toolchain.errors import UserError
from toolchain.formats import FormatError, pe
from toolchain.release import EFI, PROVENANCE
from toolchain.release.provenance import File, Provenance
from toolchain.release.verify import chain
from toolchain.release.verify.folder import PIECE
from toolchain.release.verify.lie import Lie, Line, Say


@dataclass(frozen=True)
class Certificate:
    """A certificate that somebody trusts."""

    der_sha256: str
    public_pem: bytes


def certificate(pem: bytes) -> Certificate:
    """UserError for what is none."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        found = x509.load_pem_x509_certificate(pem)
        public = found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise UserError("not a certificate in PEM",
                        "cert= names the certificate that ./doit release was given") from None
    return Certificate(hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(), public)


def check(data: bytes, said: Provenance, trusted: Certificate | None, say: Say) -> None:
    """Raises Lie."""
    signed = _signed(data, EFI)
    if signed != bool(said.certificate):
        raise Lie(EFI, f"it {'bears a' if signed else 'bears no'} signature, {PROVENANCE} says otherwise")
    if trusted is not None and signed and trusted.der_sha256 != said.certificate:
        raise Lie(PROVENANCE, "it names another certificate than cert=")
    signature(data, EFI, trusted, say)
    if signed:
        made = chain.product(said, EFI)
        if not is_signed_from(data, made):
            raise Lie(EFI, "without its signature it is not the program that was built")
        say(Line(EFI, "without its signature it is the program that was built"))


def signature(data: bytes, name: str, trusted: Certificate | None, say: Say) -> None:
    """Who has signed it; raises Lie where the signature is none, or not by the certificate that is trusted."""
    if not _signed(data, name):
        if trusted is not None:
            raise Lie(name, "it is not signed for Secure Boot, and cert= asks for that")
        say(Line(name, "not signed for Secure Boot"))
        return
    from toolchain.release.authenticode import SignatureError, verify_efi

    try:
        who = verify_efi(data, trusted.public_pem if trusted is not None else None)
    except SignatureError as exc:
        raise Lie(name, f"Secure Boot: {exc}") from None
    if trusted is not None:
        say(Line(name, f"signed for Secure Boot by cert=, {who}"))
    else:
        say(Line(name, f"signed for Secure Boot by {who}; nobody vouches for that certificate here: cert= checks it",
                 False))


def is_signed_from(data: bytes, made: File) -> bool:
    """Whether the signed program is `made` with a signature. Signing adds up to seven zeros and the signature, and
    sets two fields: the directory of certificates, which was zero, and the checksum, which each linker and signer
    treats in its own way (none, right, or left alone)."""
    found = pe.read(data)
    assert found.signature is not None
    whole = memoryview(data)[:found.signature[0]]
    if not 0 <= len(whole) - made.size <= 7 or any(whole[made.size:]):
        return False
    start, end = whole[:found.checksum_at], whole[found.security_at + 8:made.size]
    between = whole[found.checksum_at + 4:found.security_at]

    def fits(value: bytes) -> bool:
        digest = hashlib.sha256(start)
        for piece in (value, between, bytes(8), end):
            digest.update(piece)
        return digest.hexdigest() == made.sha256

    kept = bytes(whole[found.checksum_at:found.checksum_at + 4])
    return fits(kept) or fits(bytes(4)) or fits(checksum(start, bytes(4), between, bytes(8), end).to_bytes(4, "little"))


def checksum(*parts: bytes | memoryview) -> int:
    """That of a PE file whose checksum field is zero: the sum of its words, folded to 16 bits, and its size."""
    total = size = 0
    for part in parts:
        for at in range(0, len(part), PIECE):
            piece = bytes(size % 2) + bytes(part[at:at + PIECE])
            words = array("H", piece + bytes(len(piece) % 2))
            if sys.byteorder == "big":
                words.byteswap()
            total += sum(words)
            size += len(part[at:at + PIECE])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total + size


def _signed(data: bytes, name: str) -> bool:
    try:
        return pe.read(data).signature is not None
    except FormatError as exc:
        raise Lie(name, str(exc)) from None

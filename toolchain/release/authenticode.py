"""The signature in an EFI program, checked without any tool and without a network, as UEFI firmware checks it.

Authenticode: a PKCS#7 SignedData whose content names the digest of the program (formats/pe.py). This says who has
signed; whether that one is trusted is for the caller to say, by `public_pem`, and for the firmware, by its db.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from toolchain.formats import FormatError, pe
from toolchain.formats.der import INTEGER, OCTETS, OID, SEQUENCE, SET, Value, oid, take
from toolchain.release.sign import fingerprint

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SIGNED_DATA = oid("1.2.840.113549.1.7.2")
PROGRAM_DIGEST = oid("1.3.6.1.4.1.311.2.1.4")  # SPC_INDIRECT_DATA
CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
SHA256 = oid("2.16.840.1.101.3.4.2.1")
RSA = (oid("1.2.840.113549.1.1.1"), oid("1.2.840.113549.1.1.11"))  # rsaEncryption, sha256WithRSAEncryption

HEADER = struct.Struct("<IHH")  # of a WIN_CERTIFICATE: length, revision, type
PKCS7 = (0x0200, 0x0002)
LARGEST = 1 << 20  # bytes of a signature, certificates included
CONTEXT_0 = 0xA0  # the tag of what is numbered [0]


class SignatureError(Exception):
    """Why a program is not signed as it should be."""


def verify_efi(data: bytes, public_pem: bytes | None = None) -> str:
    """Whose certificate has signed the program; SignatureError where none has, or not this program.

    With `public_pem` it must be a certificate of that key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion

    try:
        return _verify(data, public_pem)
    except (FormatError, ValueError, UnsupportedAlgorithm, InvalidVersion) as exc:  # all but the first: certificates
        raise SignatureError(str(exc)) from None


def _verify(data: bytes, public_pem: bytes | None) -> str:
    content, certificates, signer = _signed_data(_certificate_table(data))
    digest = content.parts()[-1].want(SEQUENCE).parts()
    if len(digest) != 2 or _algorithm(digest[0]) != SHA256:
        raise SignatureError("its signature is not over a sha256")
    if digest[1].want(OCTETS).content != pe.authenticode(data):
        raise SignatureError("the program is not the one that was signed")
    certificate = _check_signer(signer, content, certificates)
    if public_pem is not None and fingerprint(public_pem) != fingerprint(_public_of(certificate)):
        raise SignatureError("it is signed with another key")
    return "".join(char if char.isprintable() else "?" for char in _name(certificate))


def _certificate_table(data: bytes) -> bytes:
    """The one PKCS#7 of the program; nothing else may lie there, as no signature covers it."""
    where = pe.read(data).signature
    if where is None:
        raise SignatureError("it is not signed")
    at, size = where
    if size > LARGEST or size < HEADER.size:
        raise SignatureError(f"its table of signatures has {size} bytes")
    length, revision, kind = HEADER.unpack_from(data, at)
    if (revision, kind) != PKCS7 or not HEADER.size < length <= size:
        raise SignatureError("its signature is of an unknown kind")
    if size - length >= 8 or any(data[at + length:at + size]):
        raise SignatureError("it holds more than one signature")
    return data[at + HEADER.size:at + length]


def _signed_data(data: bytes) -> tuple[Value, list[Certificate], list[Value]]:
    """What is signed, the certificates beside it, and the fields of the one signer."""
    whole, padding = take(data)
    if len(padding) >= 8 or any(padding):
        raise FormatError("bytes follow the signature")
    kind, wrapped = _fields(whole, 2)
    if kind.want(OID).content != SIGNED_DATA:
        raise FormatError("its signature is no PKCS#7 SignedData")
    fields = _only(wrapped.want(CONTEXT_0)).want(SEQUENCE).parts()
    if len(fields) != 5:  # version, digest algorithms, content, certificates, signers
        raise FormatError("a PKCS#7 SignedData of an unknown shape")
    kind, wrapped = _fields(fields[2], 2)
    if kind.want(OID).content != PROGRAM_DIGEST:
        raise FormatError("its signature is not that of a program")
    content = _only(wrapped.want(CONTEXT_0)).want(SEQUENCE)
    if len(content.parts()) != 2:
        raise FormatError("a digest of an unknown shape")
    signer = _only(fields[4].want(SET)).want(SEQUENCE).parts()
    return content, _certificates(fields[3].want(CONTEXT_0)), signer


def _certificates(values: Value) -> list[Certificate]:
    from cryptography import x509

    return [x509.load_der_x509_certificate(part.whole) for part in values.parts()]


def _check_signer(signer: list[Value], content: Value, certificates: list[Certificate]) -> Certificate:
    """The certificate whose key has signed `content`, by way of attributes that hold its digest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if len(signer) < 6:  # version, who, digest algorithm, attributes, signature algorithm, signature
        raise FormatError("a signer of an unknown shape")
    _, who, digest_algorithm, attributes, algorithm, signature = signer[:6]
    if _algorithm(digest_algorithm) != SHA256 or _algorithm(algorithm) not in RSA:
        raise SignatureError("it is not signed by RSA with sha256")
    _check_attributes(attributes.want(CONTEXT_0), content)
    signed = bytes([SET]) + attributes.whole[1:]  # what is signed is the same, with the tag of a set
    issuer, serial = _fields(who, 2)
    number = int.from_bytes(serial.want(INTEGER).content, "big", signed=True)
    for certificate in certificates:
        if (certificate.serial_number, certificate.issuer.public_bytes()) == (number, issuer.whole):
            break
    else:
        raise SignatureError("the certificate that signed it is not in it")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise SignatureError("its certificate is not one of RSA with 2048 bits or more")
    try:
        key.verify(signature.want(OCTETS).content, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise SignatureError("its signature is not by the certificate in it") from None
    return certificate


def _name(certificate: Certificate) -> str:
    """Its subject. That this is true is shown where it has signed itself; else only its issuer could tell."""
    from cryptography.exceptions import InvalidSignature

    subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    if certificate.subject != certificate.issuer:
        return f"{subject}, issued by {issuer}"
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError):
        raise SignatureError("its certificate was altered") from None
    return subject


def _check_attributes(attributes: Value, content: Value) -> None:
    found: dict[bytes, bytes] = {}
    for attribute in attributes.parts():
        name, values = _fields(attribute, 2)
        if name.want(OID).content in found:
            raise FormatError("an attribute is given twice")
        found[name.content] = values.want(SET).content
    kind, digest = found.get(CONTENT_TYPE, b""), found.get(MESSAGE_DIGEST, b"")
    if kind != bytes([OID, len(PROGRAM_DIGEST)]) + PROGRAM_DIGEST:
        raise FormatError("its signature is not that of a program")
    if digest != bytes([OCTETS, 32]) + hashlib.sha256(content.content).digest():
        raise SignatureError("its signature is over another digest")


def _algorithm(value: Value) -> bytes:
    parts = value.want(SEQUENCE).parts()
    if not parts:
        raise FormatError("an algorithm without a name")
    return parts[0].want(OID).content


def _fields(value: Value, count: int) -> list[Value]:
    parts = value.want(SEQUENCE).parts()
    if len(parts) != count:
        raise FormatError(f"{len(parts)} fields where {count} belong")
    return parts


def _only(value: Value) -> Value:
    parts = value.parts()
    if len(parts) != 1:
        raise FormatError(f"{len(parts)} values where one belongs")
    return parts[0]


def _public_of(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

"""Keys and certificates for tests, as openssl writes them."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from toolchain.release.sign import Key

GOOD = ("Ed25519", "ECDSA P-256", "ECDSA P-384", "RSA 2048", "RSA 3072")
DAY = timedelta(days=1)


def secret(kind: str, number: int = 0) -> Any:
    """A private key of this kind, another for each number."""
    return _secret(kind, number)


@functools.cache  # RSA takes its time
def _secret(kind: str, number: int) -> Any:
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind.split()[1]))
    if kind == "DSA":
        return dsa.generate_private_key(2048)
    curves: dict[str, Any] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
    if kind.startswith("ECDSA"):
        return ec.generate_private_key(curves[kind.split()[1]]())
    return ed448.Ed448PrivateKey.generate() if kind == "Ed448" else ed25519.Ed25519PrivateKey.generate()


def pem(kind: str, passphrase: bytes | None = None, number: int = 0,
        form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """The private key as a file holds it."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return bytes(secret(kind, number).private_bytes(Encoding.PEM, form, encryption))


def public(kind: str, number: int = 0) -> bytes:
    """Its public half, as release.pub holds it."""
    key = secret(kind, number).public_key()
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    """A file of this mode."""
    path.write_bytes(data)
    path.chmod(mode)
    return path


def make_key(path: Path, kind: str, passphrase: bytes | None = None, number: int = 0) -> Path:
    """A key file that only its owner can read."""
    return write(path, pem(kind, passphrase, number))


def make_certificate(path: Path, key: Key, first: timedelta = -DAY, last: timedelta = 30 * DAY,
                     issuer: str | None = None) -> Path:
    """A certificate of the key by itself, or so it says, valid from and to so far from now."""
    private: Any = load_pem_private_key(key.secret_pem(), None)
    name, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
                for text in (f"test {path.name}", issuer or f"test {path.name}"))
    now = datetime.now(timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(private.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + first).not_valid_after(now + last)
            .sign(private, None if key.kind == "Ed25519" else hashes.SHA256()))
    return write(path, made.public_bytes(Encoding.PEM), 0o644)

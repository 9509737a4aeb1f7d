"""Signing a release: detached signatures over its files, and the EFI program's own for Secure Boot.

A key is a PEM file that openssl has made: Ed25519 (plain), ECDSA P-256 or P-384 (with SHA-256), or RSA from 2048
bits (PKCS#1 v1.5 with SHA-256: openssl's default). Whatever the key, this checks a signature without ingot:

    openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig

Keys and passphrases never appear on a command line, in a message or in a file of ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain.errors import UserError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

PASSPHRASE = "INGOT_SIGN_PASSPHRASE"
LARGEST = 1 << 16  # bytes of a key file
RSA_BITS = 2048  # the least that is still thought safe
MAKE_KEY = "openssl genpkey -algorithm ed25519 -aes256 -out release.key makes a key"
MAKE_CERTIFICATE = "docs/secure-boot.md shows how to make a key with its certificate"


@dataclass(frozen=True)
class Key:
    """A private key, and what may be told of it."""

    kind: str  # "Ed25519", "ECDSA P-256", "RSA 3072"
    public_pem: bytes
    _private: Any = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """A detached signature."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding

        if self.kind == "Ed25519":
            made = self._private.sign(data)
        elif self.kind.startswith("ECDSA"):
            made = self._private.sign(data, ec.ECDSA(hashes.SHA256()))
        else:
            made = self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return bytes(made)

    def secret_pem(self) -> bytes:
        """The key as such, for a tool that needs it: to be handed over in memory alone."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return bytes(self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def ask_passphrase(prompt: str) -> bytes:
    """From the environment, else from the one who sits at the terminal."""
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return os.fsencode(given)
    if not sys.stdin.isatty():
        raise UserError("the signing key has a passphrase, and there is no terminal to ask for it",
                        f"put it into the environment variable {PASSPHRASE}")
    import getpass

    try:
        return os.fsencode(getpass.getpass(prompt))
    except EOFError:
        raise UserError("no passphrase was given", "run the same command again") from None


def load_key(path: Path, passphrase: Callable[[str], bytes] | None) -> Key:
    """The key of a PEM file. `passphrase` is called, with a prompt, only where the file is encrypted."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _private_block(path, _read(path, secret=True))
    unusable = UserError(f"{path}: the private key in it cannot be read", MAKE_KEY)
    try:
        return _key(path, load_pem_private_key(pem, None))
    except TypeError:  # it is encrypted
        pass
    except (ValueError, UnsupportedAlgorithm):
        raise unusable from None
    if passphrase is None:
        raise UserError(f"{path} has a passphrase", f"put it into the environment variable {PASSPHRASE}")
    try:
        return _key(path, load_pem_private_key(pem, passphrase(f"passphrase of {path}: ")))
    except UnsupportedAlgorithm:
        raise unusable from None
    except (TypeError, ValueError):
        where = f"{PASSPHRASE} holds another one" if PASSPHRASE in os.environ else "try again"
        raise UserError(f"{path}: wrong passphrase", where) from None


def verify(public_pem: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the key's owner has signed just this. What is no usable public key has signed nothing."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    try:
        key = _public(public_pem)
        kind = _kind(key)
        if kind == "Ed25519":
            key.verify(signature, data)
        elif kind.startswith("ECDSA"):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except (UserError, InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public_pem: bytes) -> str:
    """Hex sha256 of the DER SubjectPublicKeyInfo: what is read out over the telephone."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = _public(public_pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def load_certificate(path: Path, key: Key) -> Certificate:
    """The certificate for Secure Boot that belongs to the key, valid today."""
    from datetime import datetime, timezone

    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    if not key.kind.startswith("RSA"):
        raise UserError(f"Secure Boot needs an RSA key, sign= names one of {key.kind}", MAKE_CERTIFICATE)
    data = _read(path)
    try:
        certificate = x509.load_pem_x509_certificate(data)
        fits = _pem(certificate.public_key()) == key.public_pem
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise UserError(f"{path} is not a certificate in PEM",
                        "openssl x509 -inform DER -in FILE -out cert.pem rewrites one in DER") from None
    if not fits:
        raise UserError(f"{path} is the certificate of another key", "name the two that were made together")
    now = datetime.now(timezone.utc)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        dates = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise UserError(f"{path} is valid from {dates}, not today", f"check this machine's clock; {MAKE_CERTIFICATE}")
    return certificate


# -- files and kinds ------------------------------------------------------------------------------


def _read(path: Path, *, secret: bool = False) -> bytes:
    """The file; one that holds a secret is refused, as ssh does, where others than its owner may read it."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            mine = hasattr(os, "getuid") and state.st_uid == os.getuid()
            if secret and mine and stat.S_ISREG(state.st_mode) and state.st_mode & 0o077:
                raise UserError(f"{path} can be read by others (mode {stat.S_IMODE(state.st_mode):04o})",
                                f"chmod 600 {path}; if others may have read it, make a new key")
            data = file.read(LARGEST + 1)
    except OSError as exc:
        raise UserError(f"cannot read {path}: {exc.strerror}", "sign= names a key, cert= its certificate") from exc
    if len(data) > LARGEST:
        raise UserError(f"{path} is too large for a key or a certificate", MAKE_KEY)
    return data


def _private_block(path: Path, data: bytes) -> bytes:
    """The private key of a PEM file; what people give instead is called by its name."""
    found = re.search(rb"-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----.*?-----END \1-----", data, re.S)
    if found and found[1] != b"OPENSSH PRIVATE KEY":
        return found[0] + b"\n"
    if found:
        what, hint = "a key of OpenSSH, not a PEM file", MAKE_KEY
    elif b"-----BEGIN CERTIFICATE-----" in data:
        what, hint = "a certificate, not a private key", "sign= names the key, cert= the certificate"
    elif re.search(rb"-----BEGIN (RSA )?PUBLIC KEY-----", data) or data.startswith((b"ssh-", b"ecdsa-")):
        what, hint = "a public key: it can check signatures, not make them", "sign= names the private key"
    else:
        what, hint = "not a private key in PEM", MAKE_KEY
    raise UserError(f"{path} is {what}", hint)


def _key(path: Path, private: Any) -> Key:
    public = private.public_key()
    try:
        return Key(_kind(public), _pem(public), private)
    except UserError as exc:
        raise UserError(f"{path}: {exc.what}", exc.hint) from None


def _kind(public: Any) -> str:
    """What the key is called; refuses what is not used here, or is too weak."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"secp256r1": "ECDSA P-256", "secp384r1": "ECDSA P-384"}
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in curves:
        return curves[public.curve.name]
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= RSA_BITS:
        return f"RSA {public.key_size}"
    if isinstance(public, rsa.RSAPublicKey):
        raise UserError(f"an RSA key of {public.key_size} bits is too weak", f"it takes {RSA_BITS}; {MAKE_KEY}")
    raise UserError("a key of a kind that is not used here", "Ed25519, ECDSA P-256 or P-384, or RSA; " + MAKE_KEY)


def _public(pem: bytes) -> Any:
    """A public key of a kind that is used here."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem[:LARGEST])
    except (ValueError, UnsupportedAlgorithm):
        raise UserError("not a public key in PEM", "release.pub is written by ./doit release sign=KEY") from None
    _kind(key)
    return key


def _pem(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

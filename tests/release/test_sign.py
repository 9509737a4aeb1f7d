"""Detached signatures: they hold for what was signed, and for nothing else; keys that are none are named."""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.executors.conftest import needs
from tests.project import ROOT
from tests.release.keys import DAY, GOOD, make_certificate, make_key, pem, public, secret, write
from toolchain.errors import UserError
from toolchain.release import sign
from toolchain.release.sign import Key, ask_passphrase, fingerprint, load_certificate, load_key, verify

SECRET = b"correct horse"
TRADITIONAL = PrivateFormat.TraditionalOpenSSL


def never(prompt: str) -> bytes:
    raise AssertionError("asked for a passphrase that is not needed")


def error(call: Callable[[], object], what: str) -> UserError:
    """The error, which says `what`, has a hint, and tells nothing that is secret."""
    with pytest.raises(UserError, match=what) as caught:
        call()
    assert caught.value.hint
    assert SECRET.decode() not in str(caught.value)
    return caught.value


@pytest.fixture(params=GOOD)
def key(request: pytest.FixtureRequest, tmp_path: Path) -> Key:
    """One of each kind."""
    return load_key(make_key(tmp_path / "key.pem", request.param), None)


@pytest.mark.parametrize("kind", GOOD)
@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=300), bit=st.integers(0, 5000))
def test_a_signature_holds_for_what_was_signed(kind: str, data: bytes, bit: int) -> None:
    key = Key(kind, public(kind), secret(kind))
    signature = key.sign(data)
    assert verify(key.public_pem, data, signature)
    assert not verify(key.public_pem, data + b"\0", signature)
    assert not verify(key.public_pem, b"\0" + data, signature)
    altered = bytearray(signature)
    altered[bit // 8 % len(signature)] ^= 1 << bit % 8
    assert not verify(key.public_pem, data, bytes(altered))
    assert not verify(public(kind, 1), data, signature)


def test_other_kinds_and_rubbish_have_signed_nothing(key: Key) -> None:
    signature = key.sign(b"data")
    for kind in GOOD:
        assert verify(public(kind), b"data", signature) == (kind == key.kind)
    for bad in (b"", b"-----BEGIN PUBLIC KEY-----\n", key.public_pem[:-60], key.secret_pem(), public("RSA 1024")):
        assert not verify(bad, b"data", signature)
    for cut in (b"", signature[:-1], signature + b"\0"):
        assert not verify(key.public_pem, b"data", cut)


def test_what_a_key_tells(key: Key, tmp_path: Path) -> None:
    """Its kind and its public half; not itself, where it is printed."""
    assert key.kind in GOOD and key.public_pem == public(key.kind)
    body = b"".join(key.secret_pem().splitlines()[1:-1]).decode()
    assert body[:40] not in repr(key) and body[-40:] not in repr(key) and "PRIVATE" not in repr(key)


def test_a_weak_key_signs_nothing_though_its_arithmetic_is_right() -> None:
    weak = Key("RSA 1024", public("RSA 1024"), secret("RSA 1024"))
    assert not verify(weak.public_pem, b"data", weak.sign(b"data"))
    error(lambda: fingerprint(weak.public_pem), "1024 bits is too weak")
    error(lambda: fingerprint(b"no key"), "not a public key")


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "Ed25519"])
def test_the_older_form_of_openssl(kind: str, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
                  + pem(kind, form=TRADITIONAL))
    assert load_key(plain, never).public_pem == public(kind)
    locked = write(tmp_path / "locked", pem(kind, SECRET, form=TRADITIONAL))
    assert load_key(locked, lambda _: SECRET).public_pem == public(kind)


def test_a_key_beside_its_certificate_in_one_file(tmp_path: Path) -> None:
    key = load_key(make_key(tmp_path / "key", "RSA 2048"), None)
    certificate = make_certificate(tmp_path / "cert", key).read_bytes()
    both = write(tmp_path / "both", certificate + pem("RSA 2048"))
    assert load_key(both, never).public_pem == key.public_pem
    assert load_certificate(both, key).subject.rfc4514_string() == "CN=test cert"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o666])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = make_key(tmp_path / "key", "Ed25519")
    path.chmod(mode)
    assert f"chmod 600 {path}" in error(lambda: load_key(path, None), f"read by others .mode {mode:04o}").hint
    path.chmod(0o400)
    load_key(path, None)


@pytest.mark.parametrize(("data", "what"), [
    (b"", "not a private key in PEM"),
    (b"\x30\x82\x01\x02", "not a private key in PEM"),
    (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "not a private key in PEM"),
    (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"),
    (public("Ed25519"), "a public key"),
    (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM me@here\n", "a public key"),
    (pem("Ed25519", form=PrivateFormat.OpenSSH), "OpenSSH"),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate"),
    (pem("RSA 1024"), "1024 bits is too weak"),
    (pem("Ed448"), "a kind that is not used"),
    (pem("DSA"), "a kind that is not used"),
    (pem("ECDSA P-521"), "a kind that is not used"),
    (b"-----BEGIN PRIVATE KEY-----\n" * 5000, "too large"),
])
def test_what_is_no_key_is_named(data: bytes, what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "given", data)
    assert str(path) in str(error(lambda: load_key(path, never), what))


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    error(lambda: load_key(tmp_path / "none", None), "cannot read .*none: No such file")
    error(lambda: load_key(tmp_path, None), "cannot read .*: Is a directory")


# -- passphrases ----------------------------------------------------------------------------------


def test_a_passphrase_is_asked_for_only_where_there_is_one(key: Key, tmp_path: Path) -> None:
    assert load_key(make_key(tmp_path / "plain", key.kind), never).public_pem == key.public_pem
    locked = make_key(tmp_path / "locked", key.kind, SECRET)
    asked: list[str] = []
    loaded = load_key(locked, lambda prompt: asked.append(prompt) or SECRET)  # type: ignore[func-returns-value]
    assert verify(key.public_pem, b"data", loaded.sign(b"data")) and asked == [f"passphrase of {locked}: "]
    error(lambda: load_key(locked, None), "has a passphrase")
    for wrong in (b"", b"another", SECRET + b" "):
        error(lambda wrong=wrong: load_key(locked, lambda _: wrong), "wrong passphrase")  # type: ignore[misc]


def test_the_passphrase_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = make_key(tmp_path / "locked", "Ed25519", SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal
    monkeypatch.delenv(sign.PASSPHRASE, raising=False)
    assert sign.PASSPHRASE in error(lambda: load_key(locked, ask_passphrase), "no terminal").hint
    monkeypatch.setenv(sign.PASSPHRASE, SECRET.decode())
    assert load_key(locked, ask_passphrase).kind == "Ed25519"
    monkeypatch.setenv(sign.PASSPHRASE, "another")
    assert sign.PASSPHRASE in error(lambda: load_key(locked, ask_passphrase), "wrong passphrase").hint


def test_the_passphrase_of_the_terminal_is_not_shown(tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", "Ed25519", SECRET)
    script = ("import sys; from pathlib import Path; from toolchain.release.sign import *; "
              "print(load_key(Path(sys.argv[1]), ask_passphrase).kind)")
    environ = {name: value for name, value in os.environ.items() if name != sign.PASSPHRASE}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", script, str(locked)], {**environ, "PYTHONPATH": str(ROOT)})
    seen = b""
    try:
        while b": " not in seen:
            seen += os.read(terminal, 1000)
        os.write(terminal, SECRET + b"\n")
        while piece := os.read(terminal, 1000):
            seen += piece
    except OSError:  # the terminal's other end is closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, seen
    assert b"passphrase of " in seen and seen.strip().endswith(b"Ed25519") and SECRET not in seen


# -- certificates ---------------------------------------------------------------------------------


def test_certificates_that_do_not_fit(tmp_path: Path) -> None:
    key = load_key(make_key(tmp_path / "key", "RSA 2048"), None)
    other = load_key(make_key(tmp_path / "other", "RSA 2048", number=1), None)
    good = make_certificate(tmp_path / "good", key)
    load_certificate(good, key)
    error(lambda: load_certificate(good, other), "the certificate of another key")
    expired = make_certificate(tmp_path / "expired", key, -2 * DAY, -timedelta(seconds=1))
    error(lambda: load_certificate(expired, key), "not today")
    early = make_certificate(tmp_path / "early", key, DAY, 2 * DAY)
    error(lambda: load_certificate(early, key), "not today")
    error(lambda: load_certificate(tmp_path / "key", key), "not a certificate in PEM")
    der = x509.load_pem_x509_certificate(good.read_bytes()).public_bytes(Encoding.DER)
    error(lambda: load_certificate(write(tmp_path / "der", der), key), "not a certificate in PEM")
    ed25519 = load_key(make_key(tmp_path / "ed", "Ed25519"), None)
    error(lambda: load_certificate(make_certificate(tmp_path / "edc", ed25519), ed25519), "needs an RSA key")


# -- openssl --------------------------------------------------------------------------------------


def openssl(*words: str, folder: Path, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Without a terminal it reads passphrases from standard input."""
    return subprocess.run(["openssl", *words], cwd=folder, input=typed, capture_output=True, start_new_session=True)


@pytest.fixture
def with_openssl() -> None:
    needs("openssl", None if shutil.which("openssl") else "openssl is not on PATH")


@pytest.mark.usefixtures("with_openssl")
def test_openssl_checks_a_signature(key: Key, tmp_path: Path) -> None:
    """With the command that the module shows, whatever the key; and it prints the same fingerprint."""
    command = re.search(r"^    openssl (pkeyutl .*)$", sign.__doc__ or "", re.M)
    assert command
    (tmp_path / "SHA256SUMS").write_bytes(b"sums\n" * 100)
    (tmp_path / "SHA256SUMS.sig").write_bytes(key.sign(b"sums\n" * 100))
    (tmp_path / "release.pub").write_bytes(key.public_pem)
    done = openssl(*shlex.split(command[1]), folder=tmp_path)
    assert done.returncode == 0 and b"Signature Verified Successfully" in done.stdout, done.stderr
    der = openssl("pkey", "-pubin", "-in", "release.pub", "-outform", "DER", "-out", "release.der", folder=tmp_path)
    assert der.returncode == 0
    assert openssl("dgst", "-sha256", "-r", "release.der", folder=tmp_path).stdout.split()[0].decode() == \
        fingerprint(key.public_pem)
    (tmp_path / "SHA256SUMS").write_bytes(b"sums\n" * 99 + b"sumz\n")
    assert openssl(*shlex.split(command[1]), folder=tmp_path).returncode != 0


@pytest.mark.usefixtures("with_openssl")
def test_openssl_makes_the_keys_of_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs/secure-boot.md").read_text(encoding="utf-8")
    commands = re.findall(r"^openssl ((?:genpkey|req) .*)$", page, re.M)
    assert len(commands) == 2
    for command in commands:
        done = openssl(*shlex.split(command), folder=tmp_path, typed=SECRET + b"\n" + SECRET + b"\n")
        assert done.returncode == 0, done.stderr
    assert load_key(tmp_path / "release.key", lambda _: SECRET).kind == "Ed25519"
    key = load_key(tmp_path / "secureboot.key", lambda _: SECRET)
    assert key.kind == "RSA 2048"
    load_certificate(tmp_path / "secureboot.pem", key)
    convert = re.findall(r"^openssl (x509 .*)$", page, re.M)
    assert convert
    for command in convert:
        assert openssl(*shlex.split(command, comments=True), folder=tmp_path).returncode == 0

"""The EFI program's signature: sbsign makes it, ingot checks it, and the key is seen by nobody else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.test_pe import program
from tests.project import unpacked
from tests.release.keys import DAY, make_certificate, make_key, public, secret
from toolchain.errors import UserError
from toolchain.formats import pe
from toolchain.release.authenticode import PROGRAM_DIGEST, SignatureError, verify_efi
from toolchain.release.secureboot import sign_efi
from toolchain.release.sign import Key, load_key
from toolchain.roots import LIBRARIES
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui


@pytest.fixture(scope="session")
def roots() -> RootFolder:
    """With `cc` in place."""
    unpacked()
    return RootFolder(Store(default_folder()), Ui())


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return load_key(make_key(tmp_path / "key.pem", "RSA 2048"), None)


@pytest.fixture
def cert(tmp_path: Path, key: Key) -> Path:
    return make_certificate(tmp_path / "cert.pem", key)


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    """With bytes behind the last section, and of no even length: as ours are."""
    path = tmp_path / "unsigned.efi"
    path.write_bytes(program() + b"symbols\0of\0ours")
    return path


Sign = Callable[[], bytes]


@pytest.fixture
def signed(tmp_path: Path, roots: RootFolder, unsigned: Path, key: Key, cert: Path) -> bytes:
    """What sbsign of the locked root makes."""
    out = tmp_path / "out" / "signed.efi"
    assert sign_efi(roots, unsigned, out, key, cert) == "CN=test cert.pem"
    assert [path.name for path in out.parent.iterdir()] == ["signed.efi"]  # and nothing else is left
    return out.read_bytes()


def test_the_signature_is_all_that_changes(signed: bytes, unsigned: Path, key: Key) -> None:
    before = unsigned.read_bytes()
    assert pe.unsigned(signed) == pe.unsigned(before) != signed
    assert pe.authenticode(signed) == pe.authenticode(before)
    assert pe.read(signed).signature is not None
    assert verify_efi(signed) == verify_efi(signed, key.public_pem) == "CN=test cert.pem"


def test_two_signatures_differ_and_the_program_does_not(signed: bytes, tmp_path: Path, roots: RootFolder,
                                                        unsigned: Path) -> None:
    other = load_key(make_key(tmp_path / "other.pem", "RSA 3072"), None)
    sign_efi(roots, unsigned, tmp_path / "other.efi", other, make_certificate(tmp_path / "other.crt", other))
    twice = (tmp_path / "other.efi").read_bytes()
    assert twice != signed and pe.unsigned(twice) == pe.unsigned(signed)
    assert verify_efi(twice, other.public_pem) == "CN=test other.crt"
    with pytest.raises(SignatureError, match="another key"):
        verify_efi(signed, other.public_pem)


def test_a_certificate_by_somebody_else(tmp_path: Path, roots: RootFolder, unsigned: Path, key: Key) -> None:
    """Says so: whether that one has issued it, nothing in the program can show."""
    issued = make_certificate(tmp_path / "issued", key, issuer="the authority")
    sign_efi(roots, unsigned, tmp_path / "by.efi", key, issued)
    name = verify_efi((tmp_path / "by.efi").read_bytes(), key.public_pem)
    assert name == "CN=test issued, issued by CN=the authority"


def test_sbverify_thinks_the_same(signed: bytes, tmp_path: Path, roots: RootFolder, cert: Path) -> None:
    root = roots.ensure("cc").path
    loader = [str(root / LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path", str(root / LIBRARIES)]

    def good(data: bytes) -> bool:
        (tmp_path / "checked.efi").write_bytes(data)
        words = [*loader, str(root / "usr/bin/sbverify"), "--cert", str(cert), str(tmp_path / "checked.efi")]
        return subprocess.run(words, capture_output=True, env={"OPENSSL_CONF": "/dev/null"}).returncode == 0

    assert good(signed)
    altered = signed[:700] + bytes([signed[700] ^ 1]) + signed[701:]
    assert not good(altered)
    with pytest.raises(SignatureError, match="the program is not the one that was signed"):
        verify_efi(altered)


def test_no_signature_is_an_error(unsigned: Path) -> None:
    with pytest.raises(SignatureError, match="not signed"):
        verify_efi(unsigned.read_bytes())
    with pytest.raises(SignatureError, match="not a PE"):
        verify_efi(b"not a program")


def test_a_signature_moved_to_another_program(signed: bytes, unsigned: Path) -> None:
    """As it is; with the other's digest in what is signed; and in the attributes that hold the digest of that."""
    where, _ = pe.read(signed).signature or (0, 0)
    table, ours = signed[where:], pe.authenticode(signed)
    other = program(code=b"\x91" * 500) + b"symbols"
    theirs = pe.authenticode(other)
    content = table[table.index(b"\x30", table.index(PROGRAM_DIGEST) + len(PROGRAM_DIGEST) + 2):]
    content = content[2:2 + content[1]]  # what the attributes hold the digest of
    assert ours in content and hashlib.sha256(content).digest() in table
    moved = table.replace(ours, theirs)
    claimed = moved.replace(hashlib.sha256(content).digest(), hashlib.sha256(content.replace(ours, theirs)).digest())
    for made, what in ((table, "not the one that was signed"), (moved, "over another digest"),
                       (claimed, "not by the certificate in it")):
        with pytest.raises(SignatureError, match=what):
            verify_efi(with_table(other, made))


def with_table(data: bytes, table: bytes) -> bytes:
    """The program with a table of certificates."""
    out = bytearray(data + bytes(-len(data) % 8))
    struct.pack_into("<II", out, pe.read(data).security_at, len(out), len(table))
    return bytes(out) + table


def test_a_table_with_more_in_it(signed: bytes) -> None:
    where, _ = pe.read(signed).signature or (0, 0)
    before, table = signed[:where], signed[where:]
    assert verify_efi(with_table(unsigned_of(before), table))
    for more, what in ((table + table, "more than one signature"), (table + bytes(8), "more than one signature"),
                       (table[:4] + b"\x00\x01" + table[6:], "unknown kind"),
                       (table[:6] + b"\x01\x00" + table[8:], "unknown kind"),
                       (struct.pack("<I", len(table) + 8) + table[4:] + b"x" * 8, "bytes follow the signature"),
                       (bytes(1 << 20) + table, "table of signatures has")):
        with pytest.raises(SignatureError, match=what):
            verify_efi(with_table(unsigned_of(before), more))


def unsigned_of(before: bytes) -> bytes:
    """What lies before the table, which it no longer names."""
    out = bytearray(before)
    at = pe.read(program()).security_at
    out[at:at + 8] = bytes(8)
    return bytes(out)


def test_no_altered_byte_goes_unseen(signed: bytes, unsigned: Path, key: Key) -> None:
    """Each byte in turn: it is an error, or one of the few that no signature covers, and the program is the same."""
    unseen: list[int] = []
    for at in range(len(signed)):
        altered = signed[:at] + bytes([signed[at] ^ 0x10]) + signed[at + 1:]
        try:
            name = verify_efi(altered, key.public_pem)
        except SignatureError:
            continue
        unseen.append(at)
        assert pe.unsigned(altered) == pe.unsigned(unsigned.read_bytes()), at
        assert name == "CN=test cert.pem" or "issued by" in name, name
    assert len(unseen) < 60, unseen  # the checksum, version numbers, names of algorithms that are given twice


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400), cut=st.integers(0, 400))
def test_certificates_from_anybody(data: bytes, cut: int) -> None:
    """A table of certificates with anything in it is an error, never another exception."""
    head = (8 + len(data)).to_bytes(4, "little") + b"\x00\x02\x02\x00"
    for table in (data, (head + data)[:cut], head + data):
        padded = table + bytes(-len(table) % 8)
        with pytest.raises(SignatureError):
            verify_efi(program(padded))


def test_damaged_signatures_are_errors(signed: bytes) -> None:
    """Cut or with pieces repeated, as a fuzzer would: never another exception."""
    where, size = pe.read(signed).signature or (0, 0)
    table = signed[where:]
    for at in range(8, size, 7):
        for broken in (table[:at] + table[at + 3:], table[:at] + table[at - 8:], table[:at] + b"\x84\xff\xff\xff\xff"):
            padded = broken + bytes(-len(broken) % 8)
            with pytest.raises(SignatureError):
                verify_efi(program(padded))


# -- what is refused before anything is signed ------------------------------------------------------


def test_what_cannot_be_signed(tmp_path: Path, roots: RootFolder, unsigned: Path, key: Key, cert: Path,
                               signed: bytes) -> None:
    out = tmp_path / "never.efi"

    def refuse(source: Path, key: Key, cert: Path, what: str) -> None:
        with pytest.raises(UserError, match=what) as caught:
            sign_efi(roots, source, out, key, cert)
        assert caught.value.hint and not out.exists()

    again = tmp_path / "again.efi"
    again.write_bytes(signed)
    refuse(again, key, cert, "signed already")
    again.write_bytes(b"no program")
    refuse(again, key, cert, "not a PE program")
    refuse(unsigned, key, make_certificate(tmp_path / "old", key, -2 * DAY, -DAY), "not today")
    other = load_key(make_key(tmp_path / "other", "RSA 2048", number=1), None)
    refuse(unsigned, other, cert, "certificate of another key")
    refuse(unsigned, load_key(make_key(tmp_path / "ec", "ECDSA P-256"), None), cert, "needs an RSA key")
    assert not list(tmp_path.glob(".never*"))


def test_a_weak_key_is_no_good_even_past_the_door(tmp_path: Path, roots: RootFolder, unsigned: Path) -> None:
    weak = Key("RSA 1024", public("RSA 1024"), secret("RSA 1024"))
    with pytest.raises(UserError, match="RSA with 2048 bits or more"):
        sign_efi(roots, unsigned, tmp_path / "weak.efi", weak, make_certificate(tmp_path / "weak.crt", weak))


# -- the tool, played by another ----------------------------------------------------------------------

FAKE = """
import json, os, stat, sys
words = dict(zip(sys.argv[1:-1:2], sys.argv[2:-1:2]))
kind = stat.S_IFMT(os.stat(words["--key"]).st_mode)
text = open(words["--key"]).read()
folder = os.path.dirname(words["--output"])
files = {name: open(os.path.join(folder, name), "rb").read().decode("latin-1") for name in os.listdir(folder)}
json.dump({"argv": sys.argv, "environ": dict(os.environ), "pipe": stat.S_ISFIFO(kind), "key": text, "files": files,
           "mode": stat.S_IMODE(os.stat(folder).st_mode)}, open(os.environ["PATH"].split(":")[1] + "/seen", "w"))
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`fake(script)`: this machine's sbsign is this Python script; its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(script: str) -> Path:
        (folder / "sbsign").write_text(f"#!{sys.executable} -IS\n{script}")
        (folder / "sbsign").chmod(0o755)
        return folder

    return make


def test_the_key_is_handed_over_in_a_pipe(fake: Callable[[str], Path], tmp_path: Path, unsigned: Path, key: Key,
                                          cert: Path) -> None:
    folder = fake(FAKE + "sys.exit('cannot sign')")
    with pytest.raises(UserError, match="sbsign has failed: cannot sign") as caught:
        sign_efi(None, unsigned, tmp_path / "signed.efi", key, cert)
    seen = json.loads((folder / "seen").read_text())
    assert seen["pipe"] and seen["key"].encode() == key.secret_pem()
    lines = [line for line in key.secret_pem().decode().splitlines()[1:-1]]
    for place in (seen["argv"], seen["environ"], seen["files"], str(caught.value), caught.value.hint):
        assert not any(line in json.dumps(place) for line in lines)
    assert seen["mode"] == 0o700 and set(seen["files"]) == {"cert.pem", "unsigned"}
    assert not (tmp_path / "signed.efi").exists() and not list(tmp_path.glob(".signed*"))


@pytest.mark.parametrize(("script", "what"), [
    ("raise SystemExit(3)", "sbsign has failed: status 3"),
    ("pass", "sbsign has failed: status 0"),
    ("import shutil, sys; shutil.copy(sys.argv[-1], sys.argv[6]); print('one'); sys.exit('two')",
     "sbsign has failed: two"),
    ("import shutil, sys; shutil.copy(sys.argv[-1], sys.argv[6])", "it is not signed"),
    ("import sys; open(sys.argv[6], 'wb').write(open(sys.argv[-1], 'rb').read().replace(b'\\x90', b'\\x91'))",
     "it has changed the program"),
    ("import sys; open(sys.argv[6], 'wb').write(b'rubbish')", "not a PE program"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "status -9"),
])
def test_a_tool_that_fails_or_lies(script: str, what: str, fake: Callable[[str], Path], tmp_path: Path,
                                   unsigned: Path, key: Key, cert: Path) -> None:
    fake(script)
    with pytest.raises(UserError, match=what) as caught:
        sign_efi(None, unsigned, tmp_path / "signed.efi", key, cert)
    assert caught.value.hint
    assert not (tmp_path / "signed.efi").exists() and not list(tmp_path.glob(".signed*"))


def test_no_file_descriptor_is_left(fake: Callable[[str], Path], tmp_path: Path, unsigned: Path, key: Key,
                                    cert: Path) -> None:
    folder = fake("raise SystemExit(3)")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(UserError, match="has failed"):
            sign_efi(None, unsigned, tmp_path / "signed.efi", key, cert)
    (folder / "sbsign").write_text("#!/there/is/none")
    for _ in range(3):
        with pytest.raises(UserError, match="cannot be started: No such file"):
            sign_efi(None, unsigned, tmp_path / "signed.efi", key, cert)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_machine_without_sbsign(tmp_path: Path, unsigned: Path, key: Key, cert: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("sbsign", path="/usr/local/sbin:/usr/sbin:/sbin:" + str(Path(sys.executable).parent)):
        pytest.skip("needs a machine whose administrator's folders hold no sbsign")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sbsign is not on this machine"):
        sign_efi(None, unsigned, tmp_path / "signed.efi", key, cert)


def test_a_machine_that_the_root_is_not_for(tmp_path: Path, roots: RootFolder, unsigned: Path, key: Key, cert: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(UserError, match="for Linux on x86-64"):
        sign_efi(roots, unsigned, tmp_path / "signed.efi", key, cert)


def test_a_large_key_goes_through_the_pipe(tmp_path: Path, fake: Callable[[str], Path], unsigned: Path,
                                           cert: Path) -> None:
    """A tool that never reads it does not hold us up, however large it is."""
    fake("raise SystemExit(3)")
    key = load_key(make_key(tmp_path / "large", "RSA 2048"), None)

    class Large(Key):
        def secret_pem(self) -> bytes:
            return super().secret_pem() * 100

    with pytest.raises(UserError, match="status 3"):
        sign_efi(None, unsigned, tmp_path / "s", Large(key.kind, key.public_pem, secret("RSA 2048")), cert)

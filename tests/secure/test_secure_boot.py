"""What a machine with Secure Boot starts, and what it does not: real boots under OVMF."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.release.keys import make_certificate, make_key
from tests.secure.conftest import sign
from tests.secure.machine import NOTHING_LEFT, PROMPT, SecureMachine, secure
from toolchain.formats import pe
from toolchain.release.authenticode import SignatureError, verify_efi
from toolchain.release.secureboot import sign_efi
from toolchain.release.sign import load_key
from toolchain.roots.folder import RootFolder


def one_byte_altered(program: bytes) -> bytes:
    """In the middle of the code."""
    code = next(section for section in pe.read(program).sections if section.name == ".text")
    at = code.offset + code.raw // 2
    return program[:at] + bytes([program[at] ^ 1]) + program[at + 1:]


def refused(folder: Path, disk: Path) -> bool:
    """Whether the firmware says that the program may not start, and does not start it."""
    with SecureMachine(folder, disk) as machine:
        started, printed = machine.boot()
    return not started and b"Access Denied" in printed and b"[boot]" not in printed


def test_the_docs_start_the_same_machine() -> None:
    page = (ROOT / "docs/secure-boot.md").read_text(encoding="utf-8")
    found = re.search(r"^qemu-system-x86_64 (.*?)^```", page, re.M | re.S)
    assert found
    words = shlex.split(found[1].replace("\\\n", " "))
    ours = secure(Path("/usr/share/OVMF"), Path("vars.fd"), Path("tales-VERSION.img"))
    assert [*ours[:2], "-m", "2G", "-nographic", *ours[2:]] == words


@pytest.mark.qemu
def test_a_signed_program_starts_and_answers(tmp_path: Path, signed: Path, image: Callable[..., Path]) -> None:
    with SecureMachine(tmp_path, image(signed)) as machine:
        started, printed = machine.boot()
        assert started, printed
        assert b"Access Denied" not in printed and b" secure_boot=on\r\n" in printed
        machine.ask(b"/max_tokens 20")
        reply = machine.ask(b"Once upon a time")
        assert b"[stats] tokens=20 " in reply, reply
        machine.line.sendall(b"/quit\r")
        assert machine.power_off() == 0


@pytest.mark.qemu
def test_an_unsigned_program_is_refused(tmp_path: Path, program: Path, image: Callable[..., Path]) -> None:
    assert refused(tmp_path, image(program))


@pytest.mark.qemu
def test_an_altered_program_is_refused(tmp_path: Path, signed: Path, image: Callable[..., Path]) -> None:
    altered = tmp_path / "altered.efi"
    altered.write_bytes(one_byte_altered(signed.read_bytes()))
    with pytest.raises(SignatureError, match="not the one that was signed"):
        verify_efi(altered.read_bytes())  # our own check agrees with the firmware's
    assert refused(tmp_path, image(altered))


@pytest.mark.qemu
def test_a_program_signed_by_a_stranger_is_refused(tmp_path: Path, roots: RootFolder, program: Path,
                                                   image: Callable[..., Path]) -> None:
    key = load_key(make_key(tmp_path / "other.key", "RSA 2048"), None)
    sign_efi(roots, program, tmp_path / "other.efi", key, make_certificate(tmp_path / "other.pem", key))
    verify_efi((tmp_path / "other.efi").read_bytes(), key.public_pem)  # a good signature, by one who is not in db
    assert refused(tmp_path, image(tmp_path / "other.efi"))


@pytest.mark.qemu
def test_a_signed_program_refuses_an_altered_model(tmp_path: Path, roots: RootFolder, file_disk: Path,
                                                   tiny_model: bytes, image: Callable[..., Path]) -> None:
    """The firmware checks the program, and the program checks the model file beside it: nothing on the disk is free."""
    altered = tmp_path / "altered.gguf"
    altered.write_bytes(tiny_model[:-1] + bytes([tiny_model[-1] ^ 1]))
    disk = image(sign(roots, file_disk.parent / "BOOTX64.EFI", tmp_path), ("model.gguf", altered))
    with SecureMachine(tmp_path, disk) as machine:
        printed = machine.until(b"a key powers off\r\n", PROMPT, NOTHING_LEFT)
        assert b" secure_boot=on\r\n" in printed
        assert b"error: model.gguf is not the file that this program was built for (sha256 " in printed
        assert b"[model]" not in printed
        machine.line.sendall(b" ")
        assert machine.power_off() == 0

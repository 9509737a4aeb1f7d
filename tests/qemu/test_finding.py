"""Finding QEMU and OVMF on systems that lay them out differently; the disk and its channel."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from toolchain.errors import UserError
from toolchain.qemu import binary, disk, firmware
from toolchain.qemu.channel import Channel

OWN = binary.Qemu(Path("/bin/q"))


def pair(folder: Path, code: str, variables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / code).write_bytes(b"c")
    (folder / variables).write_bytes(b"v")
    return folder


@pytest.mark.parametrize(("code", "variables"), [
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("ovmf-x86_64-4m-code.bin", "ovmf-x86_64-4m-vars.bin"), ("edk2-x86_64-code.fd", "edk2-i386-vars.fd")])
def test_usual_names(tmp_path: Path, code: str, variables: str) -> None:
    folder = pair(tmp_path / "b", code, variables)
    found = firmware.search("q35", [tmp_path / "none"], [tmp_path / "a", folder])
    assert found == firmware.Firmware(folder / code, folder / variables)
    # ovmf= takes the folder and the file
    assert firmware.find(OWN, "q35", folder) == firmware.find(OWN, "q35", folder / code) == found


def describe(folder: Path, name: str, code: Path, variables: Path, *features: str, arch: str = "x86_64",
             machines: tuple[str, ...] = ("pc-q35-*",), format: str = "raw") -> None:
    folder.mkdir(exist_ok=True)
    flash = {"device": "flash", "executable": {"filename": str(code), "format": format},
             "nvram-template": {"filename": str(variables), "format": format}}
    (folder / name).write_text(json.dumps({
        "interface-types": ["uefi"], "mapping": flash, "features": list(features),
        "targets": [{"architecture": arch, "machines": list(machines)}]}))


def test_descriptors(tmp_path: Path) -> None:
    files = pair(tmp_path / "f", "code", "vars")
    code, variables = files / "code", files / "vars"
    folder = tmp_path / "d"
    describe(folder, "10-secure.json", code, variables, "secure-boot", "requires-smm")
    describe(folder, "20-arm.json", code, variables, arch="aarch64")
    describe(folder, "30-gone.json", tmp_path / "gone", variables)
    (folder / "40-broken.json").write_text("{")
    (folder / "45-other.json").write_text('{"mapping": {"device": "memory", "filename": "x"}}')
    with pytest.raises(UserError, match="no UEFI firmware"):
        firmware.search("q35", [folder], [])
    describe(folder, "50-good.json", code, variables, "acpi-s3", format="qcow2")
    assert firmware.search("q35", [folder], []) == firmware.Firmware(code, variables, "qcow2")
    with pytest.raises(UserError):
        firmware.search("pc", [folder], [])
    describe(folder, "60-both.json", code, variables, machines=("pc-i440fx-*", "pc-q35-*"))
    assert firmware.search("pc", [folder], []).format == "raw"


def test_a_code_file_without_variables(tmp_path: Path) -> None:
    (tmp_path / "MY_CODE.fd").write_bytes(b"c")
    with pytest.raises(UserError) as caught:
        firmware.find(OWN, "q35", tmp_path / "MY_CODE.fd")
    assert caught.value.hint == "put MY_VARS.fd into the same folder"
    (tmp_path / "MY_VARS.fd").write_bytes(b"v")
    assert firmware.find(OWN, "q35", tmp_path / "MY_CODE.fd").variables.name == "MY_VARS.fd"


@pytest.mark.parametrize(("platform", "os_release", "word"), [
    ("linux", "ID=debian\n", "apt-get"), ("linux", 'NAME="x"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get"),
    ("linux", "ID=fedora\n", "dnf"), ("linux", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper"),
    ("linux", "ID=arch\n", "pacman"), ("darwin", "", "brew"), ("win32", "", "winget"),
    ("linux", "", "packages of QEMU")])
def test_install_hints(platform: str, os_release: str, word: str) -> None:
    assert word in binary.install_hint(platform, os_release)


def test_version_is_asked_once_for_each_binary(tmp_path: Path) -> None:
    path, cache, calls = tmp_path / "q", tmp_path / "c" / "q.json", tmp_path / "calls"
    path.write_text(f"#!/bin/sh\necho x >> {calls}\necho QEMU emulator version 1.2.3\n")
    path.chmod(0o755)
    program = binary.Qemu(path)
    assert binary.version(program, cache) == binary.version(program, cache) == "1.2.3"
    assert calls.read_text() == "x\n"
    os.utime(path, (5, 5))
    assert binary.version(program, cache) == "1.2.3" and calls.read_text() == "x\nx\n"
    path.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(UserError, match="is not QEMU"):
        binary.version(program, cache)


def test_a_copy_for_each_content(tmp_path: Path) -> None:
    image, said = tmp_path / "i.img", []
    image.write_bytes(b"one")
    with disk.kept_copy(image, tmp_path / "boot", fresh=False, say=said.append) as first:
        first.path.write_bytes(b"one saved")
    image.write_bytes(b"two!")
    with disk.kept_copy(image, tmp_path / "boot", fresh=False, say=said.append) as second:
        assert second.keep and second.path != first.path and second.path.read_bytes() == b"two!"
        with disk.kept_copy(image, tmp_path / "boot", fresh=False, say=said.append) as beside:
            assert beside == disk.Disk(image, False) and len(said) == 1
    image.write_bytes(b"one")
    with disk.kept_copy(image, tmp_path / "boot", fresh=False, say=said.append) as third:
        assert third.path.read_bytes() == b"one saved"


def test_the_channel_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        channel = Channel()
    words = dict(word.split("=") for word in channel.chardev.split(",")[1:])
    assert channel.inherited == [] and words["host"] == "127.0.0.1"
    with socket.create_connection((words["host"], int(words["port"]))) as theirs:
        ours = channel.connected(2.0)
        theirs.sendall(b"life")
        assert ours.recv(10) == b"life"
    channel.close()

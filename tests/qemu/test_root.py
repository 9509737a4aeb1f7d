"""The QEMU of the toolchain root: when it is taken, how it is started, what becomes of the firmware."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.conftest import FAKE, ROOT, Bed, gone, wait_until
from tests.qemu.real import vm_root
from toolchain.errors import UserError
from toolchain.qemu import binary, firmware

LIBRARIES = "usr/lib/x86_64-linux-gnu"
# ./doit boot without the graph: QEMU_ROOT is the folder of the root, or empty where there is none to be had.
BOOT = """
import os, sys
from pathlib import Path
from toolchain import qemu
from toolchain.errors import UserError

def vm():
    Path(os.environ["FAKE_LOG"] + ".asked").touch()
    if not os.environ["QEMU_ROOT"]:
        raise UserError("the root vm cannot be fetched", "check the network")
    return Path(os.environ["QEMU_ROOT"])

image = Path(sys.argv[1])
try:
    options = qemu.parse(dict(word.split("=", 1) for word in sys.argv[2:]), image)
    sys.exit(qemu.boot(options, say=lambda text: print(text, file=sys.stderr), boot_json=image.parent / "boot.json",
                       vm=vm))
except UserError as exc:
    sys.exit(f"error: {exc}")
"""
CHAT = {"tcg": "chat", "kvm": "msr"}


class RootBed(Bed):
    """A Bed whose boots are offered a root; what its loader was started with is in `seen`."""

    root = ""
    more: dict[str, str] = {}

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "QEMU_ROOT": self.root, **self.more}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", BOOT, str(self.image), *words]

    @property
    def asked(self) -> bool:
        return (self.folder / "log.asked").exists()

    @property
    def seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log.loader").read_text().splitlines()]


@pytest.fixture
def rooted(bed: Bed) -> RootBed:
    """A root with a loader that is a fake QEMU; this machine's QEMU is one that must not be started."""
    made = RootBed(bed.folder)
    root = bed.folder / "the root"
    loader = root / LIBRARIES / "ld-linux-x86-64.so.2"
    program = root / "usr/bin/qemu-system-x86_64"
    for file in (loader, program, root / "usr/share/OVMF/OVMF_CODE_4M.fd", root / "usr/share/OVMF/OVMF_VARS_4M.fd"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    note = ("import json, os, sys\n"
            "print(json.dumps({'argv': sys.argv, 'env': dict(os.environ)}), file=open(os.environ['FAKE_LOG'] + "
            "'.loader', 'a'))\n")
    loader.write_text(f"#!{sys.executable} -IS\n{note}{FAKE.read_text()}")
    loader.chmod(0o755)
    made.root = str(root)
    return made


def no_own_firmware(bed: RootBed) -> dict[str, str]:
    return {name: value for name, value in bed.environ.items() if name != "INGOT_OVMF"}


@pytest.mark.parametrize(("how", "needed"), [
    ({}, False), ({"named": True}, True), ({"host": True}, True), ({"display": "gui"}, True),
    ({"arch": "aarch64"}, True), ({"platform": "darwin"}, True), ({"platform": "win32", "arch": "AMD64"}, True),
    ({"platform": "linux2", "arch": "AMD64"}, False)])
def test_which_qemu(how: dict[str, Any], needed: bool) -> None:
    plain: dict[str, Any] = {"display": "serial", "host": False, "named": False, "platform": "linux", "arch": "x86_64"}
    assert binary.own_needed(**{**plain, **how}) == needed


def test_the_root_s_is_started_by_its_own_loader(rooted: RootBed) -> None:
    """Also when it is asked for its version (the memory of failures needs that), and nothing of the host leaks in."""
    rooted.more = {"LD_LIBRARY_PATH": "/host/lib", "LD_PRELOAD": "", "QEMU_MODULE_DIR": "/host/modules"}
    environ = {**no_own_firmware(rooted), "FAKE_QEMU": json.dumps(CHAT)}
    done = subprocess.run(rooted.command("accel=kvm", "prompt=Hello"), env=environ, cwd=ROOT, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.startswith(b"Hello and "), done.stderr
    version, *boots = rooted.seen
    assert [start.split()[0] for start in rooted.starts] == ["kvm", "tcg"] and len(boots) == 2
    root = rooted.root
    start = [f"{root}/{LIBRARIES}/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path", f"{root}/{LIBRARIES}",
             "--argv0", "qemu-system-x86_64", f"{root}/usr/bin/qemu-system-x86_64", "-L", f"{root}/usr/share/qemu",
             "-L", f"{root}/usr/share/seabios"]
    assert version["argv"] == [*start, "--version"]
    for one in boots:
        assert one["argv"][:len(start) + 1] == [*start, "-name"]
        assert f"file={root}/usr/share/OVMF/OVMF_CODE_4M.fd" in " ".join(one["argv"])
    for one in rooted.seen:
        assert one["env"]["QEMU_MODULE_DIR"] == f"{root}/{LIBRARIES}/qemu"
        assert not [name for name in one["env"] if name.startswith("LD_")]
        assert one["env"]["PATH"] == rooted.environ["PATH"]


def test_ovmf_that_is_named_comes_first(rooted: RootBed) -> None:
    code, _, err = rooted.boot(CHAT, "accel=tcg", "prompt=Hello")  # the bed sets INGOT_OVMF
    assert code == 0, err
    assert f"{rooted.folder}/ovmf/OVMF_CODE_4M.fd" in " ".join(rooted.seen[0]["argv"])


@pytest.mark.parametrize(("words", "more", "error"), [
    (["toolchain=host"], {}, ""),
    ([], {"INGOT_QEMU": "qemu-system-x86_64"}, ""),
    (["display=gui"], {"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "error: display=gui: there is no screen"),
    (["display=gui"], {"PATH": "/nowhere"}, "error: no QEMU: qemu-system-x86_64 is not in PATH"),
])
def test_no_root_is_asked_for_where_this_machine_s_is_needed(rooted: RootBed, words: list[str], more: dict[str, str],
                                                             error: str) -> None:
    rooted.more = more
    code, out, err = rooted.boot(CHAT, "accel=tcg", "prompt=Hello", *words)
    assert not rooted.asked and not (rooted.folder / "log.loader").exists()
    assert (code, err[:len(error)]) == (1 if error else 0, error) and out.startswith(b"Hello" if not error else b"")


def test_a_root_that_cannot_be_had(rooted: RootBed) -> None:
    rooted.root = ""
    code, _, err = rooted.boot(CHAT, "accel=tcg", "prompt=Hello")
    assert (code, err) == (1, "error: the root vm cannot be fetched\nhint: check the network\n")
    assert rooted.report["exit"] == 1 and rooted.report["attempts"] == []


def test_the_root_s_firmware_serves_a_machine_that_has_none(rooted: RootBed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_DESCRIPTORS", "_FOLDERS"):
        monkeypatch.setattr(firmware, name, ())
    monkeypatch.delenv("INGOT_OVMF", raising=False)
    own = binary.Qemu(Path("/nowhere/bin/qemu-system-x86_64"))
    found = firmware.find(own, "q35", None, lambda: Path(rooted.root))
    assert found.code == Path(rooted.root, "usr/share/OVMF/OVMF_CODE_4M.fd") and found.variables.is_file()

    def offline() -> Path:
        raise UserError("the root vm cannot be fetched", "check the network")

    with pytest.raises(UserError, match="no UEFI firmware: .*, and .* the root vm cannot be fetched") as caught:
        firmware.find(own, "q35", None, offline)
    assert caught.value.hint == binary.this_install_hint()
    with pytest.raises(UserError, match="no UEFI firmware: OVMF is not installed\n"):
        firmware.find(own, "q35")


@pytest.mark.qemu
def test_the_real_root_boots_and_does_not_outlive_us(bed: Bed) -> None:
    real = RootBed(bed.folder, fake=False)
    real.root = str(vm_root())
    code, _, err = real.boot({}, "accel=tcg", "prompt=x", "timeout=15")
    assert code == 1 and err.startswith("error: the guest hung before the program's prompt") and "BdsDxe" in err
    running = real.start({}, "accel=tcg", "prompt=x", "timeout=15")
    pid = wait_until(lambda: child_of(running.pid), 20)
    running.kill()
    running.communicate()
    wait_until(lambda: gone(pid), 5)


def child_of(parent: int) -> int | None:
    """The process id of a child that the root's loader has become."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    loaders = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().startswith("ld-linux")]
    return loaders[0] if loaders else None

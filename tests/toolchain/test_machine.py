"""What a machine lacks: said by doctor; the tests refuse to begin without what they need. Nothing is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import Project
from toolchain import checkup
from toolchain.packages import NEEDS, install_hint
from toolchain.qemu import firmware
from toolchain.roots.folder import RootFolder
from toolchain.store import Store
from toolchain.ui import Ui

MEND = {"sandbox": "mend sandbox", "docker": "mend docker", "nix": "mend nix"}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """A PATH on which nothing lies but an apt-get that writes down what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "apt-get"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    return {"PATH": str(folder), "COLUMNS": "250"}


def line_of(text: str, what: str) -> str:
    """The doctor's line for `what`."""
    return next(line for line in text.splitlines() if line.split()[1:2] == [what])


@pytest.mark.parametrize(("works", "wanted", "ci", "chosen", "ok", "stops"), [
    ("sandbox docker nix", "auto", False, "sandbox", True, False),
    ("docker nix", "auto", False, "docker", True, False),
    ("sandbox docker", "auto", True, "docker", True, False),
    ("nix", "auto", False, "host", False, False),
    ("", "host", False, "host", True, False),
    ("sandbox", "nix", False, "nix", False, True),
])
def test_what_stages_run_in(works: str, wanted: str, ci: bool, chosen: str, ok: bool, stops: bool) -> None:
    trouble = {name: None if name in works.split() else f"no {name} here" for name in MEND}
    found, lines = checkup.executors(trouble, MEND, wanted, ci)
    assert (found, lines[0].found.ok, lines[0].stops) == (chosen, ok, stops)
    assert lines[0].found.detail.startswith(f"toolchain={wanted}") and chosen in lines[0].found.detail
    assert ("unpinned" in lines[0].found.detail) == (chosen == "host")
    for line, name in zip(lines[1:], MEND, strict=True):
        there = name in works.split()
        assert (line.found.name, line.found.ok, line.stops) == (name, there, False)
        assert there or (line.found.detail, line.found.mend) == (f"no {name} here", f"mend {name}")


@pytest.mark.parametrize(("settings", "container", "mend"), [
    ({"kernel.unprivileged_userns_clone": "0"}, False, "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ({"kernel.apparmor_restrict_unprivileged_userns": "1", "user.max_user_namespaces": "9"}, False,
     "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
    ({"user.max_user_namespaces": "0"}, False, "sudo sysctl -w user.max_user_namespaces=10000"),
    ({"user.max_user_namespaces": "0"}, True, "start the container with --security-opt seccomp=unconfined"),
    ({}, False, "user namespaces"),
])
def test_why_there_is_no_sandbox(settings: dict[str, str], container: bool, mend: str) -> None:
    assert mend in checkup.sandbox_mend(settings, container)


def test_roots_are_looked_at_and_not_fetched(tmp_path: Path) -> None:
    roots = RootFolder(Store(tmp_path), Ui())
    path, line = checkup.root(roots, "vm")
    assert path is None and line.found.ok and "not fetched yet" in line.found.detail
    place = tmp_path / "roots" / roots.lock("vm").tree / "root"
    place.mkdir(parents=True)
    path, line = checkup.root(roots, "vm")
    assert path == place and line.found.detail.endswith(": fetched") and not line.stops
    path, line = checkup.root(RootFolder(Store(tmp_path), Ui(), tmp_path), "cc")
    assert path is None and line.stops and "has no lock" in line.found.detail and line.found.mend


def test_this_machine_s_tools() -> None:
    """The tests want all of them; a build none, but for one on the host."""
    for chosen in ("sandbox", "host"):
        lines = checkup.tools(lambda need: need.what == "ld", chosen)
        assert [line.found.ok for line in lines] == [need.what == "ld" for need in NEEDS]
        assert [line.stops for line in lines] == [chosen == "host" and need.what not in ("ld", "fsck.fat")
                                                  for need in NEEDS]
        assert lines[0].found.mend.endswith("apt-get install --no-install-recommends gcc")


def test_this_machine_s_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("INGOT_QEMU", "INGOT_OVMF"):
        monkeypatch.delenv(name, raising=False)
    for name in ("_DESCRIPTORS", "_FOLDERS"):
        monkeypatch.setattr(firmware, name, ())
    qemu, lines = checkup.own_qemu()
    assert qemu is None and lines[0].stops and "no QEMU" in lines[0].found.detail and lines[0].found.mend
    program = tmp_path / "qemu-system-x86_64"
    program.write_text("")
    program.chmod(0o755)
    qemu, lines = checkup.own_qemu()
    assert qemu is not None and qemu.path == program
    assert not any(line.stops for line in lines) and "the toolchain's" in lines[1].found.detail


def test_packages_are_named_once() -> None:
    assert install_hint(NEEDS).endswith(" gcc libc6-dev binutils gnu-efi mtools gdisk dosfstools")


def test_doctor_lists_everything_with_its_mend(project: Project, bare: dict[str, str], tmp_path: Path) -> None:
    done = project.doit("doctor", "toolchain=host", env=bare, status=1)
    for what, mend in (("gcc", "apt-get install --no-install-recommends gcc"), ("qemu", "install"),
                       ("nix", "install Nix"), ("mformat", "mtools")):
        line = line_of(done.stdout, what)
        assert line.startswith("no") and mend in line, line
    assert "something is missing" in done.stdout
    assert "kvm" in done.stdout.lower() and "Traceback" not in done.stderr
    assert not (tmp_path / "asked").exists()


def test_doctor_on_this_machine(project: Project) -> None:
    shown = project.doit("doctor").stdout
    assert "this machine can build and boot" in shown
    assert line_of(shown, "cc").startswith("ok") and line_of(shown, "vm").startswith("ok")
    assert not (project.cache / "ingot/cas").exists()  # looked, not fetched


def test_the_tests_refuse_to_begin(project: Project, bare: dict[str, str], tmp_path: Path) -> None:
    done = project.doit("test", env=bare, status=1)
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: the tests need gcc, ld, objcopy, mformat, ") and "this machine lacks" in error
    assert hint.startswith("hint: on Debian and Ubuntu: sudo apt-get install") and "gcc binutils mtools" in hint
    assert not (tmp_path / "asked").exists()


def test_a_build_on_the_host_installs_nothing(project: Project, bare: dict[str, str], tmp_path: Path) -> None:
    done = project.doit("compile:engine/text", "image=smoke", "toolchain=host", env=bare, status=1)
    assert "error: gcc is not on this machine\nhint: ./doit doctor" in done.stderr
    assert not (tmp_path / "asked").exists()

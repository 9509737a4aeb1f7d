"""What a machine lacks: said by doctor, installed where the user is root on Debian, else refused with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import Project
from toolchain import apt, packages
from toolchain.errors import UserError
from toolchain.packages import Need
from toolchain.ui import Ui


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """A PATH on which nothing lies but an apt-get that writes down what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "apt-get"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    return {"PATH": str(folder)}


def test_doctor_lists_everything_with_its_mend(project: Project, bare: dict[str, str]) -> None:
    done = project.doit("doctor", env={**bare, "COLUMNS": "200"}, status=1)
    for what, package in (("gcc", "gcc"), ("mformat", "mtools"), ("qemu-system-x86_64", "qemu-system-x86")):
        line = next(line for line in done.stdout.splitlines() if line.split()[1:2] == [what])
        assert line.startswith("no") and f"apt-get install {package}" in line
    assert "kvm" in done.stdout.lower() and "Traceback" not in done.stderr


def test_doctor_on_this_machine(project: Project) -> None:
    assert "this machine can build and boot" in project.doit("doctor").stdout


def test_build_as_root_on_debian_installs_and_says_so(project: Project, bare: dict[str, str], tmp_path: Path) -> None:
    if not apt._may_install():
        pytest.skip("needs root on Debian or Ubuntu")
    done = project.doit("compile:engine/text", "image=smoke", env=bare, status=1)
    assert "this machine lacks gcc" in done.stderr and "running apt-get install" in done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "update -qq"
    assert asked[1].startswith("install -qq -y --no-install-recommends") and " gcc " in f"{asked[1]} "
    # this apt-get installed nothing, so the stage says what it misses
    assert "error: gcc is not on this machine\nhint: ./doit doctor" in done.stderr


def test_build_as_somebody_else_gets_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "_may_install", lambda: False)
    monkeypatch.setattr(packages, "NEEDS", (
        Need("no-such-compiler", "gcc", "", "build"), Need("no-such-emulator", "qemu-system-x86", "", "boot")))
    with pytest.raises(UserError, match="lacks no-such-compiler") as caught:
        apt.install_missing(Ui(), ("build",))
    assert caught.value.hint == "on Debian and Ubuntu: sudo apt-get install --no-install-recommends gcc"


def test_plan_never_installs(project: Project, bare: dict[str, str], tmp_path: Path) -> None:
    project.doit("plan", "image=smoke", env=bare)
    project.doit("list", "-s", "image=smoke", env=bare)
    assert not (tmp_path / "asked").exists()


def test_side_by_side_waits_until_the_machine_is_ready(project: Project, bare: dict[str, str]) -> None:
    """-n 2: the second stage must not begin while the first still installs the compiler."""
    if not apt._may_install():
        pytest.skip("needs root on Debian or Ubuntu")
    done = project.doit("-n", "2", "compile:engine/text", "compile:engine/utf8", "image=smoke", env=bare, status=1)
    assert done.stderr.count("running apt-get install") == 1

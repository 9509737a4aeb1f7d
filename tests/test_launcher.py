"""./doit as a shell script: what it says where Python is lacking, and when it makes .venv. Runs on Linux and macOS."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs sh: Windows has doit.cmd (tests/qemu/test_windows.py)")

# A Python that makes a venv with itself in it, and writes down what it is asked.
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> "$LOG"
case "$*" in
    --version) echo "Python 3.$MINOR.0" ;;
    "-c import sys; sys.exit(sys.version_info < (3, 10))") [ "$MINOR" -ge 10 ] ;;
    "-m venv .venv") [ -z "$NO_VENV" ] && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip "*) [ -z "$NO_PIP" ] ;;
    "-m toolchain"*) shift 2; printf 'called from %s in %s:' "$INGOT_CALLED_FROM" "$PWD"; printf ' <%s>' "$@"; echo ;;
esac
"""


@dataclass
class Checkout:
    """`doit` and requirements.txt in a folder with a blank in its name; PATH leads to the fake Python and to sh."""

    folder: Path

    def run(self, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.folder.parent / "bin"), "/usr/bin", "/bin"])
        return subprocess.run([self.folder / "doit", *words], cwd=cwd or self.folder, text=True, capture_output=True,
                              timeout=30, check=False,
                              env={"PATH": path, "LOG": str(self.folder.parent / "log"), "MINOR": "11", **env})

    def asked(self) -> list[str]:
        """What the fake Python was asked so far."""
        return (self.folder.parent / "log").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path.resolve() / "check out"
    folder.mkdir()
    shutil.copy2(ROOT / "doit", folder)
    (folder / "requirements.txt").write_text("doit==0.37.0\n")
    python = tmp_path / "bin/python3"
    python.parent.mkdir()
    python.write_text(FAKE)
    python.chmod(0o755)
    return Checkout(folder)


def test_the_first_run_makes_a_venv_and_the_second_does_not(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path.resolve() / "else where"
    elsewhere.mkdir()
    done = checkout.run("boot", "prompt=Once upon a time", "", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"called from {elsewhere} in {checkout.folder}: <boot> <prompt=Once upon a time> <>\n"
    assert done.stderr == "making .venv, once\n"
    assert any(line.startswith("-m pip") and "--require-hashes" in line for line in checkout.asked())
    before = len(checkout.asked())
    assert checkout.run("list").stderr == ""
    assert checkout.asked()[before:] == ["-m toolchain list"]


def test_other_requirements_make_it_anew(checkout: Checkout) -> None:
    checkout.run()
    (checkout.folder / "requirements.txt").write_text("doit==0.38.0\n")
    assert "making .venv" in checkout.run().stderr
    assert checkout.run().stderr == ""


@pytest.mark.parametrize(("env", "says"), [
    ({"PYTHON": "python9"}, "error: no python9 on this machine\nhint: install Python 3.10 or newer, with venv\n"),
    ({"MINOR": "9"}, "error: Python 3.9.0 is too old\nhint: install Python 3.10 or newer, or name one: "),
    ({"NO_VENV": "1"}, "error: python3 cannot make a virtual environment\nhint: on Debian and Ubuntu: apt install"),
    ({"NO_PIP": "1"}, "error: the packages of requirements.txt could not be installed\nhint: the lines above say why"),
])
def test_what_is_lacking_is_said_and_tried_again(checkout: Checkout, env: dict[str, str], says: str) -> None:
    done = checkout.run("list", **env)
    assert done.returncode == 1 and says in done.stderr and done.stdout == ""
    assert "making .venv" in checkout.run("list").stderr, "what was made in vain is not taken for whole"

"""Packages that only some commands need (releases, tests, plots), installed on first use."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from toolchain.errors import UserError
from toolchain.ui import Ui

DEV = Path("requirements-dev.txt")  # holds those of releases too
RELEASE = Path("requirements-release.txt")


def ensure(module: str, ui: Ui, requirements: Path = DEV) -> None:
    """Makes `module` importable, from a hash-locked list of packages where it is not."""
    marker = Path(sys.prefix) / requirements
    wanted = requirements.read_bytes()
    if importlib.util.find_spec(module) is not None and (not marker.exists() or marker.read_bytes() == wanted):
        return
    ui.say(f"installing {requirements} into .venv, once")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    lock = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)]
    if subprocess.run([*pip, *lock], check=False).returncode != 0:
        raise UserError(f"the packages of {requirements} could not be installed", "the lines above say why")
    marker.write_bytes(wanted)
    importlib.invalidate_caches()

"""Packages that only some commands need (tests, plots), installed on first use."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from toolchain.errors import UserError
from toolchain.ui import Ui

REQUIREMENTS = Path("requirements-dev.txt")


def ensure(module: str, ui: Ui) -> None:
    """Makes `module` importable, from the hash-locked requirements-dev.txt where it is not."""
    marker = Path(sys.prefix) / REQUIREMENTS
    wanted = REQUIREMENTS.read_bytes()
    if importlib.util.find_spec(module) is not None and (not marker.exists() or marker.read_bytes() == wanted):
        return
    ui.say(f"installing {REQUIREMENTS} into .venv, once")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    lock = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)]
    if subprocess.run([*pip, *lock], check=False).returncode != 0:
        raise UserError(f"the packages of {REQUIREMENTS} could not be installed", "the lines above say why")
    marker.write_bytes(wanted)
    importlib.invalidate_caches()

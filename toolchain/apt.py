"""The convenience of this version: where the user is root on Debian or Ubuntu, missing packages are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from toolchain.errors import UserError
from toolchain.packages import missing
from toolchain.ui import Ui


def install_missing(ui: Ui, when: tuple[str, ...] = ("build",)) -> None:
    """Installs what this machine lacks, saying so. Raises UserError where it may not and `when` needs it."""
    lacking = missing()
    if not any(need.when in when for need in lacking):
        return
    if not _may_install():
        lacking = [need for need in lacking if need.when in when]
    packages = list(dict.fromkeys(need.package for need in lacking))
    command = "apt-get install --no-install-recommends " + " ".join(packages)
    if not _may_install():
        raise UserError(f"this machine lacks {', '.join(need.what for need in lacking)}",
                        f"on Debian and Ubuntu: sudo {command}")
    ui.say(f"this machine lacks {', '.join(need.what for need in lacking)}: running {command}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-qq"],
                 ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise UserError(f"{' '.join(argv[:2])} failed: {' '.join(tail)}", f"run it yourself: sudo {command}")


def _may_install() -> bool:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return root and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None

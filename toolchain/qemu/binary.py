"""Where qemu-system-x86_64 is, and which version."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import read_json, write_json

PROGRAM = "qemu-system-x86_64"

# How each platform installs QEMU and the firmware; the first word that /etc/os-release has wins.
INSTALL = {
    "debian": "sudo apt-get install qemu-system-x86 ovmf",
    "ubuntu": "sudo apt-get install qemu-system-x86 ovmf",
    "fedora": "sudo dnf install qemu-system-x86 edk2-ovmf",
    "rhel": "sudo dnf install qemu-kvm edk2-ovmf",
    "arch": "sudo pacman -S qemu-system-x86 edk2-ovmf",
    "suse": "sudo zypper install qemu-x86 qemu-ovmf-x86_64",
    "opensuse": "sudo zypper install qemu-x86 qemu-ovmf-x86_64",
    "alpine": "sudo apk add qemu-system-x86_64 ovmf",
    "darwin": "brew install qemu",
    "win32": "winget install SoftwareFreedomConservancy.QEMU",
}


def install_hint(platform: str, os_release: str) -> str:
    """The command that installs QEMU here. `os_release` is the text of /etc/os-release, or empty."""
    if platform in INSTALL:
        return INSTALL[platform]
    found = re.search(r'^ID="?([^"\n]*)', os_release, re.M)
    like = re.search(r'^ID_LIKE="?([^"\n]*)', os_release, re.M)
    for word in f"{found[1] if found else ''} {like[1] if like else ''}".split():
        if word in INSTALL:
            return INSTALL[word]
    return "install the packages of QEMU for x86_64 and of OVMF (edk2)"


def this_install_hint() -> str:
    """`install_hint` for this machine."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return install_hint(sys.platform, text)


def find() -> Path:
    """INGOT_QEMU, else PATH, else where the Windows installer puts it. Raises UserError."""
    named = os.environ.get("INGOT_QEMU")
    if named:
        found = shutil.which(named)
        if not found:
            raise UserError(f"INGOT_QEMU={named} is not a program", f"point it at {PROGRAM}, or unset it")
        return Path(found)
    folders: list[str | None] = [None]
    if sys.platform == "win32":
        roots = (os.environ.get("PROGRAMFILES"), os.environ.get("PROGRAMW6432"))
        folders += [str(Path(root, "qemu")) for root in roots if root]
    for folder in folders:
        found = shutil.which(PROGRAM, path=folder)
        if found:
            return Path(found)
    raise UserError(f"no QEMU: {PROGRAM} is not in PATH", this_install_hint())


def version(binary: Path, cache: Path) -> str:
    """As in '7.2.22 (Debian …)'. Asked once for each binary: `cache` remembers by size and mtime."""
    real = binary.resolve()
    stat = real.stat()
    mark = [str(real), stat.st_size, stat.st_mtime_ns]
    known = read_json(cache)
    if isinstance(known, dict) and known.get("mark") == mark and isinstance(known.get("version"), str):
        return str(known["version"])
    try:
        shown = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=20, check=False,
                               stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UserError(f"{binary} does not run: {exc}", this_install_hint()) from None
    found = re.search(r"version (.+)", shown.stdout)
    if not found:
        raise UserError(f"{binary} is not QEMU: --version says {shown.stdout[:60]!r}", this_install_hint())
    with contextlib.suppress(OSError):  # asked again next time
        write_json(cache, {"mark": mark, "version": found[1].strip()})
    return found[1].strip()

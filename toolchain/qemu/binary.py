"""Which qemu-system-x86_64 is started and how: the toolchain's own, or this machine's. And which version it is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.files import read_json, write_json
from toolchain.roots import LIBRARIES, run_on

PROGRAM = "qemu-system-x86_64"


@dataclass(frozen=True)
class Qemu:
    """A QEMU that can be started."""

    path: Path
    loader: tuple[str, ...] = ()  # what starts it, where that is not the kernel
    data: tuple[Path, ...] = ()  # where it finds its own files, where it does not know
    modules: Path | None = None
    firmware: Path | None = None  # a folder with the OVMF that belongs to it; None: this machine's

    def argv(self, *words: str) -> list[str]:
        """The command line that starts it with these words."""
        folders = [word for folder in self.data for word in ("-L", str(folder))]
        return [*self.loader, str(self.path), *folders, *words]

    def environ(self, present: Mapping[str, str]) -> dict[str, str]:
        """Its environment, made of that of this process; no library of this machine is forced on a root's program."""
        if self.modules is None:
            return dict(present)
        kept = {name: value for name, value in present.items() if not name.startswith("LD_")}
        return {**kept, "QEMU_MODULE_DIR": str(self.modules)}


def of_root(root: Path) -> Qemu:
    """The QEMU of a toolchain root, started by the root's own loader: this machine may have another C library."""
    libraries = root / LIBRARIES
    loader = (str(libraries / "ld-linux-x86-64.so.2"), "--inhibit-cache", "--library-path", str(libraries), "--argv0",
              PROGRAM)
    share = root / "usr/share"
    return Qemu(root / "usr/bin" / PROGRAM, loader, (share / "qemu", share / "seabios"), libraries / "qemu",
                share / "OVMF")


def own_needed(*, display: str, host: bool, named: bool, platform: str, arch: str) -> bool:
    """Whether it must be this machine's QEMU: INGOT_QEMU names one, toolchain=host asks for it, a window is wanted
    (the root's has none), or the root's programs do not run here. Pure."""
    return named or host or display == "gui" or not run_on(platform, arch)


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


def root_needed(display: str, host: bool) -> bool:
    """Whether a boot on this machine takes the root's QEMU."""
    import platform

    named = bool(os.environ.get("INGOT_QEMU"))
    return not own_needed(display=display, host=host, named=named, platform=sys.platform, arch=platform.machine())


def choose(display: str, host: bool, vm: Callable[[], Path] | None) -> Qemu:
    """The root's, from `vm`; this machine's where that is needed, or there is no `vm`. Raises UserError."""
    return of_root(vm()) if vm is not None and root_needed(display, host) else find()


def find() -> Qemu:
    """This machine's: INGOT_QEMU, else PATH, else where the Windows installer puts it. Raises UserError."""
    named = os.environ.get("INGOT_QEMU")
    if named:
        found = shutil.which(named)
        if not found:
            raise UserError(f"INGOT_QEMU={named} is not a program", f"point it at {PROGRAM}, or unset it")
        return Qemu(Path(found))
    folders: list[str | None] = [None]
    if sys.platform == "win32":
        roots = (os.environ.get("PROGRAMFILES"), os.environ.get("PROGRAMW6432"))
        folders += [str(Path(root, "qemu")) for root in roots if root]
    for folder in folders:
        found = shutil.which(PROGRAM, path=folder)
        if found:
            return Qemu(Path(found))
    raise UserError(f"no QEMU: {PROGRAM} is not in PATH", this_install_hint())


def version(qemu: Qemu, cache: Path) -> str:
    """As in '7.2.22 (Debian …)'. Asked once for each program: `cache` remembers by path, size and mtime."""
    real = qemu.path.resolve()
    stat = real.stat()
    mark = [str(real), stat.st_size, stat.st_mtime_ns]
    known = read_json(cache)
    if isinstance(known, dict) and known.get("mark") == mark and isinstance(known.get("version"), str):
        return str(known["version"])
    try:
        shown = subprocess.run(qemu.argv("--version"), env=qemu.environ(os.environ), capture_output=True, text=True,
                               timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UserError(f"{qemu.path} does not run: {exc}", this_install_hint()) from None
    found = re.search(r"version (.+)", shown.stdout)
    if not found:
        raise UserError(f"{qemu.path} is not QEMU: --version says {shown.stdout[:60]!r}", this_install_hint())
    with contextlib.suppress(OSError):  # asked again next time
        write_json(cache, {"mark": mark, "version": found[1].strip()})
    return found[1].strip()

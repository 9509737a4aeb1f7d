"""What the tests, and builds with toolchain=host, use of the machine itself, and the Debian packages that have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toolchain.executors.host import find


@dataclass(frozen=True)
class Need:
    """A program (or a file, when it starts with /) and where it comes from."""

    what: str
    package: str
    use: str
    build: bool = True  # toolchain=host needs it too


NEEDS = (
    Need("gcc", "gcc", "compiles the engine"),
    Need("/usr/include/stdio.h", "libc6-dev", "builds the host programs"),
    Need("ld", "binutils", "links the EFI program"),
    Need("objcopy", "binutils", "makes a PE file of it"),
    Need("/usr/lib/crt0-efi-x86_64.o", "gnu-efi", "starts the EFI program"),
    Need("mformat", "mtools", "writes the FAT file system"),
    Need("sgdisk", "gdisk", "writes the partition table"),
    Need("fsck.fat", "dosfstools", "checks the file system", build=False),
)


def present(need: Need) -> bool:
    """Whether this machine has it."""
    return Path(need.what).exists() if need.what.startswith("/") else find(need.what) is not None


def missing() -> list[Need]:
    """What this machine lacks, in the order of NEEDS."""
    return [need for need in NEEDS if not present(need)]


def install_hint(needs: Iterable[Need]) -> str:
    """The command that brings them."""
    packages = dict.fromkeys(need.package for need in needs)
    return "on Debian and Ubuntu: sudo apt-get install --no-install-recommends " + " ".join(packages)

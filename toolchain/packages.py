"""What a build needs of the machine, and the Debian packages that have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors.host import find
from toolchain.qemu import binary, firmware


@dataclass(frozen=True)
class Need:
    """A program (or a file, when it starts with /) and where it comes from."""

    what: str
    package: str
    use: str
    when: str = "build"  # or "boot", "test"


NEEDS = (
    Need("gcc", "gcc", "compiles the engine"),
    Need("/usr/include/stdio.h", "libc6-dev", "builds the host programs"),
    Need("ld", "binutils", "links the EFI program"),
    Need("objcopy", "binutils", "makes a PE file of it"),
    Need("/usr/lib/crt0-efi-x86_64.o", "gnu-efi", "starts the EFI program"),
    Need("mformat", "mtools", "writes the FAT file system"),
    Need("sgdisk", "gdisk", "writes the partition table"),
    Need("fsck.fat", "dosfstools", "checks the file system in the tests", "test"),
    Need("qemu-system-x86_64", "qemu-system-x86", "boots the image", "boot"),
    Need("OVMF", "ovmf", "is the UEFI firmware that boots in QEMU", "boot"),
)


def present(need: Need) -> bool:
    """Whether this machine has it."""
    if need.what == "qemu-system-x86_64":
        return _found(lambda: binary.find())
    if need.what == "OVMF":
        return _found(lambda: firmware.find(binary.find(), "q35"))
    return Path(need.what).exists() if need.what.startswith("/") else find(need.what) is not None


def _found(look: Callable[[], object]) -> bool:
    try:
        look()
    except UserError:
        return False
    return True


def missing() -> list[Need]:
    """What this machine lacks, in the order of NEEDS."""
    return [need for need in NEEDS if not present(need)]

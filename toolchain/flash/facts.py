"""What is known of a disk: read once, frozen, and all that the rules decide by."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512  # of our images: the partition table counts in it


def block_number(path: Path) -> str:
    """major:minor of the block device at a path; empty: there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if stat.S_ISBLK(status.st_mode) else ""


@dataclass(frozen=True)
class Places:
    """Where the kernel shows its devices; tests have made-up ones."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    number: Callable[[Path], str] = block_number


@dataclass(frozen=True)
class Use:
    """Something that needs the disk as it is."""

    name: str  # the device that is used: the disk, a partition of it, or what is built on these (dm-0)
    how: str  # "is mounted at /media/me"
    system: str = ""  # what of the running system that is: "/", "/boot", "this checkout"


@dataclass(frozen=True)
class Part:
    """A partition that the kernel knows."""

    name: str
    number: str
    size: int
    holds: str = ""  # 'FAT32 "INGOT"'; empty: nothing known


@dataclass(frozen=True)
class Disk:
    """A whole disk."""

    name: str  # as the kernel has it: sdb
    number: str  # major:minor
    kind: str  # "disk"; else what it is instead: "a loop device", "an optical drive"
    transport: str  # "usb", "sd", "emmc", "sata", "nvme", "virtio"; empty: not known
    removable: bool  # what the disk says of itself
    size: int
    sector: int
    read_only: bool
    model: str
    serial: str
    sequence: str  # another one for each disk that was ever plugged in
    parts: tuple[Part, ...] = ()
    uses: tuple[Use, ...] = ()
    holds: str = ""  # what is on it without a partition
    members: tuple[str, ...] = ()  # "sdb1 is an LVM physical volume"
    unread: str = ""  # why its bytes could not be looked at

    @property
    def path(self) -> str:
        """As it is given on the command line."""
        return f"/dev/{self.name}"


@dataclass(frozen=True)
class Facts:
    """All disks of this machine."""

    disks: tuple[Disk, ...]
    trouble: tuple[str, ...] = field(default=())  # what could not be found out, and might concern any disk

    def disk(self, number: str) -> Disk | None:
        """The whole disk with that number."""
        return next((disk for disk in self.disks if disk.number == number), None)

    def of_part(self, number: str) -> tuple[Disk, Part] | None:
        """The partition with that number, and its disk."""
        return next(((disk, part) for disk in self.disks for part in disk.parts if part.number == number), None)

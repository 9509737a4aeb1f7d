"""Which disk may be written. Pure; the order is that of what a user most needs to be told."""

from __future__ import annotations

from toolchain.errors import UserError
from toolchain.flash.facts import SECTOR, Disk, Facts, Use
from toolchain.ui import size_text

# SD cards end at 2 TiB, and hardly a stick is larger. What is, is somebody's backup: a slip of the finger there costs
# more than this command can be worth, so it refuses instead of asking twice.
LARGEST = 1 << 41
_REMOVABLE = ("usb", "sd")


def by_nature(disk: Disk) -> UserError | None:
    """Whether it is a disk that can be pulled out at all."""
    if disk.kind != "disk":
        return UserError(f"{disk.path} is {disk.kind}, not a removable disk", "./doit flash lists those")
    if disk.transport == "emmc":
        return UserError(f"{disk.path} is memory that is soldered in (eMMC), not a removable disk",
                         "./doit flash lists those")
    if not (disk.removable or disk.transport in _REMOVABLE):
        by = f" ({disk.transport})" if disk.transport else ""
        return UserError(f"{disk.path} is built into this machine{by}, not a removable disk",
                         "./doit flash lists those")
    return None


def refusal(disk: Disk, facts: Facts, image: int = 0) -> UserError | None:
    """Why an image of so many bytes is not written to this disk; None: it may be."""
    return (_system(disk) or by_nature(disk) or _in_use(disk, facts) or _medium(disk, image) or _content(disk))


def _system(disk: Disk) -> UserError | None:
    parts = sorted({use.system for use in disk.uses if use.system})
    if parts:
        return UserError(f"{disk.path} is the disk of this running system: it holds {' and '.join(parts)}",
                         "it is never written; ./doit flash lists the disks that may be")
    return None


def _in_use(disk: Disk, facts: Facts) -> UserError | None:
    if disk.uses:
        return UserError(f"{disk.path} is in use: " + ", ".join(f"{use.name} {use.how}" for use in disk.uses[:4]),
                         _release(disk.uses[0]))
    if facts.trouble:
        return UserError(f"it is not certain that {disk.path} is unused: {facts.trouble[0]}",
                         "run this as root: sudo ./doit flash ...")
    return None


def _release(use: Use) -> str:
    if "mounted" in use.how:
        return f"if nothing there is needed: sudo umount /dev/{use.name}, then run this again"
    if "swap" in use.how:
        return f"sudo swapoff /dev/{use.name}, if that is meant; then run this again"
    return "end what uses it, then run this again"


def _medium(disk: Disk, image: int) -> UserError | None:
    if disk.size <= 0:
        return UserError(f"{disk.path} holds no medium", "put the card into the reader")
    if disk.read_only:
        return UserError(f"{disk.path} is read-only", "look for a switch on the stick or card")
    if disk.sector != SECTOR:
        return UserError(f"{disk.path} has sectors of {disk.sector} bytes; the image's partition table counts in "
                         f"{SECTOR}", "take another stick")
    if disk.size < image:
        return UserError(f"{disk.path} is too small: {size_text(disk.size)}, the image has {size_text(image)}",
                         "take a larger stick")
    if disk.size > LARGEST:
        return UserError(f"{disk.path} has {size_text(disk.size)}: that is no stick, but somebody's disk",
                         "take a stick or card of up to 2 TB; this command writes to nothing larger")
    return None


def _content(disk: Disk) -> UserError | None:
    if disk.unread:
        return UserError(f"{disk.path} cannot be looked at: {disk.unread}", _looked_at(disk.unread))
    if disk.members:
        return UserError(f"{disk.path} belongs to a larger storage: {', '.join(disk.members[:4])}",
                         f"if nothing of that is needed: sudo wipefs --all {' '.join(_devices(disk))}, "
                         "then run this again")
    return None


def _looked_at(unread: str) -> str:
    if "ermission" in unread or "ermitted" in unread:
        return "run this as root: sudo ./doit flash ..."
    if "partition table" in unread:
        return "pull it out and plug it in again"
    return "take another stick: what cannot be read cannot be checked either"


def _devices(disk: Disk) -> list[str]:
    return list(dict.fromkeys("/dev/" + member.split(" ", 1)[0] for member in disk.members))


def cautions(disk: Disk) -> list[str]:
    """What is said before the name is asked for."""
    if not disk.removable:
        return [f"{disk.path} does not call itself removable: it may be an external hard disk"]
    return []

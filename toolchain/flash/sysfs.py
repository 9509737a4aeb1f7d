"""The disks of this machine, as the kernel shows them in sysfs."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from toolchain.flash.facts import SECTOR, Disk, Facts, Part, Places
from toolchain.flash.rules import by_nature
from toolchain.flash.signatures import Found, clean, probe
from toolchain.flash.uses import Known, Node, know, under_dev

_VIRTUAL = {"loop": "a loop device", "zram": "compressed memory (zram)", "ram": "a RAM disk",
            "dm-": "a device-mapper device", "md": "a RAID (md)", "nbd": "a network device (nbd)"}


def look(places: Places, checkout: Path) -> Facts:
    """All disks. Only those that might be written to are read from."""
    nodes = block_devices(places.sys)
    known = know(places, nodes, checkout.resolve())
    disks = [_disk(node, known, places) for node in nodes.values() if node.name == node.whole]
    return Facts(tuple(disks), known.trouble)


def find(text: str, places: Places) -> str | None:
    """The number (major:minor) of the device at a path under /dev. Nothing is guessed from its name."""
    path = under_dev(os.path.abspath(text), places)
    number = places.number(path) if path else ""
    return number if any(node.number == number for node in block_devices(places.sys).values()) else None


def block_devices(sys: Path) -> dict[str, Node]:
    """Every block device by its name, partitions after their disk."""
    found: dict[str, Node] = {}
    try:
        names = sorted(os.listdir(sys / "block"))
    except OSError:
        return {}
    for name in names:
        folder = (sys / "block" / name).resolve()
        found[name] = Node(name, _text(folder / "dev"), folder, name, _text(folder / "dm/name"))
        for part in sorted(folder.glob("*/partition"), key=lambda path: (len(path.parent.name), path.parent.name)):
            found[part.parent.name] = Node(part.parent.name, _text(part.parent / "dev"), part.parent, name)
    return found


def _disk(node: Node, known: Known, places: Places) -> Disk:
    folder = node.folder
    transport = _transport(folder)
    parts = [Part(part.name, part.number, _number(part.folder / "size") * SECTOR)
             for part in known.nodes.values() if part.whole == node.name and part.name != node.name]
    disk = Disk(
        name=node.name, number=node.number, kind=_kind(folder, node.name), transport=transport,
        removable=_text(folder / "removable") == "1", size=_number(folder / "size") * SECTOR,
        sector=_number(folder / "queue/logical_block_size"), read_only=_text(folder / "ro") != "0",
        model=_model(folder), serial=_serial(folder), sequence=_text(folder / "diskseq"),
        parts=tuple(parts), uses=known.of(node.name))
    return with_content(disk, places) if disk.size > 0 and by_nature(disk) is None else disk


def with_content(disk: Disk, places: Places) -> Disk:
    """What the bytes say, of the disk and each partition."""
    try:
        whole = _probe(places.dev / disk.name, disk.size)
        inner = {part.name: _probe(places.dev / part.name, part.size) for part in disk.parts}
    except OSError as exc:
        return replace(disk, unread=exc.strerror or str(exc))
    if whole.table and not inner:
        return replace(disk, unread="the kernel has not read its partition table")
    members = [f"{name} {word}" for name, found in {disk.name: whole, **inner}.items() for word in found.members]
    parts = tuple(replace(part, holds=inner[part.name].holds) for part in disk.parts)
    return replace(disk, parts=parts, holds="" if parts else whole.holds, members=tuple(members))


def _probe(path: Path, size: int) -> Found:
    with path.open("rb", buffering=0) as file:
        return probe(file, size)


def _kind(folder: Path, name: str) -> str:
    if "virtual" in folder.parts:
        return next((text for start, text in _VIRTUAL.items() if name.startswith(start)), "a virtual device")
    if name.startswith("sr") or _text(folder / "device/type") in ("4", "5"):  # SCSI's numbers: WORM, CD-ROM
        return "an optical drive"
    if name.startswith("fd"):
        return "a floppy drive"
    if re.fullmatch(r"mmcblk\d+(boot\d+|gp\d+|rpmb)", name):
        return "a hardware partition of an eMMC"
    return "disk"


def _transport(folder: Path) -> str:
    """By the path of the device: usb, where anything on the way to it is."""
    for part in reversed(folder.parts):
        if re.fullmatch(r"usb\d+", part):
            return "usb"
        if part == "mmc_host":
            return "sd" if _text(folder / "device/type") == "SD" else "emmc"
        for start, name in (("ata", "sata"), ("nvme", "nvme"), ("virtio", "virtio")):
            if re.fullmatch(start + r"\d+", part):
                return name
    return ""


def _model(folder: Path) -> str:
    vendor, model = _text(folder / "device/vendor"), _text(folder / "device/model") or _text(folder / "device/name")
    return clean(f"{'' if vendor.startswith('0x') or vendor == 'ATA' else vendor} {model}")


def _serial(folder: Path) -> str:
    """That of the disk; else that of the USB device that it is in."""
    own = _text(folder / "device/serial") or _text(folder / "serial")
    if own:
        return clean(own)
    for parent in folder.parents:
        if (parent / "idVendor").exists():
            return clean(_text(parent / "serial"))
    try:
        page = (folder / "device/vpd_pg80").read_bytes()  # SCSI: four bytes, then the text
    except OSError:
        return ""
    return clean(page[4:].decode("ascii", "replace"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0

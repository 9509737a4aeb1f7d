"""A made-up machine: /sys, /proc and /dev in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.flash.facts import Disk, Facts, Places
from toolchain.flash.rules import refusal
from toolchain.flash.sysfs import look

GB = 10**9
PCI = "devices/pci0000:00"


@dataclass
class Machine:
    """Devices are added one by one; their bytes are sparse files."""

    folder: Path
    minors: int = 0
    mounts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("sys/block", "proc/self/ns", "dev/mapper", "checkout"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "proc/swaps").write_text("Filename Type Size Used Priority\n")
        self._write_mounts()

    @property
    def places(self) -> Places:
        return Places(self.folder / "sys", self.folder / "proc", self.folder / "dev", self._number_at)

    def _number_at(self, path: Path) -> str:
        """What is a block device on a real machine is a file here, and links lead to the real /dev."""
        dev = (self.folder / "dev").resolve()
        target = os.readlink(path) if path.is_symlink() else ""
        path = (dev / target.removeprefix("/dev/") if target.startswith("/dev/") else path).resolve()
        known = path.parent == dev and path.exists() and list((self.folder / "sys").glob(f"devices/**/{path.name}/dev"))
        return self.number(path.name) if known else ""

    def disk(self, name: str, at: str, size: int, **files: str) -> str:
        """A whole disk under sys/AT/block/NAME; `files` are more of its attributes (device__model="x")."""
        folder = self.folder / "sys" / at / "block" / name
        folder.mkdir(parents=True)
        (self.folder / "sys/block" / name).symlink_to(os.path.relpath(folder, self.folder / "sys/block"))
        self._node(folder, name, size)
        # `device` is a link in a real sysfs; a folder of its own does here
        files = {"removable": "0", "ro": "0", "queue__logical_block_size": "512",
                 "diskseq": str(self.minors), **files}
        for key, text in files.items():
            path = folder / key.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n")
        return name

    def part(self, disk: str, name: str, size: int) -> str:
        folder = (self.folder / "sys/block" / disk).resolve() / name
        folder.mkdir()
        (folder / "partition").write_text("1\n")
        self._node(folder, name, size)
        return name

    def _node(self, folder: Path, name: str, size: int) -> None:
        self.minors += 1
        (folder / "dev").write_text(f"8:{self.minors}\n")
        (folder / "size").write_text(f"{size // 512}\n")
        (folder / "holders").mkdir()
        with (self.folder / "dev" / name).open("wb") as file:
            file.truncate(size)

    def number(self, name: str) -> str:
        return next(path for path in (self.folder / "sys").glob(f"devices/**/{name}/dev")).read_text().strip()

    def hold(self, below: str, above: str) -> None:
        """`above` is built on `below`, as sysfs says it on both sides."""
        for name, kind, other in ((below, "holders", above), (above, "slaves", below)):
            folder = next(path for path in (self.folder / "sys").glob(f"devices/**/{name}/dev")).parent / kind
            folder.mkdir(exist_ok=True)
            (folder / other).mkdir()

    def mount(self, number: str, point: str, kind: str = "ext4", source: str = "none", process: str = "") -> None:
        line = f"30 1 {number} / {point} rw,relatime shared:1 - {kind} {source} rw\n"
        if process:
            (self.folder / "proc" / process / "ns").mkdir(parents=True)
            (self.folder / "proc" / process / "mountinfo").write_text(line)
            (self.folder / "proc" / process / "ns/mnt").symlink_to(f"mnt:[{process}]")
        else:
            self.mounts.append(line)
            self._write_mounts()

    def _write_mounts(self) -> None:
        (self.folder / "proc/self/mountinfo").write_text("".join(self.mounts))

    def swap(self, path: str, kind: str = "partition") -> None:
        with (self.folder / "proc/swaps").open("a") as file:
            file.write(f"{path} {kind} 100 0 -2\n")

    def put(self, name: str, offset: int, data: bytes) -> None:
        """Bytes on a device; a negative offset counts from its end."""
        with (self.folder / "dev" / name).open("r+b") as file:
            file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
            file.write(data)

    def look(self) -> Facts:
        return look(self.places, self.folder / "checkout")

    def see(self, name: str) -> Disk:
        disk = self.look().disk(self.number(name))
        assert disk is not None
        return disk

    def says(self, name: str, image: int = 40_000_000) -> str:
        """Why this disk is refused; empty: it is not."""
        facts = self.look()
        disk = facts.disk(self.number(name))
        assert disk is not None
        error = refusal(disk, facts, image)
        return error.what if error else ""

    # -- what machines have --

    def system(self) -> str:
        """A SATA disk with / on it."""
        self.disk("sda", f"{PCI}/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0", 500 * GB, device__model="Evo",
                  device__vendor="ATA")
        self.part("sda", "sda1", GB)
        self.part("sda", "sda2", 400 * GB)
        self.mount(self.number("sda2"), "/")
        self.mount(self.number("sda1"), "/boot/efi", "vfat")
        return "sda"

    def stick(self, name: str = "sdb", size: int = 31 * GB, **more: str) -> str:
        """A USB stick with one partition."""
        at = f"{PCI}/0000:00:14.0/usb2/2-1/2-1:1.0/host6-{name}/target6:0:0/6:0:0:0"
        self.disk(name, at, size, **{"removable": "1", "device__model": "Ultra", "device__vendor": "SanDisk", **more})
        port = self.folder / "sys" / PCI / "0000:00:14.0/usb2/2-1"
        (port / "idVendor").write_text("0781\n")
        (port / "serial").write_text("4C530001\n")
        if size:
            self.part(name, f"{name}1", size - (1 << 20))
        return name

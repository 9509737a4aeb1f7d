"""Disks on which firmware could find another program than the one that verify reads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.formats.forge import BOOT, Disk, long_name
from tests.formats.test_disk import IMAGE
from toolchain.formats import FormatError, fat

PROGRAM = f"{BOOT}/BOOTX64.EFI"
SHORT, OTHER = b"BOOTX64 EFI", b"BOOTX6~1EFI"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("disk")
    (folder / "good").write_bytes(b"MZ good" * 300)
    subprocess.run([sys.executable, IMAGE, "--out", "disk.img", "--label", "INGOT", "--file", f"{PROGRAM}=good"],
                   cwd=folder, check=True)
    return (folder / "disk.img").read_bytes()


def good(disk: Disk, short: bytes = OTHER) -> bytes:
    found = disk.files[PROGRAM]
    return disk.entry(short, found.cluster, found.size)


def evil(disk: Disk, short: bytes = SHORT, **more: int) -> bytes:
    return disk.entry(short, disk.put(b"MZ evil"), 7, **more)


def wide(short: bytes, name: str, **more: int) -> Callable[[Disk], list[bytes]]:
    return lambda d: [long_name(name, short, **more), good(d, short)]


FOLDERS: dict[str, tuple[str, Callable[[Disk], list[bytes]]]] = {
    "alias": ("have the name BOOTX64.EFI", lambda d: [
        long_name("readme.txt", SHORT), evil(d), long_name("BOOTX64.EFI", OTHER), good(d)]),
    "case": ("have the name BOOTX64.EFI", lambda d: [evil(d), long_name("bootx64.efi", OTHER), good(d)]),
    "short case": ("have the name BOOTX64.EFI", lambda d: [evil(d, case=0x18), good(d, SHORT)]),
    "folder": ("have the name BOOTX64.EFI", lambda d: [
        long_name("bootx64.efi", OTHER), d.entry(OTHER, d.put(bytes(32)), 0, 0x10), good(d, SHORT)]),
    "marked": ("is marked 0x60", lambda d: [evil(d, attributes=0x60)]),
    "label": ("is marked 0x28", lambda d: [evil(d, attributes=0x28), good(d)]),
    "labels": ("is marked 0x8", lambda d: [evil(d, attributes=0x08), good(d)]),
    "flags": ("is marked 0x20, 0x40", lambda d: [evil(d, case=0x40)]),
    "lower": ("short name", lambda d: [evil(d, b"bootx64 efi")]),
    "dot": ("short name", lambda d: [evil(d, b"..         ")]),
    "gap": ("short name", lambda d: [evil(d, b"B OT    EFI")]),
    "kanji": ("short name", lambda d: [evil(d, b"\x05OOTX64 EFI")]),
    "not the last": ("is not whole", wide(OTHER, "bootx64.efi", last=0)),
    "checksum": ("is not whole", wide(OTHER, "bootx64.efi", total=0)),
    "half": ("is not whole", lambda d: [long_name("a" * 14, OTHER)[:32], good(d)]),
    "order": ("is not whole", lambda d: [long_name("a" * 14, OTHER)[32:], long_name("a" * 14, OTHER)[:32], good(d)]),
    "two": ("is not whole", lambda d: [long_name("a.efi", OTHER), long_name("b.efi", OTHER), good(d)]),
    "not ascii": ("long name", wide(OTHER, "b\u00f6\u00f6tx64.efi")),
    "look-alike": ("long name", wide(OTHER, "B\u041eOTX64.EFI")),
    "surrogate": ("long name", lambda d: [long_name("aXb", OTHER).replace(b"X\0", b"\0\xd8"), good(d)]),
    "slash": ("long name", wide(OTHER, "a/b")),
    "dot at the end": ("long name", wide(OTHER, "BOOTX64.EFI.")),
    "space at the end": ("long name", wide(OTHER, "BOOTX64.EFI ")),
    "zero inside": ("long name", wide(OTHER, "a\0b")),
    "empty": ("long name", wide(OTHER, "\0")),
    "deleted": ("deleted name", lambda d: [b"\xe5" + evil(d)[1:], good(d, SHORT)]),
    "behind the end": ("behind the end", lambda d: [good(d, SHORT), bytes(32), evil(d, OTHER)]),
    "within": ("behind the end", lambda d: [good(d, SHORT), long_name("bootx64.efi", OTHER)]),
    "shared": ("belongs to something else", lambda d: [good(d, SHORT), good(d, b"A       EFI")]),
    "too long": ("more clusters", lambda d: [d.entry(SHORT, d.files[PROGRAM].cluster, 1)]),
    "too short": ("ends", lambda d: [d.entry(SHORT, d.files[PROGRAM].cluster, 1 << 20)]),
    "a folder's size": ("has a size", lambda d: [d.entry(b"A          ", d.put(bytes(32)), 5, 0x10)]),
    "no dots": ("does not begin with itself", lambda d: [d.entry(b"A          ", d.put(bytes(512)), 0, 0x10)]),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_can_be_read_in_two_ways(name: str, data: bytes) -> None:
    words, make = FOLDERS[name]
    disk = Disk(data)
    disk.write(BOOT, make(disk))
    with pytest.raises(FormatError, match=words):
        if name == "no dots":  # its first entry must be there to be wrong
            at = disk.start + disk.system.where(disk.system.clusters // 2)
            disk.data[at:at + 32] = good(disk)
        disk.read()


def test_what_a_forger_can_write_is_read_when_it_is_right(data: bytes) -> None:
    disk = Disk(data)
    disk.write(BOOT, [long_name("bootx64-a-long-name.efi", OTHER), good(disk), evil(disk, b"A       TXT", case=0x18)])
    assert disk.read() == {f"{BOOT}/bootx64-a-long-name.efi": b"MZ good" * 300, f"{BOOT}/a.txt": b"MZ evil"}


def test_the_folder_above(data: bytes) -> None:
    for at in (26, 32 + 26):
        disk = Disk(data)
        disk.data[disk.folder(BOOT) + at] ^= 1
        with pytest.raises(FormatError, match="does not begin with itself"):
            disk.read()


def test_a_second_label(data: bytes) -> None:
    disk = Disk(data)
    disk.write("", [disk.entry(b"OTHER      ", 0, 0, 0x08)])
    with pytest.raises(FormatError, match="is marked 0x8"):
        disk.read()


def test_a_partition_before_the_one_that_boots(data: bytes) -> None:
    disk = Disk(data)
    entry = bytes(disk.data[1024:1152])
    other = bytes(range(16)) + entry[16:]
    for entries in (other + entry, entry + other, entry + entry, other, b""):
        disk.tables(entries)
        with pytest.raises(FormatError, match="where one belongs"):
            disk.read()
    disk.tables(entry + bytes(16) + b"hidden")
    with pytest.raises(FormatError, match="is not empty"):
        disk.read()
    disk.tables(bytes(128) + entry)
    assert PROGRAM in disk.read()


@pytest.mark.parametrize("at, value", [(446, 0x80), (450, 0x0C), (454, 2), (461, 0x01), (462, 1), (466, 0x0C),
                                       (509, 1), (510, 0)])
def test_the_old_partition_table(data: bytes, at: int, value: int) -> None:
    disk = Disk(data)
    disk.data[at] = value
    with pytest.raises(FormatError, match="first sector has a partition table"):
        disk.read()


def test_sizes_are_bounded_before_anything_is_read(data: bytes) -> None:
    disk = Disk(data)
    for at, value in ((32, 0xFFFFFFFF), (36, 0xFFFFFFFF), (11, 1024), (13, 128)):  # sectors, FAT, sector, cluster
        broken = bytearray(disk.data)
        broken[disk.start + at:disk.start + at + 4] = value.to_bytes(4, "little")
        disk_of = Disk(data)
        disk_of.data = broken
        with pytest.raises(FormatError, match="contradicts itself"):
            disk_of.read()
    huge = bytearray(disk.data[disk.start:disk.start + 512])
    huge[13] = 1
    huge[32:40] = (0xFFFFFFFF).to_bytes(4, "little") + (1 << 22).to_bytes(4, "little")

    class Sparse:
        def seek(self, at: int, whence: int = 0) -> None:
            self.at = at

        def read(self, count: int) -> bytes:
            assert count <= 512, "it reads what it should refuse"
            return bytes(huge)

    with pytest.raises(FormatError, match="contradicts itself"):
        fat.Fat(Sparse(), 0, 1 << 50)  # type: ignore[arg-type]


def test_image_and_forger_agree(data: bytes) -> None:
    assert Disk(data).read() == {PROGRAM: b"MZ good" * 300} and Path(IMAGE).exists()

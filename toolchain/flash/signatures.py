"""What the bytes of a disk or partition say that it holds: file systems by name, and members of a larger storage
(LVM, LUKS, RAID, ZFS ...), whose loss would harm more than this one disk."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from toolchain.flash.facts import SECTOR

_KIB, _MIB = 1 << 10, 1 << 20
_ZFS_LABEL = 256 * _KIB
_MD = (struct.pack("<I", 0xA92B4EFC), struct.pack(">I", 0xA92B4EFC))
_UBERBLOCK = (struct.pack("<Q", 0x00BAB10C), struct.pack(">Q", 0x00BAB10C))
_BCACHE = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")

At = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Found:
    """In words."""

    members: tuple[str, ...]  # "is an LVM physical volume"
    holds: str  # 'FAT32 "INGOT"'
    table: bool = False  # whether it is divided into partitions


def probe(file: BinaryIO, size: int) -> Found:
    """Reads a few places of the first `size` bytes; OSError where it cannot."""

    def at(offset: int, count: int) -> bytes:
        if offset < 0 or offset + count > size:
            return b""
        file.seek(offset)
        return file.read(count)

    members = tuple(dict.fromkeys(_members(at, size)))
    holds = ", ".join(_file_systems(at))
    return Found(members, holds, at(SECTOR, 8) == b"EFI PART" or (not holds and _mbr(at(0, SECTOR))))


def _members(at: At, size: int) -> Iterator[str]:
    first = at(0, min(size, 8 * SECTOR))
    if any(first[n:n + 8] == b"LABELONE" for n in range(0, len(first), SECTOR)):
        yield "is an LVM physical volume"
    if first[:6] == b"LUKS\xba\xbe" or any(at(0x4000 << n, 6) == b"SKUL\xba\xbe" for n in range(9)):
        yield "is encrypted (LUKS)"
    if any(at(offset, 4) in _MD for offset in (
            0, 4096, (size // SECTOR - 16) // 8 * 8 * SECTOR, (size & ~0xFFFF) - 0x10000)):
        yield "is a RAID member (md)"
    if at(size - 1024, 24) == b"Intel Raid ISM Cfg Sig. " or b"\xde\x11\xde\x11" in (
            at(size - SECTOR, 4), at(size - 257 * SECTOR, 4)):
        yield "is a RAID member (firmware)"
    if any(_zfs(at(offset + 128 * _KIB, 128 * _KIB)) for offset in _zfs_labels(size)):
        yield "is a ZFS member"
    if at(4096 + 24, 16) == _BCACHE:
        yield "is a bcache device"
    if at(SECTOR + 4, 8) == b"!Stra0ti" or at(9 * SECTOR + 4, 8) == b"!Stra0ti":
        yield "is a Stratis member"
    if first[:8] == b"dmvdo001":
        yield "is a VDO volume"


def _mbr(sector: bytes) -> bool:
    entries = [sector[n:n + 16] for n in range(446, 510, 16)]
    return sector[510:] == b"\x55\xaa" and all(entry[0] in (0, 0x80) for entry in entries) and any(
        entry[4] and any(entry[12:]) for entry in entries)


def _zfs_labels(size: int) -> tuple[int, ...]:
    end = size // _ZFS_LABEL * _ZFS_LABEL
    return (0, _ZFS_LABEL, end - 2 * _ZFS_LABEL, end - _ZFS_LABEL)


def _zfs(uberblocks: bytes) -> bool:
    return any(uberblocks[n:n + 8] in _UBERBLOCK for n in range(0, len(uberblocks), _KIB))


def _file_systems(at: At) -> Iterator[str]:
    boot = at(0, SECTOR)
    if boot[82:87] == b"FAT32":
        yield "FAT32" + _label(boot[71:82])
    elif boot[54:58] in (b"FAT1", b"FAT "):
        yield "FAT" + _label(boot[43:54])
    elif boot[3:11] == b"EXFAT   ":
        yield "exFAT"
    elif boot[3:11] == b"NTFS    ":
        yield "NTFS"
    elif boot[3:11] == b"-FVE-FS-":
        yield "BitLocker"
    elif boot[:4] == b"XFSB":
        yield "XFS" + _label(boot[108:120])
    if at(1080, 2) == b"\x53\xef":
        yield "ext4" + _label(at(1144, 16))
    if at(65600, 8) == b"_BHRfS_M":
        yield "btrfs" + _label(at(65536 + 299, 64))
    if at(32769, 5) == b"CD001":
        yield "ISO 9660" + _label(at(32808, 32))
    if at(4086, 10) in (b"SWAPSPACE2", b"SWAP-SPACE"):
        yield "swap, not in use"


def _label(data: bytes) -> str:
    text = clean(data.partition(b"\0")[0].decode("utf-8", "replace"))
    return f' "{text}"' if text and text != "NO NAME" else ""


def clean(text: str, most: int = 40) -> str:
    """Texts that a disk tells of itself, made fit for a terminal: a stick may say anything."""
    return "".join(char for char in text if char.isprintable() and char != "\ufffd")[:most].strip()

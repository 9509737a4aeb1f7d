"""Which disks may be written, on made-up machines."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from tests.executors.conftest import needs
from tests.flash.machine import GB, PCI, Machine
from toolchain.flash import job
from toolchain.flash.facts import Facts, Places
from toolchain.flash.rules import cautions, refusal
from toolchain.flash.sysfs import block_devices, find, look
from toolchain.flash.uses import know

# -- what may be written ------------------------------------------------------------------------------------


def test_a_stick_beside_a_system_disk(machine: Machine) -> None:
    machine.system()
    machine.stick()
    machine.put("sdb1", 71, b"HOLIDAYS   FAT32   ")
    assert machine.says("sdb") == ""
    disk = machine.see("sdb")
    assert (disk.model, disk.serial, disk.transport, disk.size) == ("SanDisk Ultra", "4C530001", "usb", 31 * GB)
    assert job.contents(disk) == 'sdb1 FAT32 "HOLIDAYS" 31.0 GB'
    assert cautions(disk) == []
    assert [one.name for one in machine.look().disks if not refusal(one, machine.look(), 1)] == ["sdb"]


def test_an_sd_card(machine: Machine) -> None:
    machine.disk("mmcblk0", f"{PCI}/0000:00:1a.0/mmc_host/mmc0/mmc0:aaaa", 8 * GB, device__type="SD",
                 device__name="SC16G", device__serial="0x12")
    assert machine.says("mmcblk0") == ""
    assert (machine.see("mmcblk0").model, machine.see("mmcblk0").serial) == ("SC16G", "0x12")


def test_an_external_hard_disk_comes_with_a_caution(machine: Machine) -> None:
    machine.stick("sdc", 1000 * GB, removable="0")
    assert machine.says("sdc") == ""
    assert "may be an external hard disk" in cautions(machine.see("sdc"))[0]


# -- what is no removable disk -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "at", "files", "says"), [
    ("nvme0n1", f"{PCI}/0000:01:00.0/nvme/nvme0", {}, "is built into this machine (nvme)"),
    ("sdd", f"{PCI}/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0", {}, "is built into this machine (sata)"),
    ("vda", f"{PCI}/0000:00:02.0/virtio1", {}, "is built into this machine (virtio)"),
    ("sdx", "devices/platform/unheard-of", {}, "is built into this machine, not"),
    ("mmcblk1", f"{PCI}/0000:00:1c.0/mmc_host/mmc1/mmc1:0001", {"device__type": "MMC"}, "soldered in"),
    ("mmcblk1boot0", f"{PCI}/0000:00:1c.0/mmc_host/mmc1/mmc1:0001", {"device__type": "SD"}, "hardware partition"),
    ("sr0", f"{PCI}/0000:00:14.0/usb2/2-2/host7/target7:0:0/7:0:0:0", {"removable": "1"}, "an optical drive"),
    ("sde", f"{PCI}/0000:00:14.0/usb2/2-2/host7/target7:0:0/7:0:0:0", {"removable": "1", "device__type": "5"},
     "an optical drive"),
    ("fd0", "devices/platform/floppy.0", {"removable": "1"}, "a floppy drive"),
    ("loop0", "devices/virtual", {"removable": "1"}, "a loop device"),
    ("zram0", "devices/virtual", {"removable": "1"}, "compressed memory"),
    ("dm-0", "devices/virtual", {"removable": "1"}, "a device-mapper device"),
    ("md127", "devices/virtual", {"removable": "1"}, "a RAID (md)"),
    ("nbd0", "devices/virtual", {"removable": "1"}, "a network device"),
    ("new0", "devices/virtual", {"removable": "1"}, "a virtual device"),
])
def test_what_cannot_be_pulled_out(machine: Machine, name: str, at: str, files: dict[str, str], says: str) -> None:
    machine.disk(name, at, 8 * GB, **files)  # type: ignore[arg-type]
    assert says in machine.says(name)


@pytest.mark.parametrize(("size", "files", "says"), [
    (0, {}, "holds no medium"),
    (31 * GB, {"ro": "1"}, "is read-only"),
    (31 * GB, {"ro": ""}, "is read-only"),  # not to be told: not sure
    (31 * GB, {"queue__logical_block_size": "4096"}, "has sectors of 4096 bytes"),
    (39_999_488, {}, "is too small: 40.0 MB"),
    ((2 << 40) + 512, {}, "that is no stick, but somebody's disk"),
])
def test_media_that_will_not_do(machine: Machine, size: int, files: dict[str, str], says: str) -> None:
    machine.stick(size=size, **files)
    assert says in machine.says("sdb")


# -- what is in use ------------------------------------------------------------------------------------------


def test_the_system_disk_is_named_as_such(machine: Machine) -> None:
    machine.system()
    assert machine.says("sda") == "/dev/sda is the disk of this running system: it holds / and /boot/efi"
    machine.stick()
    machine.mount(machine.number("sdb1"), str(machine.folder / "checkout"))
    assert machine.says("sdb") == "/dev/sdb is the disk of this running system: it holds this checkout"


def test_mounts(machine: Machine) -> None:
    machine.stick()
    machine.mount(machine.number("sdb1"), r"/media/my\040stick", "vfat")
    assert machine.says("sdb") == "/dev/sdb is in use: sdb1 is mounted at /media/my stick"
    machine.stick("sdc")
    machine.mount(machine.number("sdc"), "/mnt", "iso9660")  # the whole disk
    assert "sdc is mounted at /mnt" in machine.says("sdc")


def test_mounts_of_other_namespaces(machine: Machine) -> None:
    machine.stick()
    machine.mount(machine.number("sdb1"), "/", "ext4", process="4242")
    assert machine.says("sdb") == ("/dev/sdb is in use: sdb1 is mounted at / (in another namespace, that of process "
                                   "4242)")


def test_a_btrfs_has_numbers_of_its_own(machine: Machine) -> None:
    machine.stick()
    machine.mount("0:35", "/media/data", "btrfs", "/dev/sdb1")
    assert "sdb1 is mounted at /media/data" in machine.says("sdb")
    machine.stick("sdc")  # its second disk, which no mount names
    (machine.folder / "sys/fs/btrfs/0f1e/devices/sdc1").mkdir(parents=True)
    assert "sdc1 is part of a mounted btrfs" in machine.says("sdc")


def test_root_on_lvm_on_a_usb_disk(machine: Machine) -> None:
    machine.stick()
    machine.disk("dm-3", "devices/virtual", 20 * GB, dm__name="vg-root")
    machine.hold("sdb1", "dm-3")
    assert machine.says("sdb") == "/dev/sdb is in use: sdb1 carries dm-3 (vg-root)"
    machine.mount(machine.number("dm-3"), "/", "ext4", "/dev/mapper/vg-root")
    assert machine.says("sdb") == "/dev/sdb is the disk of this running system: it holds /"


def test_layers_upon_layers(machine: Machine) -> None:
    """A partition, in a RAID, encrypted, with a volume in it; sysfs names the way up or down."""
    machine.stick()
    for name, more in (("md0", {}), ("dm-0", {"dm__name": "crypt"}), ("dm-1", {"dm__name": "vg-home"})):
        machine.disk(name, "devices/virtual", 20 * GB, **more)  # type: ignore[arg-type]
    machine.part("md0", "md0p1", GB)
    machine.hold("sdb1", "md0")
    machine.hold("md0p1", "dm-0")
    machine.hold("dm-0", "dm-1")
    os.rmdir((machine.folder / "sys/block/sdb").resolve() / "sdb1/holders/md0")  # its slaves still name sdb1
    machine.mount(machine.number("dm-1"), "/boot")
    assert machine.says("sdb") == "/dev/sdb is the disk of this running system: it holds /boot"


@pytest.mark.parametrize("path", ["/dev/sdb1", "/dev/mapper/swap0"])
def test_swap(machine: Machine, path: str) -> None:
    machine.stick()
    machine.disk("dm-0", "devices/virtual", GB, dm__name="swap0")
    machine.hold("sdb1", "dm-0")
    machine.swap(path)
    assert "it holds swap space" in machine.says("sdb")


def test_swap_that_cannot_be_told(machine: Machine) -> None:
    machine.stick()
    machine.swap("/swapfile", "file")
    assert machine.says("sdb") == ""
    machine.swap("/dev/disk-of-another-age")
    assert "it is not certain that /dev/sdb is unused" in machine.says("sdb")


def test_mounts_that_cannot_be_listed(machine: Machine) -> None:
    machine.stick()
    (machine.folder / "proc/self/mountinfo").unlink()
    assert "it is not certain that /dev/sdb is unused" in machine.says("sdb")


def test_a_loop_device_on_the_disk(machine: Machine) -> None:
    machine.stick()
    machine.disk("loop0", "devices/virtual", GB, loop__backing_file="/dev/sdb1")
    assert machine.says("sdb") == "/dev/sdb is in use: sdb1 carries loop0"


def test_a_program_that_holds_it(machine: Machine) -> None:
    """A virtual machine opens its disk without claiming it."""
    machine.stick()
    held = machine.folder / "proc/77/fd"
    held.mkdir(parents=True)
    (held / "9").symlink_to("/dev/sdb")
    (machine.folder / "proc/77/comm").write_text("qemu-system-x86\n")
    assert machine.says("sdb") == "/dev/sdb is in use: sdb is open in process 77 (qemu-system-x86)"


def test_programs_that_cannot_be_looked_into(machine: Machine) -> None:
    """A real /proc, for somebody who is not root."""
    needs("root", None if os.geteuid() == 0 else "only root can be somebody else")
    machine.stick()
    places, says = Places(), "the programs of other users cannot be looked into"
    nodes = block_devices(places.sys)
    assert says not in know(places, nodes, Path("/")).trouble
    os.seteuid(65534)
    try:
        trouble = know(places, nodes, Path("/")).trouble
    finally:
        os.seteuid(0)
    assert says in trouble
    disk = machine.see("sdb")
    error = refusal(disk, Facts((disk,), trouble))
    assert error is not None and "not certain that /dev/sdb is unused" in error.what and "sudo" in (error.hint or "")


# -- what its bytes say --------------------------------------------------------------------------------------

SIZE = 31 * GB - (1 << 20)
MEMBERS = [
    (512, b"LABELONE", "is an LVM physical volume"),
    (3 * 512, b"LABELONE", "is an LVM physical volume"),
    (0, b"LUKS\xba\xbe\0\1", "is encrypted (LUKS)"),
    (0, b"LUKS\xba\xbe\0\2", "is encrypted (LUKS)"),
    (0x8000, b"SKUL\xba\xbe", "is encrypted (LUKS)"),
    (0, b"\xfc\x4e\x2b\xa9", "is a RAID member (md)"),  # 1.1
    (4096, b"\xfc\x4e\x2b\xa9", "is a RAID member (md)"),  # 1.2
    ((SIZE // 512 - 16) // 8 * 4096, b"\xfc\x4e\x2b\xa9", "is a RAID member (md)"),  # 1.0
    (SIZE // 65536 * 65536 - 65536, b"\xa9\x2b\x4e\xfc", "is a RAID member (md)"),  # 0.90, of a big-endian machine
    (-1024, b"Intel Raid ISM Cfg Sig. ", "is a RAID member (firmware)"),
    (-512, b"\xde\x11\xde\x11", "is a RAID member (firmware)"),
    ((128 << 10) + 7 * 1024, b"\x0c\xb1\xba\0\0\0\0\0", "is a ZFS member"),
    (SIZE // (256 << 10) * (256 << 10) - (128 << 10), b"\0\0\0\0\0\xba\xb1\x0c", "is a ZFS member"),
    (4096 + 24, bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81"), "is a bcache device"),
    (516, b"!Stra0tis", "is a Stratis member"),
    (0, b"dmvdo001", "is a VDO volume"),
]


@pytest.mark.parametrize(("offset", "data", "says"), MEMBERS)
def test_members_of_a_larger_storage(machine: Machine, offset: int, data: bytes, says: str) -> None:
    machine.stick()
    if offset == (SIZE // 512 - 16) // 8 * 4096:
        offset = (SIZE // 512 - 16) // 8 * 8 * 512
    machine.put("sdb1", offset, data)
    assert machine.says("sdb") == f"/dev/sdb belongs to a larger storage: sdb1 {says}"


def test_a_member_without_a_partition(machine: Machine) -> None:
    machine.stick()
    machine.put("sdb", 512, b"LABELONE")
    assert "sdb is an LVM physical volume" in machine.says("sdb")


@pytest.mark.parametrize(("offset", "data", "holds"), [
    (54, b"FAT16   ", "FAT"), (3, b"EXFAT   ", "exFAT"), (3, b"NTFS    ", "NTFS"), (3, b"-FVE-FS-", "BitLocker"),
    (0, b"XFSB", "XFS"), (1080, b"\x53\xef", "ext4"), (65600, b"_BHRfS_M", "btrfs"), (32769, b"CD001", "ISO 9660"),
    (4086, b"SWAPSPACE2", "swap, not in use")])
def test_file_systems_are_no_reason(machine: Machine, offset: int, data: bytes, holds: str) -> None:
    machine.stick()
    machine.put("sdb1", offset, data)
    assert machine.says("sdb") == ""
    assert machine.see("sdb").parts[0].holds == holds


def test_a_disk_that_cannot_be_read(machine: Machine) -> None:
    machine.stick()
    (machine.folder / "dev/sdb1").unlink()
    assert machine.says("sdb") == "/dev/sdb cannot be looked at: No such file or directory"


@pytest.mark.parametrize(("offset", "data"), [
    (512, b"EFI PART"), (446, b"\x80\0\0\0\x0c\0\0\0\0\x08\0\0\0\0\x10\0" + bytes(48) + b"\x55\xaa")])
def test_partitions_that_the_kernel_has_not_read(machine: Machine, offset: int, data: bytes) -> None:
    """Whatever is in them cannot be known."""
    machine.stick()
    machine.put("sdb", offset, data)
    assert machine.says("sdb") == ""
    machine.stick("sdc")
    machine.put("sdc", offset, data)
    shutil.rmtree((machine.folder / "sys/block/sdc").resolve() / "sdc1")
    assert machine.says("sdc") == "/dev/sdc cannot be looked at: the kernel has not read its partition table"


def test_a_stick_without_partitions(machine: Machine) -> None:
    machine.stick()
    shutil.rmtree((machine.folder / "sys/block/sdb").resolve() / "sdb1")
    machine.put("sdb", 446, bytes(range(1, 65)) + b"\x55\xaa")  # boot code, where others have their table
    machine.put("sdb", 71, b"PHOTOS     FAT32   ")
    assert machine.says("sdb") == "" and job.contents(machine.see("sdb")) == 'FAT32 "PHOTOS"'


def test_what_a_stick_says_of_itself_is_not_believed_in(machine: Machine) -> None:
    machine.stick(device__model="\x1b[2J[red]Evil\x07" + "x" * 500)
    machine.put("sdb1", 71, b"\x1b[31mLABEL\0FAT32   ")
    shown = machine.see("sdb").model + job.contents(machine.see("sdb"))
    assert shown.isprintable() and len(machine.see("sdb").model) <= 40


# -- names ---------------------------------------------------------------------------------------------------


def test_a_partition_is_no_disk(machine: Machine) -> None:
    machine.stick()
    with pytest.raises(Exception, match="sdb1 is a partition of /dev/sdb.*\nhint: ./doit flash device=/dev/sdb"):
        job.allowed(machine.look(), machine.number("sdb1"), 1)
    with pytest.raises(Exception, match="there is no disk 99:99"):
        job.allowed(machine.look(), "99:99", 1)


def test_names_of_a_disk(machine: Machine) -> None:
    machine.stick()
    (machine.folder / "dev/by-id").mkdir()
    (machine.folder / "dev/by-id/usb-SanDisk").symlink_to("../sdb")
    for text in ("/dev/sdb", "/dev/by-id/usb-SanDisk", "/dev//sdb", "/dev/x/../sdb"):
        assert find(text, machine.places) == machine.number("sdb"), text
    # a name that is in no folder, or leads to no device, is not taken for the one that it ends in
    (machine.folder / "dev/by-id/gone").symlink_to("../elsewhere/sdb")
    for text in ("/dev/nonsense/sdb", "/dev/by-id/gone", "/dev/nonsense/../by-id/sdb"):
        assert find(text, machine.places) is None, text
    for text in ("sdb", "/dev/sdz", "/etc/passwd", "/dev/null", "", "/dev", "/"):
        assert find(text, machine.places) is None, text


def test_the_list(machine: Machine) -> None:
    from rich.console import Console

    machine.system()
    assert job.table(machine.look()) is None
    machine.stick()
    machine.stick("sdc")
    machine.mount(machine.number("sdc1"), "/media/me")
    machine.stick("sdd", size=0)  # a reader without a card
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(job.table(machine.look()))
    lines = console.export_text().splitlines()
    assert len(lines) == 3 and "/dev/sda" not in "".join(lines)
    assert "31.0 GB" in lines[1] and lines[1].rstrip().endswith("yes")
    assert lines[2].rstrip().endswith("no: is in use: sdc1 is mounted at /media/me")


def test_this_machine(tmp_path: Path) -> None:
    """The real one: its system disk, where there is one, is never allowed."""
    places = Places()
    facts = look(places, tmp_path)
    for disk in facts.disks:
        if any(use.system for use in disk.uses):
            assert "is the disk of this running system" in str(refusal(disk, facts))

"""A bootable disk image from files: GPT with one EFI system partition (FAT32), made by sgdisk and
mtools as an ordinary user.

    python3 image.py --out tales.img --label INGOT --file EFI/BOOT/BOOTX64.EFI=BOOTX64.EFI

The same files give the same bytes, wherever and whenever it runs: serial number and GUIDs come from
the content, every date is the first that FAT knows, the tools get an environment of their own.
Stand-alone (standard library only): it runs as a stage, in a root that has bare python3.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MIB = 1 << 20
FIRST = MIB  # where the partition starts
TAIL = MIB  # behind it: the second copy of the partition table (33 sectors), rounded up
FAT32_CLUSTERS = 65_536  # the least that is FAT32 is 65,525; drivers differ within a few of that
FAT32_FILE = (1 << 32) - 1  # the longest file
SLACK = 8 * MIB  # room for what the program saves later
CLUSTERS = (4096, 2048, 1024, 512)  # bytes, the largest that fits is taken: fewer steps for firmware
EPOCH = 315_532_800  # 1980-01-01, where FAT's calendar begins
TOOLS = {"sgdisk": "gdisk", "mformat": "mtools", "mmd": "mtools", "mcopy": "mtools"}  # tool: Debian package


class ImageError(Exception):
    """What went wrong, and what to do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True)
class Item:
    """One file of the image."""

    dest: str  # path in the partition, parts joined by "/"
    source: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Layout:
    """Sizes in bytes."""

    cluster: int
    partition: int

    @property
    def image(self) -> int:
        return FIRST + self.partition + TAIL


def up(n: int, unit: int) -> int:
    """`n` rounded up to a multiple of `unit`."""
    return -(-n // unit) * unit


def folders(dests: Sequence[str]) -> list[str]:
    """Every folder that the files need, parents first."""
    found = {"/".join(parts[:i]) for d in dests for parts in [d.split("/")] for i in range(1, len(parts))}
    return sorted(found)


def layout(sizes: Sequence[int], folder_count: int) -> Layout:
    """The smallest FAT32 partition that holds the files, with SLACK."""
    for cluster in CLUSTERS:
        # each folder may grow to a few clusters; a name takes up to 21 entries of 32 bytes
        names = (folder_count + 1) * cluster + (len(sizes) + folder_count) * 21 * 32
        clusters = sum(-(-s // cluster) for s in sizes) + (up(names, cluster) + SLACK) // cluster
        if clusters >= FAT32_CLUSTERS or cluster == CLUSTERS[-1]:
            break
    clusters = max(clusters, FAT32_CLUSTERS)
    fat = up((clusters + 2) * 4, SECTOR)
    return Layout(cluster, up(clusters * cluster + 2 * fat + 64 * SECTOR, MIB))


NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.+~ -]{0,253}[A-Za-z0-9_+~-])?"  # what FAT and mtools read in one way alone


def check_dests(dests: Sequence[str]) -> None:
    """Refuses paths that FAT or mtools would read in another way."""
    seen: set[str] = set()
    for dest in dests:
        if not re.fullmatch(f"{NAME}(?:/{NAME})*", dest):
            raise ImageError(f"'{dest}' is no path for a FAT partition", "use letters, digits, '_', '-', '.' and '/'")
        if dest.lower() in seen:
            raise ImageError(f"'{dest}' is given twice", "FAT takes upper and lower case for the same name")
        seen.add(dest.lower())
    for folder in folders(dests):
        if folder.lower() in seen:
            raise ImageError(f"'{folder}' is both a file and a folder", "rename one of them")
    names = folders(dests)
    if len({name.lower() for name in names}) != len(names):
        raise ImageError("a folder is written in two ways", "FAT takes upper and lower case for the same name")


def read_item(dest: str, source: Path) -> Item:
    """Reads the file through: what cannot be read is found before anything is written."""
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > FAT32_FILE:
                hint = "split it, or choose a smaller format of the model (Q8_0)"
                raise ImageError(f"{source} is larger than FAT32 allows (4 GiB - 1)", hint)
            while piece := file.read(MIB):
                digest.update(piece)
    except OSError as error:
        raise ImageError(f"cannot read {source}: {error.strerror}", "check the path after '=' in --file") from None
    return Item(dest, source.resolve(), size, digest.hexdigest())


def content_digest(label: str, items: Sequence[Item]) -> bytes:
    """What the serial number and the GUIDs are made of."""
    text = "".join(f"{i.sha256} {i.size} {i.dest}\n" for i in items)
    return hashlib.sha256(f"{label}\n{text}".encode()).digest()


def run(tool: str, *args: str, folder: Path) -> None:
    """Runs a tool in `folder` with an environment that no user or machine can colour."""
    environment = {
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "MTOOLSRC": "/dev/null",
        "HOME": str(folder),
    }
    program = shutil.which(tool, path=environment["PATH"])
    if program is None:
        raise ImageError(f"{tool} is missing", f"install the package {TOOLS[tool]} (./doit doctor lists all)")
    done = subprocess.run(
        [program, *args], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        what = lines[0] if lines else f"exit status {done.returncode}"
        free = shutil.disk_usage(folder).free
        raise ImageError(f"{tool} failed: {what}", f"is the disk full? {free:,} bytes are free")


def build(folder: Path, label: str, items: Sequence[Item]) -> Path:
    """Writes the image into `folder`, under a plain name: mtools reads '@@' and ':' in paths."""
    plan = layout([i.size for i in items], len(folders([i.dest for i in items])))
    needed = sum(i.size for i in items) + 3 * MIB
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ImageError(
            f"the image needs {needed:,} bytes, {folder.parent} has {free:,}", "free some space, or choose another disk"
        )
    digest = content_digest(label, items)
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(plan.image)
    first, last = FIRST // SECTOR, (FIRST + plan.partition) // SECTOR - 1
    run(
        "sgdisk",
        "--clear",
        f"--new=1:{first}:{last}",
        "--typecode=1:ef00",
        f"--change-name=1:{label}",
        f"--disk-guid={uuid.UUID(bytes=digest[:16], version=5)}",
        f"--partition-guid=1:{uuid.UUID(bytes=digest[16:], version=5)}",
        image.name,
        folder=folder,
    )
    fat = ("-i", f"{image.name}@@{FIRST}")
    geometry = ("-T", str(plan.partition // SECTOR), "-H", str(first), "-h", "255", "-s", "63")
    cluster = ("-c", str(plan.cluster // SECTOR))
    run("mformat", *fat, "-F", *geometry, *cluster, "-N", digest[:4].hex(), "-v", label, "::", folder=folder)
    for name in folders([i.dest for i in items]):
        run("mmd", *fat, f"::/{name}", folder=folder)
    for item in items:
        run("mcopy", *fat, str(item.source), f"::/{item.dest}", folder=folder)
    return image


def make(out: Path, label: str, files: Sequence[tuple[str, Path]]) -> None:
    """Makes the image at `out`, which appears whole or not at all."""
    if not re.fullmatch(r"[A-Z0-9_-]{1,11}", label):
        raise ImageError(f"'{label}' is no FAT label", "use up to 11 of A-Z, 0-9, '_', '-'")
    check_dests([dest for dest, _ in files])
    if out.is_dir():
        raise ImageError(f"{out} is a directory", "--out names the image file")
    if not out.parent.is_dir():
        raise ImageError(f"{out.parent} is not a directory", "make it first")
    items = sorted((read_item(dest, source) for dest, source in files), key=lambda item: item.dest)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        image = build(Path(folder), label, items)
        image.chmod(0o644)
        image.replace(out)


def parse_file(text: str) -> tuple[str, Path]:
    dest, equals, source = text.partition("=")
    if not (dest and equals and source):
        raise argparse.ArgumentTypeError(f"'{text}' is not DEST=SOURCE")
    return dest, Path(source)


def stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="the image to write")
    parser.add_argument("--label", default="INGOT", help="name of the partition")
    parser.add_argument("--file", type=parse_file, action="append", required=True, metavar="DEST=SOURCE")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, stop)
    try:
        make(args.out, args.label, args.file)
    except ImageError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: cannot write {args.out}: {error.strerror}", file=sys.stderr)
        print("hint: check the rights and the free space of its folder", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"error: interrupted; {args.out} was not written", file=sys.stderr)
        print("hint: run the same command again", file=sys.stderr)
        return 130
    print(f"{args.out}: {args.out.stat().st_size // MIB} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

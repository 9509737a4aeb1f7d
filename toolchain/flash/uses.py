"""Who needs a block device as it is: mounts of every namespace, swap, what is built upon it, programs that hold it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain.flash.facts import Places, Use

_UNSEEN = "the programs of other users cannot be looked into"
_SYSTEM = ("/", "/usr", "/boot", "/boot/efi", "/efi")


@dataclass(frozen=True)
class Node:
    """A block device, whole or partition, as sysfs has it."""

    name: str
    number: str  # major:minor
    folder: Path
    whole: str  # the disk that it is a partition of; itself, where it is none
    alias: str = ""  # the name under /dev/mapper


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo."""

    number: str
    point: str
    kind: str
    source: str
    process: str  # "": in this process's own namespace


@dataclass(frozen=True)
class Known:
    """All that is in use; read once for all disks."""

    nodes: dict[str, Node]
    above: dict[str, set[str]]  # device -> what is built directly on it
    uses: tuple[Use, ...]
    trouble: tuple[str, ...]

    def of(self, disk: str) -> tuple[Use, ...]:
        """The uses of a disk, of its partitions, and of all that is built on these."""
        seen: list[str] = []
        todo = [disk]
        while todo:
            name = todo.pop(0)
            if name in seen:
                continue
            seen.append(name)
            todo += sorted(node.name for node in self.nodes.values() if node.whole == name and node.name != name)
            todo += sorted(self.above.get(name, ()))
        own = {node.name for node in self.nodes.values() if node.whole == disk}
        found = [use for name in seen for use in self.uses if use.name == name]
        built = [Use(name, f"carries {self._shown(above)}") for name in seen if name in own
                 for above in sorted(self.above.get(name, ()))]
        return tuple(dict.fromkeys([*found, *built]))

    def _shown(self, name: str) -> str:
        alias = self.nodes[name].alias if name in self.nodes else ""
        return f"{name} ({alias})" if alias else name


def know(places: Places, nodes: dict[str, Node], checkout: Path) -> Known:
    """Reads what this system does with its block devices."""
    mounts, trouble = _mounts(places.proc)
    swaps, more = _swaps(places, nodes)
    held, unseen = _open(places, nodes)
    uses = [*_of_mounts(mounts, places, nodes, checkout), *swaps, *_btrfs(places.sys), *held]
    return Known(nodes, _above(places, nodes), tuple(uses), tuple(dict.fromkeys([*trouble, *more, *unseen])))


# -- names --


def under_dev(text: str, places: Places) -> Path | None:
    """The path, if it is one under /dev."""
    return places.dev / text.removeprefix("/dev/") if text.startswith("/dev/") else None


def resolve(text: str, places: Places, nodes: dict[str, Node]) -> str | None:
    """The kernel's name of the device that a path under /dev meant to who wrote it: it may be gone, or be in another
    namespace, and then its last part tells."""
    path = under_dev(text, places)
    if path is None:
        return None
    if number := places.number(path):
        return next((node.name for node in nodes.values() if node.number == number), None)
    name = os.path.basename(os.path.realpath(path))
    if name in nodes:
        return name
    return next((node.name for node in nodes.values() if node.alias and node.alias == name), None)


def _plain(text: str) -> str:
    r"""\040 and its like, as mountinfo and swaps write blanks."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


# -- mounts --


def _mounts(proc: Path) -> tuple[list[Mount], list[str]]:
    """Of every mount namespace that can be looked into; the kernel's own check (O_EXCL) knows the others."""
    try:
        own = list(_parse((proc / "self/mountinfo").read_text(errors="replace"), ""))
    except OSError as exc:
        return [], [f"the mounted file systems cannot be listed ({exc.strerror})"]
    found, seen, trouble = own, {_namespace(proc / "self")}, []
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name) if path.name.isdigit() else 0):
        namespace = _namespace(folder)
        if namespace is not None and namespace in seen:
            continue
        try:
            found = [*found, *_parse((folder / "mountinfo").read_text(errors="replace"), folder.name)]
            seen.add(namespace)
        except PermissionError:
            trouble = _unseen()
        except OSError:
            continue  # ended just now
    return found, trouble


def _namespace(folder: Path) -> str | None:
    try:
        return os.readlink(folder / "ns/mnt")
    except OSError:
        return None


def _parse(text: str, process: str) -> Iterator[Mount]:
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) >= 5 and len(more) >= 2:
            yield Mount(words[2], _plain(words[4]), more[0], _plain(more[1]), process)


def _of_mounts(mounts: list[Mount], places: Places, nodes: dict[str, Node], checkout: Path) -> Iterator[Use]:
    numbers = {node.number: node.name for node in nodes.values()}
    here = _holding(mounts, checkout)
    told = set()
    for mount in mounts:
        names = {numbers.get(mount.number)}
        # btrfs and its like have numbers of their own: what was mounted is told by name. bcachefs joins several.
        for source in mount.source.split(":") if mount.kind == "bcachefs" else [mount.source]:
            names.add(resolve(source, places, nodes))
        for name in sorted(name for name in names if name):
            system = mount.point if mount.point in _SYSTEM and not mount.process else ""
            if mount == here and not system:
                system = "this checkout"
            by = f" (in another namespace, that of process {mount.process})" if mount.process else ""
            use = Use(name, f"is mounted at {mount.point}{by}", system)
            if (name, mount.point, bool(system)) not in told:
                told.add((name, mount.point, bool(system)))
                yield use


def _holding(mounts: list[Mount], folder: Path) -> Mount | None:
    """The mount in which a folder lies: of the longest path, the last."""
    text = str(folder)
    fitting = [mount for mount in mounts if not mount.process and
               (text == mount.point or text.startswith(mount.point.rstrip("/") + "/"))]
    return max(enumerate(fitting), key=lambda pair: (len(pair[1].point), pair[0]))[1] if fitting else None


def _btrfs(sys: Path) -> Iterator[Use]:
    """All disks of a mounted btrfs; mountinfo names one."""
    for device in sorted((sys / "fs/btrfs").glob("*/devices/*")):
        yield Use(device.name, "is part of a mounted btrfs")


# -- swap, layers, programs --


def _swaps(places: Places, nodes: dict[str, Node]) -> tuple[list[Use], list[str]]:
    try:
        lines = (places.proc / "swaps").read_text(errors="replace").splitlines()[1:]
    except FileNotFoundError:
        return [], []  # a kernel without swap
    except OSError as exc:
        return [], [f"the swap devices cannot be listed ({exc.strerror})"]
    uses, trouble = [], []
    for words in (line.split() for line in lines):
        if len(words) < 2 or words[1] != "partition":
            continue  # a file: its file system is mounted
        name = resolve(_plain(words[0]), places, nodes)
        if name is None:
            trouble.append(f"there is swap on {_plain(words[0])}, and which disk that is cannot be told")
        else:
            uses.append(Use(name, "is used as swap", "swap space"))
    return uses, trouble


def _above(places: Places, nodes: dict[str, Node]) -> dict[str, set[str]]:
    """What is built on what: device-mapper, md, bcache (holders and slaves), and loop devices on a disk."""
    above: dict[str, set[str]] = {}
    for node in nodes.values():
        for holder in _names(node.folder / "holders"):
            above.setdefault(node.name, set()).add(holder)
        for below in _names(node.folder / "slaves"):
            above.setdefault(below, set()).add(node.name)
        try:
            behind = (node.folder / "loop/backing_file").read_text(errors="replace").strip()
        except OSError:
            continue
        name = resolve(behind, places, nodes)
        if name:
            above.setdefault(name, set()).add(node.name)
    return above


def _names(folder: Path) -> Iterable[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return ()


def _open(places: Places, nodes: dict[str, Node]) -> tuple[list[Use], list[str]]:
    """Programs that have a device open without having claimed it: a virtual machine that runs from the stick, say."""
    names = {node.number: node.name for node in nodes.values()}
    uses, trouble = [], []
    for process in sorted(places.proc.glob("[0-9]*")):
        if process.name == str(os.getpid()):
            continue
        try:
            held = sorted(names[number] for number in _held(process, places) & names.keys())
            program = (process / "comm").read_text(errors="replace").strip() if held else ""
        except PermissionError:
            trouble = _unseen()
            continue
        except OSError:
            continue  # ended just now
        uses += [Use(name, f"is open in process {process.name} ({program})") for name in held]
    return uses, trouble


def _held(process: Path, places: Places) -> set[str]:
    """The numbers of the devices that a process has open, under whatever name it opened them."""
    found = set()
    for entry in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed just now
            if os.readlink(entry).startswith("/"):  # no socket or pipe
                found.add(places.number(entry))
    return found


def _unseen() -> list[str]:
    """What cannot be looked into is trouble; what even root cannot look into has no remedy."""
    return [_UNSEEN] if os.geteuid() != 0 else []

"""All of it in order: look, check the image, show, ask, claim, look again, write, read back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.flash import device, rules, source, write
from toolchain.flash.facts import Disk, Facts
from toolchain.flash.source import PIECE, Source
from toolchain.ui import Ui, size_text

Ask = Callable[[str], str]


def flash(look: Callable[[], Facts], number: str, image: Source, ask: Ask, ui: Ui, *,
          claim: Callable[[Path], AbstractContextManager[device.Device]] = device.claim) -> None:
    """Writes `image` to the disk `number` (major:minor), once everything speaks for it and the user has said its name.

    `look` reads the facts of this machine anew each time.
    """
    disk = allowed(look(), number, image.size)
    with ui.running("check"):
        source.check(image, ui.progress("check"))
    _agree(disk, image, ask, ui)
    path = Path(disk.path)
    with claim(path) as target:
        now = allowed(look(), number, image.size)
        if now != disk or target.number != number or target.size != disk.size:
            raise UserError(f"{disk.path} is not the disk any more that it was", "nothing was written; run this again")
        _write(target, path, disk, image, ui)


def allowed(facts: Facts, number: str, size: int) -> Disk:
    """The disk; UserError where anything speaks against it."""
    disk = facts.disk(number)
    if disk is None:
        found = facts.of_part(number)
        if found is None:
            raise UserError(f"there is no disk {number} (any more)", "./doit flash lists those that may be written")
        whole, part = found
        raise UserError(f"/dev/{part.name} is a partition of {whole.path}; an image takes the whole disk",
                        f"./doit flash device={whole.path}" if rules.refusal(whole, facts, size) is None else
                        "./doit flash lists the disks that may be written")
    if error := rules.refusal(disk, facts, size):
        raise error
    return disk


def _agree(disk: Disk, image: Source, ask: Ask, ui: Ui) -> None:
    """Shows what will be lost; the user says so by the disk's name."""
    ui.say(f"disk    {disk.path}  {disk.model or 'model unknown'}  {size_text(disk.size)}  "
           f"serial {disk.serial or 'unknown'}")
    ui.say(f"holds   {contents(disk)}: all of it will be lost")
    ui.say(f"image   {image.path}  {size_text(image.size)}  sha256 {image.sha256}")
    for caution in rules.cautions(disk):
        ui.warn(caution)
    answer = ask(f"type the name of the disk to write to it ({disk.name}): ")
    if answer not in (disk.name, disk.path):
        raise UserError(f"{disk.path} was not written: its name was not typed", "run this again, and type "
                        f"{disk.name}")


def contents(disk: Disk) -> str:
    """What is on it, in a line."""
    parts = [f"{part.name} {part.holds or 'something unknown'} {size_text(part.size)}" for part in disk.parts]
    return ", ".join(parts) or disk.holds or "nothing that is known"


def _write(target: device.Device, path: Path, disk: Disk, image: Source, ui: Ui) -> None:
    try:
        with ui.running("write"):
            write.write(target, source.pieces(image), image.size, disk.size, ui.progress("write"))
        with ui.running("read back"):
            found, sure = _read_back(target, path, image, ui)
        if found != image.sha256:
            raise UserError(f"{path} gives back other bytes than were written to it",
                            "it is broken, or smaller than it says: take another one")
    except (OSError, UserError) as exc:
        what = exc.what if isinstance(exc, UserError) else f"{path}: {exc.strerror or exc}"
        hint = exc.hint if isinstance(exc, UserError) else "take another stick"
        raise UserError(f"{what}; {_unusable(path)}", hint) from exc
    except BaseException:  # Ctrl-C, SIGTERM
        print(f"\n{_unusable(path)} until it is written anew", file=sys.stderr)
        raise
    ui.say(f"{path} holds the image: {size_text(image.size)} written, read back "
           f"{'from the disk' if sure else 'through the cache of the kernel'} and compared")
    if disk.size > image.size:
        ui.say("the last 33 sectors, where an older partition table has its second copy, are blank now")
    ui.say("it can be pulled out" if target.reread_table() else
           "the kernel has not taken the new partition table yet: pull it out and plug it in to use it here")


def _read_back(target: device.Device, path: Path, image: Source, ui: Ui) -> tuple[str, bool]:
    dropped = target.forget_cache()
    with device.reader(path) as (read, direct):
        return write.read_back(read, image.size, PIECE, ui.progress("read back")), dropped or direct


def _unusable(path: Path) -> str:
    return f"{path} was partly written: what was on it is lost, and nothing on it can be used"


def from_terminal(question: str) -> str:
    """The answer that is typed now; what was typed before the question does not count."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("the disk's name must be typed at a terminal, and this is none",
                        "there is no way to script this; dd and its like need no permission")
    import termios

    print(question, end="", file=sys.stderr, flush=True)
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    return sys.stdin.readline().strip()


def table(facts: Facts) -> Any:
    """The disks that can be pulled out, for rich to draw; None where there is none."""
    from rich.table import Table
    from rich.text import Text

    shown = [disk for disk in facts.disks if rules.by_nature(disk) is None and disk.size > 0]
    if not shown:
        return None
    found = Table("disk", "model", "size", "serial", "by", "holds", "may be written", box=None, header_style="bold",
                  padding=(0, 2, 0, 0))
    for disk in shown:
        error = rules.refusal(disk, facts)
        words = [disk.path, disk.model, size_text(disk.size), disk.serial, disk.transport or "removable",
                 contents(disk), "yes" if error is None else f"no: {error.what.removeprefix(disk.path + ' ')}"]
        found.add_row(*(Text(word) for word in words))
    return found



"""`./doit flash`: an image on a USB stick or SD card."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.files import from_user
from toolchain.plugin import Session

if TYPE_CHECKING:
    from toolchain.flash.facts import Places

VARIABLES = {
    "device": "the disk to write to, a whole one: /dev/sdX",
    "from": "a release folder, dist/NAME-VERSION, instead of the image that was built here",
}


class Flash(IngotCommand):
    """Refuses whatever it is not sure of; the disk's name must be typed back."""

    name = "flash"
    if_ended = ""  # job says what became of the disk
    doc_purpose = "write an image to a USB stick or SD card, safely"
    doc_usage = "[device=/dev/sdX] [image=NAME | from=dist/NAME-VERSION]"
    doc_description = ("Without device= it lists the disks that can be pulled out. Nothing is built: run ./doit "
                       "image=NAME before it.\n" + "\n".join(f"{name}= {text}" for name, text in VARIABLES.items()))

    def go(self, current: Session, names: list[str]) -> int:
        """Writes, or lists where no disk is named."""
        if not sys.platform.startswith("linux"):
            raise UserError("flash knows the disks of Linux alone",
                            "write build/NAME/NAME.img with Rufus (Windows) or balenaEtcher (Windows, macOS)")
        from toolchain.flash import job, sysfs
        from toolchain.flash.facts import Places
        from toolchain.flash.source import built, released

        places = Places()
        given = current.given
        if "device" not in given:
            self._list(current, places)
            if "image" in given or "from" in given:
                raise UserError("device= is missing: nothing was written", "choose one: ./doit flash device=/dev/sdX")
            return 0
        number = sysfs.find(str(from_user(given["device"])), places)
        if number is None:
            raise UserError(f"device={given['device']} is no disk of this machine",
                            "./doit flash lists those that may be written")
        job.allowed(sysfs.look(places, current.root), number, 0)  # a wrong disk is said before anything else
        if "from" in given:
            from toolchain import extras

            if "image" in given:
                raise UserError("flash takes either image= or from=, not both", "from= names a whole release")
            extras.ensure("zstandard", current.ui, extras.RELEASE)
            source = released(from_user(given["from"]))
        else:
            source = built(current.root, current.get("image", "tales"))
        job.flash(lambda: sysfs.look(places, current.root), number, source, job.from_terminal, current.ui)
        return 0

    def _list(self, current: Session, places: Places) -> None:
        from rich.console import Console

        from toolchain.flash import job, sysfs

        table = job.table(sysfs.look(places, current.root))
        if table is None:
            print("there is no removable disk: " + (
                "WSL sees none, write the image with Rufus" if "microsoft" in os.uname().release.lower() else
                "plug in a USB stick or an SD card"))
        else:
            Console(highlight=False).print(table)

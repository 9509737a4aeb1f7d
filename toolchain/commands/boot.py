"""`./doit boot`: brings the image up to date and boots it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.own_model import VARIABLES as OWN
from toolchain.own_model import own_model
from toolchain.plugin import Session
from toolchain.qemu.options import VARIABLES


class Boot(IngotCommand):
    """QEMU around the built image; a prompt makes it a scripted boot."""

    name = "boot"
    doc_purpose = "bring an image up to date and boot it in QEMU"
    doc_usage = ("[image=NAME | model=FILE|FOLDER[,...] [tokenizer=FILE]] ["
                 + "] [".join(f"{name}=..." for name in VARIABLES) + "]")
    doc_description = "\n".join(f"{name}= {text}" for name, text in {**OWN, **VARIABLES}.items())

    def go(self, current: Session, names: list[str]) -> int:
        """QEMU's fate as toolchain/qemu tells it."""
        from toolchain import qemu
        from toolchain.qemu import binary

        options = qemu.parse(current.given, Path(__file__))  # a wrong value is said before anything is built
        own = own_model(current)
        if own is not None:
            own.check_disk()
        if binary.root_needed(options.display, options.host) and current.roots.look("vm") is None:
            threading.Thread(target=_fetch, args=[current], daemon=True).start()  # while the image is built
        self.bring(["image"])
        folder = Path("build") / (own.image if own is not None else current.get("image", "tales"))
        options = qemu.parse(current.given, folder / f"{folder.name}.img")
        return qemu.boot(options, say=current.ui.say, boot_json=folder / "boot.json",
                         vm=lambda: current.roots.ensure("vm").path)


def _fetch(current: Session) -> None:
    """What goes wrong is told when the boot itself asks for the root."""
    with contextlib.suppress(UserError, OSError):
        current.roots.ensure("vm")

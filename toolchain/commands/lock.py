"""`./doit lock image=NAME`: pins the outputs of a finished image in images/NAME.lock."""

from __future__ import annotations

from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.manifest import manifest, write_lock
from toolchain.plugin import Session


class Lock(IngotCommand):
    """Builds the image, then writes down what came out."""

    name = "lock"
    doc_purpose = "build an image and pin the sha256 of every output in images/NAME.lock"
    doc_usage = "image=NAME"

    def go(self, current: Session, names: list[str]) -> int:
        """Replaces the lock file as a whole."""
        if "image" not in current.given:
            raise UserError("lock does not know which image", "./doit lock image=tales")
        self.bring(["image", "host"])
        entries = manifest(current.graph, current.graph.order())
        if len(entries) < len(current.graph.stages):
            raise UserError("not every stage of the image is built", "run ./doit first")
        path = Path("images") / f"{current.given['image']}.lock"
        print(f"{path}: {write_lock(path, entries)} outputs")
        return 0

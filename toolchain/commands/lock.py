"""`./doit lock image=NAME` pins the outputs of an image; `./doit lock [cc vm …]` locks toolchain roots anew."""

from __future__ import annotations

from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.manifest import manifest, write_lock
from toolchain.plugin import Session


class Lock(IngotCommand):
    """Writes down what something is now, so that a change is seen."""

    name = "lock"
    doc_purpose = "lock the toolchain roots anew, or pin an image's outputs in images/NAME.lock"
    doc_usage = "[ROOT ...] | image=NAME"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """Replaces each lock file as a whole."""
        if "image" not in current.given:
            return _lock_roots(current, names)
        if names:
            raise UserError(f"lock takes either image= or toolchain roots, not image= and {names[0]}", "do one of them")
        self.bring(["image", "host"])
        entries = manifest(current.graph, current.graph.order())
        if len(entries) < len(current.graph.stages):
            raise UserError("not every stage of the image is built", "run ./doit first")
        path = Path("images") / f"{current.given['image']}.lock"
        print(f"{path}: {write_lock(path, entries)} outputs")
        return 0


def _lock_roots(current: Session, names: list[str]) -> int:
    """Says per root what has changed."""
    from toolchain.roots.relock import relock

    for done in relock(names, current.roots):
        changes = done.changes()
        if done.old == done.new:
            said = "unchanged"
        elif done.old is None:
            said, changes = "new", []
        else:
            said = f"{len(changes)} packages differ" if changes else "the same packages"
        print(f"{done.new.root}: {sum(1 for _ in done.new.files())} packages, {said}")
        for line in changes:
            print(f"  {line}")
    return 0

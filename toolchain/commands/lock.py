"""`./doit lock [cc vm …]`: locks the project's toolchain roots anew, toolchain/packages.yaml -> toolchain/NAME.lock."""

from __future__ import annotations

from toolchain.commands import IngotCommand
from toolchain.plugin import Session


class Lock(IngotCommand):
    """Writes down what the packages are now, so that a change is seen."""

    name = "lock"
    doc_purpose = "lock the project's toolchain roots (toolchain/packages.yaml) anew"
    doc_usage = "[ROOT ...]"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """Replaces each lock file as a whole, and says per root what has changed."""
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

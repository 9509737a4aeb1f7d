"""`./doit reproduce`: rebuilds an image from nothing, in other surroundings, and compares every stage."""

from __future__ import annotations

from toolchain.commands import IngotCommand
from toolchain.files import from_user
from toolchain.plugin import Session

VARIABLES = {"from": "reproduce: the release to compare with (dist/NAME-VERSION)"}


class Reproduce(IngotCommand):
    """Changes nothing but build/NAME/reproduce, which holds what differs."""

    name = "reproduce"
    if_ended = ""
    doc_purpose = "rebuild an image from nothing, in other surroundings, and compare every stage"
    doc_usage = "[image=NAME] [from=dist/NAME-VERSION] [toolchain=EXECUTOR]"

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 0 only where everything is identical."""
        from toolchain.reproduce.run import Reproduction

        given = current.given.get("from")
        folder = None if given is None else from_user(given)
        return 0 if Reproduction(current, current.get("image", "tales"), folder).go() else 1

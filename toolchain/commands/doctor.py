"""`./doit doctor`: what this machine lacks, and how to mend it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from toolchain.commands import IngotCommand
from toolchain.commands.toolchain import stage_roots
from toolchain.errors import typed
from toolchain.plugin import Session

if TYPE_CHECKING:
    from toolchain.checkup import Line

_MENDS = {"docker": "start Docker; if it runs: sudo usermod -aG docker $USER, then log in again",
          "nix": "install Nix; if it is there, its daemon must trust you: trusted-users in nix.conf"}


class Doctor(IngotCommand):
    """Looks, and changes nothing."""

    name = "doctor"
    doc_purpose = "say what this machine lacks and how to mend it"
    doc_usage = "[toolchain=NAME]"
    ready = "this machine can build"

    def more(self, current: Session, chosen: str, wanted: str) -> list[Line]:
        """What this project needs of the machine itself: the tools of its stages, where they run on the host."""
        from toolchain import checkup

        return checkup.stage_tools(current.graph.stages.values()) if chosen == "host" else []

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when a build would fail."""
        from rich.console import Console
        from rich.table import Table

        from toolchain import checkup
        from toolchain.executors import choose, nix, sandbox

        trouble = {"sandbox": sandbox.trouble_now(), "docker": choose.docker_trouble(),
                   "nix": nix.trouble()}
        mends = {"sandbox": checkup.this_sandbox_mend(), **_MENDS}
        wanted = current.get("toolchain", "auto")
        chosen, lines = checkup.executors(trouble, mends, wanted, choose.in_ci(os.environ))
        if chosen != "host":
            lines += [checkup.root(current.roots, name)[1] for name in stage_roots(current)]
        lines += self.more(current, chosen, wanted)

        table = Table("", "what", "detail", "mend", box=None, header_style="bold", padding=(0, 2, 0, 0))
        table.add_row("ok", "python", ".".join(map(str, sys.version_info[:3])), "")
        for line in lines:
            found, style = line.found, "red" if line.stops else "yellow"
            table.add_row("ok" if found.ok else "no", found.name, typed(found.detail), typed(found.mend),
                          style="" if found.ok else style)
        Console(highlight=False).print(table)
        lacking = any(line.stops for line in lines)
        print("something is missing" if lacking else self.ready)
        return 1 if lacking else 0

"""`./doit doctor`: what this machine lacks, and how to mend it."""

from __future__ import annotations

import sys

from toolchain.commands import IngotCommand
from toolchain.packages import NEEDS, present
from toolchain.plugin import Session


class Doctor(IngotCommand):
    """Looks, and changes nothing."""

    name = "doctor"
    doc_purpose = "say what this machine lacks and how to mend it"
    doc_usage = ""

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when a build or a boot would fail."""
        from rich.console import Console
        from rich.table import Table

        from toolchain.qemu.diagnose import accelerators

        table = Table("", "what", "detail", "mend", box=None, header_style="bold", padding=(0, 2, 0, 0))
        version = ".".join(map(str, sys.version_info[:3]))
        table.add_row("ok", "python", version, "")
        lacking = False
        for need in NEEDS:
            there = present(need)
            lacking = lacking or not (there or need.when == "test")
            mend = "" if there else f"Debian, Ubuntu: sudo apt-get install {need.package}"
            table.add_row("ok" if there else "no", need.what, need.use, mend, style="" if there else "red")
        for found in accelerators():
            table.add_row("ok" if found.ok else "no", found.name, found.detail, found.mend,
                          style="" if found.ok else "yellow")
        Console(highlight=False).print(table)
        print("something is missing" if lacking else "this machine can build and boot")
        return 1 if lacking else 0

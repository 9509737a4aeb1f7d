"""`./doit doctor`: what this machine lacks, and how to mend it."""

from __future__ import annotations

import os
import platform
import sys

from toolchain.commands import IngotCommand
from toolchain.plugin import Session

_MENDS = {"docker": "start Docker; if it runs: sudo usermod -aG docker $USER, then log in again",
          "nix": "install Nix; if it is there, its daemon must trust you: trusted-users in nix.conf"}


class Doctor(IngotCommand):
    """Looks, and changes nothing."""

    name = "doctor"
    doc_purpose = "say what this machine lacks and how to mend it"
    doc_usage = "[toolchain=NAME]"

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when a build or a boot would fail."""
        from rich.console import Console
        from rich.table import Table

        from toolchain import checkup
        from toolchain.executors import choose, nix, sandbox
        from toolchain.packages import present
        from toolchain.qemu import binary
        from toolchain.qemu.diagnose import accelerators

        trouble = {"sandbox": sandbox.trouble_now(), "docker": choose.docker_trouble(),
                   "nix": nix.trouble()}
        mends = {"sandbox": checkup.this_sandbox_mend(), **_MENDS}
        wanted = current.get("toolchain", "auto")
        chosen, lines = checkup.executors(trouble, mends, wanted, choose.in_ci(os.environ))
        if chosen != "host":
            lines.append(checkup.root(current.roots, "cc")[1])
        if binary.own_needed(display="serial", host=wanted == "host", named=bool(os.environ.get("INGOT_QEMU")),
                             platform=sys.platform, arch=platform.machine()):
            qemu, more = checkup.own_qemu()
            lines += more
        else:
            vm, line = checkup.root(current.roots, "vm")
            qemu = binary.of_root(vm) if vm is not None else None
            lines.append(line)
        lines += checkup.tools(present, chosen)
        lines += [checkup.Line(found) for found in accelerators(qemu)]

        table = Table("", "what", "detail", "mend", box=None, header_style="bold", padding=(0, 2, 0, 0))
        table.add_row("ok", "python", ".".join(map(str, sys.version_info[:3])), "")
        for line in lines:
            found, style = line.found, "red" if line.stops else "yellow"
            table.add_row("ok" if found.ok else "no", found.name, found.detail, found.mend,
                          style="" if found.ok else style)
        Console(highlight=False).print(table)
        lacking = any(line.stops for line in lines)
        print("something is missing" if lacking else "this machine can build and boot")
        return 1 if lacking else 0

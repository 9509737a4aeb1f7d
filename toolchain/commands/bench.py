"""`./doit bench [NAME…]`: the measurements of bench/, each a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from toolchain.commands import IngotCommand
from toolchain.errors import UserError
from toolchain.plugin import Session


class Bench(IngotCommand):
    """Brings the programs up to date, then runs bench/NAME.py."""

    name = "bench"
    doc_purpose = "run the benchmarks of bench/ (all, or those named)"
    doc_usage = "[NAME ...]"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when one of them fails."""
        there = sorted(path.stem for path in Path("bench").glob("*.py") if not path.stem.startswith("_"))
        for name in names:
            if name not in there:
                raise UserError(f"there is no benchmark {name}", f"there are: {', '.join(there)}")
        self.bring(["image", "host", "trainer"])
        failed = 0
        for name in names or there:
            current.ui.say(f"bench {name}")
            failed |= subprocess.run([sys.executable, f"bench/{name}.py"], check=False).returncode
        return 1 if failed else 0

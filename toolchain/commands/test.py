"""`./doit test`: the test-suite, on all cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from toolchain.commands import IngotCommand
from toolchain.ending import Terminated
from toolchain.errors import UserError
from toolchain.extras import ensure
from toolchain.packages import install_hint, missing
from toolchain.plugin import Session

VARIABLES = {
    "slow": "1 adds the tests marked slow",
    "k": "only the tests whose names match (pytest -k)",
}


class Test(IngotCommand):
    """pytest in this checkout's .venv."""

    name = "test"
    doc_purpose = "run the test-suite"
    doc_usage = "[PATH ...] [slow=1] [k=EXPRESSION]"
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """pytest's own output and exit status."""
        lacking = missing()
        if lacking:
            raise UserError(f"the tests need {', '.join(need.what for need in lacking)}, which this machine lacks",
                            install_hint(lacking))
        ensure("pytest", current.ui)
        argv = [sys.executable, "-m", "pytest", "-n", str(os.cpu_count() or 1), "--dist", "worksteal"]
        if current.get("slow", "0") in ("", "0"):
            argv += ["-m", "not slow"]
        if "k" in current.given:
            argv += ["-k", current.given["k"]]
        with subprocess.Popen([*argv, *names]) as child:
            try:
                return child.wait()
            except (SystemExit, Terminated):  # SIGTERM, of which a terminal would tell pytest and a CI machine does not
                child.send_signal(signal.SIGINT)
                raise

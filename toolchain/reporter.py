"""doit REPORTER `ingot`: a line a stage (written by the stage itself), errors with their hint."""

from __future__ import annotations

import sys
import time
from typing import Any

from doit.exceptions import BaseFail, UnmetDependency
from doit.reporter import ZeroReporter

from toolchain import ui as screen
from toolchain.plugin import session


class IngotReporter(ZeroReporter):
    """Tasks that are up to date are counted, not listed."""

    desc = "a line a stage: restored or built, time, size, progress"

    def __init__(self, outstream: Any, options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._started = time.monotonic()
        self._fresh = 0
        self._other = 0

    def skip_uptodate(self, task: Any) -> None:
        """Counts a stage that needed nothing."""
        if session().is_stage(task.name):
            self._fresh += 1

    def skip_ignore(self, task: Any) -> None:
        """Says that the user told doit to ignore a task."""
        session().ui.say(f" ignored  {task.name}")

    def execute_task(self, task: Any) -> None:
        """A task that is no stage has no line of its own yet."""
        if task.actions and not session().is_stage(task.name):
            self._other += 1
            print(f".  {task.title()}", file=sys.stderr)

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """What went wrong, once; stages that only waited for it are not listed."""
        if isinstance(fail, UnmetDependency):
            return
        last = [line.strip() for line in "".join(fail.traceback).splitlines() if line.strip()][-1:]
        unexpected = "" if "hint:" in fail.message else "".join(f": {task.name}: {line}" for line in last)
        text = fail.get_msg() if session().debug else fail.message + unexpected
        print(f"error: {text.strip()}", file=sys.stderr)

    def runtime_error(self, msg: str) -> None:
        """An error of doit itself."""
        print(f"error: {msg}", file=sys.stderr)

    def complete_run(self) -> None:
        """The last line: how much was made, and how long it took."""
        current = session()
        current.finish()
        counts = current.ui.counts
        parts = [f"{number} {how}" for how, number in sorted(counts.items())]
        if not parts and self._fresh and not self._other:
            print(f"up to date: {self._fresh} stages", file=sys.stderr)
        elif parts:
            spent = screen.time_text(time.monotonic() - self._started)
            print(f"{', '.join(parts)}, {self._fresh} up to date in {spent}", file=sys.stderr)

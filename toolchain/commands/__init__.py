"""doit COMMAND plugins. Each loads dodo.py as doit's own commands do, so that it knows the graph."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from typing import Any

from doit.cmd_base import DoitCmdBase

from toolchain import ending
from toolchain.errors import UserError, meant
from toolchain.plugin import Session, session
from toolchain.ui import error


class IngotCommand(DoitCmdBase):
    """A command that fails with an error and a hint, never with a traceback (unless debug=1)."""

    execute_tasks = True
    takes_names = False  # whether words that are not name=value mean something
    if_ended = ending.rest  # what is said after Ctrl-C or SIGTERM

    def _execute(self, pos_args: list[str]) -> int:
        ending.rest = self.if_ended
        try:
            if pos_args and not self.takes_names:
                raise UserError(f"{self.name} takes no word {pos_args[0]!r}", "options are given as name=value")
            return self.go(session(), pos_args)
        except UserError as exc:
            if session().debug:
                traceback.print_exc()
            error(exc)
            return 1

    def go(self, current: Session, names: list[str]) -> int:
        """Does the work; returns the exit status."""
        raise NotImplementedError

    def bring(self, names: Iterable[str]) -> None:
        """Brings tasks up to date, as `doit NAME…` would; raises Failed where one fails."""
        from doit.control import TaskControl
        from doit.runner import Runner
        from doit.task import Stream

        from toolchain.reporter import IngotReporter

        control = TaskControl(self.task_list)
        control.process(list(names))
        runner = Runner(self.dep_manager, IngotReporter(sys.stderr, {"quiet": True}), False, False, Stream(2))
        if runner.run_all(control.task_dispatcher()):
            raise SystemExit(1)  # the reporter has said why


def chosen_stages(current: Session, names: list[str]) -> list[Any]:
    """The stages that `names` (stages or groups of them) mean and need; all without names."""
    graph = current.graph
    wanted: list[str] = []
    for name in names:
        found = [stage for stage in graph.stages if stage == name or stage.startswith(name + ":")]
        if not found:
            raise UserError(f"there is no stage {name}", meant(name, graph.stages) + "./doit list names them all")
        wanted += found
    return graph.order(wanted or None)

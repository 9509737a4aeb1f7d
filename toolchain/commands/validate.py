"""`./doit validate`: proof that the models learn, rung by rung, each with a number to reach."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from toolchain import ml
from toolchain.bars import Bars
from toolchain.commands import IngotCommand
from toolchain.errors import UserError, meant
from toolchain.files import atomic
from toolchain.plugin import Session
from toolchain.ui import time_text

VARIABLES = {"rung": "validate: this one alone (docs/validate.md names them)"}
OUT = Path("build/validate")
PROGRAMS = {"train": "trainer", "ingot": "host"}  # what a rung needs -> the stage that makes it


class Validate(IngotCommand):
    """From gradient to generation."""

    name = "validate"
    doc_purpose = "prove that the models learn: gradients, memory, generation, each with a number to reach"
    doc_usage = "[rung=NAME]"

    def go(self, current: Session, names: list[str]) -> int:
        """Exit status 1 when a rung misses its number."""
        rungs = chosen(current)
        self.bring(sorted({PROGRAMS[need] for rung in rungs for need in rung.needs if need in PROGRAMS}))
        files, skipped = found(current, rungs)
        ready = [rung for rung in rungs if rung.name not in skipped]
        only = [word for rung in ready for word in ("--only", rung.name)]
        with Bars(current.ui) as bars:
            def take(line: str) -> None:
                said = bars.line(line, "validate")
                if said is not None:
                    result = said["result"]
                    bars.end(said["rung"], f"{result['measured']} ({time_text(result['seconds'])})")

            ml.run(current, "model.validate", [*only, "--out", "out"], files, OUT, take)
        reached = json.loads((OUT / "validate.json").read_bytes())["rungs"]
        from toolchain.validation.page import page

        with atomic(OUT / "report.html") as out:
            out.write(page(reached, skipped).encode())
        _show(reached, skipped)
        return 0 if all(rung["passed"] for rung in reached) else 1


def chosen(current: Session) -> list[Any]:
    """The rungs that are asked for."""
    every = importlib.import_module("model.validate.goals").RUNGS
    wanted = current.given.get("rung")
    if wanted is None:
        return [rung for rung in every if not rung.alone]
    names = [rung.name for rung in every]
    if wanted not in names:
        raise UserError(f"there is no rung {wanted}", f"{meant(wanted, names)}there are: {', '.join(names)}")
    return [rung for rung in every if rung.name == wanted]


def found(current: Session, rungs: list[Any]) -> tuple[dict[str, Path], dict[str, str]]:
    """The files that the rungs need, by their names there; and the rungs that lack one, with the reason.

    A rung that was named must have them all.
    """
    from toolchain.validation import booted, data

    goals = importlib.import_module("model.validate.goals")
    files: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for rung in rungs:
        try:
            files.update(data.bring(current, rung.needs, OUT))
            if set(goals.STORIES) & set(rung.needs):
                folder = booted.boot(current, goals.BOOTED, goals.PROMPTS, goals.TOKENS, OUT)
                files.update({name: folder / Path(name).name for name in goals.STORIES})
        except UserError as error:
            if "rung" in current.given:
                raise
            skipped[rung.name] = error.what
            current.ui.warn(f"{rung.name} is not run: {error.what}")
        files.update({need: Path("build/host") / need for need in rung.needs if need in PROGRAMS})
    return files, skipped


def _show(reached: list[dict[str, Any]], skipped: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("rung", "to reach", "reached", "", box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("time", justify="right", no_wrap=True)
    for rung in reached:
        word = Text("ok", "green") if rung["passed"] else Text("MISSED", "bold red")
        table.add_row(rung["name"], Text(rung["goal"]), Text(rung["measured"]), word, time_text(rung["seconds"]))
    for name, why in skipped.items():
        table.add_row(name, "", Text(f"not run: {why}"), "", "")
    Console().print(table)
    print(OUT / "report.html")

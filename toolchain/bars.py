"""Bars for the programs of model/ that say how far they are (toolchain/ml.py); plain lines without a terminal."""

from __future__ import annotations

import json
import time
from typing import Any

from toolchain import ml
from toolchain.ui import Ui

PLAIN_EVERY = 10.0  # seconds


class Bars:
    """A bar for each name, until the block ends."""

    def __init__(self, ui: Ui) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.ui = ui
        self.bars = Progress(TextColumn("{task.description:<10}"), BarColumn(bar_width=24), TimeElapsedColumn(),
                             TextColumn("{task.fields[note]}"), console=ui.console,
                             disable=not ui.console.is_terminal)
        self.tasks: dict[str, Any] = {}
        self.last = time.monotonic()

    def __enter__(self) -> Bars:
        self.bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.bars.stop()

    def line(self, text: str, name: str) -> dict[str, Any] | None:
        """A line that the program printed. What is not meant for a bar is shown, or given back if it is JSON."""
        if not text.startswith(ml.PROGRESS):
            self.ui.say(text)
            return None
        said: dict[str, Any] = json.loads(text[len(ml.PROGRESS):])
        name = said.get("rung", name)
        if "done" not in said:
            return said
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(name, total=said["of"], note="")
        self.bars.update(self.tasks[name], completed=said["done"], total=said["of"], note=said["note"])
        if self.bars.disable and time.monotonic() - self.last > PLAIN_EVERY:
            self.last = time.monotonic()
            self.ui.say(f"       {name} {100 * said['done'] / said['of']:.0f} % {said['note']}")
        return None

    def end(self, name: str, note: str) -> None:
        """The bar of this name stands still and says this."""
        if self.bars.disable:
            self.ui.say(f"{name}: {note}")
        elif name in self.tasks:
            self.bars.update(self.tasks[name], note=note)
            self.bars.stop_task(self.tasks[name])

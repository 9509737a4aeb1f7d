"""What a build shows: a line a stage, a bar while one runs. All of it on stderr: stdout is for results."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PROGRESS = "\x1e"  # a program's first byte of a line that is not for reading (model/program.py)
_PLAIN_EVERY = 10.0  # seconds between progress lines where there is no terminal


def size_text(size: int) -> str:
    """1234567 -> '1.2 MB'."""
    value = float(size)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def time_text(seconds: float) -> str:
    """75.3 -> '1 min 15 s'."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


class Ui:
    """One for a process. rich is imported when the first stage runs: an up-to-date build never needs it."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._lock = threading.RLock()
        self._console: Any = None
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._last: dict[str, float] = {}
        self._began: dict[str, tuple[float, int]] = {}  # when a stage first said how far it is, and how far

    @property
    def console(self) -> Any:
        """The rich console on stderr."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False)
        return self._console

    # -- one stage at work --

    @contextlib.contextmanager
    def running(self, stage: str) -> Iterator[None]:
        """Shows that the stage runs, until the block ends."""
        self._start(stage)
        try:
            yield
        finally:
            self._stop(stage)

    def _start(self, stage: str) -> None:
        with self._lock:
            self._last[stage] = time.monotonic()
            self._began.pop(stage, None)
            if not self.console.is_terminal:
                return
            if self._bars is None:
                from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

                self._bars = Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24),
                                      TimeElapsedColumn(), TextColumn("{task.fields[note]}"), console=self.console,
                                      transient=True)
                self._bars.start()
            self._tasks[stage] = self._bars.add_task(stage, total=None, note="")

    def _stop(self, stage: str) -> None:
        with self._lock:
            if self._bars is None:
                return
            self._bars.remove_task(self._tasks.pop(stage))
            if not self._tasks:
                self._bars.stop()
                self._bars = None

    def progress(self, stage: str, unit: Callable[[int], str] = size_text) -> Callable[[int, int | None], None]:
        """A function that is told how much is done, of how much."""

        def tell(done: int, total: int | None) -> None:
            self._advance(stage, done, total, unit(done) + (f" of {unit(total)}" if total else ""))

        return tell

    def _advance(self, stage: str, done: float, total: float | None, note: str) -> None:
        with self._lock:
            if self._bars is not None and stage in self._tasks:
                self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
            elif time.monotonic() - self._last.get(stage, 0) > _PLAIN_EVERY:
                self._last[stage] = time.monotonic()
                share = f"{100 * done / total:.0f} % " if total else ""
                self._print(f"       {stage} {share}{note}")

    def line(self, stage: str, text: str) -> None:
        """A line that the stage's program printed. `progress DONE TOTAL NOTE` moves its bar, and so does a line that
        begins with PROGRESS."""
        if text.startswith(PROGRESS):
            self._tell(stage, text[len(PROGRESS):])
            return
        words = text.split(" ", 3)
        if len(words) >= 3 and words[0] == "progress" and words[1].isdigit() and words[2].isdigit():
            self._advance(stage, int(words[1]), int(words[2]), words[3] if len(words) > 3 else "")
        else:
            shown = "".join(char if char.isprintable() else "·" for char in text.expandtabs())
            self._print(f"       {stage} │ {shown}", style="dim")

    def _tell(self, stage: str, text: str) -> None:
        """JSON of a program of model/: done, of, and where it has them loss and tok_s."""
        try:
            found = json.loads(text)
            done, total = int(found["done"]), int(found["of"])
            numbers = {name: float(found[name]) for name in ("loss", "tok_s") if name in found}
        except (ValueError, TypeError, KeyError):
            return
        with self._lock:
            now = time.monotonic()
            since, first = self._began.setdefault(stage, (now, done))
        note = [f"{done:,} of {total:,}"]
        note += [f"loss {numbers['loss']:.3f}"] if "loss" in numbers else []
        note += [f"{numbers['tok_s']:,.0f} tok/s"] if "tok_s" in numbers else []
        if first < done < total:
            note.append(f"{time_text((now - since) * (total - done) / (done - first))} left")
        self._advance(stage, done, total, ", ".join(note))

    # -- results --

    def done(self, stage: str, how: str, seconds: float, size: int) -> None:
        """The stage's one line: restored or built, how long it took, how much it made."""
        with self._lock:
            self.counts[how] = self.counts.get(how, 0) + 1
            colour = {"built": "green", "restored": "cyan", "fetched": "cyan"}.get(how, "white")
            self._print(f"{how:>8}  {stage:<28} {time_text(seconds):>11}  {size_text(size):>9}", style=colour)

    def show(self, renderable: Any) -> None:
        """Something for rich to draw, a table say."""
        with self._lock:
            self.console.print(renderable)

    def say(self, text: str) -> None:
        """A plain line."""
        self._print(text)

    def warn(self, text: str) -> None:
        """A line that should be read."""
        self._print(f"warning: {text}", style="yellow")

    def _print(self, text: str, style: str | None = None) -> None:
        with self._lock:
            self.console.print(text, style=style, markup=False, soft_wrap=True)


def error(exc: BaseException) -> None:
    """Prints an error as every part of the project does: what, then the hint."""
    text = str(exc)
    print(f"error: {text}" if not text.startswith("error:") else text, file=sys.stderr)


def debugging(variables: dict[str, str]) -> bool:
    """Whether tracebacks are wanted."""
    return variables.get("debug", os.environ.get("INGOT_DEBUG", "")) not in ("", "0")

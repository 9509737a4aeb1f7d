"""How a stage's program is started. One file an executor, all behind this protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from toolchain.errors import UserError


class Executor(Protocol):
    """Runs argv in a work folder."""

    name: str

    def digest(self, tools: tuple[str, ...]) -> str:
        """What identifies the tools that a stage uses; part of its key."""
        ...

    def run(self, argv: tuple[str, ...], work: Path, scratch: Path | None, on_line: Callable[[str], None]) -> int:
        """Runs the program to its end, its output line by line to `on_line`; returns the exit status.

        `scratch` is seen by the program as `scratch/` in its folder.
        """
        ...


# What every program of a stage sees, whatever the executor.
ENVIRONMENT = {
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "MTOOLS_SKIP_CHECK": "0",
}


def choose(name: str) -> Executor:
    """The executor that `toolchain=name` asks for."""
    if name in ("auto", "host"):
        from toolchain.executors.host import Host

        return Host()
    raise UserError(f"toolchain={name} is not one that this version has", "use toolchain=host or toolchain=auto")

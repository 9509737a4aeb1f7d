"""What the programs of model/ share: how they fail, and how they write."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class InputError(Exception):
    """Something that the user gave is wrong: `what` and where, and what to do about it; one line each."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str]]:
        """So that it comes back whole from another process."""
        return InputError, (self.what, self.hint)


def run(work: Callable[[], None]) -> int:
    """Does the work; the exit status. Errors go to stderr as two lines, without a traceback."""
    try:
        work()
    except InputError as error:
        what, hint = error.what, error.hint
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        hint = "check that the file is there, that it may be written, and that the disk is not full"
    else:
        return 0
    print(f"error: {what}\nhint: {hint}", file=sys.stderr)
    return 1


def write_file(path: Path, data: bytes) -> None:
    """Writes under a temporary name, then renames: the file is whole or not there. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def progress(found: dict[str, Any]) -> None:
    """A line for the progress bar of whoever has started this program (toolchain/ml.py); not for a terminal."""
    if not sys.stdout.isatty():
        print("\x1e" + json.dumps(found), flush=True)

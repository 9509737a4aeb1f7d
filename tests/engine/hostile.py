"""hostile_cases.c from Python."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path


def answers(program: Path, kind: str, cases: Sequence[bytes]) -> list[list[str]]:
    """The lines said to each case; fails when a sanitizer has something to say."""
    stdin = b"".join(struct.pack("<QQ", ord(kind), len(case)) + case for case in cases)
    done = subprocess.run([program], input=stdin, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    parts = done.stdout.decode().split("--\n")
    assert len(parts) == len(cases) + 1
    return [part.splitlines() for part in parts[:-1]]

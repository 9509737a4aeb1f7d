"""Why a stage differs: what its key was made of, then the bytes themselves."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from toolchain.commands.explain import clean, rows_of
from toolchain.differ import differences
from toolchain.explain import Change
from toolchain.key import Fields
from toolchain.key import differences as field_differences

PATIENCE = 120  # seconds that diffoscope has
SHOWN = 20  # lines of its report; all of it is in the file
_MOST_REPORT = 4 << 20


def of_key(name: str, old: Fields | None, new: Fields | None) -> Iterator[str]:
    """What the stage was made from, then and now. `name`: what the old fields would be known from."""
    if old is None or new is None:
        yield f"{name} holds digests alone, so what it was made from then is not known"
        return
    changes = [Change(*found) for found in field_differences(old, new)]
    if not changes:
        yield "it was made from the same inputs, with the same arguments and the same toolchain: " \
              "the stage itself does not give the same twice"
    for change in changes:
        for kind, field, before, after in rows_of(change):
            what = {"argv": "argument"}.get(kind, kind)
            where = f" (after {field})" if kind == "argv" and field else f" {field}" if field else ""
            yield clean(f"{what}{where}: {before} -> {after}")


def of_bytes(old: Path | None, new: Path | None, report: Path) -> Iterator[str]:
    """How the two files differ, where both are at hand. `report` is where diffoscope writes, if it is here."""
    if old is None or new is None:
        whose = "the first build's" if old is None else "the rebuild's"
        yield f"{whose} bytes are not at hand: only the digests can be compared"
        return
    yield from differences(old, new)
    yield from _diffoscope(old, new, report)


def _diffoscope(old: Path, new: Path, report: Path) -> Iterator[str]:
    """Its report, which knows more formats and disassembles; nothing where it is not installed."""
    program = shutil.which("diffoscope")
    if program is None:
        return
    report.parent.mkdir(parents=True, exist_ok=True)
    argv = [program, "--text", str(report), "--text-color", "never", "--no-progress", "--exclude-directory-metadata",
            "yes", "--max-text-report-size", str(_MOST_REPORT), "--timeout", str(PATIENCE - 20), str(old), str(new)]
    try:
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=PATIENCE, check=False)
        lines = report.read_text(errors="replace").splitlines()
    except (OSError, subprocess.TimeoutExpired):
        yield f"diffoscope could not compare them within {PATIENCE} s"
        return
    yield f"diffoscope ({report}, {len(lines):,} lines):"
    yield from ("  " + clean(line.expandtabs())[:200] for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield "  and more"

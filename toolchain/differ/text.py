"""Two texts: a unified diff, of no more than can be read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from toolchain.differ.span import Buffer

MOST = 4 << 20  # bytes that are taken for a text
LINES = 5_000  # more than that are compared from the first line that differs


def read(data: Buffer) -> str | None:
    """The text; None where it is none."""
    if len(data) > MOST:
        return None
    try:
        text = bytes(data).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def lines(old: str, new: str) -> Iterator[str]:
    """The lines with - and +, two around them; ends of lines are shown where only they differ."""
    a, b = old.splitlines(), new.splitlines()
    if a == b:
        a, b = [ascii(line) for line in old.splitlines(keepends=True)], \
            [ascii(line) for line in new.splitlines(keepends=True)]
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    yield f"the first line that differs is {start + 1:,}; {len(a):,} lines in the first, {len(b):,} in the second"
    from_line = max(0, start - 2)
    before, after = a[from_line:from_line + LINES], b[from_line:from_line + LINES]
    for index, line in enumerate(difflib.unified_diff(before, after, n=2, lineterm="")):
        if index > 2:  # the names, and where in the piece it is
            yield line

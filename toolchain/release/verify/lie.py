"""What the checks say: a line for each that holds, and the first lie, which ends them."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """Of `file` it is known that … (`good`), or something could not be known."""

    file: str
    text: str
    good: bool = True

    @property
    def mark(self) -> str:
        """How the line begins."""
        return "ok " if self.good else " ? "

    @property
    def style(self) -> str:
        """Its colour on a terminal."""
        return "green" if self.good else "yellow"


Say = Callable[[Line], None]
Progress = Callable[[str, int, int], None]  # a file, bytes done, bytes in all


class Lie(Exception):
    """`file` is not what something else says of it; `text` says how."""

    mark = "LIE"
    style = "bold red"

    def __init__(self, file: str, what: str) -> None:
        super().__init__(f"{file}: {what}")
        self.file = shown(file)
        self.text = shown(what)


def shown(text: str) -> str:
    """On one line, whatever it holds, and not endless."""
    plain = "".join(char if char.isprintable() else "·" for char in text)
    return plain if len(plain) <= 500 else plain[:500] + "…"


def short(digest: str) -> str:
    """Enough of a digest to tell two apart."""
    return digest[:16] + "…" if len(digest) == 64 and set(digest) <= set(string.hexdigits) else digest

"""A terminal, as far as a line editor that uses text, backspaces and line feeds alone can tell."""

from __future__ import annotations

from collections.abc import Callable

COLUMNS = 80


class Terminal:
    """Rows of cells; of a wide character the second cell is empty. Text wraps when the next character comes."""

    def __init__(self, width: Callable[[str], int]) -> None:
        self._width = width
        self.rows: list[list[str]] = [[]]
        self.wrapped: set[int] = set()  # rows that go on from the one before
        self.column = 0
        self.bells = 0

    def feed(self, text: str) -> None:
        """Text comes in."""
        for char in text:
            if char == "\n":
                self._new_row()
            elif char == "\b":
                self.column = max(0, min(self.column, COLUMNS - 1) - 1 if self.column == COLUMNS else self.column - 1)
            elif char == "\a":
                self.bells += 1
            else:
                assert char >= " " and char != "\x7f", f"a control byte: {char!r}"
                self._put(char, self._width(char))

    def _new_row(self) -> None:
        self.rows.append([])
        self.column = 0

    def _put(self, char: str, width: int) -> None:
        row = self.rows[-1]
        if width == 0:
            at = self.column - 1
            while at > 0 and row[at] == "":
                at -= 1
            row[at] += char
            return
        if self.column + width > COLUMNS:
            self._new_row()
            self.wrapped.add(len(self.rows) - 1)
            row = self.rows[-1]
        row += [" "] * (self.column + width - len(row))
        row[self.column : self.column + width] = [char] + [""] * (width - 1)
        self.column += width

    def line(self) -> tuple[str, str]:
        """The last line, all its rows: before the cursor, and from it on without blanks at the end."""
        first = len(self.rows) - 1
        while first in self.wrapped:
            first -= 1
        before = [cell for row in self.rows[first:-1] for cell in row] + self.rows[-1][: self.column]
        return "".join(before), "".join(self.rows[-1][self.column :]).rstrip()

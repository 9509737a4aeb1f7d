"""What the line editor does, told simply: a list of characters and a cursor."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

KEYS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
NUMBERS = {3: "delete", 1: "home", 7: "home", 4: "end", 8: "end"}
CONTROLS = {1: "home", 3: "cancel", 5: "end", 8: "backspace", 11: "kill", 21: "unkill", 23: "word", 127: "backspace"}


def size(text: str) -> int:
    return len(text.encode())


@dataclass
class Editor:
    """The text of `limit` bytes that bytes make, as engine/lineedit.c; `width` of a character."""

    limit: int
    room: int  # of the history, in bytes
    width: Callable[[str], int]
    text: str = ""
    base: int = 0  # characters of text before this line
    cursor: int = 0
    too_long: bool = False
    history: list[str] = field(default_factory=list)
    recalled: int = 0
    draft: str = ""
    submitted: list[tuple[str, bool]] = field(default_factory=list)
    _partial: bytes = b""
    _sequence: bytes | None = None
    _after_cr: bool = False

    def feed(self, data: bytes) -> None:
        for byte in data:
            self._feed(byte)

    def _feed(self, byte: int) -> None:
        key = self._key(byte)
        after_cr, self._after_cr = self._after_cr, key == "\r"
        if key is None or (key == "\n" and after_cr):
            return
        if key in ("\r", "\n"):
            self._flush()
            self._submit()
        elif isinstance(key, bytes):
            self._type(key)
        elif key == "backspace" and self._partial:
            self._partial = b""
        else:
            self._flush()
            getattr(self, "_" + key, lambda: None)()

    def _key(self, byte: int) -> str | bytes | None:
        """Text (bytes), the name of a key, or nothing yet."""
        if byte == 0x1B:
            self._sequence = b""
            return None
        if self._sequence is None:
            if chr(byte) in "\r\n":
                return chr(byte)
            if byte == 9 or (byte >= 0x20 and byte != 0x7F):
                return bytes([byte])
            return CONTROLS.get(byte, "nothing")
        self._sequence += bytes([byte])
        if len(self._sequence) == 1 and byte in b"[O":
            return None
        if self._sequence[:1] == b"[" and not 0x40 <= byte <= 0x7E:
            return None
        sequence, self._sequence = self._sequence, None
        if sequence[:1] not in (b"[", b"O"):
            return None
        if byte == 0x7E:
            digits = b""
            for one in sequence[1:-1]:
                if not 0x30 <= one <= 0x39:
                    break
                digits += bytes([one])
            return NUMBERS.get(int(digits or b"0")) if sequence[:1] == b"[" else None
        return KEYS.get(chr(byte))

    def _type(self, data: bytes) -> None:
        """As Python's "replace": what is complete, and what can never be."""
        self._partial += data
        text = self._partial.decode(errors="replace")
        keep = 0  # bytes at the end that may still become a character
        for n in (1, 2, 3):
            tail = self._partial[-n:]
            if len(tail) == n and begins(tail):
                keep = n
        if keep:
            text = self._partial[:-keep].decode(errors="replace")
        self._partial = self._partial[-keep:] if keep else b""
        self._insert("".join(c for c in text if c == "\t" or unicodedata.category(c) != "Cc"))

    def _flush(self) -> None:
        if self._partial:
            self._insert("\ufffd")
        self._partial = b""

    def _insert(self, text: str) -> None:
        if self.too_long or not text:
            return
        if size(self.text) + size(text) > self.limit:
            self.too_long = True
            return
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def _erase(self, first: int, last: int) -> None:
        if first == last:
            return
        self.text = self.text[:first] + self.text[last:]
        self.cursor = first
        if len(self.text) == self.base:
            self.too_long = False

    def _before(self) -> int:
        at = self.cursor
        while at > self.base:
            at -= 1
            if self.width(self.text[at]) > 0:
                break
        return at

    def _after(self) -> int:
        at = min(self.cursor + 1, len(self.text))
        while at < len(self.text) and self.width(self.text[at]) == 0:
            at += 1
        return at

    def _submit(self) -> None:
        line = self.text[self.base :]
        if not self.too_long and line and size(line) <= self.room and self.history[:1] != [line]:
            self.history.insert(0, line)
            while len(self.history) > 32 or sum(map(size, self.history)) > self.room:
                self.history.pop()
        if line.endswith("\\") and not self.too_long:
            self.base = self.cursor = len(self.text)
            self.recalled, self.draft = 0, ""
            return
        self.submitted.append((self.text, self.too_long))
        self._new()

    def _new(self) -> None:
        self.text, self.base, self.cursor, self.too_long = "", 0, 0, False
        self.recalled, self.draft = 0, ""

    def _cancel(self) -> None:
        self._erase(self.base, len(self.text))
        self.cursor = self.base
        if self.base:
            self._new()

    def _recall(self, i: int) -> None:
        line = self.draft if i == 0 else self.history[i - 1]
        if size(line) > self.limit - size(self.text[: self.base]):
            return
        if self.recalled == 0:
            self.draft = "" if self.too_long else self.text[self.base :]
        self.recalled = i
        self._erase(self.base, len(self.text))
        self.cursor = self.base
        self._insert(line)

    def _up(self) -> None:
        if self.recalled < len(self.history):
            self._recall(self.recalled + 1)

    def _down(self) -> None:
        if self.recalled:
            self._recall(self.recalled - 1)

    def _left(self) -> None:
        self.cursor = self._before()

    def _right(self) -> None:
        self.cursor = self._after()

    def _home(self) -> None:
        self.cursor = self.base

    def _end(self) -> None:
        self.cursor = len(self.text)

    def _backspace(self) -> None:
        self._erase(self._before(), self.cursor)

    def _delete(self) -> None:
        self._erase(self.cursor, self._after())

    def _kill(self) -> None:
        self._erase(self.cursor, len(self.text))

    def _unkill(self) -> None:
        self._erase(self.base, self.cursor)

    def _word(self) -> None:
        at = self.cursor
        while at > self.base and self.text[at - 1] in " \t":
            at -= 1
        while at > self.base and self.text[at - 1] not in " \t":
            at -= 1
        self._erase(at, self.cursor)


def begins(data: bytes) -> bool:
    """Whether more bytes can make one character of these."""
    for more in (b"\x80", b"\xa0", b"\x90", b"\xbf", b"\x80\x80", b"\xa0\x80", b"\x90\x80", b"\x80\x80\x80",
                 b"\x90\x80\x80", b"\xbf\x80\x80"):
        try:
            if len((data + more).decode()) == 1:
                return True
        except UnicodeDecodeError:
            pass
    return False

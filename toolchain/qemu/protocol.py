"""The talk on the serial line: plain text with the prompt "\\n> ", then, after /script, frames. Pure.

In script mode ENQ says that the program is ready for a line, a reply's text is sent between STX and ETX
with bare newlines, and everything else is lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STX, ETX, ENQ = 0x02, 0x03, 0x05
PROMPT = "\n> "

_ANSI = re.compile(r"\x1b(\[[0-9;=?]*[ -/]*[@-~]|[()][0-9A-Z]|[=>78cDEHM])")
_FAILURE = re.compile(r"^error: (.+)\nhint: (.+?)(?:; a key powers off)?\n", re.M)  # efi_src/uefi/main.c, say_failure
_LAST = 4096  # bytes that hold error and hint: nothing follows them
_CONTROL = bytes((STX, ETX, ENQ))


@dataclass(frozen=True)
class Text:
    """Some bytes of a reply."""

    data: bytes


@dataclass(frozen=True)
class Line:
    """A line outside a reply."""

    text: str


@dataclass(frozen=True)
class Ready:
    """The program waits for a line."""


@dataclass(frozen=True)
class End:
    """The reply is complete."""


Event = Text | Line | Ready | End


class Framing:
    """Bytes of script mode in, events out; they may be cut anywhere."""

    def __init__(self) -> None:
        self._inside = False
        self._line = b""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        for part in re.split(rb"([\x02\x03\x05])", data):
            if len(part) == 1 and part in _CONTROL:
                events += self._control(part[0])
            elif part and self._inside:
                events.append(Text(part))
            elif part:
                *lines, self._line = (self._line + part).split(b"\n")
                events += [Line(plain(line)) for line in lines if plain(line)]
        return events

    def _control(self, byte: int) -> list[Event]:
        if byte == STX:
            self._inside, self._line = True, b""
            return []
        if byte == ETX:
            self._inside = False
            return [End()]
        rest, self._line = plain(self._line), b""
        return [Line(rest), Ready()] if rest else [Ready()]


def plain(data: bytes) -> str:
    """Text without terminal sequences and carriage returns; of a line that was written over, the last version."""
    lines = _ANSI.sub("", data.decode("utf-8", "replace")).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def at_prompt(log: bytes) -> bool:
    """Whether the program has just asked for input."""
    return plain(log[-512:]).endswith(PROMPT)


def failure(log: bytes) -> tuple[str, str] | None:
    """The error and the hint with which the program has given up before its prompt, once both lines are there."""
    found = _FAILURE.search(plain(log[-_LAST:]))
    return (found[1], found[2]) if found else None


def fields(lines: str, tag: str) -> dict[str, str]:
    """The `key=value` words of the last line '[tag] …'."""
    found = re.findall(rf"^\[{tag}\] (.*)$", lines, re.M)
    return dict(word.split("=", 1) for word in found[-1].split() if "=" in word) if found else {}


def tail(log: bytes, lines: int = 12) -> str:
    """The last lines of a serial log, marked, for an error message."""
    shown = plain(log[-_LAST:]).translate({code: None for code in range(32) if code != 10})
    kept = [line for line in shown.split("\n") if line]
    return "".join(f"\n  | {line[:200]}" for line in kept[-lines:]) or "\n  | (nothing)"

"""STORE/journal.jsonl: what happened to results, one JSON line an event. For people: no decision rests on it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

EVENTS = ("built", "restored", "fetched", "evicted", "damaged")  # evicted: by gc; damaged: found and removed by verify
HITS = ("restored", "fetched")
MOST_BYTES = 16 << 20  # of the journal are read: some 70,000 events, the newest
MOST_LINE = 2000


@dataclass(frozen=True)
class Event:
    """`seconds` is what building took, `size` that of the outputs."""

    time: float
    event: str
    key: str
    stage: str
    seconds: float = 0.0
    size: int = 0


class Journal:
    """Any number of processes may add to it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, event: str, key: str, stage: str, seconds: float = 0.0, size: int = 0) -> None:
        """One line at the end, in one write. A journal that cannot be written stops nobody."""
        line = json.dumps(asdict(Event(round(time.time(), 3), event, key, stage, seconds, size))).encode() + b"\n"
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                end = os.fstat(handle).st_size
                torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"  # a full disk, a power cut
                os.write(handle, b"\n" + line if torn else line)
            finally:
                os.close(handle)

    def events(self) -> list[Event]:
        """What can be read of it, the oldest first."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_BYTES))
                data = file.read(MOST_BYTES)
        except OSError:
            return []
        found = (_event(line) for line in data.split(b"\n") if 0 < len(line) <= MOST_LINE)
        return [event for event in found if event is not None]


def _event(line: bytes) -> Event | None:
    """The event of a line, which may hold anything."""
    try:
        raw = json.loads(line)
        event = Event(_number(raw["time"]), str(raw["event"]), str(raw["key"]), str(raw["stage"]),
                      _number(raw["seconds"]), int(_number(raw["size"])))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    known = event.event in EVENTS and re.fullmatch("[0-9a-f]{64}", event.key)
    return event if known else None


def _number(raw: Any) -> float:
    value = float(raw)
    if not math.isfinite(value) or not 0 <= value < 1 << 53:
        raise ValueError(raw)
    return value


@dataclass(frozen=True)
class Totals:
    """What the store was good for."""

    built: int
    restored: int
    fetched: int
    saved: float  # seconds of building

    @property
    def rate(self) -> float | None:
        """The share of results that were not built; None where there were none at all."""
        hits = self.restored + self.fetched
        return hits / (hits + self.built) if hits + self.built else None


def totals(events: Iterable[Event], since: float = 0.0) -> Totals:
    """The sums of the events from that moment on."""
    chosen = [event for event in events if event.time >= since]

    def count(name: str) -> int:
        return sum(event.event == name for event in chosen)

    return Totals(count("built"), count("restored"), count("fetched"),
                  sum(event.seconds for event in chosen if event.event in HITS))

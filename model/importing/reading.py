"""JSON of somebody else's, looked at with care."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from model.program import InputError

MOST = 1 << 26  # bytes of a file: a tokenizer.json of 128,000 tokens has 17 MB
AGAIN = "fetch the folder anew"


def read_json(path: Path) -> dict[str, Any]:
    """The object that a file holds. Raises InputError, or OSError where it cannot be read."""
    size = path.stat().st_size
    if size > MOST:
        raise InputError(f"{path} has {size:,} bytes", f"such a file has {MOST:,} at most: {AGAIN}")
    try:
        found = json.loads(path.read_bytes(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON", AGAIN) from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object", AGAIN)
    return found


def _no_number(text: str) -> None:
    raise ValueError(text)


class Values:
    """An object's values, each of the type that is asked for; InputError names the file and the key."""

    def __init__(self, where: str, found: dict[str, Any]) -> None:
        self.where = where
        self._found = found

    def any(self, name: str) -> Any:
        """None where it is not there."""
        return self._found.get(name)

    def whole(self, *names: str, default: int | None = None) -> int:
        """The first of these that is there."""
        for name in names:
            value = self._found.get(name)
            if value is not None:
                return value if type(value) is int else self._wrong(name, value, "a whole number")
        return default if default is not None else self._wrong(names[0], None, "a whole number")

    def number(self, name: str, default: float) -> float:
        """A finite one."""
        value = self._found.get(name, default)
        fits = type(value) in (int, float) and math.isfinite(value)
        return float(value) if fits else self._wrong(name, value, "a number")

    def flag(self, name: str, default: bool) -> bool:
        """true or false; null is the default."""
        value = self._found.get(name)
        value = default if value is None else value
        return value if type(value) is bool else self._wrong(name, value, "true or false")

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self._found.get(name, default)
        return value if isinstance(value, str) else self._wrong(name, value, "a text")

    def _wrong(self, name: str, value: Any, wanted: str) -> Any:
        said = "is missing" if value is None else f"is {str(value)[:40]!r}"
        raise InputError(f"{self.where}: {name} {said}", f"it must be {wanted}: {AGAIN}")

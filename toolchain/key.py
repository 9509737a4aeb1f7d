"""What a key is made of. Two stages with equal fields give equal outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FORMAT = 1  # raised when the meaning of a field changes: old results are then never found

Fields = dict[str, Any]


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, no NaN, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def key_of(fields: Fields) -> str:
    """Hex sha256 of the canonical JSON of a stage's fields."""
    return hashlib.sha256(canonical(fields)).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Each field (dotted name) whose value differs, with the old and the new value; None where absent."""
    found: list[tuple[str, Any, Any]] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if name in old and name in new and canonical(before) == canonical(after):  # 1 and True are two keys
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{name}.")
        else:
            found.append((prefix + name, before, after))
    return found

"""A file from outside as recipes write it: its name, where it is, and what it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toolchain.schema import Field, Schema

FILE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
SHA256 = r"[0-9a-f]{64}"
SCHEMA: Schema = {
    "file": Field(str, pattern=FILE),
    "urls": Field("list", ()),
    "sha256": Field(str, pattern=SHA256),
    "size": Field(int, least=1, most=2**32 - 1),
}


@dataclass(frozen=True)
class Pinned:
    """A published file."""

    file: str
    urls: tuple[str, ...]
    sha256: str
    size: int


def pinned(raw: dict[str, Any]) -> Pinned:
    """Of what the schema has checked."""
    return Pinned(**{**raw, "urls": tuple(raw["urls"])})

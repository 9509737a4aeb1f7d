"""Toolchain roots: locked sets of Debian packages, each unpacked into one tree that every executor enters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Root:
    """An unpacked root. `path` holds usr/ and the links bin, lib, lib64, sbin into it; never written to."""

    name: str
    tree: str  # sha256 of the tree
    path: Path


class Roots(Protocol):
    """The roots of this machine, as executors see them."""

    def identity(self, name: str) -> str:
        """`NAME:sha256 of its lock file`: part of every key that depends on the root."""
        ...

    def ensure(self, name: str) -> Root:
        """The root, fetched and unpacked where it is not there yet."""
        ...

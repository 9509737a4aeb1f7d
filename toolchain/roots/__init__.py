"""Toolchain roots: locked sets of Debian packages, each unpacked into one tree that every executor enters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LIBRARIES = "usr/lib/x86_64-linux-gnu"  # in a root; its loader lies there too


def run_on(platform: str, arch: str) -> bool:
    """Whether the programs of a root run on such a machine, as Python names it. Pure."""
    return platform.startswith("linux") and arch.lower() in ("x86_64", "amd64")


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

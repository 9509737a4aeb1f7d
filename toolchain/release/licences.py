"""Licences that can be read without guessing: Debian's machine-readable copyright files, wheels' SPDX expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain.roots.lockfile import Lock
from toolchain.roots.wheels import FOLDER

_MOST_BYTES = 2 << 20
_FORMAT = re.compile(r"https?://(?:www\.debian\.org/doc/packaging-manuals/copyright-format/1\.0|dep\.debian\.net/deps/dep5)/?",
                     re.I)
# First lines of licence texts that say which one it is.
_HEADINGS = {"MIT License": "MIT"}


@dataclass(frozen=True)
class Licence:
    """`name` as its source writes it; `spdx` where that is an identifier or expression of SPDX."""

    name: str
    spdx: bool = False


def of_root(root: Path, lock: Lock) -> dict[str, tuple[Licence, ...]]:
    """Package or wheel of an unpacked root -> its licences; those that cannot be read are left out."""
    found = {package.name: debian(_text(root, f"usr/share/doc/{package.name}/copyright")) for package in lock.packages}
    folder = root / FOLDER
    infos = {_plain(path.name.split("-")[0]): path.name for path in folder.glob("*.dist-info")} if lock.wheels else {}
    for wheel in lock.wheels:
        found[wheel.name] = python(_text(root, f"{FOLDER}/{infos.get(_plain(wheel.name), '')}/METADATA"))
    return {name: licences for name, licences in found.items() if licences}


def of_project(root: Path) -> tuple[Licence, ...]:
    """The licence of the sources, where LICENSE begins with its name."""
    lines = _text(root, "LICENSE").strip().splitlines()
    name = _HEADINGS.get(lines[0].strip()) if lines else None
    return (Licence(name, True),) if name else ()


def debian(text: str) -> tuple[Licence, ...]:
    """What a debian/copyright file declares, in Debian's words; nothing where it is not machine-readable."""
    stanzas = [dict(_fields(stanza)) for stanza in re.split(r"\n\s*\n", text.strip().replace("\r\n", "\n"))]
    if not stanzas or not _FORMAT.fullmatch(stanzas[0].get("format", "")):
        return ()
    names = {stanza["license"] for stanza in stanzas if "files" in stanza and stanza.get("license")}
    return tuple(Licence(name) for name in sorted(names) if name.isprintable() and len(name) <= 200)


def python(metadata: str) -> tuple[Licence, ...]:
    """A wheel's License-Expression; older fields are free text, of which nothing sure can be said."""
    head = metadata.replace("\r\n", "\n").partition("\n\n")[0]
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "license-expression" and value.strip().isprintable() and len(value) <= 200:
            return (Licence(value.strip(), True),)
    return ()


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    """The first line of each field; names in lower case."""
    for line in stanza.splitlines():
        match = re.match(r"([A-Za-z][A-Za-z-]*):[ \t]*(.*)", line)
        if match:
            yield match[1].lower(), match[2].strip()


def _plain(name: str) -> str:
    """A Python project's name, however it is written."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(root: Path, name: str) -> str:
    """A file of the tree, links followed inside of it; empty where there is none."""
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root.resolve()) or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, RuntimeError):
        return ""

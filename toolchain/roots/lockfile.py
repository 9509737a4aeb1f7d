"""`toolchain/NAME.lock`: what a root is made of, every file by its sha256, and the sha256 of the tree.

JSON, one package a line. A lock may come from anywhere: it is bounded and checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from toolchain.errors import UserError

FORMAT = 1
MOST_BYTES = 4 << 20  # of a lock file
MOST_FILES = 5000  # packages, or wheels, or links
MOST_SIZE = 4 << 30  # bytes of one package

NAME = r"[a-z0-9][a-z0-9+.-]{0,100}"  # of a Debian package
ROOT = r"[a-z][a-z0-9]{0,30}"
_STEP = r"(?!\.)[A-Za-z0-9.+~_:%@=-]{1,200}"  # one part of a path, never hidden and never `..`
_PATH = rf"{_STEP}(?:/{_STEP}){{0,12}}"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.+~:!_-]{0,100}"
WORDS = r"[A-Za-z0-9][A-Za-z0-9.+~:=<>!_,\[\]-]{0,200}"
_SHA256 = r"[0-9a-f]{64}"


@dataclass(frozen=True)
class Package:
    """A .deb: `path` is that below the mirror's address."""

    name: str
    version: str
    path: str
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Wheel:
    """A Python wheel; pip knows where to get it."""

    name: str
    version: str
    file: str
    size: int
    sha256: str


Asked = tuple[str, tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Lock:
    """One root. `inrelease`: sha256 of the signed index that named the packages.

    `wanted` and `wanted_wheels` are what packages.yaml asked for; `tree` is empty only while the root is being locked.
    """

    root: str
    suite: str
    inrelease: str
    wanted: tuple[str, ...]
    wanted_wheels: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    packages: tuple[Package, ...]
    wheels: tuple[Wheel, ...] = ()
    tree: str = ""

    @property
    def asked(self) -> Asked:
        """What packages.yaml held when the lock was made."""
        return self.suite, self.wanted, self.wanted_wheels, self.links

    def files(self) -> Iterator[Package | Wheel]:
        """All that is to be fetched."""
        yield from self.packages
        yield from self.wheels


class _Wrong(Exception):
    """What is wrong with a lock."""


def encode(lock: Lock) -> bytes:
    """The lock as a file; the same lock gives the same bytes."""
    value: dict[str, Any] = {
        "format": FORMAT, "root": lock.root, "suite": lock.suite, "inrelease": lock.inrelease,
        "wanted": list(lock.wanted), "wanted_wheels": list(lock.wanted_wheels), "links": dict(lock.links),
        "packages": [asdict(package) for package in lock.packages],
        "wheels": [asdict(wheel) for wheel in lock.wheels], "tree": lock.tree}
    return ("{\n" + ",\n".join(f" {json.dumps(key)}: {_lines(item)}" for key, item in value.items()) + "\n}\n").encode()


def _lines(value: Any) -> str:
    """A value on one line, but a list of objects one object a line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"
    return json.dumps(value)


def decode(data: bytes, where: str) -> Lock:
    """The lock that these bytes hold; UserError, naming `where`, if they hold none."""
    try:
        if len(data) > MOST_BYTES:
            raise _Wrong(f"it is longer than {MOST_BYTES} bytes")
        try:
            raw = json.loads(data)
        except (ValueError, RecursionError) as exc:
            raise _Wrong(f"it is not JSON: {exc}") from None
        return _lock(raw)
    except _Wrong as exc:
        raise UserError(f"{where} is not a lock of a toolchain root: {exc}",
                        "restore the file (git checkout), or make it anew: ./doit lock") from None


def read(path: Path) -> bytes:
    """The bytes of a lock file; UserError where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"the toolchain root {path.stem} has no lock: {path} does not exist",
                        f"./doit lock {path.stem}") from None
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}", "check who owns that file") from None


def identity(name: str, data: bytes) -> str:
    """What stands for the root in keys."""
    return f"{name}:{hashlib.sha256(data).hexdigest()}"


def lock_path(folder: Path, name: str) -> Path:
    """Where the lock of a root lies; UserError for what cannot be a root's name."""
    if not re.fullmatch(ROOT, name):
        raise UserError(f"{name!r} cannot be the name of a toolchain root", "toolchain/packages.yaml names them")
    return folder / f"{name}.lock"


def _lock(raw: Any) -> Lock:
    known = {"format", *(field.name for field in fields(Lock))}
    if not isinstance(raw, dict) or set(raw) != known:
        raise _Wrong(f"it must hold {', '.join(sorted(known))}")
    if raw["format"] != FORMAT or isinstance(raw["format"], bool):
        raise _Wrong(f"its format is {raw['format']!r}, not {FORMAT}")
    packages = tuple(_record(item, Package) for item in _list(raw, "packages"))
    wheels = tuple(_record(item, Wheel) for item in _list(raw, "wheels"))
    for files in (packages, wheels):
        names = [file.name for file in files]
        if names != sorted(set(names)):
            raise _Wrong("its packages are not sorted, or one is there twice")
    links = raw["links"]
    if not isinstance(links, dict) or len(links) > MOST_FILES:
        raise _Wrong("links is not a group of keys")
    return Lock(
        root=_text(raw["root"], "root", ROOT), suite=_text(raw["suite"], "suite", NAME),
        inrelease=_text(raw["inrelease"], "inrelease", _SHA256),
        wanted=tuple(_text(item, "wanted", NAME) for item in _list(raw, "wanted")),
        wanted_wheels=tuple(_text(item, "wanted_wheels", WORDS) for item in _list(raw, "wanted_wheels")),
        links=tuple((_text(path, "links", rf"usr/{_PATH}"), _text(target, "links", _PATH))
                    for path, target in sorted(links.items())),
        packages=packages, wheels=wheels, tree=_text(raw["tree"], "tree", _SHA256))


_File = TypeVar("_File", Package, Wheel)
_PATTERNS: Mapping[str, str] = {"name": r"[A-Za-z0-9][A-Za-z0-9+._-]{0,100}", "version": _VERSION, "path": _PATH,
                                "file": _STEP, "sha256": _SHA256}


def _record(raw: Any, kind: type[_File]) -> _File:
    names = [field.name for field in fields(kind)]
    if not isinstance(raw, dict) or set(raw) != set(names):
        raise _Wrong(f"a {kind.__name__.lower()} must hold {', '.join(names)}")
    size = raw["size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MOST_SIZE:
        raise _Wrong(f"a size is {str(size)[:40]!r}")
    values: dict[str, Any] = {name: _text(raw[name], name, _PATTERNS[name]) for name in names if name != "size"}
    return kind(size=size, **values)


def _list(raw: Mapping[str, Any], name: str) -> list[Any]:
    value = raw[name]
    if not isinstance(value, list) or len(value) > MOST_FILES:
        raise _Wrong(f"{name} is not a list of at most {MOST_FILES}")
    return value


def _text(value: Any, name: str, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise _Wrong(f"{name} is {str(value)[:80]!r}")
    return value

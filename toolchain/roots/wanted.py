"""toolchain/packages.yaml: what each root is to be made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.roots.lockfile import NAME, ROOT, WORDS, Asked

_PATH = r"(?:usr/)?(?:[A-Za-z0-9_+-][A-Za-z0-9._+-]*/)*[A-Za-z0-9_+-][A-Za-z0-9._+-]*"


@dataclass(frozen=True)
class Wanted:
    """One root: Debian packages, Python wheels, and links (path in the tree -> target)."""

    root: str
    suite: str
    packages: tuple[str, ...]
    wheels: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    @property
    def asked(self) -> Asked:
        """What a lock keeps of it."""
        return self.suite, self.packages, self.wheels, self.links


def read(path: Path) -> dict[str, Wanted]:
    """The roots by name; UserError where the file is not as it should be."""
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", "restore it: git checkout") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise UserError(f"{path} cannot be read: {' '.join(str(exc).split())}", "it must be YAML in UTF-8") from None
    where = str(path)
    top = _keys(raw, where, {"suite", "roots"}, {"suite", "roots"})
    suite = _words([top["suite"]], f"{where}: suite", NAME)[0]
    roots = top["roots"]
    if not isinstance(roots, dict) or not roots:
        raise UserError(f"{where}: roots must hold at least one root", "write roots: {cc: {packages: [gcc]}}")
    return {name: _root(name, suite, raw, where) for name, raw in roots.items()}


def _root(name: Any, suite: str, raw: Any, where: str) -> Wanted:
    where = f"{where}: roots.{name}"
    _words([name], where, ROOT)
    found = _keys(raw, where, {"packages", "wheels", "links"}, {"packages"})
    links = found.get("links", {})
    if not isinstance(links, dict):
        raise UserError(f"{where}.links must hold PATH: TARGET", "as in usr/bin/sh: bash")
    _words([*links, *links.values()], f"{where}.links", _PATH)
    _words(list(links), f"{where}.links", "usr/.*")
    return Wanted(name, suite, _words(found["packages"], f"{where}.packages", NAME),
                  _words(found.get("wheels", []), f"{where}.wheels", WORDS), tuple(sorted(links.items())))


def _keys(raw: Any, where: str, known: set[str], needed: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict) or not needed <= set(raw) <= known:
        raise UserError(f"{where} must hold {' and '.join(sorted(needed))}", f"it may hold: {', '.join(sorted(known))}")
    return raw


def _words(raw: Any, where: str, pattern: str) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise UserError(f"{where} must be a list", "as in [gcc, binutils]")
    for word in raw:
        if not isinstance(word, str) or not re.fullmatch(pattern, word):
            raise UserError(f"{where}: {word!r} cannot be used", f"each must match {pattern}")
    if len(set(raw)) < len(raw):
        raise UserError(f"{where} names something twice", "keep one of them")
    return tuple(raw)

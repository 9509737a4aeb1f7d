"""Where Debian packages come from: DEBIAN_MIRROR, else this machine's own apt configuration.

No mirror's name is written here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from toolchain.errors import UserError

# The pool is the same for all of them, so a machine of another release serves as well.
_SUITES = ("bookworm", "oldstable", "stable", "testing", "unstable", "sid", "bullseye", "trixie", "forky", "duke")
_HINT = "name one: DEBIAN_MIRROR=http://HOST/debian (a list will do, snapshot archives included), or use a bundle: " \
    "./doit toolchain import=FILE"


def mirrors(environ: Mapping[str, str] = os.environ, apt: Path = Path("/etc/apt")) -> tuple[str, ...]:
    """Addresses, the first to be tried first; UserError where none is known."""
    given = environ.get("DEBIAN_MIRROR", "").replace(",", " ").split()
    for address in given:
        if not _usable(address):
            raise UserError(f"DEBIAN_MIRROR: {address!r} is not an address",
                            "write http:// or https://, the host, and the folder that holds dists/ and pool/")
    found = given or configured(apt)
    if not found:
        raise UserError("no Debian mirror is known: neither DEBIAN_MIRROR nor /etc/apt names one", _HINT)
    return tuple(dict.fromkeys(address.rstrip("/") for address in found))


def configured(apt: Path) -> list[str]:
    """The Debian archives that apt is told of under this folder."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]
    found: list[tuple[int, str]] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for address, suites, components in _stanzas(text) if file.suffix == ".sources" else _one_line(text):
            ranks = [_SUITES.index(suite) for suite in suites if suite in _SUITES]
            if ranks and "main" in components and _usable(address):
                found.append((min(ranks), address))
    return [address for _, address in sorted(found, key=lambda pair: pair[0])]


def _usable(address: str) -> bool:
    return re.fullmatch(r"https?://[^\s/]+(/[!-~]*)?", address) is not None


def _one_line(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """`deb [options] ADDRESS SUITE COMPONENT…` of a sources.list."""
    for line in text.splitlines():
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 4 and words[0] == "deb":
            yield words[1], [words[2]], words[3:]


def _stanzas(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """`Types: … URIs: … Suites: … Components: …` of a .sources file."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields = _fields(line for line in block.splitlines() if not line.startswith("#"))
        if fields.get("enabled", ["yes"])[0].lower() in ("no", "false", "0") or "deb" not in fields.get("types", []):
            continue
        for address in fields.get("uris", []):
            yield address, fields.get("suites", []), fields.get("components", [])


def _fields(lines: Iterable[str]) -> dict[str, list[str]]:
    """`Name: words`, continued on lines that begin with a blank."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            found.setdefault(name, []).extend(line.split())
        elif ":" in line:
            name, _, rest = line.partition(":")
            name = name.strip().lower()
            found[name] = rest.split()
    return {name: words for name, words in found.items() if words}

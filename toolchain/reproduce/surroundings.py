"""What surrounds a build and must not show in it: how it is varied, and what a process really sees of that.

    python -m toolchain.reproduce.surroundings EXECUTOR        prints, as JSON, what it sees
"""

from __future__ import annotations

import json
import locale
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

UMASK = 0o077
ZONES = ("<+1345>-13:45", "<-0330>+03:30")  # they need no database of time zones
LOCALE = "tr_TR.UTF-8"  # the one whose upper-case i has a dot, where the machine has none of its own
EPOCHS = ("1234567890", "987654321")
NAMES = ("somebody-else", "yet-somebody-else")
HOSTS = ("another-machine", "yet-another-machine")


@dataclass(frozen=True)
class Surroundings:
    """As a process sees them; `trouble` is why the executor cannot work in them, if it cannot."""

    folder: str
    umask: str
    timezone: str
    locale: str
    user: str
    home: str
    hostname: str
    cpus: int
    epoch: str
    trouble: str = ""


@dataclass(frozen=True)
class Plan:
    """How a process is to be started so that it sees others."""

    environment: dict[str, str]
    umask: int
    cpus: list[int]  # that it may use; empty: all that this process may
    hostname: str  # empty: as it is

    def words(self) -> list[str]:
        """What to put before the program's own words."""
        plan = {"umask": self.umask, "cpus": self.cpus, "hostname": self.hostname}
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("enter.py")), json.dumps(plan)]


@dataclass(frozen=True)
class Variation:
    """One of them, here and in the rebuild."""

    what: str
    here: str
    there: str
    note: str = ""

    @property
    def applied(self) -> bool:
        """Whether they differ."""
        return self.here != self.there


def vary(now: Surroundings, environ: Mapping[str, str], work: Path, locales: Iterable[str],
         cpus: Iterable[int]) -> Plan:
    """Everything other than it is now. Pure."""
    mine = {environ.get(name, "") for name in ("LC_ALL", "LANG", "LC_CTYPE")}
    other = next((name for name in locales if name not in mine and not re.match(r"(C|POSIX)\b", name)), LOCALE)
    name, host = _other(NAMES, now.user), _other(HOSTS, now.hostname)
    kept = {key: value for key, value in environ.items() if not key.startswith(("PYTHON", "LC_", "XDG_", "INGOT_"))}
    if "XDG_RUNTIME_DIR" in environ:  # a rootless engine's socket lies there
        kept["XDG_RUNTIME_DIR"] = environ["XDG_RUNTIME_DIR"]
    allowed = sorted(cpus)
    return Plan(
        {**kept, "TZ": _other(ZONES, environ.get("TZ")), "LANG": other, "LC_ALL": other,
         "LANGUAGE": other.partition("_")[0], "USER": name, "LOGNAME": name, "HOME": str(work / "home"),
         "HOSTNAME": host, "SOURCE_DATE_EPOCH": _other(EPOCHS, environ.get("SOURCE_DATE_EPOCH")),
         "TMPDIR": str(work / "tmp"), "XDG_CACHE_HOME": str(work / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
        UMASK, allowed[-1:] if len(allowed) > 1 else [], host)


def _other(two: tuple[str, str], now: str | None) -> str:
    return two[0] if now != two[0] else two[1]


def variations(here: Surroundings, there: Surroundings, executor: str) -> list[Variation]:
    """What a rebuild varies, and what it does not. Pure."""
    cpus = "of ./doit itself: Nix may give programs more" if executor == "nix" else ""
    locale_note = "" if there.locale.endswith(")") else "installed here"
    return [
        Variation("folder", here.folder, there.folder),
        Variation("umask", here.umask, there.umask),
        Variation("time zone", here.timezone, there.timezone),
        Variation("locale", here.locale, there.locale, locale_note),
        Variation("user", here.user, there.user, "the name; the number is the same"),
        Variation("home", here.home, there.home),
        Variation("host name", here.hostname, there.hostname),
        Variation("CPUs", str(here.cpus), str(there.cpus), cpus),
        Variation("SOURCE_DATE_EPOCH", here.epoch, there.epoch),
    ]


def look(trouble: str = "") -> Surroundings:
    """What this process sees."""
    name = os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"
    return Surroundings(
        folder=os.getcwd(), umask=_umask(), timezone=os.environ.get("TZ") or time.strftime("%z"),
        locale=name if _known(name) else f"{name} (not installed)",
        user=os.environ.get("LOGNAME") or os.environ.get("USER") or _user(),
        home=os.environ.get("HOME", "none"), hostname=socket.gethostname(), cpus=len(os.sched_getaffinity(0)),
        epoch=os.environ.get("SOURCE_DATE_EPOCH", "none"), trouble=trouble)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _umask() -> str:
    """Read, not set: other threads make files meanwhile."""
    try:
        return next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("Umask:"))
    except (OSError, StopIteration):
        return "unknown"


def _known(name: str) -> bool:
    """Whether programs find this locale."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def read(text: str) -> Surroundings:
    """What `main` has printed."""
    return Surroundings(**json.loads(text))


def main(executor: str) -> None:
    """Prints what it sees; whether the executor works is tried here, where the rebuild will be."""
    from toolchain.reproduce.executors import trouble

    print(json.dumps(asdict(look(trouble(executor) or ""))))


if __name__ == "__main__":
    main(sys.argv[1])

"""How a stage's program is started. One file an executor, all behind this protocol.

The program sees the same in each: its folder is /build, its tools come from one toolchain root, there
is no network, and host name, user and environment are fixed. Only `host` differs: it is this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

NAMES = ("sandbox", "docker", "nix", "host")

# What every program of a stage sees. PATH, HOME and TMPDIR are the executor's.
ENVIRONMENT = {
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "MTOOLS_SKIP_CHECK": "0",
}

# Inside a root the rest is the same too. Host name, ids and /etc are those of Nix's own sandbox, which
# cannot be told others.
INSIDE = {**ENVIRONMENT, "PATH": "/usr/bin:/usr/sbin", "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "nixbld",
          "LOGNAME": "nixbld"}
FOLDER = "/build"
HOSTNAME = "localhost"
UID, GID = 1000, 100
ETC = {
    "passwd": "root:x:0:0:Nix build user:/build:/noshell\n"
              "nixbld:x:1000:100:Nix build user:/build:/noshell\n"
              "nobody:x:65534:65534:Nobody:/:/noshell\n",
    "group": "root:x:0:\nnixbld:!:100:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


@dataclass(frozen=True)
class Job:
    """One program to run.

    work: its folder, with the sources and executables in it; the outputs are to be left there.
    blobs: path in the folder -> a file of the store, which nobody may write to.
    scratch: seen as `scratch/` in the folder; it is kept when the program fails or is stopped.
    """

    stage: str
    argv: tuple[str, ...]
    work: Path
    root: str = "cc"
    blobs: Mapping[str, Path] = field(default_factory=dict)
    scratch: Path | None = None


class Executor(Protocol):
    """Runs the programs of stages."""

    @property
    def name(self) -> str:
        """Which of NAMES it is."""
        ...

    def digest(self, root: str, tools: tuple[str, ...]) -> str:
        """What identifies the tools that a stage uses; part of its key."""
        ...

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """Runs the program to its end, its output (both streams) line by line to `on_line`; returns the exit status.

        Raises UserError where it cannot be started.
        """
        ...

    def close(self) -> None:
        """Ends what was kept warm. May be called twice."""
        ...

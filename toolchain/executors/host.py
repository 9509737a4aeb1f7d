"""The `host` executor: the tools of this machine, unpinned. Their versions are part of the key."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from toolchain.digest import sha256
from toolchain.errors import UserError
from toolchain.executors import ENVIRONMENT, Job
from toolchain.executors.children import started
from toolchain.files import read_json, write_json

# Debian keeps mkfs, sgdisk and fsck where an ordinary user's PATH does not look.
_ADMIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH as stages see it: this Python's folder first, the administrator's folders last."""
    parts = [str(Path(sys.executable).parent), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return os.pathsep.join(dict.fromkeys([*parts, *_ADMIN]))


def find(tool: str) -> str | None:
    """The path of a program, as stages would find it."""
    return shutil.which(tool, path=search_path())


class Host:
    """Runs a stage's program as a child of this process."""

    name = "host"

    def __init__(self, versions: Path | None = None) -> None:
        from toolchain.store import default_folder

        self._cache = versions or default_folder() / "host-tools.json"
        self._known: dict[str, list[object]] | None = None
        self._seen: dict[str, str] = {}

    def digest(self, root: str, tools: tuple[str, ...]) -> str:
        """sha256 over each tool's name and what it says of its version (or its bytes, for a path); asked once a run."""
        identities = {tool: self._seen.get(tool) or self._identity(tool) for tool in sorted(tools)}
        self._seen.update((tool, found) for tool, found in identities.items() if found != "missing")
        return "host:" + hashlib.sha256(repr(identities).encode()).hexdigest()

    def _identity(self, tool: str) -> str:
        """The tool's version, asked once for each file that bears its name."""
        path = tool if tool.startswith("/") else find(tool)
        if path is None or not os.path.exists(path):
            return "missing"  # nothing can be built with it, so no result ever bears this key
        if tool == "python3":
            return sys.version
        if os.path.isdir(path):
            return repr([(str(file), sha256(file)) for file in sorted(Path(path).rglob("*")) if file.is_file()])
        stat = os.stat(path)
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if self._known is None:
            loaded = read_json(self._cache)
            self._known = loaded if isinstance(loaded, dict) else {}
        known = self._known.get(path)
        if isinstance(known, list) and known[:-1] == mark:
            return str(known[-1])
        identity = sha256(Path(path)) if tool.startswith("/") else _version(path)
        self._known[path] = [*mark, identity]
        with contextlib.suppress(OSError):
            write_json(self._cache, self._known)
        return identity

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """Runs the program in its folder, as this user."""
        for path, blob in job.blobs.items():
            (job.work / path).symlink_to(blob)
        if job.scratch is not None:
            (job.work / "scratch").symlink_to(job.scratch, target_is_directory=True)
        temporary = job.work / ".tmp"
        temporary.mkdir()
        env = {**ENVIRONMENT, "PATH": search_path(), "HOME": str(temporary), "TMPDIR": str(temporary)}
        program = find(job.argv[0]) if "/" not in job.argv[0] else job.argv[0]
        if program is None:
            raise UserError(f"{job.argv[0]} is not on this machine", "./doit doctor says how to get it")
        with started([program, *job.argv[1:]], cwd=job.work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, umask=0o022, text=True, errors="replace") as child:
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    on_line(line.rstrip("\n"))
                return int(child.wait())

    def close(self) -> None:
        """Nothing is kept warm."""


def _version(path: str) -> str:
    """What the program prints for --version: the first line is enough to tell releases apart."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", timeout=20,
                          stdin=subprocess.DEVNULL, env={**ENVIRONMENT, "PATH": search_path()})
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else f"exit {done.returncode}"

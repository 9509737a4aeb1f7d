"""A copy of the sources in another folder: what git keeps of them, else what looks like sources."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = ("build", "dist")  # at the top; folders whose name begins with a dot, and caches, everywhere


def files(root: Path) -> list[str]:
    """Paths of the sources. With git: all that it does not ignore, so that what is not committed yet is built too."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"],
            cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape", check=True)
        found = sorted({name for name in done.stdout.split("\0") if name})
    except (OSError, subprocess.CalledProcessError):
        found = []
    return found if "dodo.py" in found else sorted(_walked(root))


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        top = Path(folder) == root
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"
                      and not name.endswith(".egg-info") and not (top and name in LEFT_OUT)]
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in names)


def copy(root: Path, target: Path) -> int:
    """Copies the sources; returns how many. Of a file's mode only what a key holds comes along: whether it is a
    program. The rest is the umask's."""
    count = 0
    for name in files(root):
        source, dest = root / name, target / name
        try:
            mode = source.lstat().st_mode
        except FileNotFoundError:
            continue  # deleted here, and not told to git yet
        dest.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            dest.symlink_to(os.readlink(source))
        elif stat.S_ISREG(mode):
            shutil.copyfile(source, dest)
            dest.chmod(0o700 if mode & stat.S_IXUSR else 0o600)
        count += 1
    return count

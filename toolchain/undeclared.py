"""Which file a failed program missed because its stage did not declare it.

In a toolchain root such a file is not there at all, so the program's own words are the evidence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolchain.stage import Stage

_MISSING = re.compile(r"no such file|not found|cannot (find|open|access)|can't open|does not exist|no module named",
                      re.I)
_WORD = re.compile(r"[\w.+~@%/-]+")
_THE_ROOTS = ("/usr/", "/bin/", "/sbin/", "/lib", "/etc/", "/dev/", "/proc/")  # not a project's to declare
_NOT_SOURCES = {".git", ".venv", "build", "dist", "__pycache__", "node_modules"}


def undeclared(lines: Iterable[str], stage: Stage, project: Path) -> str | None:
    """The last file of the project (or of this machine) that `lines` say is missing, and that is no input."""
    for line in reversed(list(lines)):
        if not _MISSING.search(line):
            continue
        for word in _words(line):
            found = _find(word, stage, project)
            if found is not None:
                return found
    return None


def _words(line: str) -> Iterator[str]:
    """What may be a path: the words, and a Python module as its two possible files."""
    module = re.search(r"No module named '([\w.]+)'", line)
    if module:
        base = module[1].replace(".", "/")
        yield from (f"{base}.py", f"{base}/__init__.py")
        return
    for word in _WORD.findall(line)[1:]:  # the first is the program, or the file that names the missing one
        yield word.rstrip(".")


def _find(word: str, stage: Stage, project: Path) -> str | None:
    if word.startswith("/"):
        path = Path(word)
        if word.startswith("/build/"):
            return _find(word.removeprefix("/build/"), stage, project)
        if path.is_relative_to(project):
            return _find(str(path.relative_to(project)), stage, project)
        return word if path.is_file() and not word.startswith(_THE_ROOTS) else None
    word = os.path.normpath(word)
    if word in stage.inputs or word.startswith(".."):
        return None
    if (project / word).is_file():
        return word
    return _ending_in(word, stage, project) if "." in word else None


def _ending_in(word: str, stage: Stage, project: Path) -> str | None:
    """The one source whose path ends so: programs look for `x.h` in folders that they were told of."""
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if name not in _NOT_SOURCES)
        for file in sorted(files):
            path = os.path.relpath(os.path.join(folder, file), project)
            if path.endswith("/" + word) and path not in stage.inputs:
                found.append(path)
    return found[0] if len(found) == 1 else None

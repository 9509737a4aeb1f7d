"""What git says of the tree that a release is made from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """A checkout. `commit` is empty, and `trouble` says why, where there is no git or no repository."""

    commit: str = ""
    time: int | None = None  # of the commit, seconds since 1970
    changed: tuple[str, ...] = ()  # tracked files that differ from the commit
    tracked: frozenset[str] = frozenset()
    hidden: tuple[str, ...] = ()  # tracked files that git was told not to look at
    trouble: str = ""


def look(root: Path) -> Tree:
    """The checkout at `root`; changes nothing in it."""
    try:
        top = _git(root, "rev-parse", "--show-prefix", "HEAD").split("\n")
        if top[0]:
            return Tree(trouble=f"the repository begins above {root}")
        time = int(_git(root, "show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"))
        # every entry is `XY path`; a rename's old path follows, without one, and `--no-renames` tells of none
        status = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames").split("\0")
        listed = [line for line in _git(root, "ls-files", "-v", "-z").split("\0") if line]
    except FileNotFoundError:
        return Tree(trouble="git is not on this machine")
    except (subprocess.CalledProcessError, ValueError) as exc:
        said = (exc.stderr or "").strip().splitlines() if isinstance(exc, subprocess.CalledProcessError) else []
        return Tree(trouble=said[0].removeprefix("fatal: ") if said else "git does not understand this folder")
    return Tree(top[1], time, tuple(sorted(line[3:] for line in status if line)),
                frozenset(line[2:] for line in listed), tuple(line[2:] for line in listed if line[0] != "H"))


def dirty(tree: Tree, inputs: Iterable[str]) -> list[str]:
    """The files that are not as the commit has them: tracked ones that were changed, inputs that are not tracked."""
    unknown = [path for path in inputs if path not in tree.tracked]
    return sorted({*tree.changed, *tree.hidden, *unknown})


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words], cwd=root, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape")
    return done.stdout

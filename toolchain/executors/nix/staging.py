"""A job's folder, for an executor that hands it over as a whole and gets a whole one back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from toolchain.executors import Job
from toolchain.files import copy, remove_tree


def stage(job: Job, staged: Path) -> None:
    """All that the program is to find in its folder, as links to the files themselves: Nix only reads them."""
    shutil.copytree(job.work, staged, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    for path, blob in job.blobs.items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        _link(str(blob), str(staged / path))
    if job.scratch is not None:
        shutil.copytree(job.scratch, staged / "scratch", symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy(source, target)


def bring_back(made: Path, job: Job) -> None:
    """Puts what the program has left into the work folder and the scratch folder, in place of what was there."""
    _empty(job.work)
    _copy_tree(made, job.work)
    left = job.work / "scratch"
    if job.scratch is not None and left.is_dir() and not left.is_symlink():
        _empty(job.scratch)
        for path in left.iterdir():
            shutil.move(path, job.scratch)
        left.rmdir()


def _copy_tree(source: Path, target: Path) -> None:
    """The files of a store path, which may not be changed, as files of ours, which may."""
    for path in source.iterdir():
        ours = target / path.name
        if path.is_symlink():
            ours.symlink_to(os.readlink(path))
        elif path.is_dir():
            ours.mkdir()
            _copy_tree(path, ours)
        else:
            with ours.open("wb") as out:
                copy(path, out)
            ours.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()

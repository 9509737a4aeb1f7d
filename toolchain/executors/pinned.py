"""What the executors that enter a toolchain root have in common."""

from __future__ import annotations

import shutil

from toolchain.executors import Job
from toolchain.files import copy
from toolchain.roots import Roots


class Pinned:
    """Keys hold the root's lock, so a result made by one of these is a hit in the others."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots

    def digest(self, root: str, tools: tuple[str, ...]) -> str:
        """The root is all that identifies the tools."""
        return self.roots.identity(root)

    def close(self) -> None:
        """Nothing is kept warm."""


def lay_copies(job: Job) -> None:
    """Puts copies of the blobs into the work folder, where mounting them one by one is not possible."""
    for path, blob in job.blobs.items():
        target = job.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            copy(blob, out)
        shutil.copymode(blob, target)

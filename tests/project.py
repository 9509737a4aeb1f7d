"""A copy of this checkout with its own store, for tests that run the command line as a user does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("dodo.py", "pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements-release.txt", "doit",
         "images", "toolchain", "model", "efi_src", "CHANGELOG.md")


@dataclass(frozen=True)
class Project:
    """A checkout in `folder`, with its store in `cache`."""

    folder: Path
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """The user's environment, with this project's own store; auto means the same in CI as elsewhere."""
        return {**os.environ, "XDG_CACHE_HOME": str(self.cache), "COLUMNS": "120", "TERM": "dumb", "CI": ""}

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """`./doit WORDS…` in the background, in a process group of its own."""
        return subprocess.Popen([sys.executable, "-m", "toolchain", *words], cwd=self.folder, env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                start_new_session=True, **more)

    def doit(self, *words: str, timeout: float = 300, env: dict[str, str] | None = None,
             status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """`./doit WORDS…` to its end; checks the exit status unless `status` is None."""
        done = subprocess.run([sys.executable, "-m", "toolchain", *words], cwd=self.folder, text=True, timeout=timeout,
                              env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True)
        if status is not None:
            assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces the first `old` in a file of the project."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} holds no {old!r}"
        file.write_text(text.replace(old, new, 1))

    def manifest(self, image: str = "smoke") -> dict[str, Any]:
        """build/IMAGE/manifest.json."""
        return dict(json.loads((self.folder / "build" / image / "manifest.json").read_text()))

    def outputs_of(self, stage: str, image: str = "smoke") -> dict[str, str]:
        """The sha256 of each output of one stage, as it was made last."""
        record = json.loads((self.folder / "build" / image / ".state" / f"{stage}.json").read_text())
        return dict(record["outputs"])


def checkout(folder: Path) -> Project:
    """Copies the checkout to `folder`/project; its store is empty, but for this machine's toolchain roots."""
    target = folder / "project"
    target.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / part)
    (folder / "cache/ingot").mkdir(parents=True)
    (folder / "cache/ingot/roots").symlink_to(unpacked())
    return Project(target, folder / "cache")


def unpacked(*names: str) -> Path:
    """The folder of unpacked roots that all tests share, with those in it that builds and boots need, or these."""
    store = Store(default_folder())
    roots = RootFolder(store, Ui())
    for name in names or ("cc", "vm"):
        roots.ensure(name)
    return store.folder / "roots"


def clone(project: Project, folder: Path) -> Project:
    """The same project and store once more, nothing shared."""
    for name, source in (("project", project.folder), ("cache", project.cache)):
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(folder / name)], check=True)
    return Project(folder / "project", folder / "cache")

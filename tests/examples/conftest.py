"""The plugin as a stranger gets it: the wheel of this checkout in a fresh venv, and a copy of the example beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.once import once
from tests.project import ROOT
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui


@dataclass(frozen=True)
class Hello:
    """A project that knows ingot as an installed package alone."""

    folder: Path
    cache: Path
    bin: Path

    @property
    def env(self) -> dict[str, str]:
        """The user's environment, with a store of its own and nothing that points at this checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("INGOT_", "PYTHON"))}
        return {**kept, "PATH": f"{self.bin}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(self.cache),
                "COLUMNS": "150", "TERM": "dumb", "CI": ""}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`doit WORDS…` in the background, in a process group of its own."""
        return subprocess.Popen([self.bin / "doit", *words], cwd=self.folder, env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                start_new_session=True)

    def doit(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """`doit WORDS…` to its end."""
        done = subprocess.run([self.bin / "doit", *words], cwd=self.folder, env=self.env, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces the first `old` in a file of the project."""
        text = (self.folder / path).read_text()
        assert old in text, f"{path} holds no {old!r}"
        (self.folder / path).write_text(text.replace(old, new, 1))


def _run(*argv: Any) -> None:
    done = subprocess.run([str(word) for word in argv], text=True, capture_output=True, cwd="/")
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"


def _needed(folder: Path) -> Path:
    """requirements.txt without QEMU's protocol, which the wheel does not ask for."""
    blocks = re.split(r"^(?=\S)", (ROOT / "requirements.txt").read_text(), flags=re.M)
    path = folder / "requirements.txt"
    path.write_text("".join(block for block in blocks if not block.startswith("qemu")))
    return path


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout and a venv that holds it; made once for all workers."""
    return once(tmp_path_factory, "wheel", _install)


def _install(folder: Path) -> None:
    source = folder / "source"  # a copy: setuptools leaves its own files beside what it packs
    shutil.copytree(ROOT / "toolchain", source / "toolchain", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    _run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source)
    _run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv/bin/python"
    _run(python, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", _needed(folder))
    _run(python, "-m", "pip", "install", "--no-deps", *folder.glob("*.whl"))
    _run(python, "-m", "pip", "check")  # nothing that the wheel asks for is missing


@pytest.fixture
def hello(installed: Path, tmp_path: Path) -> Hello:
    """examples/hello-c somewhere else; its store is empty, but for this machine's unpacked toolchain roots."""
    store = Store(default_folder())
    RootFolder(store, Ui()).ensure("cc")
    (tmp_path / "cache/ingot").mkdir(parents=True)
    (tmp_path / "cache/ingot/roots").symlink_to(store.folder / "roots")
    shutil.copytree(ROOT / "examples/hello-c", tmp_path / "hello",
                    ignore=shutil.ignore_patterns("build", "__pycache__", ".doit.db*"))
    return Hello(tmp_path / "hello", tmp_path / "cache", installed / "venv/bin")

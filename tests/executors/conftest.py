"""The executors, each entering the cc root of this machine's own store (fetched once, never written to)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolchain.executors import Executor, Job
from toolchain.executors.choose import docker_trouble, make, sandbox_trouble
from toolchain.roots import Roots
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui


def needs(name: str, reason: str | None) -> None:
    """Skips, by name, what this machine cannot do; in CI, which has all of it, that is a failure."""
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {name}: {reason}")
    pytest.skip(f"needs {name}: {reason}")


def nix_trouble() -> str | None:
    return None if shutil.which("nix-build") else "nix-build is not on PATH"


@pytest.fixture(scope="session")
def cc() -> Roots:
    """Roots with `cc` in place."""
    roots = RootFolder(Store(default_folder()), Ui())
    roots.ensure("cc")
    return roots


@dataclass
class Bench:
    """An executor with a folder to work in."""

    executor: Executor
    folder: Path
    jobs: int = 0

    def job(self, *argv: str, inputs: Mapping[str, str] | None = None, blobs: Mapping[str, Path] | None = None,
            scratch: Path | None = None, stage: str = "test") -> Job:
        """A job in a work folder of its own, which holds `inputs`."""
        self.jobs += 1
        work = self.folder / f"work{self.jobs}"
        work.mkdir()
        for path, text in (inputs or {}).items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        return Job(stage, argv, work, "cc", blobs or {}, scratch)

    def run(self, job: Job) -> tuple[int, list[str]]:
        """Exit status and output."""
        lines: list[str] = []
        status = self.executor.run(job, lines.append)
        return status, lines

    def sh(self, script: str, **more: object) -> list[str]:
        """The output of a shell script that ends well."""
        status, lines = self.run(self.job("sh", "-ec", script, **more))  # type: ignore[arg-type]
        assert status == 0, lines
        return lines


PINNED = [
    pytest.param("sandbox"),
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("nix", marks=pytest.mark.nix),
]


@pytest.fixture(params=PINNED)
def bench(request: pytest.FixtureRequest, cc: Roots, tmp_path: Path) -> Iterator[Bench]:
    """Each executor that enters a root, in turn."""
    name = str(request.param)
    trouble: Callable[[], str | None] = {"sandbox": lambda: sandbox_trouble(default_folder()), "docker": docker_trouble,
                                         "nix": nix_trouble}[name]
    needs(name, trouble())
    executor = make(name, cc, default_folder())
    yield Bench(executor, tmp_path)
    executor.close()

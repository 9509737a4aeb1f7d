"""One release of the small image for all tests here: made once, never changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.once import once
from tests.project import ROOT, Project, clone
from tests.release.project import commit
from toolchain import __version__, release

NAME = f"smoke-{__version__}"


@dataclass(frozen=True)
class Released:
    """A project with its release, as `./doit release image=smoke` has left it."""

    project: Project
    stdout: str
    stderr: str

    @property
    def folder(self) -> Path:
        """dist/smoke-VERSION."""
        return self.project.folder / release.DIST / NAME


@pytest.fixture(scope="session")
def released(smoke_template: Project, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Shared by all workers: read it only."""

    def make(folder: Path) -> None:
        project = clone(smoke_template, folder)
        shutil.copy(ROOT / "LICENSE", project.folder)
        commit(project)
        done = project.doit("release", "image=smoke")
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    folder = once(tmp_path_factory, "release-template", make)
    return Released(Project(folder / "project", folder / "cache"), (folder / "stdout").read_text(),
                    (folder / "stderr").read_text())


@pytest.fixture
def ready(released: Released, tmp_path: Path) -> Project:
    """A project of its own, committed and with a release in dist/."""
    return clone(released.project, tmp_path)

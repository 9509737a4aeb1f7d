"""A project in which the fuzz targets are built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.once import once
from tests.project import ROOT, Project, checkout, unpacked


@pytest.fixture(scope="session")
def fuzzers_template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built once for all workers, and run over the kept corpus and a while longer; never changed."""

    def make(folder: Path) -> None:
        unpacked("dev")
        project = checkout(folder)
        shutil.copytree(ROOT / "tests/fuzz", project.folder / "tests/fuzz")
        done = project.doit("fuzz", "runs=2000")
        (folder / "said").write_text(done.stderr)

    folder = once(tmp_path_factory, "fuzzers-template", make)
    return Project(folder / "project", folder / "cache")

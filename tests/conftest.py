"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.once import once
from tests.project import Project, checkout, clone

# A shell starts background jobs with SIGINT ignored, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# ./doit test has set it: the folder where somebody typed that. The projects of tests are elsewhere.
os.environ.pop("INGOT_CALLED_FROM", None)

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = ["ml"]  # tests/model/test_in_root.py runs these where PyTorch is


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """`data("tinyshakespeare.txt")`: a file of ../shared/data; skips, by name, where it is absent."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{name}")
        return path

    return find


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of this checkout with an empty store."""
    return checkout(tmp_path)


@pytest.fixture(scope="session")
def smoke_template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """images/smoke.yaml built once for all workers; never changed: tests take `smoke`."""
    folder = once(tmp_path_factory, "smoke-template", lambda folder: checkout(folder).doit("image=smoke", "-n", "2"))
    return Project(folder / "project", folder / "cache")


@pytest.fixture
def smoke(smoke_template: Project, tmp_path: Path) -> Project:
    """A project of its own in which images/smoke.yaml is built."""
    return clone(smoke_template, tmp_path)

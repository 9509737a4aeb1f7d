"""A small project of shell stages, without doit around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.executors.host import Host
from toolchain.graph import Graph
from toolchain.stage import Stage
from toolchain.store import Store
from toolchain.ui import Ui


@pytest.fixture
def make_graph(tmp_path: Path) -> Callable[[], Graph]:
    """A fresh Graph over the same folder and store: what a new process would see."""

    def make() -> Graph:
        def fetch(*_: object) -> None:
            raise AssertionError("nothing is downloaded here")

        return Graph(tmp_path, Store(tmp_path / "store"), Host(tmp_path / "tools.json"), Ui(), fetch)

    return make


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Stage]:
    """`shell("name", "script", inputs=…, outputs=…)`: a stage that runs a shell script.

    Each run adds a line to `tmp_path/runs`, which the store knows nothing of.
    """

    def make(name: str, script: str, outputs: list[str], inputs: dict[str, object] | None = None,
             **more: object) -> Stage:
        count = f"echo {name} >> {tmp_path / 'runs'}; "
        return Stage(name=name, folder=tmp_path / "build", outputs=tuple(outputs), inputs=inputs or {},  # type: ignore[arg-type]
                     argv=("sh", "-ec", count + script), **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], list[str]]:
    """The stages that ran so far, in order."""
    return lambda: (tmp_path / "runs").read_text().split() if (tmp_path / "runs").exists() else []

"""A Docker executor with a store of its own, for the tests of its containers."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.executors.conftest import needs
from toolchain.executors import Job
from toolchain.executors.docker import Docker, trouble
from toolchain.executors.docker.engine import Engine, connect
from toolchain.roots import Roots


@pytest.fixture(scope="module", name="engine")
def fixture_engine() -> Engine:
    needs("docker", trouble())
    return connect()


@pytest.fixture(name="store")
def fixture_store(engine: Engine, tmp_path: Path) -> Path:
    """A store of the test's own."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@dataclass
class Containers:
    """A Docker executor, and what there is of it."""

    docker: Docker
    api: Any
    store: Path
    lines: list[str] = field(default_factory=list)

    def job(self, script: str, scratch: Path | None = None) -> Job:
        work = self.store / f"work-{uuid.uuid4().hex}"
        work.mkdir()
        return Job("test", ("sh", "-ec", script), work, "cc", {}, scratch)

    def run(self, script: str, scratch: Path | None = None) -> int:
        return self.docker.run(self.job(script, scratch), self.lines.append)

    def sh(self, script: str) -> list[str]:
        """The output of a script that ends well."""
        self.lines.clear()
        assert self.run(script) == 0, self.lines
        return list(self.lines)

    def containers(self) -> list[dict[str, Any]]:
        return containers(self.api, self.store)


def containers(api: Any, store: Path) -> list[dict[str, Any]]:
    """What the engine says of the containers that see this store."""
    found = []
    for container in api.containers(all=True):
        if any(mount.get("Source", "").startswith(str(store)) for mount in container["Mounts"]):
            with contextlib.suppress(Exception):  # it went meanwhile
                found.append(api.inspect_container(container["Id"]))
    return found


@pytest.fixture(name="bench")
def fixture_bench(engine: Engine, cc: Roots, store: Path) -> Iterator[Containers]:
    docker = Docker(cc, store)
    yield Containers(docker, engine.api, store)
    docker.close()

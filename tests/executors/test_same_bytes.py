"""One recipe through Docker, Nix and the sandbox: the same bytes, and a result made by one is a hit in the others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.executors.conftest import needs, nix_trouble
from tests.project import Project
from toolchain.executors.choose import docker_trouble

FILES = ("smoke/BOOTX64.EFI", "smoke/model.gguf", "smoke/smoke.img", "host/ingot")


def digests(project: Project) -> dict[str, str]:
    return {name: hashlib.sha256((project.folder / "build" / name).read_bytes()).hexdigest() for name in FILES}


@pytest.mark.parametrize("executor", [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("nix", marks=[pytest.mark.nix, pytest.mark.slow]),
])
def test_same_bytes_as_in_the_sandbox_and_a_hit_there(smoke: Project, project_in: Project, executor: str) -> None:
    """`smoke` was built in the sandbox, by the store of its own that it has."""
    needs(executor, docker_trouble() if executor == "docker" else nix_trouble())
    assert {entry["executor"] for entry in smoke.manifest().values()} == {"sandbox"}
    project_in.doit("image=smoke", f"toolchain={executor}", "-n", "2", timeout=900)
    entries = project_in.manifest()
    assert {entry["executor"] for entry in entries.values()} == {executor}
    assert all(entry["pinned"] and entry["cache"] == "built" for entry in entries.values())
    assert digests(project_in) == digests(smoke)
    assert {name: entry["outputs"] for name, entry in entries.items()} == {
        name: entry["outputs"] for name, entry in smoke.manifest().items()}
    # and what this one made is taken by the others
    for other in ("sandbox", executor):
        project_in.doit("clean", "image=smoke")
        done = project_in.doit("image=smoke", f"toolchain={other}")
        assert " built  " not in done.stderr and "restored" in done.stderr
        assert digests(project_in) == digests(smoke)


@pytest.fixture
def project_in(tmp_path: Path) -> Project:
    """A second checkout, with an empty store."""
    from tests.project import checkout

    return checkout(tmp_path / "second")

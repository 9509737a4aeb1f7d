"""toolchain=auto: which executor it means, and what it says of those that it passes over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project
from toolchain.errors import UserError
from toolchain.executors import Job, choose
from toolchain.executors.choose import Auto, Choice, pick
from toolchain.roots import Root
from toolchain.ui import Ui


def fine() -> None:
    return None


def bad(reason: str) -> Callable[[], str]:
    return lambda: reason


def never() -> str:
    raise AssertionError("asked although it need not be")


class NoRoots:
    """Roots that cannot be fetched, but have a lock."""

    def identity(self, name: str) -> str:
        return f"{name}:1234"

    def ensure(self, name: str) -> Root:
        raise UserError("nothing is fetched here", "")


def test_sandbox_first_and_docker_not_even_asked() -> None:
    assert pick(False, fine, never) == Choice("sandbox")


def test_docker_first_in_ci() -> None:
    assert pick(True, never, fine) == Choice("docker")
    assert pick(True, fine, bad("no socket")) == Choice("sandbox", (("docker", "no socket"),))


def test_without_namespaces_docker_and_it_is_said() -> None:
    choice = pick(False, bad("no user namespace: Permission denied"), fine)
    assert choice.name == "docker"
    assert choice.notice() == ("toolchain: sandbox cannot be used here (no user namespace: Permission denied): "
                               "using docker")


def test_neither() -> None:
    choice = pick(False, bad("no user namespace"), bad("permission denied on /var/run/docker.sock"))
    assert choice.name == "host"
    assert choice.notice() == (
        "toolchain: sandbox cannot be used here (no user namespace); docker cannot be used here "
        "(permission denied on /var/run/docker.sock): using this machine's own tools, unpinned")


def auto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: str | None, docker: str | None) -> Auto:
    monkeypatch.setattr(choose, "sandbox_trouble", lambda folder: sandbox)
    monkeypatch.setattr(choose, "docker_trouble", lambda: docker)
    return Auto(NoRoots(), tmp_path, Ui(), ci=False)


def test_keys_are_those_of_the_root_whatever_enters_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for sandbox, docker in ((None, "no"), ("no", None)):
        assert auto(monkeypatch, tmp_path, sandbox, docker).digest("cc", ("gcc",)) == "cc:1234"


def test_keys_are_the_hosts_where_no_root_can_be_entered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                         capfd: pytest.CaptureFixture[str]) -> None:
    chosen = auto(monkeypatch, tmp_path, "no user namespace", "no socket")
    assert chosen.digest("cc", ("sh",)).startswith("host:")
    assert "warning" not in capfd.readouterr().err  # a look is no build
    work = tmp_path / "work"
    work.mkdir()
    assert chosen.run(Job("one", ("sh", "-c", "exit 3"), work), print) == 3
    said = " ".join(capfd.readouterr().err.split())
    assert said.startswith("warning: toolchain: sandbox cannot be used here (no user namespace)")
    assert "unpinned" in said and chosen.name == "host"


def test_an_executor_that_is_named_is_taken_or_refused(project: Project) -> None:
    done = project.doit("toolchain=podman", "image=smoke", status=None)
    assert done.returncode != 0 and "toolchain=podman is not an executor" in done.stderr
    assert "auto, sandbox, docker, nix, host" in done.stderr


@pytest.fixture
def refusing(tmp_path: Path) -> dict[str, str]:
    """A PATH whose bwrap is refused a user namespace, as on a hardened kernel; and no Docker socket."""
    folder = tmp_path / "refusing"
    folder.mkdir()
    tool = folder / "bwrap"
    tool.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    tool.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}


def test_neither_works_on_a_real_build(project: Project, refusing: dict[str, str]) -> None:
    done = project.doit("compile:engine/text", "image=smoke", env=refusing)
    said = " ".join(done.stderr.split())
    assert "sandbox cannot be used here (no user namespace: bwrap: No permissions to create a new namespace)" in said
    assert "docker cannot be used here" in said and "unpinned" in said


def test_sandbox_asked_for_by_name_falls_back_to_nothing(project: Project, refusing: dict[str, str]) -> None:
    done = project.doit("compile:engine/text", "image=smoke", "toolchain=sandbox", env=refusing, status=None)
    assert done.returncode != 0 and "the sandbox cannot be made: bwrap: No permissions" in done.stderr
    assert "hint:" in done.stderr and "Traceback" not in done.stderr

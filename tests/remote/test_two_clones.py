"""Two clones and an nginx between them: what one has built, the other takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project, checkout
from tests.remote.nginx import Nginx
from tests.toolchain.test_cli import built
from tests.toolchain.test_torture import digests, whole


@pytest.fixture
def pushed(smoke: Project, nginx: Callable[..., Nginx]) -> Nginx:
    """A server that has all of images/smoke.yaml."""
    server = nginx()
    for stage in ("train", "export", "link", "image", "host", "trainer", "dataset", "tokenize", "compile"):
        smoke.doit("forget", stage, "image=smoke")
    smoke.doit("image=smoke", "-n", "2", f"remote={server.url}", "remote_push=1")
    return server


def test_the_second_clone_builds_nothing(smoke: Project, pushed: Nginx, tmp_path: Path) -> None:
    second = checkout(tmp_path / "elsewhere")
    done = second.doit("image=smoke", f"remote={pushed.url}")
    assert built(done) == [] and "fetched" in done.stderr and "warning" not in done.stderr
    assert digests(second) == digests(smoke)
    whole(second)
    assert not [method for method, *_ in pushed.requests()[-20:] if method == "PUT"]  # it may only read
    entries = second.manifest()
    assert {entry["cache"] for entry in entries.values()} == {"hit"}


@pytest.mark.slow
def test_the_server_dies_half_way(smoke: Project, pushed: Nginx, tmp_path: Path) -> None:
    second = checkout(tmp_path / "elsewhere")

    def kill() -> None:
        while len(list((second.cache / "ingot").glob("ac/*/*"))) < 12:
            time.sleep(0.005)
        pushed.stop()

    thread = threading.Thread(target=kill)
    thread.start()
    done = second.doit("image=smoke", f"remote={pushed.url}", "remote_push=1")
    thread.join()
    assert built(done) and "fetched" in done.stderr
    assert done.stderr.count("warning:") == 1 and "Traceback" not in done.stderr
    assert digests(second) == digests(smoke)
    whole(second)


def test_the_settings_file_names_it(smoke: Project, pushed: Nginx, tmp_path: Path) -> None:
    (tmp_path / "config/ingot").mkdir(parents=True)
    (tmp_path / "config/ingot/settings.yaml").write_text(f"remote: {pushed.url}\n")
    second = checkout(tmp_path / "elsewhere")
    done = second.doit("compile:engine/text", "image=smoke", env={"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert built(done) == [] and "fetched" in done.stderr


def test_packages_of_the_toolchain_are_shared(pushed: Nginx, tmp_path: Path, smoke: Project) -> None:
    """A root is fetched from the cache where that has its packages: without any mirror."""
    nowhere = {"DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}
    first, second = checkout(tmp_path / "first"), checkout(tmp_path / "second")
    for project in (first, second):
        (project.cache / "ingot/roots").unlink()  # roots of its own
    first.doit("toolchain", "vm", f"remote={pushed.url}", "remote_push=1", timeout=600)
    done = second.doit("toolchain", "vm", f"remote={pushed.url}", env=nowhere, timeout=600)
    assert "109 packages" in done.stdout and "warning" not in done.stderr


def test_a_look_pushes_nothing(smoke: Project, nginx: Callable[..., Nginx]) -> None:
    server = nginx()
    smoke.doit("plan", "image=smoke", f"remote={server.url}", "remote_push=1")
    smoke.doit("explain", "link", "image=smoke", f"remote={server.url}", "remote_push=1")
    smoke.doit("list", "-s", "image=smoke", f"remote={server.url}", "remote_push=1")
    assert not (server.folder / "access.log").exists() or server.requests() == []

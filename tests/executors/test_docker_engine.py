"""Where Docker cannot be used, the reason is said in a few words; no engine is needed to find out."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("docker")

from toolchain.errors import UserError  # noqa: E402
from toolchain.executors import Job  # noqa: E402
from toolchain.executors.docker import Docker, trouble  # noqa: E402
from toolchain.executors.docker.engine import NoEngine, describe  # noqa: E402
from toolchain.roots import Root  # noqa: E402


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where DOCKER_HOST says the socket is: in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/engine.sock")
        yield Path(folder) / "engine.sock"


@pytest.fixture
def listening(path: Path) -> Iterator[Path]:
    """A socket that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def as_another_user() -> str:
    """What `trouble()` says to a user who has no rights here."""
    if os.geteuid() != 0:
        return str(trouble())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(writing, str(trouble()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as file:
        return file.read()


def test_no_socket(path: Path) -> None:
    assert trouble() == f"no socket {path}"


def test_a_socket_that_is_not_ours(listening: Path) -> None:
    listening.chmod(0)
    assert as_another_user() == f"permission denied on {listening}"


def test_nobody_listens_any_more(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert trouble() == f"no engine answers on {path}"


def test_an_engine_that_does_not_answer(listening: Path) -> None:
    assert trouble() == f"no engine answers on {listening}"


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2376", "ssh://me@192.0.2.1", "npipe:////./pipe/docker_engine"])
def test_an_engine_elsewhere(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert trouble() == "DOCKER_HOST is not a socket of this machine"


def test_a_rootless_engine_is_found(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket is the user's own; it is asked where the machine's is not there or not ours."""
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path.parent))
    monkeypatch.setattr("toolchain.executors.docker.engine._SOCKET", str(tmp_path / "none.sock"))
    assert trouble() == f"no socket {tmp_path}/none.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{path.parent}/docker.sock")
    assert trouble() == f"no engine answers on {path.parent}/docker.sock"


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert trouble() == "the Python package docker is not installed"


def test_a_program_that_cannot_be_run_says_why_and_what_to_do(path: Path, tmp_path: Path) -> None:
    class Roots:
        def identity(self, name: str) -> str:
            return name

        def ensure(self, name: str) -> Root:
            return Root(name, "0" * 64, tmp_path)

    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/bash").touch()
    docker = Docker(Roots(), tmp_path / "store")
    with pytest.raises(UserError) as caught:
        docker.run(Job("one", ("true",), tmp_path), print)
    assert caught.value.what == f"Docker cannot be used here: no socket {path}"
    assert "toolchain=sandbox" in caught.value.hint
    docker.close()


def test_windows_containers() -> None:
    with pytest.raises(NoEngine) as caught:
        describe(None, {"OSType": "windows"}, 1000, 1000)
    assert caught.value.reason == "the engine runs Windows containers"


@pytest.mark.parametrize(("options", "uid", "user", "owns"), [
    ([], 1001, (1001, 1001), False),
    ([], 0, (1000, 100), True),
    (["name=seccomp,profile=default", "name=rootless"], 1001, (0, 0), False),
])
def test_whom_programs_run_as(options: list[str], uid: int, user: tuple[int, int], owns: bool) -> None:
    engine = describe(None, {"SecurityOptions": options, "MemTotal": 1600}, uid, uid)
    assert ((engine.user, engine.group), engine.owns) == (user, owns)
    assert engine.security == ("no-new-privileges",) and engine.userns is None and engine.memory == 1500


def test_what_some_machines_need_besides() -> None:
    engine = describe(None, {"SecurityOptions": ["name=selinux", "name=userns"]}, 1000, 1000)
    assert "label=disable" in engine.security and engine.userns == "host" and engine.memory == 0

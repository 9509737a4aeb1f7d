"""Stores with a result in them, servers good and bad, and a screen that remembers its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.executors.conftest import needs
from tests.remote import nginx as webdav
from tests.remote.nginx import Nginx
from tests.remote.rogue import Rogue
from toolchain.key import key_of
from toolchain.remote.body import Limits
from toolchain.remote.client import Remote
from toolchain.store import Output, Result, Store
from toolchain.ui import Ui

PATIENT = Limits(close=20.0)


class Screen(Ui):
    """Remembers what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no netrc and no credentials of this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "INGOT_REMOTE_AUTH", "INGOT_REMOTE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def screen() -> Screen:
    return Screen()


def new_store(folder: Path) -> Store:
    return Store(folder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """A colleague's, with nothing in it."""
    return new_store(tmp_path / "other")


CONTENT = {"a.bin": b"first" * 1000, "sub/run": b"#!/bin/sh\n" * 500, "empty": b""}


def make(store: Store, content: dict[str, bytes] | None = None, **more: Any) -> Result:
    """A result with these outputs, in the store; `more` are fields of its key."""
    outputs = []
    for path, data in (CONTENT if content is None else content).items():
        with store.workspace() as work:
            (work / "file").write_bytes(data)
            outputs.append(Output(path, store.add(work / "file"), len(data), path.endswith("run")))
    fields = {"format": 1, "stage": "link", "outputs": [out.path for out in outputs], "argv": ["ld"],
              "inputs": {out.path + ".o": out.sha256 for out in outputs}, **more}
    result = Result(key_of(fields), "link", tuple(outputs), 1.5, "sandbox", fields)
    store.put(result)
    return result


def assert_same(result: Result | None, wanted: Result, store: Store) -> None:
    """The result is `wanted`, and the store has it whole."""
    assert result == wanted and store.result(wanted.key) == wanted
    for output in wanted.outputs:
        assert len(store.verified(output.sha256, read=True).read_bytes()) == output.size


def assert_nothing(result: Result | None, store: Store) -> None:
    """No result; none in the store, and nothing half-done."""
    assert result is None
    assert not list((store.folder / "ac").rglob("*")) and not list((store.folder / "tmp").glob("*"))


@pytest.fixture
def connect(screen: Screen) -> Iterator[Callable[..., Remote]]:
    """connect(url, store, …): a Remote, closed after the test."""
    made: list[Remote] = []

    def start(url: str, store: Store, *, environ: dict[str, str] | None = None, limits: Limits = PATIENT,
              push: bool = False) -> Remote:
        made.append(Remote(url, store, screen, push=push, environ=environ or {}, limits=limits))
        return made[-1]

    yield start
    for remote in made:
        remote.close()


@pytest.fixture
def rogue() -> Iterator[Rogue]:
    server = Rogue()
    yield server
    server.close()


@pytest.fixture
def stocked(rogue: Rogue, store: Store, connect: Callable[..., Remote]) -> tuple[Rogue, Result]:
    """A server that holds a result of `store`, and the result; nothing of how it came there is remembered."""
    result = make(store)
    remote = connect(rogue.url, store, push=True)
    remote.push(result)
    remote.close()
    rogue.requests.clear()
    rogue.links.clear()
    return rogue, result


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Callable[..., Nginx]]:
    """nginx(extra="…"): a server that runs; skips, by name, without the program."""
    needs("nginx", None if webdav.program() else "it is not installed")
    servers: list[Nginx] = []

    def start(kind: type[Nginx] = Nginx, **more: str) -> Nginx:
        servers.append(kind(tmp_path / f"nginx{len(servers)}", **more))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()

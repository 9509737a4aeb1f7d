"""A private store, and mirrors on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.roots.archives import Made, Mirror, deb, file, folder, hard, link, root_of
from toolchain.roots.folder import RootFolder
from toolchain.store import Store
from toolchain.ui import Ui


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Mirror]]:
    """mirror(): one more server; DEBIAN_MIRROR names them all, in that order."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started: list[Mirror] = []

    def start() -> Mirror:
        started.append(Mirror())
        monkeypatch.setenv("DEBIAN_MIRROR", " ".join(one.url for one in started))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def roots(tmp_path: Path, store: Store) -> RootFolder:
    return RootFolder(store, Ui(), tmp_path / "locks")


@pytest.fixture
def small(tmp_path: Path) -> Made:
    """A root of two packages, with a bit of everything."""
    return root_of(tmp_path / "locks", {
        "shell": deb(folder("./"), folder("./bin/"), file("./bin/bash", b"#!", 0o4755), file("./etc/bash.bashrc"),
                     file("./usr/share/doc/bash/README"), link("./bin/rbash", "bash"),
                     link("./lib64/ld.so", "/lib/x/ld.so")),
        "libs": deb(folder("./lib/x/"), file("./lib/x/ld.so", b"loader", 0o755),
                    hard("./usr/lib/x/same", "./lib/x/ld.so"), file("./usr/share/é\n.txt", b""), file("./var/lib/x"),
                    link("./usr/lib/ssl/certs", "/etc/ssl/certs")),
    }, links={"usr/bin/sh": "bash"})

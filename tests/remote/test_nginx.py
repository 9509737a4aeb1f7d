"""Against a real server: Debian's nginx with WebDAV."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.project import ROOT
from tests.remote.conftest import Screen, assert_nothing, assert_same, make
from tests.remote.nginx import Nginx
from toolchain.remote.client import Remote
from toolchain.store import Result, Store

Connect = Callable[..., Remote]
Start = Callable[..., Nginx]


def give(connect: Connect, server: Nginx, store: Store, *results: Result, **more: object) -> None:
    remote = connect(server.url, store, push=True, **more)
    for result in results:
        remote.push(result)
    remote.close()


def test_what_one_gives_another_takes(nginx: Start, store: Store, other: Store, connect: Connect,
                                      screen: Screen) -> None:
    server = nginx()
    results = [make(store, {"out": bytes([number]) * 3_000_000, "same": b"same"}, number=number)
               for number in range(6)]
    give(connect, server, store, *results)
    assert len(list((server.data / "ac").iterdir())) == 6
    assert len(list((server.data / "cas").iterdir())) == 13  # six outputs, six records, and the one they share
    remote = connect(server.url, other)
    for result in results:
        assert_same(remote.fetch(result.key), result, other)
    assert remote.fetch("0" * 64) is None
    assert not screen.warnings


def test_connections_are_kept(nginx: Start, store: Store, other: Store, connect: Connect) -> None:
    server = nginx()
    results = [make(store, {"out": bytes([number])}, number=number) for number in range(6)]
    give(connect, server, store, *results)
    uploads = {link for *_, link in server.requests()}
    assert len(uploads) <= 2
    remote = connect(server.url, other)
    for result in results:
        assert remote.fetch("1" * 64) is None and remote.fetch(result.key) == result
    rows = server.requests()
    assert len({link for *_, link in rows} - uploads) == 1
    assert {(method, status) for method, _, status, _ in rows} == {
        ("HEAD", 404), ("PUT", 201), ("GET", 200), ("GET", 404)}


def test_blobs_before_their_result(nginx: Start, store: Store, connect: Connect) -> None:
    server, result = nginx(), make(store)
    give(connect, server, store, result)
    puts = [path for method, path, _, _ in server.requests() if method == "PUT"]
    assert puts[-1] == f"/ac/{result.key}" and len(puts) == 5


def test_gzip(nginx: Start, store: Store, other: Store, connect: Connect, screen: Screen) -> None:
    server = nginx(extra="gzip on; gzip_types application/octet-stream; gzip_min_length 1;")
    result = make(store)
    give(connect, server, store, result)
    assert_same(connect(server.url, other).fetch(result.key), result, other)
    assert not screen.warnings


def test_a_password(nginx: Start, store: Store, other: Store, connect: Connect, screen: Screen,
                    tmp_path: Path) -> None:
    (tmp_path / "users").write_text("me:{PLAIN}s3cret\n")
    server = nginx(extra=f"auth_basic cache; auth_basic_user_file {tmp_path / 'users'};")
    result = make(store, {"out": bytes(8 << 20)})
    give(connect, server, store, result)
    assert len(screen.warnings) == 1 and "HTTP 401" in screen.warnings[0] and "pushed" in screen.warnings[0]
    give(connect, server, store, result, environ={"INGOT_REMOTE_AUTH": "me:s3cret"})
    assert_nothing(connect(server.url, other).fetch(result.key), other)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    assert_same(connect(server.url, other).fetch(result.key), result, other)
    assert len(screen.warnings) == 2


def test_a_server_that_dies_and_comes_back(nginx: Start, store: Store, other: Store, connect: Connect,
                                           screen: Screen) -> None:
    server = nginx()
    first, second = make(store, {"out": b"1"}, number=1), make(store, {"out": b"2"}, number=2)
    give(connect, server, store, first, second)
    remote = connect(server.url, other)
    assert remote.fetch(first.key) == first
    server.stop()
    assert remote.fetch(second.key) is None and remote.fetch(second.key) is None
    assert len(screen.warnings) == 1 and "going on without it" in screen.warnings[0]
    server.start()
    assert_same(connect(server.url, other).fetch(second.key), second, other)


class Documented(Nginx):
    """As docs/sharing.md says, in folders of the test's own."""

    def server(self) -> str:
        block = re.search(r"^```nginx\n(.*?)^```", (ROOT / "docs/sharing.md").read_text(), re.M | re.S)
        assert block
        (self.folder / "users").write_text("me:{PLAIN}s3cret\n")
        return block[1].replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace(
            "/etc/nginx/ingot.users", str(self.folder / "users")).replace("/srv", str(self.data))


def test_the_server_that_the_docs_show(nginx: Start, store: Store, other: Store, connect: Connect, screen: Screen,
                                       tmp_path: Path) -> None:
    """Everybody reads, who has a password writes."""
    server = nginx(kind=Documented)
    server.url = server.url.replace("/cache", "/ingot")
    result = make(store, {"out": bytes(8 << 20), "run": b"1"})
    give(connect, server, store, result)
    assert len(screen.warnings) == 1 and "HTTP 401" in screen.warnings[0]
    assert connect(server.url, other).fetch(result.key) is None
    give(connect, server, store, result, environ={"INGOT_REMOTE_AUTH": "me:s3cret"})
    assert_same(connect(server.url, other).fetch(result.key), result, other)
    assert len(screen.warnings) == 1 and (server.data / "ingot/ac" / result.key).is_file()


def test_a_body_that_is_too_large(nginx: Start, store: Store, connect: Connect, screen: Screen) -> None:
    server = nginx(most="1m")
    give(connect, server, store, make(store, {"out": bytes(8 << 20)}))
    assert len(screen.warnings) == 1 and "pushed" in screen.warnings[0]

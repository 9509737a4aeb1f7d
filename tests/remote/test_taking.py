"""What a server gives is right or it is a miss, with one line of warning; nothing half-done is left."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.remote.conftest import PATIENT, Screen, assert_nothing, assert_same, make
from tests.remote.rogue import Handler, Rogue, Rule, on
from toolchain.remote import client, record
from toolchain.remote.body import Limits
from toolchain.remote.client import Remote
from toolchain.remote.message import File, decode, encode
from toolchain.store import Output, Result, Store

Connect = Callable[..., Remote]
Stocked = tuple[Rogue, Result]


def big(result: Result) -> Output:
    """The output that the rules below are about."""
    return result.output("a.bin")


# -- as it should be --


def test_a_result_comes_whole(stocked: Stocked, other: Store, connect: Connect, screen: Screen) -> None:
    rogue, result = stocked
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)
    assert not screen.warnings


def test_the_result_is_stored_after_its_blobs(stocked: Stocked, other: Store, connect: Connect,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    rogue, result = stocked
    order: list[str] = []
    add, put = other.add, other.put
    monkeypatch.setattr(other, "add", lambda path: order.append("blob") or add(path))
    monkeypatch.setattr(other, "put", lambda result: order.append("result") or put(result))
    connect(rogue.url, other).fetch(result.key)
    assert order == ["blob", "blob", "blob", "result"]


def test_one_connection_carries_all(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    remote = connect(rogue.url, other)
    for number in range(5):
        assert remote.fetch(f"{number:064x}") is None
    assert remote.fetch(result.key) == result
    assert len(rogue.links) == 1 and len(rogue.requests) == 9


def test_what_is_here_is_not_fetched(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    make(other, {"x": b"first" * 1000})
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)
    assert f"/cas/{big(result).sha256}" not in rogue.asked("GET")


def test_what_is_here_but_damaged_is_fetched(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    make(other, {"x": b"first" * 1000})
    blob = other.blob(big(result).sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)


def test_many_threads(rogue: Rogue, store: Store, other: Store, connect: Connect) -> None:
    results = [make(store, {"out": bytes([number]) * 5000, "same": b"same"}, number=number) for number in range(12)]
    giver = connect(rogue.url, store, push=True)
    for result in results:
        giver.push(result)
    giver.close()
    taker = connect(rogue.url, other)
    found: dict[str, Result | None] = {}

    def take(part: list[Result]) -> None:
        for result in part:
            found[result.key] = taker.fetch(result.key)

    threads = [threading.Thread(target=take, args=(results[start::4],)) for start in (0, 1, 2, 3, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert_same(found[result.key], result, other)


def test_one_blob(stocked: Stocked, other: Store, connect: Connect, tmp_path: Path, screen: Screen) -> None:
    rogue, result = stocked
    remote, output = connect(rogue.url, other), big(result)
    assert remote.blob(output.sha256, output.size, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"first" * 1000
    assert not remote.blob("0" * 64, 5, tmp_path / "file") and not screen.warnings
    rogue.files[f"/cas/{output.sha256}"] = b"worse" * 1000
    assert not remote.blob(output.sha256, output.size, tmp_path / "file") and len(screen.warnings) == 1
    assert (tmp_path / "file").read_bytes() == b"first" * 1000
    assert not list(tmp_path.glob(".file*"))


def packed(handler: Handler) -> None:
    assert handler.headers["Accept-Encoding"] == "gzip"
    handler.reply(200, gzip.compress(handler.server.files[handler.path]), Content_Encoding="gzip")


def test_gzip(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    rogue.rules["GET"] = packed
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)


# -- misses, of which nobody speaks --


@pytest.mark.parametrize("status", [404, 204, 410])
@pytest.mark.parametrize("part", ["/ac/", "/cas/"])
def test_a_miss_is_silent(stocked: Stocked, other: Store, connect: Connect, screen: Screen, status: int,
                          part: str) -> None:
    rogue, result = stocked
    rogue.rules["GET"] = on(part, lambda handler: handler.reply(status))
    remote = connect(rogue.url, other)
    assert_nothing(remote.fetch(result.key), other)
    assert not screen.warnings
    rogue.rules.clear()
    assert_same(remote.fetch(result.key), result, other)


# -- servers that cannot be used: one line, and off for the rest of the run --


def silent(handler: Handler) -> None:
    threading.Event().wait(3)
    handler.close_connection = True


def some_then_silent(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path][:10], length=len(handler.server.files[handler.path]))
    silent(handler)


def cut(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path][:10], length=len(handler.server.files[handler.path]))
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def noise(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xff this is not HTTP\r\n\r\n")
    handler.close_connection = True


def cut_chunks(handler: Handler) -> None:
    handler.reply(200, b"5\r\nfirst\r\nffff\r\nfi", length=-1, Transfer_Encoding="chunked")
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    body = handler.server.files[handler.path]
    handler.reply(200, b"", length=len(body))
    for number in range(len(body)):
        handler.wfile.write(body[number : number + 1])
        threading.Event().wait(0.05)


def trickling_head(handler: Handler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 80:
        handler.wfile.write(bytes([byte]))
        threading.Event().wait(0.05)


def redirect_to_nowhere(handler: Handler) -> None:
    handler.reply(302, Location="http://[")


def endless_redirect(handler: Handler) -> None:
    handler.reply(302, length=-1, Location="http://127.0.0.1:1/")
    while True:  # until the client hangs up
        handler.wfile.write(bytes(1 << 16))


UNUSABLE: list[Any] = [
    *(pytest.param(lambda handler, status=status: handler.reply(status, b"no"), id=str(status))
      for status in (400, 401, 403, 405, 408, 413, 418, 429, 500, 502, 503, 507, 599, 301, 302, 307, 308, 206, 201)),
    silent, some_then_silent, cut, hang_up, noise, cut_chunks, trickle,
    trickling_head, redirect_to_nowhere, endless_redirect,
]


@pytest.mark.parametrize("part", ["/ac/", "/cas/"])
@pytest.mark.parametrize("rule", UNUSABLE)
def test_an_unusable_server_costs_a_line(stocked: Stocked, other: Store, connect: Connect, screen: Screen, rule: Rule,
                                         part: str) -> None:
    rogue, result = stocked
    rogue.rules["GET"] = on(part, rule)
    remote = connect(rogue.url, other, push=True, limits=Limits(connect=1, silence=0.5, grace=0.6, close=5))
    assert_nothing(remote.fetch(result.key), other)
    asked = len(rogue.requests)
    rogue.rules.clear()
    assert remote.fetch(result.key) is None and not remote.blob("0" * 64, 1, other.folder / "x")
    remote.push(make(other))
    remote.close()
    assert len(rogue.requests) == asked, "it is off for the rest of the run"
    assert len(screen.warnings) == 1 and screen.warnings[0].startswith(f"remote cache {rogue.url}: ")


def test_an_absent_server_costs_a_line(other: Store, connect: Connect, screen: Screen) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    remote = connect(url, other)
    assert remote.fetch("0" * 64) is None and remote.fetch("1" * 64) is None
    assert screen.warnings == [f"remote cache {url}: connection refused; going on without it"]


def test_a_server_without_an_address_costs_a_line(other: Store, connect: Connect, screen: Screen) -> None:
    assert connect("http://no-such-host.invalid", other).fetch("0" * 64) is None
    assert len(screen.warnings) == 1 and "resolved" in screen.warnings[0]


def test_a_server_that_does_not_speak_tls_costs_a_line(rogue: Rogue, other: Store, connect: Connect,
                                                       screen: Screen) -> None:
    assert connect(rogue.url.replace("http:", "https:"), other).fetch("0" * 64) is None
    assert len(screen.warnings) == 1


@pytest.mark.parametrize("rule", [cut, hang_up, cut_chunks])
def test_a_connection_that_breaks_once_costs_nothing(stocked: Stocked, other: Store, connect: Connect,
                                                     screen: Screen, rule: Rule) -> None:
    """A server may close an idle connection just when it is asked."""
    rogue, result = stocked
    bad = [rule]
    rogue.rules["GET"] = on("/cas/", lambda handler: bad.pop()(handler) if bad else False)
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)
    assert not bad and not screen.warnings


def test_many_threads_one_line(stocked: Stocked, other: Store, connect: Connect, screen: Screen) -> None:
    rogue, result = stocked
    rogue.rules["GET"] = lambda handler: handler.reply(503)
    remote = connect(rogue.url, other)
    threads = [threading.Thread(target=remote.fetch, args=(result.key,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(screen.warnings) == 1


# -- servers that lie: one line, and a miss each time --


def flipped(handler: Handler) -> None:
    body = bytearray(handler.server.files[handler.path])
    body[len(body) // 2] ^= 1
    handler.reply(200, bytes(body))


def short(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path][:-1])


def short_without_length(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path][:-1], length=-1)
    handler.close_connection = True


def long(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path] + b"x")


def nothing(handler: Handler) -> None:
    handler.reply(200, b"")


def a_page(handler: Handler) -> None:
    handler.reply(200, b"<html>please log in to this hotel</html>")


def huge_length(handler: Handler) -> None:
    handler.reply(200, b"x" * 100, length=10**15)
    handler.close_connection = True


def impossible_length(handler: Handler) -> None:
    handler.reply(200, b"x", length=int("9" * 4000))
    handler.close_connection = True


def endless(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path], length=-1)
    for _ in range(4000):  # a client that took it all would get 250 MB
        handler.wfile.write(bytes(1 << 16))
    handler.close_connection = True


def endless_chunks(handler: Handler) -> None:
    handler.reply(200, b"", length=-1, Transfer_Encoding="chunked")
    for _ in range(4000):
        handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
    handler.close_connection = True


BOMB = gzip.compress(bytes(50 << 20))


def bomb(handler: Handler) -> None:
    handler.reply(200, BOMB, Content_Encoding="gzip")


def bomb_of_nothing(handler: Handler) -> None:
    """Blocks of deflate that give no byte, without end."""
    handler.reply(200, gzip.compress(b"")[:10], length=-1, Content_Encoding="gzip")
    while True:  # until the client hangs up
        handler.wfile.write(b"\x00\x00\x00\xff\xff" * 13107)


def cut_gzip(handler: Handler) -> None:
    handler.reply(200, gzip.compress(handler.server.files[handler.path])[:-4], Content_Encoding="gzip")


def two_gzips(handler: Handler) -> None:
    body = gzip.compress(handler.server.files[handler.path])
    handler.reply(200, body + body, Content_Encoding="gzip")


def no_gzip(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path], Content_Encoding="gzip")


def zstd(handler: Handler) -> None:
    handler.reply(200, handler.server.files[handler.path], Content_Encoding="zstd")


LIES: list[Rule] = [flipped, short, short_without_length, long, nothing, a_page, huge_length, impossible_length,
                    endless, endless_chunks, bomb, bomb_of_nothing, cut_gzip, two_gzips, no_gzip, zstd]


@pytest.mark.parametrize("which", ["message", "record", "output"])
@pytest.mark.parametrize("rule", LIES)
def test_a_lie_costs_a_line(stocked: Stocked, other: Store, connect: Connect, screen: Screen, rule: Rule,
                            which: str) -> None:
    rogue, result = stocked
    own = record.own_file(decode(rogue.files[f"/ac/{result.key}"])).sha256
    part = {"message": "/ac/", "record": own, "output": big(result).sha256}[which]
    rogue.rules["GET"] = on(part, rule)
    remote = connect(rogue.url, other)
    assert_nothing(remote.fetch(result.key), other)
    assert_nothing(remote.fetch(result.key), other)
    assert len(screen.warnings) == 1 and "counts as missing" in screen.warnings[0]
    rogue.rules.clear()
    assert_same(remote.fetch(result.key), result, other)


def lying(rogue: Rogue, result: Result, data: bytes, files: tuple[File, ...]) -> None:
    """Puts a message and a record on the server as they are."""
    rogue.files[f"/cas/{files[-1].sha256}"] = data
    rogue.files[f"/ac/{result.key}"] = encode(files)


def test_the_result_of_another_stage_is_no_hit(stocked: Stocked, store: Store, other: Store, connect: Connect,
                                               screen: Screen) -> None:
    rogue, result = stocked
    lying(rogue, result, *record.encode(make(store, argv=["other"])))
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)
    assert "another key" in screen.warnings[0]


def test_other_outputs_in_the_message_are_no_hit(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    data, files = record.encode(result)
    lying(rogue, result, data, (File("more", "0" * 64, 1), *files))
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)


def test_a_path_that_leads_out_is_no_hit(stocked: Stocked, other: Store, connect: Connect, screen: Screen) -> None:
    rogue, result = stocked
    data, files = record.encode(result)
    lying(rogue, result, data, (File("../../escaped", big(result).sha256, big(result).size), *files))
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)
    assert not list(other.folder.parent.rglob("escaped")) and "cannot be" in screen.warnings[0]


def test_bazels_own_results_are_no_hit(stocked: Stocked, other: Store, connect: Connect, screen: Screen) -> None:
    rogue, result = stocked
    rogue.files[f"/ac/{result.key}"] = encode([File("a.bin", big(result).sha256, big(result).size)])
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)
    assert "no record" in screen.warnings[0]


def test_a_wrong_size_of_what_is_here_is_no_hit(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    make(other, {"x": b"first" * 1000})
    outputs = (replace(big(result), size=10**12), *result.outputs[1:])
    lying(rogue, result, *record.encode(replace(result, outputs=outputs)))
    assert connect(rogue.url, other).fetch(result.key) is None and other.result(result.key) is None


def test_what_bazel_remote_adds_does_no_harm(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    rogue.files[f"/ac/{result.key}"] += b"J\n\n\x0810.0.0.1"  # execution_metadata.worker
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)


def test_what_does_not_fit_on_the_disk_is_no_hit(stocked: Stocked, other: Store, connect: Connect, screen: Screen,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    rogue, result = stocked
    usage = client.shutil.disk_usage(other.folder.parent)
    monkeypatch.setattr(client.shutil, "disk_usage", lambda path: usage._replace(free=4999))
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)
    assert "do not fit on the disk" in screen.warnings[0]


def test_a_record_that_is_too_long_is_not_fetched(stocked: Stocked, other: Store, connect: Connect) -> None:
    rogue, result = stocked
    data, files = record.encode(result)
    lying(rogue, result, data, (*files[:-1], File(record.PATH, files[-1].sha256, PATIENT.message + 1)))
    assert_nothing(connect(rogue.url, other).fetch(result.key), other)
    assert f"/cas/{files[-1].sha256}" not in rogue.asked("GET")

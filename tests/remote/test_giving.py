"""Uploads: blobs before their result, only what the server lacks, never in the way of the build."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.remote.conftest import Screen, assert_same, make
from tests.remote.rogue import Handler, Rogue, Rule, on
from toolchain.remote import record
from toolchain.remote.body import Limits
from toolchain.remote.client import Remote
from toolchain.remote.message import decode
from toolchain.store import Result, Store

Connect = Callable[..., Remote]


def given(connect: Connect, url: str, store: Store, *results: Result) -> Remote:
    """A remote that has pushed these, and is closed."""
    remote = connect(url, store, push=True)
    for result in results:
        remote.push(result)
    remote.close()
    return remote


def test_blobs_come_before_their_result(rogue: Rogue, store: Store, connect: Connect) -> None:
    result = make(store)
    given(connect, rogue.url, store, result)
    own = record.own_file(decode(rogue.files[f"/ac/{result.key}"])).sha256
    blobs = [*(f"/cas/{output.sha256}" for output in result.outputs), f"/cas/{own}"]
    assert rogue.asked("PUT") == [*blobs, f"/ac/{result.key}"]
    assert rogue.asked("HEAD") == [f"/ac/{result.key}", *blobs]
    assert len(rogue.links) == 1


def test_headers(rogue: Rogue, store: Store, connect: Connect) -> None:
    given(connect, rogue.url, store, make(store))
    for method, path, headers in rogue.requests:
        if method == "PUT":
            assert headers["Content-Length"] == str(len(rogue.files[path]))
            assert not {"Expect", "Transfer-Encoding", "Content-Encoding"} & headers.keys()


def test_what_the_server_has_is_not_sent(rogue: Rogue, store: Store, connect: Connect) -> None:
    first, second = make(store), make(store, {"a.bin": b"first" * 1000, "new": b"new"})
    given(connect, rogue.url, store, first)
    before = len(rogue.asked("PUT"))
    given(connect, rogue.url, store, second)
    own = record.own_file(decode(rogue.files[f"/ac/{second.key}"])).sha256
    assert rogue.asked("PUT")[before:] == [f"/cas/{second.output('new').sha256}", f"/cas/{own}", f"/ac/{second.key}"]


def test_what_was_sent_is_not_asked_for_again(rogue: Rogue, store: Store, connect: Connect) -> None:
    remote = connect(rogue.url, store, push=True)
    result = make(store)
    remote.push(result)
    remote.close()
    again = connect(rogue.url, store, push=True)
    assert again.fetch(result.key) == result
    again.push_blob(result.outputs[0].sha256)
    again.push(make(store, {"b": b"first" * 1000}))
    again.close()
    assert rogue.asked("HEAD").count(f"/cas/{result.outputs[0].sha256}") == 2


def test_a_blob_of_another_size_is_sent_again(rogue: Rogue, store: Store, connect: Connect) -> None:
    result = make(store)
    path = f"/cas/{result.outputs[0].sha256}"
    rogue.files[path] = b"cut off when the server's disk was full"
    given(connect, rogue.url, store, result)
    assert rogue.files[path] == b"first" * 1000


def test_a_blob_that_was_wrong_is_sent_again(stocked: tuple[Rogue, Result], other: Store, connect: Connect) -> None:
    rogue, result = stocked
    path = f"/cas/{result.outputs[0].sha256}"
    rogue.files[path] = b"worse" * 1000
    remote = connect(rogue.url, other, push=True)
    assert remote.fetch(result.key) is None
    remote.push(make(other))
    remote.close()
    assert rogue.files[path] == b"first" * 1000


def test_one_blob(rogue: Rogue, store: Store, connect: Connect) -> None:
    digest = make(store).outputs[0].sha256
    remote = connect(rogue.url, store, push=True)
    remote.push_blob(digest)
    remote.close()
    assert rogue.files == {f"/cas/{digest}": b"first" * 1000}


def test_nothing_is_sent_unasked(rogue: Rogue, store: Store, connect: Connect) -> None:
    remote, result = connect(rogue.url, store), make(store)
    remote.push(result)
    remote.push_blob(result.outputs[0].sha256)
    remote.close()
    assert not rogue.requests


def test_a_damaged_or_collected_blob_is_not_sent(rogue: Rogue, store: Store, connect: Connect, screen: Screen) -> None:
    damaged = make(store, {"x": b"right"})
    blob = store.blob(damaged.outputs[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"wrong")
    collected = make(store, {"y": b"gone"})
    store.blob(collected.outputs[0].sha256).unlink()
    good = make(store, {"z": b"here"})
    given(connect, rogue.url, store, damaged, collected, good)
    assert [path for path in rogue.asked("PUT") if path.startswith("/ac/")] == [f"/ac/{good.key}"]
    assert f"/cas/{damaged.outputs[0].sha256}" not in rogue.files and not screen.warnings


def test_a_result_of_unknown_fields_is_not_sent(rogue: Rogue, store: Store, connect: Connect, screen: Screen) -> None:
    given(connect, rogue.url, store, replace(make(store), fields={}))
    assert not rogue.requests and not screen.warnings


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def refuse_early(handler: Handler) -> None:
    """Answers before the body was read, and closes: nginx does so with 401 and 413."""
    handler.reply(413)
    handler.close_connection = True


REFUSALS = [*(pytest.param(lambda handler, status=status: handler.reply(status), id=str(status))
              for status in (400, 401, 403, 404, 405, 409, 411, 413, 500, 503, 507, 301, 307)), hang_up, refuse_early]


@pytest.mark.parametrize("part", ["/ac/", "/cas/"])
@pytest.mark.parametrize("rule", REFUSALS)
def test_a_refusal_costs_a_line_and_reading_goes_on(stocked: tuple[Rogue, Result], other: Store, connect: Connect,
                                                    screen: Screen, rule: Rule, part: str) -> None:
    rogue, result = stocked
    rogue.rules["PUT"] = on(part, rule)
    remote = connect(rogue.url, other, push=True)
    for number in range(5):
        remote.push(make(other, {"out": bytes([number]) * (4 << 20 if number == 0 else 10)}))
    while remote._pushing:
        threading.Event().wait(0.01)
    sent = len(rogue.asked("PUT"))
    assert remote.fetch(result.key) == result
    remote.push(make(other, {"late": b"late"}))
    remote.close()
    assert len(rogue.asked("PUT")) - sent <= 3, "the result that is on its way may arrive"
    assert len(screen.warnings) == 1 and "nothing more is pushed" in screen.warnings[0]


@pytest.mark.parametrize("status", [401, 403, 405, 500, 501])
def test_a_server_without_head_is_given_all(rogue: Rogue, store: Store, connect: Connect, screen: Screen,
                                            status: int) -> None:
    rogue.rules["HEAD"] = lambda handler: handler.reply(status)
    result = make(store)
    given(connect, rogue.url, store, result)
    assert f"/ac/{result.key}" in rogue.files and not screen.warnings


def test_the_build_does_not_wait_for_a_slow_server(rogue: Rogue, store: Store, connect: Connect,
                                                   screen: Screen) -> None:
    go = threading.Event()
    rogue.rules["PUT"] = lambda handler: not go.wait(20)
    remote = connect(rogue.url, store, push=True, limits=Limits(silence=20, close=0.1))
    for number in range(20):
        remote.push(make(store, {"out": bytes([number])}))
    remote.close()
    go.set()
    assert screen.warnings == [f"remote cache {rogue.url}: 20 uploads were not done in 0 s and are given up"]


def test_too_many_uploads_are_refused(rogue: Rogue, store: Store, connect: Connect, screen: Screen) -> None:
    go = threading.Event()
    rogue.rules["PUT"] = lambda handler: not go.wait(20)
    remote = connect(rogue.url, store, push=True, limits=Limits(silence=20, close=20))
    remote._uploads._most = 3
    for number in range(20):
        remote.push(make(store, {"out": bytes([number])}))
    go.set()
    remote.close()
    assert 3 <= sum("/ac/" in path for path in rogue.files) <= 5
    assert len(screen.warnings) == 1 and "do not keep up" in screen.warnings[0]


def test_two_at_once(rogue: Rogue, store: Store, connect: Connect) -> None:
    both = threading.Barrier(2, timeout=10)  # broken where one waits for the other
    rogue.rules["PUT"] = on("/ac/", lambda handler: both.wait() < 0)
    results = [make(store, {"out": bytes([number])}) for number in range(4)]
    given(connect, rogue.url, store, *results)
    assert all(f"/ac/{result.key}" in rogue.files for result in results) and len(rogue.links) == 2


def test_close_twice_and_use_afterwards(rogue: Rogue, store: Store, connect: Connect) -> None:
    remote = given(connect, rogue.url, store, make(store))
    rogue.requests.clear()
    remote.close()
    remote.push(make(store, {"x": b"x"}))
    assert remote.fetch("0" * 64) is None and not rogue.requests


def test_what_was_given_can_be_taken(rogue: Rogue, store: Store, other: Store, connect: Connect) -> None:
    result = make(store)
    given(connect, rogue.url, store, result)
    assert_same(connect(rogue.url, other).fetch(result.key), result, other)

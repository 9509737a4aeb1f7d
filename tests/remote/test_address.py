"""Addresses and credentials: what cannot be used is refused, and no secret is ever shown."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.remote.conftest import Screen, make
from tests.remote.rogue import Handler, Rogue
from toolchain.errors import UserError
from toolchain.remote.address import address, credentials
from toolchain.remote.client import Remote
from toolchain.store import Result, Store

SECRET = "s3cret"


@pytest.mark.parametrize(("url", "base", "name"), [
    ("http://cache", "http://cache", "http://cache"),
    ("https://cache:8443/", "https://cache:8443", "https://cache:8443"),
    ("http://[::1]:80/a/b/", "http://[::1]:80/a/b", "http://[::1]:80"),
    ("https://cache/team-4711/", "https://cache/team-4711", "https://cache"),
])
def test_addresses(url: str, base: str, name: str) -> None:
    assert (address(url).base, address(url).name) == (base, name)


@pytest.mark.parametrize("url", ["", "cache", "cache:80", "ftp://cache", "file:///tmp", "http://", "http://:80",
                                 "http://cache:port", "http://cache:99999", "http://[::1", "http://cache/a?b=s3cret",
                                 "http://cache/#s3cret", "http://cache/a b", "http://cache/\n",
                                 "http://me:s3cret@cache", "http://s3cret@cache", "https://me:s3cret@cache:1/a"])
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UserError) as caught:
        address(url)
    assert SECRET not in str(caught.value) and caught.value.hint


@pytest.mark.parametrize("environ", [
    {"INGOT_REMOTE_AUTH": SECRET},
    {"INGOT_REMOTE_AUTH": ":" + SECRET},
    {"INGOT_REMOTE_AUTH": f"me:{SECRET}\n"},
    {"INGOT_REMOTE_TOKEN": f"{SECRET}\r\nX: y"},
    {"INGOT_REMOTE_TOKEN": f"{SECRET} {SECRET}"},
    {"INGOT_REMOTE_TOKEN": SECRET + "é"},
    {"INGOT_REMOTE_AUTH": f"me:{SECRET}", "INGOT_REMOTE_TOKEN": SECRET},
])
def test_credentials_that_cannot_be_sent_are_refused_and_not_repeated(environ: dict[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        credentials(environ)
    assert SECRET not in str(caught.value) and caught.value.hint


def test_credentials_hide_in_their_repr() -> None:
    assert SECRET not in repr(credentials({"INGOT_REMOTE_AUTH": f"me:{SECRET}"}))
    assert SECRET not in repr(credentials({"INGOT_REMOTE_TOKEN": SECRET}))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


NETRC = "machine 127.0.0.1 login netrc-user password netrc-word\n"


@pytest.mark.parametrize(("environ", "netrc", "sent"), [
    ({}, "", None),
    ({}, NETRC, basic("netrc-user", "netrc-word")),
    ({"INGOT_REMOTE_AUTH": "me:s3:cr\u00e9t"}, NETRC, basic("me", "s3:cr\u00e9t")),
    ({"INGOT_REMOTE_TOKEN": "abc.def=="}, NETRC, "Bearer abc.def=="),
])
def test_what_is_sent(rogue: Rogue, store: Store, connect: Callable[..., Remote], tmp_path: Path,
                      environ: dict[str, str], netrc: str, sent: str | None) -> None:
    (tmp_path / "netrc").write_text(netrc)
    remote = connect(rogue.url, store, environ=environ, push=True)
    remote.fetch("0" * 64)
    remote.push(make(store))
    remote.close()
    assert {headers.get("Authorization") for _, _, headers in rogue.requests} == {sent}
    assert {method for method, _, _ in rogue.requests} == {"GET", "HEAD", "PUT"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_way_and_no_secret(rogue: Rogue, store: Store, connect: Callable[..., Remote],
                                               screen: Screen, status: int, capfd: pytest.CaptureFixture[str],
                                               caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    def refuse(handler: Handler) -> None:
        handler.reply(status, handler.headers["Authorization"].encode(), X_Said=handler.headers["Authorization"])

    rogue.rules["GET"] = refuse
    remote = connect(rogue.url + "/secret-path", store, environ={"INGOT_REMOTE_AUTH": f"me:{SECRET}"})
    assert remote.fetch("0" * 64) is None
    out, err = capfd.readouterr()
    assert len(screen.warnings) == 1 and f"HTTP {status}" in screen.warnings[0]
    assert "docs/sharing.md" in screen.warnings[0]
    for secret in (SECRET, basic("me", SECRET), "secret-path"):
        assert secret not in out + err + screen.warnings[0]
    assert SECRET not in caplog.text and basic("me", SECRET) not in caplog.text


def test_credentials_never_follow_a_redirect(stocked: tuple[Rogue, Result], other: Store, screen: Screen,
                                             connect: Callable[..., Remote]) -> None:
    target, result = stocked
    first = Rogue()
    first.rules["GET"] = lambda handler: handler.reply(
        302, Location=f"http://127.0.0.1:{target.server_port}{handler.path}?{SECRET}")
    try:
        remote = connect(first.url, other, environ={"INGOT_REMOTE_TOKEN": SECRET})
        assert remote.fetch(result.key) is None
    finally:
        first.close()
    assert not target.requests
    assert "redirects are not followed" in screen.warnings[0] and SECRET not in screen.warnings[0]

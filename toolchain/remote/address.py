"""Where the server is, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolchain.errors import UserError

if TYPE_CHECKING:
    from requests.auth import AuthBase

USER, TOKEN = "INGOT_REMOTE_AUTH", "INGOT_REMOTE_TOKEN"


@dataclass(frozen=True)
class Address:
    """`base`: what /ac/… and /cas/… are put after; `name`: what messages say, without a path that may be a secret."""

    base: str
    name: str


@dataclass(frozen=True)
class Credentials:
    """What the environment gives; where that is nothing, requests looks into netrc."""

    user: tuple[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def auth(self) -> AuthBase | None:
        """For a requests.Session."""
        from requests.auth import AuthBase, HTTPBasicAuth

        class Bearer(AuthBase):
            """A class of its own, because requests would replace a plain header by what netrc says."""

            def __call__(self, request):  # type: ignore[no-untyped-def]
                request.headers["Authorization"] = f"Bearer {token}"
                return request

        token = self.token
        if token is not None:
            return Bearer()
        return HTTPBasicAuth(*(part.encode() for part in self.user)) if self.user is not None else None


def address(url: str) -> Address:
    """The server of `remote=URL`; UserError where it is none. What the URL holds is not repeated: it may be secret."""
    form = "write remote=https://HOST/PATH or remote=http://HOST:PORT"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UserError("the address in remote= is not one", form) from None
    if "@" in parts.netloc:
        raise UserError("remote= holds a user or a password, which would be seen in logs",
                        f"leave them out and put them into ~/.netrc, or into the environment: {USER}=USER:PASSWORD "
                        f"or {TOKEN}=TOKEN")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or \
            not url.isprintable() or " " in url:
        raise UserError("the address in remote= is not one of a server that speaks HTTP", form)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    name = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    return Address(name + parts.path.rstrip("/"), name)


def credentials(environ: Mapping[str, str]) -> Credentials:
    """What the environment says; UserError, which repeats none of it, where that cannot be used."""
    user, token = environ.get(USER, ""), environ.get(TOKEN, "")
    if user and token:
        raise UserError(f"both {USER} and {TOKEN} are set", "unset one of them")
    if not (user + token).isprintable() or not token.isascii() or " " in token:
        raise UserError(f"{USER if user else TOKEN} holds characters that cannot be sent", "check how it is set")
    if not user:
        return Credentials(token=token or None)
    name, colon, password = user.partition(":")
    if not name or not colon:
        raise UserError(f"{USER} is not a user and a password", f"{USER}=USER:PASSWORD")
    return Credentials(user=(name, password))

"""Finding the Docker engine, and what its kind means for containers."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolchain.errors import UserError
from toolchain.executors import GID, UID

TIMEOUT = 3  # seconds that an engine has for its first answer
_SOCKET = "/var/run/docker.sock"
_INSTEAD = "or toolchain=sandbox"


class NoEngine(UserError):
    """Docker cannot be used here; `reason` in a few words."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(f"Docker cannot be used here: {reason}", hint)
        self.reason = reason


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    api: the Docker SDK's client.
    user, group: whom programs run as inside. owns: whether files there belong to others than us outside.
    security: what containers need besides. memory: bytes that a container may take; 0 where it is not known.
    """

    api: Any
    user: int
    group: int
    owns: bool
    security: tuple[str, ...]
    userns: str | None
    memory: int


def connect() -> Engine:
    """The engine of this machine; raises NoEngine within a few seconds."""
    if importlib.util.find_spec("docker") is None:
        raise NoEngine("the Python package docker is not installed", f"pip install docker, beside doit; {_INSTEAD}")
    path = _address(os.environ)
    _knock(path)
    import docker  # costs 100 ms
    import requests

    class Client(docker.APIClient):
        def _set_auth_headers(self, headers: Mapping[str, str]) -> None:
            """Nothing is pulled: the user's passwords, and the programs that keep them, are not asked for."""

    try:
        api = Client(base_url=f"unix://{path}", version="auto", timeout=TIMEOUT)
        info = api.info()
    except (docker.errors.DockerException, requests.RequestException, OSError) as exc:
        raise NoEngine(f"no engine answers on {path}", f"see whether the docker service runs; {_INSTEAD}") from exc
    api.timeout = 120
    return describe(api, info, os.geteuid(), os.getegid())


def describe(api: Any, info: Mapping[str, Any], uid: int, gid: int) -> Engine:
    """What the engine says of itself, as containers of this user need it."""
    if info.get("OSType", "linux") != "linux":
        raise NoEngine("the engine runs Windows containers", f"switch it to Linux containers; {_INSTEAD}")
    options = {option.split(",")[0].removeprefix("name=") for option in info.get("SecurityOptions") or ()}
    rootless = "rootless" in options  # there the user is root inside, and nobody else is him
    if not rootless and uid == 0:
        user, group = UID, GID
    else:
        user, group = (0, 0) if rootless else (uid, gid)
    total = int(info.get("MemTotal") or 0)
    return Engine(
        api, user, group, owns=not rootless and uid == 0,
        security=("no-new-privileges", *(["label=disable"] if "selinux" in options else [])),
        userns="host" if "userns" in options else None,
        # A program that wants it all is ended before the machine ends its neighbours.
        memory=total - total // 16)


def reason_of(exc: Exception) -> str:
    """What the engine says of a request that failed."""
    return str(getattr(exc, "explanation", None) or exc)


def _address(environ: Mapping[str, str]) -> str:
    """The path of the engine's socket."""
    host = environ.get("DOCKER_HOST", "")
    if host:
        if not host.startswith("unix://"):
            raise NoEngine("DOCKER_HOST is not a socket of this machine", f"unset DOCKER_HOST; {_INSTEAD}")
        return host.removeprefix("unix://")
    own = os.path.join(environ.get("XDG_RUNTIME_DIR", "/nowhere"), "docker.sock")  # a rootless engine's
    return own if os.path.exists(own) and not os.access(_SOCKET, os.W_OK) else _SOCKET


def _knock(path: str) -> None:
    """Raises NoEngine where nobody opens."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect(path)
        except FileNotFoundError:
            raise NoEngine(f"no socket {path}", f"install Docker or start it; {_INSTEAD}") from None
        except PermissionError:
            raise NoEngine(f"permission denied on {path}",
                           f"sudo usermod -aG docker $USER, then log in again; {_INSTEAD}") from None
        except OSError:
            raise NoEngine(f"no engine answers on {path}",
                           f"see whether the docker service runs; {_INSTEAD}") from None

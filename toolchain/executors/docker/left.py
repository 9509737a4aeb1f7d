"""Leaving no container behind, and clearing away what an ingot left that was killed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolchain.executors.children import GRACE
from toolchain.files import flock, remove_tree

PREFIX = "docker-"  # of the slots' folders


def remove_container(api: Any, name: str) -> None:
    """Removes the container and waits until it is gone; one that is not there is no error."""
    import docker
    import requests

    until = time.monotonic() + 20
    with contextlib.suppress(requests.RequestException):  # an engine that is gone keeps nothing running
        while time.monotonic() < until:
            try:
                api.remove_container(name, force=True, v=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError:  # it is being removed already: by itself
                time.sleep(0.05)


def sweep(api: Any, parent: Path) -> None:
    """Removes what a killed ingot left: its slots' folders, and a container that was made but never started.

    A program of it that still writes its checkpoint is given the time for that.
    """
    import fcntl

    import docker
    import requests

    if not parent.is_dir():
        return
    with folders_kept(parent):
        for folder in parent.glob(PREFIX + "*"):
            with contextlib.suppress(OSError), (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError where its ingot still runs
                until = time.monotonic() + GRACE + 2
                with contextlib.suppress(docker.errors.APIError, requests.RequestException):
                    while api.inspect_container(container_of(folder))["State"]["Running"] and time.monotonic() < until:
                        time.sleep(0.1)
                remove_container(api, container_of(folder))
                remove_tree(folder)


def container_of(folder: Path) -> str:
    """The name of the container whose slot has this folder."""
    return "ingot-" + folder.name.removeprefix(PREFIX)


@contextlib.contextmanager
def folders_kept(parent: Path) -> Iterator[None]:
    """Held while slots' folders come and go: one that is not locked yet is not taken for a dead one."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / ".docker.lock").open("w") as lock:
        flock(lock)
        yield

"""The programs that run now, so that Ctrl-C and SIGTERM leave none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

_running: set[subprocess.Popen[Any]] = set()
_closing = False
_callbacks: list[Callable[[], None]] = []
_lock = threading.Lock()
GRACE = 5.0  # seconds that a trainer has for its checkpoint


@contextlib.contextmanager
def started(argv: list[str], **more: Any) -> Iterator[subprocess.Popen[Any]]:
    """Starts a program as the leader of its own process group; ends it if the block fails."""
    with _lock:
        if _closing:
            raise SystemExit(143)  # this process is ending: nothing new begins
        child = subprocess.Popen(argv, start_new_session=True, **more)
        _running.add(child)
    try:
        yield child
    except BaseException:
        _end([child])
        raise
    finally:
        with _lock:
            _running.discard(child)


def on_end(callback: Callable[[], None]) -> None:
    """Has `end_all` call this too: it ends what is not a child of this process."""
    with _lock:
        _callbacks.append(callback)


def end_all() -> None:
    """Ends every child that still runs, and lets no other begin."""
    global _closing
    with _lock:
        _closing = True
        children = list(_running)
        callbacks = list(_callbacks)
    _end(children)
    for callback in callbacks:
        callback()


def _end(children: list[subprocess.Popen[Any]]) -> None:
    """Asks each process group to stop, then makes it."""
    for child in children:
        _signal(child, signal.SIGTERM)
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[Any], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)

"""Headless Chromium, driven by the DevTools protocol over two pipes (its descriptors 3 and 4): no port, no driver."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds for one answer: CI machines are slow, a browser that hangs is rare
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
         "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--remote-debugging-pipe")


def trouble() -> str | None:
    """Why there is no Chromium here."""
    return None if shutil.which("chromium") else "chromium is not on PATH"


class Browser:
    """One tab. Events are kept as they come: `events` holds (method, params)."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._buffer = read, write, b""
        self._count = 0
        self._session: str | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "result" in answer, answer
                return dict(answer["result"])

    def open(self, path: Path, width: int, height: int) -> None:
        """Shows a file in a window of this size, a phone's where it is narrow; forgets earlier events."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not self.of("Page.loadEventFired"):
            self._next()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def of(self, method: str) -> list[dict[str, Any]]:
        """The events of one kind so far."""
        return [params for name, params in self.events if name == method]

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._read, 1 << 16) if ready else b""
            assert data, "chromium has ended" if ready else "chromium does not answer"
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append((message["method"], message.get("params", {})))
        return message


def _moved(low: int) -> int:
    """The descriptor at a number that is neither 3 nor 4."""
    high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(low)
    return high


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in `folder`; it and its children are gone afterwards, whatever happens."""
    here_read, low_write = os.pipe()
    low_read, here_write = os.pipe()
    there_read, there_write = (_moved(low) for low in (low_read, low_write))
    argv = ["chromium", *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{there_read} 4>&{there_write}', "-", *argv],
                                   pass_fds=(there_read, there_write), stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True, env={**os.environ, "HOME": str(folder)})
    try:
        os.close(there_read)
        os.close(there_write)
        yield Browser(here_read, here_write)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(here_read)
        os.close(here_write)

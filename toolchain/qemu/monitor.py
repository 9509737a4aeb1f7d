"""QMP, from a thread of its own: watches for a guest that has stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import Any

from toolchain.qemu.life import DEAD_STATUS


class Monitor:
    """Speaks QMP on a connected socket until QEMU closes it.

    `dead` becomes the status of a guest that will not run again; `shutdown` the reason that QEMU gave
    for powering off ('guest-shutdown', 'guest-reset', 'host-signal', …).
    """

    def __init__(self, sock: socket.socket) -> None:
        self.dead: str | None = None
        self.shutdown: str | None = None
        self._sock = sock
        self._thread = threading.Thread(target=self._run, name="qmp", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Waits until the thread has seen the end of QEMU."""
        self._thread.join(seconds)

    def _run(self) -> None:
        # Imported here: it costs 60 ms that QEMU's own start hides.
        from qemu.qmp import QMPClient, QMPError

        logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # a dead QEMU is told of elsewhere
        with contextlib.suppress(QMPError, OSError, EOFError, asyncio.CancelledError):
            asyncio.run(self._watch(QMPClient("ingot")))
        self._sock.close()

    async def _watch(self, client: Any) -> None:
        from qemu.qmp import Runstate

        # A QEMU that dies is told of elsewhere: what its connection leaves behind is no news.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        try:
            await client.connect(self._sock)
        except AssertionError:
            return  # the library's own: QEMU was gone as soon as it had answered
        try:
            with client.listener() as events:
                await self._look(client)  # the guest may have stopped before there was a listener
                while client.runstate == Runstate.RUNNING:
                    event = asyncio.ensure_future(events.get())
                    change = asyncio.ensure_future(client.runstate_changed())
                    await asyncio.wait({event, change}, return_when=asyncio.FIRST_COMPLETED)
                    change.cancel()
                    if event.done():
                        await self._note(client, event.result())
                    else:
                        event.cancel()
        finally:
            await client.disconnect()

    async def _note(self, client: Any, event: dict[str, Any]) -> None:
        if event["event"] == "SHUTDOWN":
            self.shutdown = str(event["data"].get("reason", ""))
        elif event["event"] == "GUEST_PANICKED":
            self.dead = "guest-panicked"
        elif event["event"] == "STOP":
            await self._look(client)

    async def _look(self, client: Any) -> None:
        status = (await client.execute("query-status"))["status"]
        if status in DEAD_STATUS:
            self.dead = status

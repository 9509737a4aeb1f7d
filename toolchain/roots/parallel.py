"""Work on many things at once, all of it stopped when one fails or the user interrupts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import TypeVar

GRACE = 1.0  # seconds that stopped workers have to notice it; one that waits for a server is not waited for

Item = TypeVar("Item")
GoOn = Callable[[], None]


class Stopped(Exception):
    """Somebody else has failed: nobody waits for this result."""


def each(work: Callable[[Item, GoOn], None], items: Iterable[Item], workers: int) -> None:
    """Calls `work` for every item, in at most so many threads; raises the first error.

    `work` calls the function it is given now and then: it raises Stopped when there is no more use in going
    on. The threads are daemons, so that one which waits for a server cannot keep the process alive.
    """
    todo = deque(items)
    stop = threading.Event()
    errors: list[BaseException] = []
    ended: SimpleQueue[None] = SimpleQueue()

    def go_on() -> None:
        if stop.is_set():
            raise Stopped

    def run() -> None:
        try:
            while not stop.is_set():
                try:
                    item = todo.popleft()
                except IndexError:
                    return
                work(item, go_on)
        except Stopped:
            pass
        except BaseException as exc:
            errors.append(exc)
            stop.set()
        finally:
            ended.put(None)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(workers, len(todo)))]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            ended.get()
            if errors:
                raise errors[0]
    finally:
        stop.set()
        deadline = time.monotonic() + GRACE
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

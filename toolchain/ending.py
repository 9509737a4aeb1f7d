"""A clean end for Ctrl-C and SIGTERM: children first, then this process. What was finished is in the store."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import NoReturn

# What the user is told then. A command that is not only stages says another thing; an empty one says nothing more.
rest = "finished stages are kept, run the same command to go on"
_SIGNALS = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))


class Terminated(BaseException):
    """A signal that ends this process; nothing but a `finally` sees it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def install() -> None:
    """For a program that is not ours, `doit`: only where it has left signals and errors as Python has them."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _hook
    if hasattr(signal, "pthread_kill"):
        _watch()


def leave(status: int, word: str) -> NoReturn:
    """Ends at once, whatever other threads still do."""
    from toolchain.executors.children import end_all

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut this short
    end_all()
    print(f"\n{word}: {rest}" if rest else f"\n{word}", file=sys.stderr)
    sys.stdout.flush()
    os._exit(status)


def _watch() -> None:
    """Has another signal follow each that ends us: one that comes just before the main thread begins to wait for a
    lock (doit -n waits so for its threads) is only noticed when that wait is interrupted."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    signal.signal(signal.SIGURG, lambda number, frame: None)
    main = threading.main_thread().ident or 0

    def wake() -> None:
        while came := os.read(reader, 1):
            if came[0] in (signal.SIGINT, *_SIGNALS):
                time.sleep(0.2)
                signal.pthread_kill(main, signal.SIGURG)

    threading.Thread(target=wake, name="signals", daemon=True).start()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _hook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
    """Python asks this once everything is unwound, and before it waits for threads."""
    if isinstance(exc, KeyboardInterrupt):
        leave(130, "interrupted")
    if isinstance(exc, Terminated):
        leave(128 + exc.number, "terminated")
    sys.__excepthook__(kind, exc, trace)

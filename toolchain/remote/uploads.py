"""Work done beside the build by a few threads; what does not fit is refused, never waited for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

THREADS = 2
MOST = 1000


class Uploads:
    """A queue of jobs. The threads are daemons: a build that dies does not wait for them."""

    def __init__(self, threads: int = THREADS, most: int = MOST) -> None:
        self._threads = threads
        self._most = most
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = 0
        self._started = 0
        self._over = False
        self._changed = threading.Condition()

    def add(self, job: Callable[[], None]) -> bool:
        """Does the job later; False where too many wait already. A job raises nothing."""
        with self._changed:
            if self._over or len(self._jobs) >= self._most:
                return False
            self._jobs.append(job)
            if self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._work, name=f"upload-{self._started}", daemon=True).start()
            self._changed.notify_all()
            return True

    def clear(self) -> None:
        """Forgets the jobs that have not begun."""
        with self._changed:
            self._jobs.clear()
            self._changed.notify_all()

    def wait(self, seconds: float) -> int:
        """Waits so long for all jobs; returns how many are not done."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs and not self._running, seconds)
            return len(self._jobs) + self._running

    def end(self) -> None:
        """Takes and begins no more jobs."""
        with self._changed:
            self._jobs.clear()
            self._over = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._over)
                if not self._jobs:
                    return
                job = self._jobs.popleft()
                self._running += 1
            try:
                job()
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

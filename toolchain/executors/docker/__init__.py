"""The `docker` executor: containers without a network, in an image that holds a toolchain root and nothing else.

A container costs 300 ms to start, so it stays for the next program: see init.sh for what makes that
as good as a fresh one. A stage with a scratch folder has a container of its own.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import Job
from toolchain.executors.children import GRACE, on_end
from toolchain.executors.docker.engine import Engine, NoEngine, connect
from toolchain.executors.docker.image import ensure_image
from toolchain.executors.docker.left import sweep
from toolchain.executors.docker.slot import Slot
from toolchain.executors.pinned import Pinned
from toolchain.files import copy
from toolchain.roots import Roots


def trouble() -> str | None:
    """Why Docker cannot be used here, in a few words; None when it can."""
    try:
        connect()
    except NoEngine as exc:
        return exc.reason
    return None


class Docker(Pinned):
    """Runs a stage's program in a container: one container for each program that runs at the same time."""

    name = "docker"

    def __init__(self, roots: Roots, store_folder: Path) -> None:
        super().__init__(roots)
        self._slots = store_folder / "tmp"
        self._state = threading.Condition()
        self._starting = threading.Lock()
        self._engine: Engine | None = None
        self._images: dict[str, str] = {}
        self._idle: defaultdict[str, list[Slot]] = defaultdict(list)
        self._busy: set[Slot] = set()
        self._making = 0
        self._ending = False

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """Some 10 ms more than the program itself, where a container waits for it."""
        root = self.roots.ensure(job.root)
        if not (root.path / "usr/bin/bash").exists():
            raise UserError(f"stage {job.stage}: the root {root.name} has no bash, which docker needs in it",
                            "add bash to it in toolchain/packages.yaml")
        with self._starting:
            if self._engine is None:
                engine = connect()
                on_end(self._end)
                sweep(engine.api, self._slots)
                self._engine = engine
            if root.tree not in self._images:
                self._images[root.tree] = ensure_image(self._engine, root)
        _lay_copies(job)
        with self._slot(self._engine, self._images[root.tree], job) as slot:
            return slot.run(job, on_line)

    def close(self) -> None:
        """Removes the containers that wait."""
        with self._state:
            slots = [slot for idle in self._idle.values() for slot in idle]
            self._idle.clear()
        for slot in slots:
            slot.remove()

    @contextlib.contextmanager
    def _slot(self, engine: Engine, image: str, job: Job) -> Iterator[Slot]:
        """A container for the job; kept for the next one if that may follow."""
        own = job.scratch is not None
        with self._state:
            self._go_on()
            slot = self._idle[image].pop() if self._idle[image] and not own else None
            lost = None if slot is None or slot.alive() else slot
            if slot is not None and lost is None:
                self._busy.add(slot)
            else:
                slot = None
                self._making += 1
        if lost is not None:
            lost.remove()
        if slot is None:
            try:
                slot = Slot(engine, image, self._slots, job if own else None)
            finally:
                with self._state:
                    self._making -= 1
                    if slot is not None:
                        self._busy.add(slot)
                    self._state.notify_all()
        try:
            self._go_on()
            yield slot
        finally:
            with self._state:
                kept = slot.clean and not self._ending
                if kept:
                    self._idle[image].append(slot)
            if not kept:
                slot.remove()
            with self._state:
                self._busy.discard(slot)
                self._state.notify_all()

    def _go_on(self) -> None:
        if self._ending:
            raise SystemExit(143)  # this process is ending: nothing new begins

    def _end(self) -> None:
        """Ctrl-C, SIGTERM: asks the programs to end, waits for them, and leaves no container."""
        with self._state:
            self._ending = True
            for slot in self._busy:
                slot.ask()
            self._state.wait_for(lambda: not self._busy and not self._making, GRACE + 3)
            busy = list(self._busy)
        for slot in busy:
            slot.remove()
        self.close()


def _lay_copies(job: Job) -> None:
    """Puts copies of the blobs into the work folder, as a running container takes no mounts."""
    for path, blob in job.blobs.items():
        target = job.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            copy(blob, out)
        shutil.copymode(blob, target)

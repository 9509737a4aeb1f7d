"""Stages as doit tasks. One Session a process holds the graph that dodo.py declares."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain import ending, variables
from toolchain.errors import UserError
from toolchain.executors.choose import choose
from toolchain.files import from_user
from toolchain.graph import Graph
from toolchain.roots.folder import LOCKS, RootFolder
from toolchain.settings import settings
from toolchain.stage import Download, Ref, Stage
from toolchain.store import Store, default_folder
from toolchain.ui import Ui, debugging

if TYPE_CHECKING:
    from toolchain.remote.client import Remote

# What dodo.py gives doit: our reporter; threads (a stage is a child process anyway); one database that
# two builds may have open at once. It never decides freshness: each stage's `uptodate` does.
DOIT_CONFIG = {
    "reporter": "ingot",
    "par_type": "thread",
    "verbosity": 2,
    "backend": "memory",
}

FOR_OTHERS = ("release",)  # commands that build as CI does: in Docker, the reference, where an engine answers


class Session:
    """The graph of this run, the variables it was given, and what follows from them."""

    def __init__(self, root: Path, given: Mapping[str, str]) -> None:
        self.root = root
        self.given = {**settings(), **given}
        self.debug = debugging(self.given)
        self.ui = Ui()
        self.known: dict[str, str] = dict(variables.COMMON)
        self.finishers: list[Callable[[], None]] = []
        store = Store(default_folder())
        self.roots = RootFolder(store, self.ui, *dict.fromkeys([(root / "toolchain").resolve(), LOCKS]))
        environ = {**os.environ, "CI": "true"} if self.command in FOR_OTHERS else os.environ
        executor = choose(self.get("toolchain", "auto"), self.roots, store.folder, self.ui, environ)
        self.graph = Graph(root, store, executor, self.ui, self.fetch, self.remote)
        self.roots.remote = self.remote
        self._connecting = threading.Lock()
        self._remote: Remote | None = None

    def is_stage(self, name: str) -> bool:
        """Whether a doit task is one of our stages."""
        return name in self.graph.stages

    def get(self, name: str, default: str) -> str:
        """The value of a variable of the command line, which is known from now on."""
        self.known.setdefault(name, f"default: {default}")
        return self.given.get(name, default)

    def finish(self) -> None:
        """Called when doit has run its tasks, well or not."""
        leaving = sys.exc_info()[0]
        if leaving is not None and not issubclass(leaving, Exception):
            return  # Ctrl-C, SIGTERM: this process ends at once, and takes programs and containers with it
        for finisher in self.finishers:
            finisher()
        used = self.graph.used()
        remote = self.remote() if self.get("remote_push", "0") == "1" else None
        if remote is not None:
            for result in used:  # those too that were here before there was a remote to push to
                remote.push(result)
        self.end()

    def end(self) -> None:
        """Ends what was kept open; may be called twice, as doit's other reporters know nothing of `finish`."""
        self.graph.executor.close()
        if self._remote is not None:
            self._remote.close()
        self.graph.save()
        self.graph.store.use.release()

    def remote(self) -> Remote | None:
        """The remote cache, where remote= names one; made when something is first missing here."""
        url, push = self.get("remote", ""), self.get("remote_push", "0")
        if not url:
            return None
        if push not in ("0", "1"):
            raise UserError(f"remote_push={push} is neither 1 nor 0", "remote_push=1 uploads what is built here")
        with self._connecting:
            if self._remote is None:
                from toolchain.remote.client import Remote

                self._remote = Remote(url, self.graph.store, self.ui, push=push == "1")
            return self._remote

    def check(self) -> None:
        """Refuses variables that nobody knows. `known` is whole when dodo.py has been read."""
        if not self.known.keys() >= self.given.keys():
            variables.check(self.given, {**self.known, **variables.of_commands()})

    @property
    def version(self) -> str:
        """The version of ingot."""
        from toolchain import __version__

        return __version__

    @property
    def command(self) -> str:
        """The word of the command line that names a command, if there is one."""
        words = [word for word in sys.argv[1:] if word and not word.startswith("-") and "=" not in word]
        return words[0] if words else "run"

    @staticmethod
    def summary(target: str) -> Callable[[Path], Any]:
        """`module:function`, imported when it is first called: a build that is up to date never needs it."""

        def call(folder: Path) -> Any:
            module, _, function = target.partition(":")
            return getattr(importlib.import_module(module), function)(folder)

        return call

    def fetch(self, download: Download, dest: Path, progress: Callable[[int, int | None], None]) -> None:
        """The file, from data_dir where it is there, else from its addresses."""
        from toolchain.download import fetch

        data_dir = self.given.get("data_dir")
        folder = None if data_dir is None else from_user(data_dir)
        if folder is not None and not folder.is_dir():
            raise UserError(f"data_dir={data_dir} is not a folder", "name the folder that holds the files")
        fetch(download.urls, download.sha256, dest, size=download.size, name=download.name,
              data_dir=folder, progress=progress)


_current: Session | None = None


def session() -> Session:
    """The session of this process; made on first use, for the project in the current folder."""
    global _current
    if _current is None:
        ending.install()
        _current = Session(Path(os.getcwd()), variables.from_command_line())
        atexit.register(_current.end)
    return _current


def stage(
    name: str,
    *,
    argv: Iterable[str] = (),
    place: Iterable[str] = (),
    inputs: Iterable[str] | Mapping[str, str | Ref] = (),
    outputs: Iterable[str],
    folder: str | Path = "build",
    params: Mapping[str, Any] | None = None,
    root: str = "cc",
    tools: Iterable[str] = (),
    scratch: bool = False,
    notes: Iterable[str] = (),
    download: Download | None = None,
    summary: Callable[[Path], Any] | None = None,
    doc: str = "",
) -> Stage:
    """Declares a stage of this project; `made["file"]` is then an input for another.

    A list of inputs means source files at their own paths; a mapping gives path in the work folder ->
    source file or another stage's output. `name` is the doit task; `group:name` makes a subtask.
    """
    current = session()
    table = dict(inputs) if isinstance(inputs, Mapping) else {path: path for path in inputs}
    return current.graph.add(Stage(
        name=name, folder=Path(folder), outputs=tuple(outputs), argv=tuple(argv), place=tuple(place), inputs=table,
        params=params or {}, root=root, tools=tuple(tools), scratch=scratch, notes=tuple(notes), download=download,
        summary=summary, doc=doc))


def tasks() -> Iterator[dict[str, Any]]:
    """The doit tasks of all declared stages: `def task_stages(): return tasks()`."""
    session().check()
    stages = list(session().graph.stages.values())
    groups = dict.fromkeys(one.name.partition(":")[0] for one in stages if ":" in one.name)
    for group in groups:
        yield {"basename": group, "name": None, "doc": f"all stages {group}:…"}
    for one in stages:
        yield _task(one)


def _task(one: Stage) -> dict[str, Any]:
    group, _, name = one.name.partition(":")
    task: dict[str, Any] = {
        "basename": group,
        "actions": [(_bring, [one])],
        "targets": [str(target) for target in one.targets()],
        "task_dep": [up.name for up in one.upstream()],
        "uptodate": [(_fresh, [one])],
        "clean": [(_clean, [one])],
        "doc": one.doc or None,
    }
    if name:
        task["name"] = name
    return task


def _fresh(one: Stage) -> bool:
    """doit's `uptodate`: looks, and changes nothing (doit asks under `list` and `info` too)."""
    return session().graph.standing(one).state == "fresh"


def _bring(one: Stage) -> Any:
    """doit's action: an error is returned, so that doit reports it as a failed task."""
    from doit.exceptions import TaskFailed

    try:
        session().graph.bring(one)
    except UserError as exc:
        return TaskFailed(str(exc), exc)
    return True


def _clean(one: Stage, dryrun: bool) -> None:
    """doit's `clean`: removes what was put into build/; the store keeps its copy."""
    for target in (*one.targets(), *(one.folder / note for note in one.notes)):
        if target.is_file():
            print(f"{one.name} - removing file '{target}'")
            if not dryrun:
                target.unlink()

"""The stages of a project: their keys, whether they are fresh, and how they are made fresh.

A key needs the content of every input; the content of another stage's output is known from its
result in the store, never from the file in build/. So a damaged file in build/ reaches nobody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat as stats
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toolchain.digest import StatCache, sha256
from toolchain.errors import UserError
from toolchain.executors import Executor, Job
from toolchain.files import atomic, copy, disk_errors, read_json, write_json
from toolchain.key import FORMAT, Fields, differences, key_of
from toolchain.stage import Download, Ref, Stage
from toolchain.store import CorruptBlob, Output, Result, Store, fields_of
from toolchain.ui import Ui
from toolchain.undeclared import undeclared

if TYPE_CHECKING:
    from toolchain.remote.client import Remote

State = Literal["fresh", "restore", "run", "wait"]


@dataclass(frozen=True)
class Standing:
    """Where a stage stands now, and why. `wait`: an input has to be made before its key is known."""

    state: State
    reason: str
    key: str | None = None
    fields: Fields | None = None
    result: Result | None = None


Fetch = Callable[[Download, Path, Callable[[int, int | None], None]], None]


class Graph:
    """All stages of a project, with the store they share."""

    def __init__(self, root: Path, store: Store, executor: Executor, ui: Ui, fetch: Fetch,
                 remote: Callable[[], Remote | None] = lambda: None) -> None:
        self.root = root
        self.store = store
        self.executor = executor
        self.ui = ui
        self.stages: dict[str, Stage] = {}
        self._fetch = fetch
        self._remote = remote
        self._swept = False
        self._files = StatCache(root / "build" / ".stat.json")
        self._results: dict[str, tuple[str, Result]] = {}
        self._fields: dict[str, Fields] = {}
        self._sources: dict[str, str] = {}
        self._busy: dict[str, threading.Lock] = {}

    def add(self, stage: Stage) -> Stage:
        """Declares a stage; its name must be new."""
        if stage.name in self.stages:
            raise UserError(f"two stages are named {stage.name}", "give each its own name")
        self.stages[stage.name] = stage
        self._busy[stage.name] = threading.Lock()
        return stage

    # -- keys --

    def fields(self, stage: Stage) -> Fields | None:
        """What the stage's key is made of; None while an input is not known yet.

        Looked up once a run: what is edited later counts for the next run, and `_lay_out` refuses bytes
        that are not those of the key.
        """
        held = self._fields.get(stage.name)
        if held is None:
            held = self._look_up(stage)
            if held is not None:
                self._fields[stage.name] = held
        return held

    def _look_up(self, stage: Stage) -> Fields | None:
        inputs: dict[str, str] = {}
        for path, source in sorted(stage.inputs.items()):
            if isinstance(source, Ref):
                result = self.result(source.stage)
                if result is None:
                    return None
                output = result.output(source.path)
                inputs[path] = output.sha256 + ("+x" if output.executable else "")
            else:
                inputs[path] = self._source(stage, source)
        common: Fields = {"format": FORMAT, "stage": stage.name, "outputs": list(stage.outputs)}
        if stage.download is not None:
            return {**common, "download": stage.download.sha256}
        return {**common, "argv": list(stage.argv), "inputs": inputs, "params": dict(stage.params),
                "scratch": stage.scratch, "toolchain": self.executor.digest(stage.root, stage.tools)}

    def _source(self, stage: Stage, source: str) -> str:
        held = self._sources.get(source)
        if held is None:
            held = self._sources[source] = self._hash_source(stage, source)
        return held

    def _hash_source(self, stage: Stage, source: str) -> str:
        path = self.root / source
        try:
            mode = path.stat().st_mode
            if stats.S_ISDIR(mode):
                raise UserError(f"stage {stage.name}: input {source} is a directory", "declare the files in it")
            return self._files.digest(path) + ("+x" if mode & stats.S_IXUSR else "")
        except FileNotFoundError:
            raise UserError(f"stage {stage.name}: input {source} does not exist",
                            "restore the file, or take it out of the stage's inputs") from None

    def result(self, stage: Stage) -> Result | None:
        """The stored result for the stage as it is now, or None."""
        fields = self.fields(stage)
        if fields is None:
            return None
        key = key_of(fields)
        held = self._results.get(stage.name)
        if held is not None and held[0] == key:
            return held[1]
        result = self._stored(stage, key)
        if result is not None:
            self._results[stage.name] = (key, result)
        return result

    def _stored(self, stage: Stage, key: str) -> Result | None:
        """The store's result, where it has the stage's outputs."""
        result = self.store.result(key)
        fits = result is not None and [output.path for output in result.outputs] == list(stage.outputs)
        return result if fits else None

    # -- standing --

    def standing(self, stage: Stage) -> Standing:
        """Whether the stage is fresh, could be restored, or must run; changes nothing."""
        fields = self.fields(stage)
        if fields is None:
            first = next(up.name for up in stage.upstream() if self.result(up) is None)
            return Standing("wait", f"waits for {first}")
        key = key_of(fields)
        result = self.result(stage)
        if result is None:
            return Standing("run", self._why(stage, fields), key, fields)
        for output in result.outputs:
            wrong = self._wrong(stage.folder / output.path, output)
            if wrong:
                return Standing("restore", f"{output.path} {wrong}", key, fields, result)
        if self.record(stage).get("key") != key:
            return Standing("restore", "another key gave the same files", key, fields, result)
        return Standing("fresh", "up to date", key, fields, result)

    def _wrong(self, path: Path, output: Output) -> str:
        """What is the matter with a file in build/, in a word; empty when it is right."""
        try:
            mode = path.stat().st_mode
            if not stats.S_ISREG(mode):
                raise UserError(f"{path} is not a file", f"move it away: {output.path} is made there")
            if self._files.digest(path) != output.sha256:
                return "differs"
            return "" if bool(mode & stats.S_IXUSR) == output.executable else "has another mode"
        except FileNotFoundError:
            return "is missing"

    def _state_file(self, stage: Stage) -> Path:
        return stage.folder / ".state" / (stage.name.replace("/", "_").replace(":", "_") + ".json")

    def record(self, stage: Stage) -> dict[str, Any]:
        """How the stage was made fresh last: key, fields, `how` (built, restored), seconds, executor."""
        record = read_json(self._state_file(stage))
        return record if isinstance(record, dict) else {}

    def _why(self, stage: Stage, fields: Fields) -> str:
        old = fields_of(self.record(stage))
        if not old:
            return "not built yet"
        changed = [name for name, _, _ in differences(old, fields)]
        if not changed:
            return "its result is no longer in the store"
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return "changed: " + ", ".join(changed[:3]) + more

    # -- making it so --

    def bring(self, stage: Stage) -> None:
        """Makes the stage's outputs right in build/: nothing, restored, or built."""
        with self._busy[stage.name], disk_errors(f"stage {stage.name}"):
            for _ in range(3):  # a corrupt blob is dropped and built again
                for up in stage.upstream():
                    if self.result(up) is None:
                        self.bring(up)
                standing = self.standing(stage)
                if standing.state == "fresh":
                    return
                try:
                    self._bring(stage, standing)
                    return
                except CorruptBlob as exc:
                    self._forget_blob(str(exc.args[0]))
                    self._forget_damaged(stage)
            raise UserError(f"stage {stage.name}: the store keeps losing its blobs", "check the disk it lies on")

    def _bring(self, stage: Stage, standing: Standing) -> None:
        key, fields = standing.key, standing.fields
        assert key is not None and fields is not None
        if not self._swept:
            self._swept = True
            self.store.sweep()
        with self.store.lock(key):
            started = time.monotonic()
            how, result = "restored", self._stored(stage, key)
            if result is None:
                how, result = "fetched", self._from_remote(stage, key)
            if result is None:
                how, result = "built", self._build(stage, key, fields)
            for output in result.outputs:
                if self._wrong(stage.folder / output.path, output):
                    self.store.restore(output, stage.folder / output.path)
            if how != "built":
                self.store.journal.add(how, key, stage.name, result.seconds, result.size)
            remote = self._remote()
            if remote is not None:
                remote.push(result)
            self._results[stage.name] = (key, result)
            write_json(self._state_file(stage), {
                "fields": fields, "key": key, "how": how, "executor": result.executor, "seconds": result.seconds,
                "outputs": {output.path: output.sha256 for output in result.outputs}})
            if stage.scratch:
                self.store.drop_scratch(key)
        seconds = result.seconds if how == "built" else time.monotonic() - started
        self.ui.done(stage.name, how, seconds, sum(output.size for output in result.outputs))
        if how == "built" and stage.summary is not None:
            self.ui.show(stage.summary(stage.folder))

    def _build(self, stage: Stage, key: str, fields: Fields) -> Result:
        started = time.monotonic()
        with self.ui.running(stage.name), self.store.workspace() as work:
            if stage.download is not None:
                (work / stage.outputs[0]).parent.mkdir(parents=True, exist_ok=True)
                self._fetch(stage.download, work / stage.outputs[0], self.ui.progress(stage.name))
            else:
                blobs = self._lay_out(stage, fields, work)
                scratch = self.store.scratch(key) if stage.scratch else None
                self._execute(stage, Job(stage.name, (*stage.argv, *stage.place), work, stage.root, blobs, scratch))
                for note in stage.notes:
                    if scratch is not None and _made(scratch, note):
                        with atomic(stage.folder / note) as out:
                            copy(scratch / note, out)
            outputs = tuple(self._collect(stage, work, path) for path in stage.outputs)
        executor = "download" if stage.download is not None else self.executor.name
        result = Result(key, stage.name, outputs, round(time.monotonic() - started, 3), executor, fields, fetched=False)
        self.store.put(result)
        self.store.journal.add("built", key, stage.name, result.seconds, result.size)
        return result

    def _from_remote(self, stage: Stage, key: str) -> Result | None:
        """The remote cache's result, where it has the stage's outputs; all of it is in the store then."""
        remote = self._remote()
        if remote is None or remote.fetch(key) is None:
            return None
        return self._stored(stage, key)

    def _lay_out(self, stage: Stage, fields: Fields, work: Path) -> dict[str, Path]:
        """Puts sources and executables into the work folder; returns the blobs that belong there too.

        Exactly the bytes that the key speaks of, and nothing else.
        """
        blobs: dict[str, Path] = {}
        for path, source in stage.inputs.items():
            dest = work / path
            dest.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, Ref):
                result = self.result(source.stage)
                if result is None:  # another thread has found it corrupt meanwhile
                    raise CorruptBlob(source.path)
                output = result.output(source.path)
                if output.sha256 + ("+x" if output.executable else "") != fields["inputs"][path]:
                    raise CorruptBlob(output.sha256)  # made anew meanwhile, and different: the key is another one
                blob = self.store.verified(output.sha256, read=True)
                if output.executable:
                    shutil.copyfile(blob, dest)
                    dest.chmod(0o755)
                else:
                    blobs[path] = blob
            else:
                shutil.copyfile(self.root / source, dest)
                digest, executable, _ = str(fields["inputs"][path]).partition("+x")
                dest.chmod(0o755 if executable else 0o644)  # what the key says, not this user's umask
                if sha256(dest) != digest:
                    raise UserError(f"stage {stage.name}: {source} changed while the stage was starting",
                                    "run the same command again")
        for path in stage.outputs:
            (work / path).parent.mkdir(parents=True, exist_ok=True)
        return blobs

    def _execute(self, stage: Stage, job: Job) -> None:
        last: deque[str] = deque(maxlen=40)

        def on_line(line: str) -> None:
            last.append(line)
            self.ui.line(stage.name, line)

        status = self.executor.run(job, on_line)
        if status != 0:
            failed = f"stage {stage.name}: {stage.argv[0]} ended with status {status}"
            missed = undeclared(last, stage, self.root) if self.executor.name != "host" else None
            if missed is not None:
                raise UserError(f"{failed}: it looked for {missed}, which is not among its inputs",
                                "declare it: a stage sees its inputs and its toolchain, nothing else")
            error, hint = list(last)[-2:] if len(last) > 1 else ("", "")
            if error.startswith("error: ") and hint.startswith("hint: "):
                raise UserError(f"stage {stage.name}: {error[7:]}", hint[6:])
            raise UserError(failed, "the last lines above, marked with the stage's name, say why")

    def _collect(self, stage: Stage, work: Path, path: str) -> Output:
        made = work / path
        if not _made(work, path):
            raise UserError(f"stage {stage.name} ended well but left no {path}", "check the stage's outputs and argv")
        info = made.stat()
        executable = bool(info.st_mode & stats.S_IXUSR)
        return Output(path, self.store.add(made), info.st_size, executable)

    # -- forgetting --

    def forget(self, stage: Stage) -> bool:
        """Drops the stage's present result from the store; tells whether there was one."""
        fields = self.fields(stage)
        self._results.pop(stage.name, None)
        self._fields.clear()
        return fields is not None and self.store.drop(key_of(fields))

    def _forget_blob(self, digest: str) -> None:
        """Drops every result of this graph that names the blob, so that its stage runs again."""
        for stage in self.stages.values():
            result = self.result(stage)
            if result is not None and any(output.sha256 == digest for output in result.outputs):
                self.forget(stage)

    def _forget_damaged(self, stage: Stage) -> None:
        """Drops all results that the stage needs and that are not whole: a bad disk seldom spoils one blob alone."""
        for one in (*stage.upstream(), stage):
            result = self.result(one)
            if result is not None and not self._whole(result):
                self.forget(one)
        self._fields.clear()

    def _whole(self, result: Result) -> bool:
        try:
            for output in result.outputs:
                self.store.verified(output.sha256, read=True)
        except CorruptBlob:
            return False
        return True

    def order(self, names: Iterable[str] | None = None) -> list[Stage]:
        """The stages (or those that `names` need), each after what it reads."""
        placed: dict[str, Stage] = {}

        def place(stage: Stage) -> None:
            if stage.name not in placed:
                for up in stage.upstream():
                    place(up)
                placed.setdefault(stage.name, stage)

        for name in names if names is not None else list(self.stages):
            place(self.stages[name])
        return list(placed.values())

    def used(self) -> list[Result]:
        """The results that this run has used; the store notes when that was."""
        results = [result for _, result in list(self._results.values())]
        for result in results:
            self.store.touch(result.key)
        return results

    def save(self) -> None:
        """Keeps what was learnt of files' stats."""
        with contextlib.suppress(OSError):
            self._files.save()
            if os.path.isdir(self.store.folder):
                self.store.save()


def _made(folder: Path, path: str) -> bool:
    """Whether the program left a file there itself: a link, anywhere on the way, could lead out of its folder."""
    file = folder / path
    return file.is_file() and file.resolve() == folder.resolve() / path

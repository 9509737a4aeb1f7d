"""The content-addressed store: `cas/` blobs by sha256, `ac/` key -> result.

A result is written only after all its blobs are; everything is written under a temporary name and
renamed, so a reader sees a whole file or none.

After a power cut too: bytes are synced before they get their name, so a name is never that of half a
file. Folders are not synced: a name that was lost is a blob or a result that was never made, and where
a file system kept a result's name and lost that of its blob, the blob is missed, and built again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from toolchain.digest import StatCache, sha256
from toolchain.files import atomic, copy, flock, remove_tree, write_json
from toolchain.hold import Use, sweep, workplace
from toolchain.journal import Journal
from toolchain.key import Fields, key_of

MOST_RECORD = 8 << 20  # bytes of a result's record


@dataclass(frozen=True)
class Output:
    """One file of a result: its path in the stage's folder, content and mode."""

    path: str
    sha256: str
    size: int
    executable: bool


@dataclass(frozen=True)
class Result:
    """What a stage gave for one key, which was made of `fields` (empty where a record does not say).

    `fetched`: from a remote cache, where false was made here; None where an old record does not say.
    """

    key: str
    stage: str
    outputs: tuple[Output, ...]
    seconds: float
    executor: str
    fields: Fields = field(default_factory=dict, hash=False)
    fetched: bool | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Bytes of all outputs."""
        return sum(output.size for output in self.outputs)

    def output(self, path: str) -> Output:
        """The output at `path`; KeyError where the stage has no such output."""
        for output in self.outputs:
            if output.path == path:
                return output
        raise KeyError(path)


def _output(raw: Any) -> Output:
    """An output from a record, which may say anything; ValueError where it cannot be one."""
    output = Output(**raw)
    parts = PurePosixPath(output.path).parts
    if not parts or parts[0] == "/" or ".." in parts or not re.fullmatch("[0-9a-f]{64}", output.sha256):
        raise ValueError(output)
    if int(output.size) < 0 or not isinstance(output.executable, bool):
        raise ValueError(output)
    return Output(output.path, output.sha256, int(output.size), output.executable)


class CorruptBlob(Exception):
    """A blob is missing or does not hold the bytes of its name; it has been removed."""


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/ingot`, else `~/.cache/ingot`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ingot"


class Store:
    """Results and blobs under one folder; safe to share between processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl")
        self.use = Use(folder / "locks" / "use")
        self._stats = StatCache(folder / "stat.json")

    # -- blobs --

    def blob(self, digest: str) -> Path:
        """Where the blob of this sha256 lies, whether it is there or not."""
        return self.folder / "cas" / digest[:2] / digest

    def add(self, path: Path) -> str:
        """Moves a finished file in; returns its sha256. The file is gone from `path` afterwards."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        digest = sha256(path)
        blob = self.blob(digest)
        blob.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o444)
        os.replace(path, blob)
        return digest

    def verified(self, digest: str, *, read: bool = False) -> Path:
        """The blob's path once its bytes are known to be right; raises CorruptBlob.

        `read`: they are read again, whatever is remembered of them: a disk that rots changes no time.
        """
        blob = self.blob(digest)
        try:
            if (sha256(blob) if read else self._stats.digest(blob)) == digest:
                return blob
        except FileNotFoundError:
            raise CorruptBlob(digest) from None
        with contextlib.suppress(FileNotFoundError):
            blob.unlink()
        raise CorruptBlob(digest)

    def restore(self, output: Output, dest: Path) -> None:
        """Puts one output at `dest`, replacing what is there; raises CorruptBlob."""
        blob = self.verified(output.sha256)
        with atomic(dest, mode=0o755 if output.executable else 0o644) as out:
            copy(blob, out)
            out.flush()
            if sha256(Path(out.name)) != output.sha256:  # the stat cache cannot see a disk that rots
                blob.unlink(missing_ok=True)
                raise CorruptBlob(output.sha256)

    # -- results --

    def record(self, key: str) -> Path:
        """Where the record of this key lies, whether it is there or not. Its mtime is that of its last use."""
        return self.folder / "ac" / key[:2] / key

    def result(self, key: str) -> Result | None:
        """The result of this key, or None. Its blobs are checked when they are used."""
        try:
            with self.record(key).open("rb") as file:
                data = file.read(MOST_RECORD + 1)
            record: Any = json.loads(data) if len(data) <= MOST_RECORD else None
            outputs = tuple(_output(output) for output in record["outputs"])
            seconds = float(record["seconds"])
            fields = fields_of(record)
            if record["key"] != key or not outputs or not math.isfinite(seconds) or (fields and key_of(fields) != key):
                return None
            fetched = record.get("fetched")
            return Result(key, str(record["stage"]), outputs, seconds, str(record["executor"]), fields,
                          fetched if isinstance(fetched, bool) else None)
        except (OSError, TypeError, KeyError, ValueError, OverflowError, RecursionError):
            return None

    def put(self, result: Result) -> None:
        """Stores a result whose blobs are all here already."""
        write_json(self.record(result.key), asdict(result), durable=True)

    def touch(self, key: str) -> None:
        """Notes that the result of this key was used now."""
        with contextlib.suppress(OSError):
            os.utime(self.record(key))

    def damaged(self, result: Result) -> list[str]:
        """The outputs whose blobs are missing or do not hold their bytes; changes nothing."""
        found = []
        for output in result.outputs:
            try:
                right = self._stats.digest(self.blob(output.sha256)) == output.sha256
            except FileNotFoundError:
                right = False
            if not right:
                found.append(output.path)
        return found

    def drop(self, key: str) -> bool:
        """Forgets the result of this key; tells whether there was one."""
        try:
            self.record(key).unlink()
        except FileNotFoundError:
            return False
        return True

    # -- places to work in --

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty folder on the store's file system, gone after the block."""
        with self.use.shared(), workplace(self.folder / "tmp") as folder:
            yield folder

    def sweep(self) -> int:
        """Removes the workspaces of processes that are no more; returns how many."""
        return sweep(self.folder / "tmp")

    def scratch(self, key: str) -> Path:
        """The scratch folder of this key: kept until its result is stored."""
        folder = self.folder / "scratch" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop_scratch(self, key: str) -> None:
        """Deletes the scratch folder of this key."""
        remove_tree(self.folder / "scratch" / key)

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Held by the one process that works on this key; the others wait."""
        path = self.folder / "locks" / key
        with self.use.shared():  # before the file is opened: the collector removes old ones
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w") as file:
                flock(file)
                yield

    def save(self) -> None:
        """Keeps what was learnt of the blobs' stats for the next run."""
        self._stats.save()


def fields_of(record: Any) -> dict[str, Any]:
    """The key's fields in a stage's state record; empty where the record is not one."""
    fields = record.get("fields") if isinstance(record, dict) else None
    return fields if isinstance(fields, dict) else {}

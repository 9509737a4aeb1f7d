"""The remote cache as a build sees it: nothing that a server does is an error, and no wrong byte gets in."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from toolchain.digest import sha256
from toolchain.files import atomic
from toolchain.remote import message, record
from toolchain.remote.address import address, credentials
from toolchain.remote.body import Failure, Lie, Limits, Sink
from toolchain.remote.transport import Transport, brief
from toolchain.remote.uploads import Uploads
from toolchain.store import CorruptBlob, Result, Store
from toolchain.ui import Ui, size_text


class Remote:
    """One server for a run. The first failure turns it off; a lie costs one miss."""

    def __init__(self, url: str, store: Store, ui: Ui, *, push: bool = False, environ: Mapping[str, str] = os.environ,
                 limits: Limits | None = None) -> None:
        """UserError where the address or the credentials cannot be used."""
        where = address(url)
        self.name = where.name
        self._store = store
        self._ui = ui
        self._limits = limits or Limits()
        self._server = Transport(where, credentials(environ), self._limits)
        self._uploads = Uploads()
        self._reading = True
        self._pushing = push
        self._results: set[str] = set()  # keys that the server has, or will have
        self._there: set[str] = set()  # blobs that the server is known to have
        self._wrong: set[str] = set()  # and those, keys too, that it has wrong
        self._told: set[str] = set()
        self._lost = 0.0  # seconds that misses have cost
        self._lock = threading.Lock()

    # -- taking --

    def fetch(self, key: str) -> Result | None:
        """The result of this key, stored with all its blobs; None where the server has it not, or not right."""
        if not self._reading:
            return None
        begun, result = time.monotonic(), None
        try:
            result = self._fetch(key)
        except Lie as lie:
            self._lied(lie)
        except Failure as failure:
            self._off(failure)
        if result is None:
            with self._lock:
                self._lost += time.monotonic() - begun
            if self._lost > self._limits.lost:
                self._off(Failure("it is too slow"))
        return result

    def _fetch(self, key: str) -> Result | None:
        try:
            raw, held = io.BytesIO(), io.BytesIO()
            if not self._server.get(f"/ac/{key}", Sink(raw)):
                return None
            files = message.decode(raw.getvalue())
            own = record.own_file(files)
            if own.size > self._limits.message:
                raise ValueError("its record is too long")
            if not self._download(own.sha256, own.size, Sink(held)):
                return None
            result = record.decode(held.getvalue(), key, files)
            if not self._bring({output.sha256: output.size for output in result.outputs}):
                return None
        except ValueError as exc:
            with self._lock:
                self._wrong.add(key)
            raise Lie(f"{brief(f'/ac/{key}')}: {exc}") from None
        self._store.put(result)
        with self._lock:
            self._results.add(key)
        return result

    def _bring(self, blobs: Mapping[str, int]) -> bool:
        """Downloads the blobs that the store lacks; False where the server has not all, ValueError without room."""
        lacking = [digest for digest in blobs if not self._is_local(digest, blobs[digest])]
        if not lacking:
            return True
        with self._store.workspace() as work:
            need, free = sum(blobs[digest] for digest in lacking), shutil.disk_usage(work).free
            if need > free:
                raise ValueError(f"its {size_text(need)} do not fit on the disk")
            for digest in lacking:
                with (work / digest).open("wb") as out:
                    if not self._download(digest, blobs[digest], Sink(out)):
                        return False
                self._store.add(work / digest)
        return True

    def _is_local(self, digest: str, size: int) -> bool:
        try:
            return self._store.verified(digest).stat().st_size == size
        except (CorruptBlob, FileNotFoundError):
            return False

    def blob(self, digest: str, size: int, dest: Path) -> bool:
        """Makes `dest` the blob of this sha256; False, with `dest` as it was, where the server has it not, or wrong."""
        if not self._reading:
            return False
        try:
            with atomic(dest) as out:
                if not self._download(digest, size, Sink(out)):
                    raise _Absent
            return True
        except _Absent:
            pass
        except Lie as lie:
            self._lied(lie)
        except Failure as failure:
            self._off(failure)
        return False

    def _download(self, digest: str, size: int, sink: Sink) -> bool:
        """The blob to where `sink` leads, its bytes verified; False where the server has it not."""
        try:
            if size and not self._server.get(f"/cas/{digest}", sink, size):  # that of no bytes needs no server
                return False
            if sink.digest() != digest:
                raise Lie(f"{brief(f'/cas/{digest}')} holds other bytes than its name says")
        except Lie:
            with self._lock:
                self._wrong.add(digest)
            raise
        with self._lock:
            self._there.add(digest)
        return True

    # -- giving --

    def push(self, result: Result) -> None:
        """Uploads a result of the store in the background, once a run, its blobs before itself."""
        with self._lock:
            known = result.key in self._results
            self._results.add(result.key)
        if not known:
            self._later(partial(self._push, result))

    def push_blob(self, digest: str) -> None:
        """Uploads one blob of the store in the background."""
        self._later(partial(self._push_file, digest))

    def _later(self, job: Callable[[], None]) -> None:
        if self._pushing and not self._uploads.add(partial(self._guarded, job)):
            self._warn("full", "uploads do not keep up with the build: some of it is not pushed")

    def _guarded(self, job: Callable[[], None]) -> None:
        """Does a job of the background, where nobody would see what it raises."""
        if not self._pushing:
            return
        try:
            job()
        except (FileNotFoundError, CorruptBlob):
            pass  # collected, or found damaged, before its turn came
        except Failure as failure:
            self._stop_pushing(str(failure))
        except Exception as exc:
            self._stop_pushing(type(exc).__name__)

    def _push(self, result: Result) -> None:
        try:
            data, files = record.encode(result)
        except ValueError:
            return
        entry = message.encode(files)
        with self._lock:
            doubtful = self._wrong & {result.key, *(file.sha256 for file in files)}
        if not doubtful and self._server.has(f"/ac/{result.key}", len(entry)):
            return
        for digest in dict.fromkeys(output.sha256 for output in result.outputs):
            self._push_file(digest)
        own = files[-1]
        self._put(own.sha256, own.size, lambda: data)
        self._server.put(f"/ac/{result.key}", lambda: entry)

    def _push_file(self, digest: str) -> None:
        path = self._store.blob(digest)
        size = path.stat().st_size

        def content() -> bytes | IO[bytes]:
            if sha256(path) != digest:
                raise CorruptBlob(digest)
            return path.open("rb") if size else b""

        self._put(digest, size, content)

    def _put(self, digest: str, size: int, content: Callable[[], bytes | IO[bytes]]) -> None:
        """Uploads a blob, unless the server has it."""
        with self._lock:
            there, wrong = digest in self._there, digest in self._wrong
        if there:
            return
        if wrong or not self._server.has(f"/cas/{digest}", size):
            self._server.put(f"/cas/{digest}", content)
        with self._lock:
            self._there.add(digest)
            self._wrong.discard(digest)

    def close(self) -> None:
        """Waits a while for the uploads that are left; nothing goes to the server after that."""
        soon = min(1.0, self._limits.close)
        try:
            left = self._uploads.wait(soon)
            if left:
                self._ui.say(f"remote cache {self.name}: {left} uploads are left")
                left = self._uploads.wait(self._limits.close - soon)
        finally:
            self._reading = self._pushing = False
            self._uploads.end()
            self._server.close()
        if left:
            self._warn("late", f"{left} uploads were not done in {self._limits.close:.0f} s and are given up")

    # -- what goes wrong --

    def _off(self, failure: Failure) -> None:
        if self._reading:
            self._reading = self._pushing = False
            self._uploads.clear()
            self._warn("off", f"{failure}; going on without it")

    def _stop_pushing(self, reason: str) -> None:
        if self._pushing:
            self._pushing = False
            self._uploads.clear()
            self._warn("push", f"{reason}; nothing more is pushed")

    def _lied(self, lie: Lie) -> None:
        self._warn("lie", f"{lie}; what is wrong counts as missing")

    def _warn(self, kind: str, text: str) -> None:
        """One line of each kind in a run."""
        with self._lock:
            if kind in self._told:
                return
            self._told.add(kind)
        self._ui.warn(f"remote cache {self.name}: {text}")


class _Absent(Exception):
    """The server does not have the blob."""

"""The second build: the sources in another folder, an empty store, other surroundings, nothing taken from the first."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.files import from_user, read_json
from toolchain.plugin import Session
from toolchain.reproduce import checkout, surroundings
from toolchain.reproduce.first import Made, made
from toolchain.reproduce.surroundings import Plan, Surroundings, Variation
from toolchain.store import CorruptBlob, Store

_PATIENCE = 30.0  # seconds that a build has to end its programs and containers
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# `-m toolchain`, which would say that finished stages are kept: here they are not
_DOIT = "import sys; from toolchain import __main__, ending; ending.rest = ''; sys.exit(__main__.main(sys.argv[1:]))"


@dataclass(frozen=True)
class Rebuilt:
    """`made` and `store` hold what was built; `variations` what surrounded it."""

    made: Made
    manifest: Any
    store: Store
    sources: int
    variations: list[Variation]


def rebuild(current: Session, image: str, executor: str, work: Path, names: Sequence[str] = ()) -> Rebuilt:
    """Builds the image in `work`, an empty folder that the caller removes; of its stages those that `names` need."""
    store = Store(work / "cache" / "ingot")
    folder = _prepare(current, work, store)
    plan, there = _plan(folder, work, executor)
    here = surroundings.look()
    count = checkout.copy(current.root, folder)
    current.ui.say(f"rebuilding {image} from nothing, with {executor}, in {folder}")
    words = ["-c", _DOIT, f"image={image}", f"toolchain={executor}", f"data_dir={work / 'downloads'}", *names]
    status = run([*plan.words(), sys.executable, *words, *(["debug=1"] if current.debug else [])], folder,
                 plan.environment)
    if status != 0:
        raise UserError(f"the rebuild ended with status {status}", "the lines above say why")
    manifest = folder / "build" / image / "manifest.json"
    found = made(manifest)
    if found is None:
        raise UserError("the rebuild left no manifest", "the lines above say what it did")
    return Rebuilt(found, read_json(manifest), store, count, surroundings.variations(here, there, executor))


def _prepare(current: Session, work: Path, store: Store) -> Path:
    """The folders around the rebuild. Unpacked roots and pinned downloads are shared: both are checked by digest."""
    name = "rebuilt"
    while len(str(work / name)) == len(str(current.root)):
        name += "-"
    for folder in (work / name, work / "home", work / "tmp", work / "downloads", store.folder):
        folder.mkdir(parents=True)
    shared = current.graph.store.folder / "roots"
    shared.mkdir(parents=True, exist_ok=True)
    (store.folder / "roots").symlink_to(shared.resolve())
    for stage in current.graph.stages.values():
        if stage.download is not None:
            source = _downloaded(current, stage.download.name, stage.download.sha256)
            if source is not None:
                (work / "downloads" / stage.download.name).symlink_to(source.resolve())
    return work / name


def _downloaded(current: Session, name: str, digest: str) -> Path | None:
    """Where the file is at hand; who takes it checks its sha256."""
    try:
        return current.graph.store.verified(digest)
    except CorruptBlob:
        given = current.given.get("data_dir")
        path = from_user(given) / name if given else None
        return path if path is not None and path.is_file() else None


def _plan(folder: Path, work: Path, executor: str) -> tuple[Plan, Surroundings]:
    """How to start the rebuild, and what it then sees: tried, not believed. `folder` is where it runs."""
    checkout_of_ours = Path(__file__).resolve().parent.parent.parent
    plan = surroundings.vary(surroundings.look(), os.environ, work, _locales(), os.sched_getaffinity(0))
    troubles = []
    for tried in (plan, replace(plan, hostname="")):
        environment = {**tried.environment, "PYTHONPATH": str(checkout_of_ours)}  # the folder is empty still
        done = subprocess.run([*tried.words(), sys.executable, "-m", "toolchain.reproduce.surroundings", executor],
                              cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", check=False)
        try:
            seen = surroundings.read(done.stdout)
        except (ValueError, TypeError):
            troubles.append((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])
            continue
        if not seen.trouble:
            return tried, seen
        troubles.append(f"{executor}: {seen.trouble}")
    raise UserError(f"nothing can be built in other surroundings: {troubles[-1]}",
                    "try another executor: toolchain=sandbox, docker or nix")


def _locales() -> Sequence[str]:
    """Those that this machine has."""
    try:
        done = subprocess.run(["locale", "-a"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split()


def run(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """The build, whose lines are shown as they come; whatever ends us ends it first."""
    sys.stderr.flush()
    child = subprocess.Popen(argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr,
                             start_new_session=True)
    try:
        return child.wait()
    except BaseException:
        _end(child)
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    """Asks the build to end, which ends its programs and containers; a second Ctrl-C does not cut that short."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    child.terminate()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    print("the rebuild was ended, its folder is removed", file=sys.stderr)


def blob_of(store: Store, digest: str | None) -> Path | None:
    """The bytes of this digest, where the store has them. It may come from a lock, and be anything."""
    if digest is None or not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    try:
        return store.verified(digest)
    except CorruptBlob:
        return None


def keep(store: Store, digest: str | None, target: Path) -> Path | None:
    """An output of a build, under another name; None where the store does not have it."""
    blob = blob_of(store, digest)
    if blob is None:
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(blob, target)
    return target

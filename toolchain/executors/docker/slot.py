"""One container and the folders it sees. It runs one program after another, each as in a fresh one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolchain.errors import UserError
from toolchain.executors import ETC, FOLDER, HOSTNAME, INSIDE, Job
from toolchain.executors.children import GRACE
from toolchain.executors.docker.engine import Engine, reason_of
from toolchain.executors.docker.left import PREFIX, container_of, folders_kept, remove_container
from toolchain.executors.docker.wire import Wire
from toolchain.files import flock, remove_tree

INIT = Path(__file__).with_name("init.sh")
_PROGRAMS = 4096  # far above what any stage starts, and the end of a fork bomb


class Slot:
    """A started container. `job` is given where the slot is for that one alone: then its scratch folder is
    mounted as it is, so that a checkpoint in it outlives everything; else one folder serves job after job.
    """

    def __init__(self, engine: Engine, image: str, parent: Path, job: Job | None = None) -> None:
        """`parent` is where the slot's folder is made, on the file system of the jobs' work folders."""
        self._engine = engine
        self.clean = job is None
        with folders_kept(parent):
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = (self.folder / "lock").open("w")
            flock(self._lock)
        self.name = container_of(self.folder)
        self._build = job.work if job is not None else self.folder / "build"
        self._temporary = self.folder / "tmp"
        self._wire: Wire | None = None
        try:
            self._start(image, job.scratch if job is not None else None)
        except BaseException:
            self.remove()
            raise

    def _start(self, image: str, scratch: Path | None) -> None:
        import docker
        import requests

        for folder in (self._build, self._temporary):
            folder.mkdir(exist_ok=True)
        binds = {FOLDER: self._build, "/tmp": self._temporary}
        if scratch is not None:
            (self._build / "scratch").mkdir(exist_ok=True)
            binds[f"{FOLDER}/scratch"] = scratch
        mounts = [docker.types.Mount(target, str(source.absolute()), "bind") for target, source in binds.items()]
        for name, text in _etc(self._engine).items():
            file = self.folder.absolute() / name
            file.write_text(text)
            file.chmod(0o644)  # whatever our umask is: another user reads it
            mounts.append(docker.types.Mount(f"/etc/{name}", str(file), "bind", read_only=True))
        api = self._engine.api
        try:
            api.create_container(
                image, ["/usr/bin/bash", "--norc", "--noprofile", "-c", INIT.read_text(), "init", str(GRACE)],
                name=self.name, hostname=HOSTNAME, user=f"{self._engine.user}:{self._engine.group}",
                environment=INSIDE, working_dir=FOLDER, stdin_open=True, host_config=limits(api, self._engine, mounts))
            self._wire = Wire(api.attach_socket(self.name, {"stdin": 1, "stdout": 1, "stream": 1}))
            api.start(self.name)
        except requests.RequestException as exc:
            raise UserError(f"Docker cannot start a container: {reason_of(exc)}",
                            "look at the engine's log, or use toolchain=sandbox") from exc

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """Runs the job's program; returns its exit status. `clean` tells whether another may follow."""
        shared, wire = self._build != job.work, self._wire
        assert wire is not None
        reusable, self.clean = self.clean, False
        try:
            if shared:
                _move(job.work, self._build)
            for folder in (self._build, self._temporary, job.scratch):
                if folder is not None:
                    self._own(folder)
            wire.begin([*(f"{name}={value}" for name, value in INSIDE.items()), *job.argv])
            try:
                status, same = wire.listen(on_line)
            except BaseException:
                self._end(wire)
                raise
        finally:
            for folder in (self._build, job.scratch):
                if folder is not None and self._engine.owns:
                    _chown(folder, os.geteuid(), os.getegid())
            if shared:
                _move(self._build, job.work)
            emptied = _empty(self._temporary)
        self.clean = reusable and same and emptied
        return status

    def alive(self) -> bool:
        """Whether the container that waited is still there: anybody may remove it, and engines are restarted."""
        return self._wire is not None and self._wire.alive()

    def ask(self) -> None:
        """Asks the program to end. May be called from any thread."""
        if self._wire is not None:
            self._wire.ask()

    def remove(self) -> None:
        """Removes container and folder, whatever state they are in."""
        remove_container(self._engine.api, self.name)
        if self._wire is not None:
            self._wire.close()
        remove_tree(self.folder)
        self._lock.close()

    def _own(self, folder: Path) -> None:
        """Gives the folder to the user inside; every job finds it with the same rights."""
        if self._engine.owns:
            _chown(folder, self._engine.user, self._engine.group)
        os.chmod(folder, 0o755)

    def _end(self, wire: Wire) -> None:
        """Ends the program: asks, waits, and then takes the container away."""
        try:
            wire.ask()
            wire.await_end(GRACE + 1)
        finally:
            remove_container(self._engine.api, self.name)


def limits(api: Any, engine: Engine, mounts: list[Any]) -> Any:
    """What a container may do: read its root, write /build and /tmp, compute."""
    import docker

    return api.create_host_config(
        network_mode="none", read_only=True, cap_drop=["ALL"], security_opt=list(engine.security),
        userns_mode=engine.userns, pids_limit=_PROGRAMS, mem_limit=engine.memory or None,
        # /dev/shm is for Python's multiprocessing, as large as Linux makes it. What is left there is noticed.
        ipc_mode="private", shm_size=engine.memory // 2 or None,
        mounts=mounts, tmpfs={"/sys": "ro,size=0"},  # the other executors have no /sys
        cpuset_cpus=_cpus(), auto_remove=True, log_config=docker.types.LogConfig(type="none"))


def _cpus() -> str | None:
    """The CPUs of this process, where it may not use all that there are: its containers may not either."""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ",".join(map(str, mine)) if mine and len(mine) < (os.cpu_count() or 0) else None


def _etc(engine: Engine) -> dict[str, str]:
    """/etc as in the other executors; ids are those of the user inside. Docker adds resolv.conf unless told."""
    passwd, group = ETC["passwd"], ETC["group"]
    if engine.user == 0:  # a rootless engine: let 0 be nixbld
        passwd, group = passwd.partition("\n")[2], group.partition("\n")[2]
    return {**ETC, "passwd": passwd.replace(":1000:100:", f":{engine.user}:{engine.group}:"),
            "group": group.replace(":100:", f":{engine.group}:"), "resolv.conf": ""}


def _move(source: Path, target: Path) -> None:
    """All that is in one folder into another."""
    for entry in list(os.scandir(source)):
        try:
            os.rename(entry.path, target / entry.name)
        except OSError:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o755)  # a folder is moved by those who may write to it
            shutil.move(entry.path, target / entry.name)


def _empty(folder: Path) -> bool:
    """Deletes what is in the folder; tells whether all of it could be."""
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(Path(entry.path))
        else:
            os.unlink(entry.path)
    return not os.listdir(folder)


def _chown(tree: Path, user: int, group: int) -> None:
    os.chown(tree, user, group)
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), user, group, follow_symlinks=False)

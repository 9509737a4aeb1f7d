"""The `sandbox` executor: bubblewrap, as an ordinary user. Only the root and the stage's folder are there."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import ETC, FOLDER, GID, HOSTNAME, INSIDE, UID, Job
from toolchain.executors.children import started
from toolchain.executors.pinned import Pinned
from toolchain.files import atomic, read_json, write_json
from toolchain.roots import LIBRARIES, Root, Roots, run_on

# SIGTERM goes to the whole process group: it must end the stage's program (a trainer then writes its
# checkpoint), and bubblewrap only through that, as it would take the program with it at once.
_DEAF = ("/bin/sh", "-c", 'trap "" TERM; exec "$@"', "sh")
_HEARING = ("/usr/bin/env", "--default-signal=TERM", "--ignore-environment",
            *(f"{name}={value}" for name, value in INSIDE.items()))


class Sandbox(Pinned):
    """Runs a stage's program in namespaces of its own: no network, no other process, no other file."""

    name = "sandbox"

    def __init__(self, roots: Roots, folder: Path) -> None:
        """`folder` is the store's: what every sandbox shares lies there."""
        super().__init__(roots)
        self._folder = folder

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """A few milliseconds more than the program itself."""
        root = self.roots.ensure(job.root)
        argv = [*_DEAF, *self._bubblewrap(), *arguments(root, job, self._etc()), *_HEARING, *job.argv]
        refused = ""
        with started(argv, cwd="/", env=INSIDE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, umask=0o022, text=True, errors="replace") as child:
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    if line.startswith("bwrap: "):
                        refused = line.strip()
                    on_line(line.rstrip("\n"))
            status = int(child.wait())
        if status != 0 and refused:
            _memory(self._folder).unlink(missing_ok=True)
            raise UserError(f"stage {job.stage}: the sandbox cannot be made: {refused}",
                            "run the same command again: toolchain=auto then takes another executor, "
                            "and ./doit doctor says why")
        return status

    def _bubblewrap(self) -> list[str]:
        """How bwrap is started: this machine's own, which may have rights that others lack, else that of the root cc.

        That one by its own loader, as the libraries and the loader of another system would not fit it.
        """
        found = shutil.which("bwrap")
        if found is not None:
            return [found]
        root = self.roots.ensure("cc").path
        libraries = root / LIBRARIES
        return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(root / "usr/bin/bwrap")]

    def _etc(self) -> Path:
        folder = self._folder / "etc"
        for name, text in ETC.items():
            file = folder / name
            if not file.exists() or file.read_text() != text:
                with atomic(file) as out:
                    out.write(text.encode())
        return folder


def arguments(root: Root, job: Job, etc: Path) -> list[str]:
    """bwrap's options for a job. Pure, but for a look at the root's top folder."""
    words = ["--unshare-all", "--die-with-parent", "--uid", str(UID), "--gid", str(GID), "--hostname", HOSTNAME,
             "--ro-bind", str(root.path / "usr"), "/usr"]
    for link in sorted(path.name for path in root.path.iterdir() if path.is_symlink()):
        words += ["--symlink", f"usr/{link}", f"/{link}"]
    words += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    for kernels in ("/proc/sys", "/proc/sysrq-trigger"):  # whose owner the program is, where we are root
        words += ["--ro-bind-try", kernels, kernels]
    for name in sorted(ETC):
        words += ["--ro-bind", str(etc / name), f"/etc/{name}"]
    words += ["--bind", str(job.work), FOLDER]
    for path, blob in sorted(job.blobs.items()):
        words += ["--ro-bind", str(blob), f"{FOLDER}/{path}"]
    if job.scratch is not None:
        words += ["--bind", str(job.scratch), f"{FOLDER}/scratch"]
    return [*words, "--remount-ro", "/", "--chdir", FOLDER, "--"]


# What bubblewrap does: namespaces of its own, a mount in them (which some systems refuse), a new /proc with the
# first process in it (which containers refuse).
_PROBE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
user, group = os.getuid(), os.getgid()
def check(failed):
    if failed:
        sys.stderr.write(os.strerror(ctypes.get_errno()))
        sys.stderr.flush()
        os._exit(1)
check(libc.unshare(0x10000000 | 0x00020000 | 0x20000000))
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
    open("/proc/self/" + name, "w").write(text)
child = os.fork()
if child == 0:
    check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None))
    check(libc.mount(b"proc", b"/proc", b"proc", 0, None))
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def trouble(folder: Path) -> str | None:
    """Why no sandbox can be made on this machine, in a few words; None when one can.

    That one could be made is remembered in `folder` until the machine starts anew, or one cannot.
    """
    now = [os.getuid(), shutil.which("bwrap") or "", _boot_id()]
    if read_json(_memory(folder)) == now:
        return None
    reason = trouble_now()
    if reason is None:
        with contextlib.suppress(OSError):
            write_json(_memory(folder), now)
    return reason


def trouble_now() -> str | None:
    """`trouble`, with nothing remembered."""
    if not run_on(sys.platform, platform.machine()):
        return "the toolchain's programs are for Linux on x86-64"
    return _try()


def _memory(folder: Path) -> Path:
    return folder / "sandbox.json"


def _try() -> str | None:
    found = shutil.which("bwrap")
    if found is None:
        argv = [sys.executable, "-I", "-S", "-c", _PROBE]
    else:
        argv = [found, "--unshare-all", "--uid", str(UID), "--gid", str(GID), "--ro-bind", "/", "/", "--proc", "/proc",
                "--dev", "/dev", "/bin/sh", "-c", ":"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return str(exc)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return f"no user namespace: {said[-1] if said else f'status {done.returncode}'}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""

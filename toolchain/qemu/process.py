"""QEMU as a child that cannot outlive us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence

_STDERR_KEPT = 64 * 1024


class Child:
    """A program in its own session (a Ctrl-C at the terminal is ours alone), stdin empty, stdout and stderr kept.

    It ends when `stop` or `kill` is called, when this object goes, when Python exits, and when this
    process dies in any way, SIGKILL included: by PDEATHSIG on Linux, by a job object on Windows, and
    elsewhere by a small shell that waits for our end of a pipe to close.
    """

    def __init__(self, argv: Sequence[str], pass_fds: Sequence[int] = (), env: Mapping[str, str] | None = None) -> None:
        self._popen = _start(argv, pass_fds, env)
        self._release = _guard(self._popen.pid)
        self._finalizer = weakref.finalize(self, _end, self._popen, self._release)
        self._stderr = b""
        self._reader = threading.Thread(target=self._read, name="qemu-stderr", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs; all of stderr is there once it is not None."""
        code = self._popen.poll()
        if code is not None:
            self._reader.join(0.5)
        return code

    def stderr(self) -> str:
        """What it has printed so far."""
        return self._stderr.decode("utf-8", "replace")

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None when it still runs after `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        return self.poll()

    def stop(self) -> int:
        """Asks it to end, so that its disk is flushed; kills it after 2 s. The exit status."""
        if self._popen.poll() is None:
            self._popen.terminate()
            self.wait(2.0)
        return self.kill()

    def kill(self) -> int:
        """Ends it now. The exit status."""
        self._finalizer()
        self._reader.join(0.5)
        return self._popen.returncode

    def _read(self) -> None:
        pipe = self._popen.stdout
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError):
            while block := os.read(pipe.fileno(), 4096):
                self._stderr = (self._stderr + block)[:_STDERR_KEPT]  # the first lines say why


def _end(popen: subprocess.Popen[bytes], release: Callable[[], None]) -> None:
    if popen.poll() is None:
        popen.kill()
        popen.wait()
    release()


def _start(argv: Sequence[str], pass_fds: Sequence[int], env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)
    before = _die_with_parent() if sys.platform.startswith("linux") else None
    return subprocess.Popen(argv, env=env, pass_fds=pass_fds, start_new_session=True, preexec_fn=before,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _die_with_parent() -> Callable[[], None]:
    """Runs in the child before exec; libc is loaded before the fork."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def before_exec() -> None:
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _guard(pid: int) -> Callable[[], None]:
    """Makes the child die with us where the kernel was not told to; returns what lets go of that."""
    if sys.platform.startswith("linux"):
        return lambda: None
    return _job_object(pid) if sys.platform == "win32" else _shell_guard(pid)


def _shell_guard(pid: int) -> Callable[[], None]:
    shell = subprocess.Popen(["/bin/sh", "-c", f"read -r line; kill -KILL {pid}"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def release() -> None:
        shell.kill()
        shell.wait()
        assert shell.stdin is not None
        shell.stdin.close()

    return release


def _job_object(pid: int) -> Callable[[], None]:  # pragma: no cover (Windows)
    """A job with KILL_ON_JOB_CLOSE: our handle closes when we end, however that happens."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = ctypes.c_void_p

    class Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = [("times", ctypes.c_int64 * 2), ("flags", ctypes.c_uint32), ("sets", ctypes.c_size_t * 2),
                    ("active", ctypes.c_uint32), ("affinity", ctypes.c_size_t), ("priority", ctypes.c_uint32),
                    ("scheduling", ctypes.c_uint32), ("io", ctypes.c_uint64 * 6), ("memory", ctypes.c_size_t * 4)]

    limits = Limits(flags=0x2000)  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    process = ctypes.c_void_p(kernel.OpenProcess(0x0101, False, pid))  # PROCESS_SET_QUOTA | PROCESS_TERMINATE
    kernel.SetInformationJobObject(job, 9, ctypes.byref(limits), ctypes.sizeof(limits))
    kernel.AssignProcessToJobObject(job, process)
    kernel.CloseHandle(process)
    return lambda: kernel.CloseHandle(job)

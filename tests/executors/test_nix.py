"""What is Nix's own in the `nix` executor; what all executors share is in test_contract.py."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.executors.conftest import Bench, needs
from toolchain.errors import UserError
from toolchain.executors import Job
from toolchain.executors import nix as module
from toolchain.executors.nix import Nix, added, trouble
from toolchain.executors.nix.staging import bring_back
from toolchain.roots import Root, Roots

ROOT = Path(__file__).resolve().parent.parent.parent
STORE = Path("/nix/store")


@pytest.fixture
def bench(cc: Roots, tmp_path: Path) -> Bench:
    """The nix executor over the real root, with a folder of its own for inputs."""
    needs("Nix", trouble())
    return Bench(Nix(cc, tmp_path / "store"), tmp_path)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[str]]:
    """What the next job has left behind: in the Nix store, in /tmp, in our store."""
    name, made, mkdtemp = f"test{os.getpid()}{tmp_path.name.replace('_', '')}", list[str](), tempfile.mkdtemp

    def noted(**how: str) -> str:
        made.append(mkdtemp(**how))
        return made[-1]

    monkeypatch.setattr(secrets, "token_hex", lambda length: name)
    monkeypatch.setattr(tempfile, "mkdtemp", noted)
    return lambda: [*filter(os.path.exists, made), *map(str, STORE.glob(f"*{name}*"))] if made else ["nothing ran"]


class OneRoot:
    """Roots that hold only this one."""

    def __init__(self, path: Path) -> None:
        self.root = Root("cc", "0" * 64, path)

    def identity(self, name: str) -> str:
        return "cc:made-up"

    def ensure(self, name: str) -> Root:
        return self.root


def small_root(folder: Path, *programs: str) -> Root:
    """A root like no other, so that its path in the Nix store is this test's own."""
    path = folder / "root"
    (path / "usr/bin").mkdir(parents=True)
    (path / "bin").symlink_to("usr/bin")
    for program in ("own", *programs):
        (path / "usr/bin" / program).write_text(str(folder))
    return Root("cc", "0" * 64, path)


@pytest.mark.nix
def test_no_character_of_an_argument_means_anything(bench: Bench) -> None:
    words = ["", " ", "''", "${out}", "$out", "''${x}", "\\", "\\n", '"', "'", "`id`", "$(id)", "%s", "!x", "--option",
             "--", "a=b", "line\nline", "\t", "*", "~", "#", ";", "&", "|", "ä\U0001f600", "\x01\x1b[31m"]
    job = bench.job("bash", "-c", 'printf "<%s>" "$@"; echo; printf "%s\\0" "$@" > out', "bash", *words)
    status, lines = bench.run(job)
    assert status == 0 and "\n".join(lines) == "".join(f"<{word}>" for word in words)
    assert (job.work / "out").read_bytes() == b"".join(word.encode() + b"\0" for word in words)


@pytest.mark.nix
def test_output_comes_out_as_it_is(bench: Bench) -> None:
    """Not on a terminal, and nothing of what Nix takes for its own, nor of what it says itself."""
    script = r"""printf 'a\tb \033[1mbold\033[0m \303\244 \377\n@nix {"action":"msg"}\n'; test -t 1 || echo none"""
    assert bench.sh(script) == ["a\tb \x1b[1mbold\x1b[0m ä �", '@nix {"action":"msg"}', "none"]


@pytest.mark.nix
def test_a_program_that_ran_before_runs_again(bench: Bench) -> None:
    first, second = (bench.sh("cat /proc/sys/kernel/random/uuid")[0] for _ in range(2))
    assert first != second


@pytest.mark.nix
@pytest.mark.parametrize("script, status", [("echo x > out", 0), ("echo x > out; exit 3", 3), ("kill -9 $$", 137)])
def test_nothing_is_left(bench: Bench, left: Callable[[], list[str]], script: str, status: int) -> None:
    assert bench.run(bench.job("bash", "-c", script))[0] == status
    assert left() == []


@pytest.mark.nix
def test_nothing_is_left_of_a_job_that_is_stopped(bench: Bench, left: Callable[[], list[str]]) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.executor.run(bench.job("bash", "-c", "echo ready; sleep 1000"), stop)
    assert left() == []


@pytest.mark.nix
def test_nothing_is_left_when_we_are_killed(bench: Bench, tmp_path: Path) -> None:
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from toolchain.executors import Job, nix
        from toolchain.roots.folder import RootFolder
        from toolchain.store import Store, default_folder
        from toolchain.ui import Ui
        nix.secrets.token_hex = lambda length: {mark!r}
        executor = nix.Nix(RootFolder(Store(default_folder()), Ui()), Path({str(tmp_path)!r}))
        job = Job("test", ("sh", "-c", "echo; sleep 2; echo"), Path({str(bench.job("true").work)!r}))
        executor.run(job, lambda line: os.kill(os.getpid(), signal.SIGKILL))
    """)
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == -signal.SIGKILL
    assert list(STORE.glob(f"*{mark}*"))
    until = time.monotonic() + 30
    while (found := [*STORE.glob(f"*{mark}*"), *(tmp_path / "tmp").iterdir()]) and time.monotonic() < until:
        time.sleep(0.1)
    assert found == []


@pytest.mark.nix
def test_what_a_program_may_leave(bench: Bench) -> None:
    """Things that the Nix store does not take, or that could not be deleted, do no harm."""
    job = bench.job("bash", "-ec", "mkfifo pipe sub/pipe; ln -s nowhere link; mkdir -p shut/in; touch .dot;"
                    "touch shut/in/file; chmod 0 shut; rm gone; echo new > kept; (sleep 1000 &)",
                    inputs={"gone": "", "kept": "old", "sub/file": ""})
    assert bench.run(job) == (0, [])
    assert sorted(str(path.relative_to(job.work)) for path in job.work.rglob("*")) == [
        ".dot", "kept", "link", "shut", "shut/in", "shut/in/file", "sub", "sub/file"]
    assert os.readlink(job.work / "link") == "nowhere" and (job.work / "kept").read_text() == "new\n"
    assert os.access(job.work / "shut/in", os.W_OK)


@pytest.mark.nix
def test_scratch_of_a_program_that_fails_is_kept(bench: Bench, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "old").mkdir(parents=True)
    job = bench.job("bash", "-c", "rm -r scratch/old; echo 1 > scratch/new; exit 1", scratch=scratch)
    assert bench.run(job)[0] == 1
    assert [path.name for path in scratch.iterdir()] == ["new"] and (scratch / "new").read_text() == "1\n"
    assert list(job.work.iterdir()) == []


@pytest.mark.nix
def test_nix_conf_cannot_open_the_sandbox(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    monkeypatch.setenv("NIX_CONFIG", f"sandbox = false\nsandbox-fallback = true\nsandbox-paths = {secret}\n"
                                     "sandbox-build-dir = /elsewhere\nmax-jobs = 0\nsystem-features = kvm\n")
    status, lines = bench.run(bench.job("bash", "-c", f"pwd; ls {secret} /dev/kvm"))
    assert status != 0 and lines[0] == "/build" and all("No such file" in line for line in lines[1:]), lines


@pytest.mark.nix
def test_the_tree_is_kept_and_added_again_when_it_is_gone(tmp_path: Path) -> None:
    needs("Nix", trouble())
    root = small_root(tmp_path)
    path = Path(added(root))
    delete = ["nix-store", "--delete", *module._options([]), str(path)]
    try:
        assert (path / "usr/bin/own").read_text() == str(tmp_path) and added(root) == str(path)
        assert b"still alive" in subprocess.run(delete, capture_output=True).stderr and path.exists()
        (tmp_path / "nix").rename(tmp_path / "away")
        subprocess.run(delete, check=True, capture_output=True)
        (tmp_path / "away").rename(tmp_path / "nix")  # as when somebody has emptied the Nix store
        assert not path.exists()
        assert added(root) == str(path) and path.exists()
    finally:
        (tmp_path / "nix").unlink(missing_ok=True)
        subprocess.run(delete, check=True, capture_output=True)


@pytest.mark.nix
def test_what_nix_says_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "added", lambda root: str(STORE / ("0" * 32 + "-gone")))
    with pytest.raises(UserError) as caught:
        bench.run(bench.job("true"))
    assert "stage test: Nix says: path '/nix/store/000" in caught.value.what
    assert "toolchain=sandbox" in caught.value.hint


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], UserError]:
    """Runs a job where nix-build is a script that says this; the error that comes of it. No Nix is needed."""

    def run(said: str) -> UserError:
        (tmp_path / "bin").mkdir()
        (tmp_path / "said").write_text(said)
        for program, script in {"nix-build": f"cat {tmp_path}/said >&2; exit 1", "nix-store": "exit 1"}.items():
            (tmp_path / "bin" / program).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "bin" / program).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(module, "trouble", lambda: None)
        monkeypatch.setattr(module, "added", lambda root: "/nix/store/root")
        (tmp_path / "work").mkdir()
        executor = Nix(OneRoot(small_root(tmp_path, "bash").path), tmp_path / "store")
        with pytest.raises(UserError) as caught:
            executor.run(Job("kernels", ("true",), tmp_path / "work"), print)
        return caught.value

    return run


LOGS = """this derivation will be built:
  /nix/store/wnr4-ingot.drv
building '/nix/store/wnr4-ingot.drv'...
error: builder for '/nix/store/wnr4-ingot.drv' failed with exit code 1;
       last 2 log lines:
       >
       > {}
       For full logs, run 'nix log /nix/store/wnr4-ingot.drv'.
"""


@pytest.mark.parametrize("said", [
    "warning: ignoring the client-specified setting 'sandbox-paths', because it is a restricted setting and you are "
    "not a trusted user\nerror: builder for '/nix/store/x.drv' failed with exit code 1\n",
    LOGS.format("      Error   Error   F    executing '/bin/bash': No such file or directory"),  # Nix 2.8
    LOGS.format("this is not Nix's sandbox, with the paths that were asked for"),  # a daemon with sandbox = false
])
def test_a_user_whom_the_daemon_does_not_trust_is_told(fake: Callable[[str], UserError], said: str) -> None:
    error = fake(said)
    assert error.what == "stage kernels: Nix's daemon does not let this user choose what its sandbox holds"
    assert "trusted-users" in error.hint and "toolchain=sandbox" in error.hint


@pytest.mark.parametrize("said, told, hint", [
    ("building '/nix/store/x.drv'...\nerror: cloning builder process: Operation not permitted\n",
     "cloning builder process: Operation not permitted", "toolchain=sandbox"),
    ("error: getting status of '/x': Permission denied\n(use '--show-trace' to show detailed location information)\n",
     "getting status of '/x': Permission denied", "toolchain=sandbox"),
    (LOGS.format("mv: cannot create 'a': No space left on device"), "mv: cannot create 'a': No space left on device",
     "free some space"),
    ("", "nothing", "toolchain=sandbox"),
])
def test_the_line_that_says_why_is_told(fake: Callable[[str], UserError], said: str, told: str, hint: str) -> None:
    error = fake(said)
    assert error.what == f"stage kernels: Nix says: {told}" and hint in error.hint


def test_without_nix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trouble() == "nix-build is not on PATH"
    with pytest.raises(UserError, match="stage a: Nix cannot be used: nix-build is not on PATH") as caught:
        Nix(OneRoot(tmp_path), tmp_path).run(Job("a", ("true",), tmp_path), print)
    assert "toolchain=sandbox" in caught.value.hint


def test_with_neither_a_daemon_nor_the_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("nix-build", "nix-store"):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_STATE", tmp_path / "none")
    assert trouble() is None  # it may make the folder
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    assert "its daemon does not run" in str(trouble())


def test_a_root_without_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "trouble", lambda: None)
    with pytest.raises(UserError, match="stage a: its root cc holds no bash"):
        Nix(OneRoot(small_root(tmp_path).path), tmp_path).run(Job("a", ("true",), tmp_path), print)


def test_a_scratch_that_became_a_link_takes_nothing_along(tmp_path: Path) -> None:
    outside, made, work, scratch = (tmp_path / name for name in ("outside", "made", "work", "scratch"))
    for folder in (outside, made, work, scratch):
        folder.mkdir()
    (outside / "file").touch()
    (made / "scratch").symlink_to(outside)
    bring_back(made, Job("test", ("true",), work, scratch=scratch))
    assert (outside / "file").exists() and not list(scratch.iterdir())

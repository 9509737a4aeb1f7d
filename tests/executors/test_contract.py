"""What every executor that enters a root promises: one behaviour, whichever of them runs the program."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

from tests.executors.conftest import Bench
from toolchain.executors import ETC, GID, HOSTNAME, INSIDE, UID

ROOT = Path(__file__).resolve().parent.parent.parent


def test_output_goes_to_the_work_folder_and_is_ours(bench: Bench) -> None:
    job = bench.job("sh", "-ec", "mkdir sub; tr a-z A-Z < in.txt > sub/out.txt; cp in.txt run; chmod 755 run",
                    inputs={"in.txt": "abc\n"})
    assert bench.run(job) == (0, [])
    made = job.work / "sub/out.txt"
    assert made.read_text() == "ABC\n" and made.stat().st_uid == os.geteuid()
    assert not made.stat().st_mode & stat.S_IXUSR and (job.work / "run").stat().st_mode & stat.S_IXUSR


def test_status_and_both_streams(bench: Bench) -> None:
    status, lines = bench.run(bench.job("sh", "-c", "echo one; echo two >&2; printf 'no newline'; exit 7"))
    assert status == 7 and sorted(lines) == ["no newline", "one", "two"]


def test_lines_come_as_they_are_printed(bench: Bench) -> None:
    job, seen = bench.job("sh", "-c", "echo first; sleep 3; echo last"), list[float]()
    started = time.monotonic()
    assert bench.executor.run(job, lambda line: seen.append(time.monotonic())) == 0
    assert len(seen) == 2 and seen[1] - seen[0] > 2, (started, seen)


def test_a_program_that_is_not_there(bench: Bench) -> None:
    status, lines = bench.run(bench.job("no-such-program"))
    assert status != 0 and any("no-such-program" in line for line in lines)


def test_arguments_arrive_as_they_are(bench: Bench) -> None:
    words = ("a b", "$HOME", "${x}", "'", '"', "\\n", "two\nlines", "*", "é", "", "-c", "''${y}''")
    status, lines = bench.run(bench.job("python3", "-c", "import json,sys; print(json.dumps(sys.argv[1:]))", *words))
    assert status == 0 and json.loads(lines[0]) == list(words)


def test_environment_is_the_same_everywhere(bench: Bench) -> None:
    status, lines = bench.run(bench.job("python3", "-c", "import json,os; print(json.dumps(dict(os.environ)))"))
    assert status == 0 and json.loads(lines[0]) == INSIDE


def test_what_would_tell_machines_apart_is_fixed(bench: Bench) -> None:
    """Host name, user, folder, umask, time zone, /etc: nothing of this machine."""
    script = "uname -n; id -u; id -g; id -un; pwd; umask; date +%Z; cat /etc/passwd /etc/group"
    assert bench.sh(script) == [HOSTNAME, str(UID), str(GID), "nixbld", "/build", "0022", "UTC",
                                *(ETC["passwd"] + ETC["group"]).splitlines()]


def test_no_other_file_and_no_network(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    status, lines = bench.run(bench.job("cat", str(secret)))
    assert status != 0 and any("No such file" in line for line in lines)
    assert bench.sh("ls /home /root 2>/dev/null || true; cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '") == ["lo"]
    tried = "import socket; s = socket.socket(); s.settimeout(3); s.connect(('192.0.2.1', 80))"
    status, lines = bench.run(bench.job("python3", "-c", tried))
    assert status != 0 and "OSError" in lines[-1] and "unreachable" in lines[-1]


def test_a_listener_on_this_machine_is_not_reached(bench: Bench) -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 3)"
        status, lines = bench.run(bench.job("python3", "-c", code))
    assert status != 0 and "refused" in lines[-1]


def test_the_root_cannot_be_written(bench: Bench) -> None:
    for path in ("/usr/bin/new", "/new", "/usr/lib/new"):
        status, _ = bench.run(bench.job("sh", "-c", f"echo x > {path}"))
        assert status != 0, path
    assert not (bench.executor.roots.ensure("cc").path / "usr/bin/new").exists()  # type: ignore[attr-defined]


def test_the_machine_cannot_be_changed(bench: Bench) -> None:
    """Not even where the tests are run by root: no setting of the kernel, no device."""
    scripts = ["mknod d c 1 3", "mount -t tmpfs none /tmp"]
    if bench.executor.name != "nix" or os.geteuid() != 0:  # Nix needs build users for that, see docs/toolchain.md
        scripts += [": >> /proc/sys/kernel/core_pattern", ": >> /proc/sysrq-trigger"]
    for script in scripts:
        status, _ = bench.run(bench.job("sh", "-c", script))
        assert status != 0, script


def test_temporary_files_can_be_made_and_run(bench: Bench) -> None:
    assert bench.sh("printf '#!/bin/sh\\necho ran\\n' > /tmp/x; chmod 755 /tmp/x; /tmp/x") == ["ran"]


def test_blobs_are_seen_and_stay_as_they_are(bench: Bench, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_text("blob\n")
    blob.chmod(0o444)
    job = bench.job("sh", "-c", "cat data/in.txt; chmod u+w data/in.txt; echo bad >> data/in.txt; true",
                    blobs={"data/in.txt": blob})
    (job.work / "data").mkdir()
    status, lines = bench.run(job)
    assert status == 0 and lines[0] == "blob"
    assert blob.read_text() == "blob\n"


def test_jobs_know_nothing_of_each_other(bench: Bench) -> None:
    bench.sh("echo x > left; echo x > /tmp/left; (sleep 1000 >/dev/null 2>&1 &)")
    assert bench.sh("ls -A . /tmp") == [".:", "", "/tmp:"]
    seen = bench.sh("cat /proc/[0-9]*/comm")
    assert "sleep" not in seen


def test_side_by_side(bench: Bench) -> None:
    outcomes: list[tuple[int, list[str]]] = []
    jobs = [bench.job("sh", "-c", f"sleep 0.3; echo {n}; echo {n} > out", inputs={"in": str(n)}) for n in range(3)]
    threads = [threading.Thread(target=lambda job=job: outcomes.append(bench.run(job))) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [(0, ["0"]), (0, ["1"]), (0, ["2"])]
    assert [(job.work / "out").read_text() for job in jobs] == ["0\n", "1\n", "2\n"]


def test_scratch_is_read_and_written(bench: Bench, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "before").write_text("1\n")
    status, lines = bench.run(bench.job("sh", "-ec", "cat scratch/before; echo 2 > scratch/after", scratch=scratch))
    assert (status, lines) == (0, ["1"])
    assert (scratch / "after").read_text() == "2\n" and (scratch / "after").stat().st_uid == os.geteuid()


def test_ended_on_request(bench: Bench, tmp_path: Path) -> None:
    """SIGTERM to ./doit: the program is told, has time to write its checkpoint, and nothing is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    work = bench.job("true").work
    script = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        from toolchain.__main__ import main
        from toolchain.executors import Job
        from toolchain.executors.choose import make
        from toolchain.roots.folder import RootFolder
        from toolchain.store import Store, default_folder
        from toolchain.ui import Ui
        import doit.doit_cmd
        program = "trap 'echo saved > scratch/checkpoint; exit 1' TERM; echo ready; while :; do sleep 0.1; done"
        job = Job("test", ("sh", "-c", program), Path({str(work)!r}), "cc", {{}}, Path({str(scratch)!r}))
        executor = make({bench.executor.name!r}, RootFolder(Store(default_folder()), Ui()), default_folder())
        doit.doit_cmd.DoitMain.run = lambda *_: executor.run(job, lambda line: print(line, flush=True))
        sys.exit(main([]))
    """)
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as child:
        assert child.stdout is not None and child.stderr is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 143
            assert "terminated" in child.stderr.read()
        finally:
            child.kill()
    if bench.executor.name != "nix":  # a derivation that does not end well leaves nothing
        assert (scratch / "checkpoint").read_text() == "saved\n"

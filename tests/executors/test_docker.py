"""What is Docker's own: the limits of a container, and that it may stay for the next program."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.executors.containers import Containers, fixture_bench, fixture_engine, fixture_store  # noqa: F401
from toolchain.errors import UserError
from toolchain.executors import HOSTNAME

pytestmark = pytest.mark.docker


def test_what_a_container_may_do(bench: Containers) -> None:
    job, seen = bench.job("echo ready; sleep 1000"), threading.Event()
    thread = threading.Thread(target=lambda: bench.docker.run(job, lambda line: seen.set()))
    thread.start()
    assert seen.wait(60)
    (found,) = bench.containers()
    host, config = found["HostConfig"], found["Config"]
    bench.docker._end()  # what Ctrl-C does; the pool of containers is closed for good
    thread.join()
    with pytest.raises(SystemExit):
        bench.run("true")
    assert host["NetworkMode"] == "none" and host["ReadonlyRootfs"] is True and host["AutoRemove"] is True
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert 0 < host["PidsLimit"] <= 4096
    assert 0 < host["Memory"] < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert host["LogConfig"]["Type"] == "none" and host["IpcMode"] == "private"
    assert config["User"].split(":")[0] != "0" and config["Hostname"] == HOSTNAME and config["WorkingDir"] == "/build"
    assert config["Image"].startswith("sha256:")
    writable = {mount["Destination"] for mount in found["Mounts"] if mount["RW"]}
    assert writable == {"/build", "/tmp"}


def test_no_capability_and_no_way_to_one(bench: Containers) -> None:
    status = dict(line.split(":\t") for line in bench.sh("cat /proc/self/status") if ":\t" in line)
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_nothing_of_the_machine_in_sys_and_etc(bench: Containers) -> None:
    """/etc/resolv.conf and /sys would tell one machine from another; docker itself adds the host name and mtab."""
    assert bench.sh("ls -A /sys; cat /etc/resolv.conf /etc/hostname; ls /etc") == [
        HOSTNAME, "group", "hostname", "hosts", "mtab", "passwd", "resolv.conf"]


def test_the_container_stays_for_the_next_program(bench: Containers) -> None:
    bench.sh("true")
    (first,) = bench.containers()
    assert bench.run("exit 3") == 3  # a program that fails is no reason to drop it
    bench.sh("true")
    assert [found["Id"] for found in bench.containers()] == [first["Id"]]
    bench.docker.close()
    assert bench.containers() == [] and list((bench.store / "tmp").glob("docker-*")) == []
    bench.docker.close()
    assert bench.sh("echo again") == ["again"]


def test_one_container_for_each_program_at_a_time(bench: Containers) -> None:
    meeting = threading.Barrier(2)
    threads = [threading.Thread(target=bench.docker.run, args=(
        bench.job("echo here; sleep 0.1"), lambda line: meeting.wait(60))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meeting.broken and len(bench.containers()) == 2


@pytest.mark.parametrize("left", [
    "(trap '' TERM HUP INT; while :; do sleep 0.05; done) & sleep 0.1",
    "python3 -c 'import os,time; os.fork() or os.setsid() and os.fork() or time.sleep(1000)'",
])
def test_no_process_reaches_the_next_program(bench: Containers, left: str) -> None:
    bench.sh("true")
    (first,) = bench.containers()
    bench.sh(left)
    assert not {"sleep", "python3"} & set(bench.sh("cat /proc/[0-9]*/comm"))
    assert [found["Id"] for found in bench.containers()] == [first["Id"]]


def test_folders_are_as_they_were_for_the_next_program(bench: Containers) -> None:
    look = "ls -A /build /tmp; stat -c '%n %a %u %g' / /build /tmp; umask"
    before = bench.sh(look)
    bench.sh("mkdir -p /tmp/a/b x/y; touch /tmp/a/b/c x/y/z; chmod 500 /tmp/a/b /tmp/a x x/y; chmod 700 /build /tmp")
    assert bench.sh(look) == before


@pytest.mark.parametrize("left", [
    "echo x > /dev/shm/left",
    "echo x > /dev/mqueue/left || mkdir /dev/shm/.left",
    "python3 -c 'import ctypes; assert ctypes.CDLL(None).shmget(77, 4096, 0o1666) >= 0'",
])
def test_a_container_with_traces_is_dropped(bench: Containers, left: str) -> None:
    bench.sh("true")
    (first,) = bench.containers()
    bench.sh(left)
    assert bench.containers() == []
    assert bench.sh("ls -A /dev/shm /dev/mqueue; tail -n +2 /proc/sysvipc/shm") == ["/dev/mqueue:", "", "/dev/shm:"]
    assert [found["Id"] for found in bench.containers()] != [first["Id"]]


def test_files_come_back_as_ours(bench: Containers, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "old").mkdir(parents=True)
    for kept in (None, scratch):
        job = bench.job("mkdir -p a/b; echo x > a/b/c; ln -s c a/b/link; chmod 500 a/b; id -u > id", kept)
        (job.work / "in").write_text("x")
        assert bench.docker.run(job, print) == 0
        tree = [job.work, *job.work.rglob("*"), scratch, *scratch.rglob("*")]
        assert {path.lstat().st_uid for path in tree} == {os.geteuid()}
        assert {path.name for path in job.work.iterdir()} >= {"a", "id", "in"}
        assert (job.work / "a/b").stat().st_mode & 0o777 in (0o500, 0o755) and (job.work / "a/b/link").is_symlink()
        assert (job.work / "id").read_text() != "0\n"


def test_long_lines_and_bytes_that_are_no_text(bench: Containers) -> None:
    script = r"printf 'a\r\n\n\377b\000c\n'; head -c 300000 /dev/zero | tr '\0' x; echo; seq 20000; printf end"
    lines = bench.sh(script)
    assert lines[:3] == ["a", "", "\ufffdb\0c"] and lines[3] == "x" * 300000
    assert lines[4:] == [*map(str, range(1, 20001)), "end"]


def test_a_program_that_is_killed(bench: Containers) -> None:
    assert bench.run("kill -9 $$") == 137
    assert bench.sh("true") == []


def test_a_container_that_was_taken_away_while_it_waited(bench: Containers) -> None:
    bench.sh("true")
    (first,) = bench.containers()
    bench.api.remove_container(first["Id"], force=True)
    assert bench.sh("echo again") == ["again"]
    assert len(bench.containers()) == 1 == len(list((bench.store / "tmp").glob("docker-*")))


def test_a_container_that_is_taken_away(bench: Containers) -> None:
    def take(line: str) -> None:
        for found in bench.containers():
            bench.api.remove_container(found["Id"], force=True)

    with pytest.raises(UserError, match="the container ended before its program did"):
        bench.docker.run(bench.job("echo here; sleep 1000"), take)
    assert bench.sh("echo again") == ["again"]

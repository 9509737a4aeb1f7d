"""No container is left behind, however ingot ends; and a checkpoint is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.executors.containers import Containers, fixture_bench, fixture_engine, fixture_store  # noqa: F401
from toolchain.executors.docker import Docker
from toolchain.roots import Roots

pytestmark = pytest.mark.docker
CHECKOUT = Path(__file__).resolve().parent.parent.parent

CHILD = textwrap.dedent("""
    import sys, threading
    from pathlib import Path
    import doit.doit_cmd
    from toolchain.__main__ import main
    from toolchain.executors import Job
    from toolchain.executors.docker import Docker
    from toolchain.roots import Root

    class Roots:
        def identity(self, name): return name
        def ensure(self, name): return Root(name, sys.argv[1], Path(sys.argv[2]))

    store, script, count = Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
    docker = Docker(Roots(), store)

    def run(number):
        (store / f"w{number}").mkdir()
        scratch = store / "scratch" if number == 0 else None
        job = Job("test", ("sh", "-c", script), store / f"w{number}", "cc", {}, scratch)
        return docker.run(job, lambda line: print(line, flush=True))

    def work(*_):
        if count == 1:
            status = run(0)
        else:
            working = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
            for thread in working:
                thread.start()
            for thread in working:
                thread.join()
        docker.close()
        return status

    doit.doit_cmd.DoitMain.run = work
    sys.exit(main([]))
""")
TRAINER = "trap 'sleep 0.5; echo saved > scratch/checkpoint; exit 1' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def start(bench: Containers, cc: Roots) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A process like ./doit that runs a shell script in Docker, in `threads` containers."""
    root = cc.ensure("cc")
    (bench.store / "scratch").mkdir()
    children = []

    def begin(script: str, threads: int = 1) -> subprocess.Popen[str]:
        child = subprocess.Popen([sys.executable, "-c", CHILD, root.tree, str(root.path), str(bench.store), script,
                                  str(threads)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
                                 start_new_session=True)
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait()


def ready(child: subprocess.Popen[str], count: int = 1) -> None:
    assert child.stdout is not None
    said = "".join(child.stdout.readline() for _ in range(count))  # word and newline of two may come mixed
    assert sorted(said) == sorted("ready\n" * count)


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("exit 3", 3)])
def test_nothing_is_left_after_the_end(bench: Containers, start: Callable[..., Any], script: str, status: int) -> None:
    assert start(script).wait(60) == status
    assert bench.containers() == [] and list((bench.store / "tmp").glob("docker-*")) == []


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_is_left_when_interrupted(bench: Containers, start: Callable[..., Any], number: int, status: int,
                                          threads: int) -> None:
    """The program is told, and its checkpoint is kept."""
    child = start(TRAINER, threads)
    ready(child, threads)
    assert len(bench.containers()) == threads
    child.send_signal(number)
    assert child.wait(30) == status
    assert bench.containers() == [] and list((bench.store / "tmp").glob("docker-*")) == []
    assert (bench.store / "scratch/checkpoint").read_text() == "saved\n"


def test_a_program_that_does_not_want_to_end(bench: Containers, start: Callable[..., Any]) -> None:
    child = start("trap '' TERM; echo ready; while :; do sleep 0.1; done")
    ready(child)
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 143
    assert bench.containers() == []


def test_no_container_outlives_a_killed_ingot(bench: Containers, start: Callable[..., Any]) -> None:
    """kill -9: the container notices, lets the trainer write its checkpoint, and goes."""
    child = start(TRAINER)
    ready(child)
    child.kill()
    child.wait()
    until = time.monotonic() + 30
    while bench.containers() and time.monotonic() < until:
        time.sleep(0.1)
    assert bench.containers() == []
    assert (bench.store / "scratch/checkpoint").read_text() == "saved\n"
    assert list((bench.store / "tmp").glob("docker-*")) != []
    bench.sh("true")  # the next run clears away its folder
    assert len(list((bench.store / "tmp").glob("docker-*"))) == 1


def test_a_container_that_never_started_is_cleared_away(bench: Containers, cc: Roots) -> None:
    """ingot was killed between making it and starting it; one whose ingot lives is left alone."""
    bench.sh("true")
    (alive,) = bench.containers()
    dead = bench.store / "tmp/docker-dead"
    (dead / "build").mkdir(parents=True)
    mount = {"Type": "bind", "Source": str(dead / "build"), "Target": "/build"}
    bench.api.create_container(alive["Image"], ["/usr/bin/true"], name=f"ingot-{dead.name.removeprefix('docker-')}",
                               host_config=bench.api.create_host_config(mounts=[mount]))
    other = Docker(cc, bench.store)
    other.run(bench.job("true"), print)
    assert not dead.exists() and len(bench.containers()) == 2
    other.close()
    assert [found["Id"] for found in bench.containers()] == [alive["Id"]]

"""Jobs on all cores: every part once, its writes seen, nothing lost between two jobs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import cbuild

HERE = Path(__file__).resolve().parent
THREADS = cbuild.SOURCES / "host" / "threads.c"


def jobs_program(factory: pytest.TempPathFactory, extra: tuple[str, ...]) -> Path:
    engine = cbuild.SOURCES / "engine"
    parts = (engine / "cores.c", engine / "crew.c", engine / "text.c", THREADS, HERE / "jobs.c")
    return cbuild.build(factory, "jobs", (), extra, parts)


@pytest.fixture(scope="session")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """jobs.c on the host's threads."""
    return jobs_program(tmp_path_factory, ())


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_each_part_once_a_job(jobs: Path, threads: int) -> None:
    done = subprocess.run([jobs, "check", str(threads), "100000"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()[0]) == (0, str(threads))


def test_threads_that_have_fallen_asleep(jobs: Path) -> None:
    done = subprocess.run([jobs, "check", "3", "600", "300"], timeout=60)
    assert done.returncode == 0


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_sanitizer(tmp_path_factory: pytest.TempPathFactory, sanitizer: str) -> None:
    program = jobs_program(tmp_path_factory, (f"-fsanitize={sanitizer}", "-g", "-fno-sanitize-recover=all"))
    done = subprocess.run([program, "check", "4", "2000", "50"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_as_many_as_may_be_used(jobs: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    for some in (cpus[:1], cpus):
        done = subprocess.run(["taskset", "-c", ",".join(map(str, some)), jobs, "check", "0", "100"],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, f"{min(len(some), 64)} {min(len(some), 64)}\n")


def test_asleep_they_cost_nothing(jobs: Path) -> None:
    """Three threads that looked on for a second would take three."""
    done = subprocess.run([jobs, "idle", "4", "1000"], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 100  # ms


@pytest.mark.parametrize(("n", "unit", "parts"), [(0, 4, 3), (1, 4, 3), (32000, 4, 64), (7, 2, 2), (10, 16, 4),
                                                  (1 << 40, 32, 7), (63, 1, 64)])
def test_shares(jobs: Path, n: int, unit: int, parts: int) -> None:
    """Everything once, in order, cut at multiples of the unit, and even."""
    done = subprocess.run([jobs, "share", str(parts), str(n), str(unit)], capture_output=True, text=True, check=True)
    shares = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(shares) == parts and shares[0][0] == 0 and shares[-1][1] == n
    for (_, to), (start, _) in zip(shares, shares[1:], strict=False):
        assert to == start and (to % unit == 0 or to == n)
    sizes = [-(-(to - start) // unit) for start, to in shares]
    assert max(sizes) - min(sizes) <= 1

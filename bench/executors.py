"""What an executor adds to a command: the wall time of `true` in each, beside a plain child process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from toolchain.errors import UserError
from toolchain.executors import Executor, Job
from toolchain.executors.choose import make
from toolchain.roots.folder import RootFolder
from toolchain.store import Store, default_folder
from toolchain.ui import Ui

RUNS = 20
FIRST = 5


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.monotonic()
    work()
    return 1000 * (time.monotonic() - begun)


def main() -> None:
    """One line an executor: the first command and the median of the next."""
    folder = default_folder()
    roots = RootFolder(Store(folder), Ui())
    roots.ensure("cc")
    plain = statistics.median(milliseconds(lambda: subprocess.run(["true"])) for _ in range(RUNS))
    print(f"{'':10}{'first':>10}{'next ' + str(RUNS):>12}   ms a command, median; a plain child takes {plain:.1f}")
    for name in ("sandbox", "docker", "nix"):
        executor = make(name, roots, folder)
        try:
            first, warm = measure(executor, folder)
            print(f"{name:10}{first:10.1f}{warm:12.1f}")
        except UserError as exc:
            print(f"{name:10}{str(exc).splitlines()[0]}")
        finally:
            executor.close()


def measure(executor: Executor, folder: Path) -> tuple[float, float]:
    """Milliseconds of `true`: the first after nothing was kept warm, and the next; medians."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        def once() -> None:
            executor.run(Job("bench", ("true",), Path(tempfile.mkdtemp(dir=place))), print)

        once()  # what is made once for a machine (an image, a store path) is no part of this
        first = []
        for _ in range(FIRST):
            executor.close()
            first.append(milliseconds(once))
        return statistics.median(first), statistics.median(milliseconds(once) for _ in range(RUNS))


if __name__ == "__main__":
    main()

"""How long an up-to-date build takes to say so, beside bare doit on eight tasks that are up to date too."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 15
BARE = """\
def task_all():
    for i in range(8):
        yield {"name": str(i), "actions": ["true"], "file_dep": ["dodo.py"]}
"""


def median(argv: list[str], folder: Path) -> float:
    """Median wall seconds of a command, after one run that is not counted."""
    times = []
    for _ in range(RUNS + 1):
        begun = time.monotonic()
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)
        times.append(time.monotonic() - begun)
    return statistics.median(times[1:])


def main() -> None:
    """Prints both medians."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dodo.py").write_text(BARE)
        bare = median([sys.executable, "-m", "doit"], Path(folder))
    ours = median([str(ROOT / "doit"), "image=tales"], ROOT)
    print(f"./doit image=tales, up to date   {ours:.3f} s")
    print(f"bare doit, eight tasks           {bare:.3f} s")


if __name__ == "__main__":
    main()

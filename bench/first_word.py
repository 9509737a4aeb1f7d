"""From a fresh clone to the first word: seconds, and bytes fetched over the network.

An empty HOME, no .venv, no store: Python's packages and the toolchain roots are fetched too.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "Once upon a time"


def received() -> int:
    """Bytes that came in on all interfaces but loopback."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return sum(int(line.split(":")[1].split()[0]) for line in lines if not line.strip().startswith("lo:"))


def main() -> None:
    """Prints a table of the steps."""
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder) / "ingot", Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "VIRTUAL_ENV"))}
        env["HOME"] = str(home)
        begun, bytes_before = time.monotonic(), received()
        run = subprocess.Popen(["./doit", "boot", "accel=tcg", f"prompt={PROMPT}", "tokens=40", "seed=1", "temp=0"],
                               cwd=clone, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert run.stdout is not None
        run.stdout.read(len(PROMPT) + 1)
        first = time.monotonic() - begun
        rest = run.stdout.read()
        if run.wait() != 0 or not rest:
            raise SystemExit("the boot failed")
        manifest = json.loads((clone / "build/tales/manifest.json").read_text())
        slowest = sorted(((entry["seconds"], name) for name, entry in manifest.items()), reverse=True)[:4]
        print(f"clone to first word   {first:7.1f} s")
        print(f"fetched               {(received() - bytes_before) / 1e6:7.1f} MB")
        for seconds, name in slowest:
            print(f"  of which {name:<12}{seconds:7.1f} s")


if __name__ == "__main__":
    main()

"""Runs rungs and writes what they reached.

    python3 -m model.validate --only memorise --only snippets --out out

Each is told by a line of JSON as it ends (toolchain/commands/validate.py draws them); out/validate.json has them all.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from model.program import InputError, progress, run, write_file
from model.validate.goals import RUNGS, Result, Rung

REPORT = "validate.json"
THREADS = torch.get_num_threads()


def climb(rung: Rung) -> dict[str, Any]:
    """One rung, as it is written down."""
    lacking = [name for name in rung.needs if not Path(name).exists()]
    if lacking:
        raise InputError(f"the rung {rung.name} needs {', '.join(lacking)}", f"./doit validate rung={rung.name} brings "
                                                                           "what it needs")
    started = time.monotonic()
    torch.set_num_threads(THREADS if rung.alone else 1)  # small models are fastest with one

    def tell(done: int, of: int, note: str) -> None:
        progress({"rung": rung.name, "done": done, "of": of, "note": note})

    found: Result = importlib.import_module(f"model.validate.{rung.name}").measure(tell)
    return {"name": rung.name, "what": rung.what, "goal": rung.goal, **asdict(found),
            "seconds": round(time.monotonic() - started, 1)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m model.validate", allow_abbrev=False)
    parser.add_argument("--only", action="append", choices=[rung.name for rung in RUNGS],
                        help="this rung; left out: all that need not be named")
    parser.add_argument("--out", type=Path, required=True, help=f"the folder for {REPORT}")
    args = parser.parse_args(argv)

    def work() -> None:
        every = []
        for rung in RUNGS:
            if rung.name in args.only if args.only else not rung.alone:
                every.append(climb(rung))
                progress({"rung": rung.name, "result": {key: every[-1][key] for key in ("measured", "passed",
                                                                                       "seconds")}})
        write_file(args.out / REPORT, json.dumps({"rungs": every}, ensure_ascii=False, indent=1).encode() + b"\n")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())

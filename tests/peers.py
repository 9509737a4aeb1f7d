"""Other people's programs to compare with. INGOT_PEERS names an interpreter that has requirements-peers.txt; without it
this one is asked, and what it lacks skips the test."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SIDE = Path(__file__).with_name("peer_side.py")
MODULES = {"llama-cpp-python": "llama_cpp", "sentencepiece": "sentencepiece", "tiktoken": "tiktoken",
           "distributed": "distributed", "transformers": "transformers", "torch": "torch"}


@functools.cache
def has(package: str) -> bool:
    """Whether it can be imported there; an interpreter that was named and does not run is an error."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({MODULES[package]!r}) is None and 77)"
    status = subprocess.run([interpreter(), "-c", code]).returncode
    if status not in (0, 77):
        raise RuntimeError(f"INGOT_PEERS={interpreter()} is no Python that runs")
    return status == 0


def interpreter() -> str:
    """The Python that may have them."""
    return os.environ.get("INGOT_PEERS") or sys.executable


def needs(*packages: str) -> None:
    """Skips a test where one of them is missing."""
    import pytest

    lacking = [package for package in packages if not has(package)]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} (INGOT_PEERS: docs/changing.md)")


def ask(what: str, **request: Any) -> Any:
    """The answer of a function of peer_side.py."""
    done = subprocess.run([interpreter(), SIDE], input=json.dumps({"what": what, **request}), capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{what}: exit {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)

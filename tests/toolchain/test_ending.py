"""What a user is told after Ctrl-C: only what is true of the command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project import ROOT

INTERRUPTED = """
import importlib, sys
from toolchain import commands, ending
name = sys.argv[1]
kind = getattr(importlib.import_module("toolchain.commands." + name), name.capitalize())
def go(self, current, names):
    raise KeyboardInterrupt
kind.go = go
commands.session = lambda: None
try:
    kind.__new__(kind)._execute([])
except KeyboardInterrupt:
    ending.leave(130, "interrupted")
"""


@pytest.mark.parametrize(("name", "told"), [
    ("boot", "interrupted: finished stages are kept, run the same command to go on"),
    ("release", "interrupted: finished stages are kept, a half release is not"),
    ("reproduce", "interrupted"), ("verify", "interrupted"), ("flash", "interrupted")])
def test_what_is_said(name: str, told: str) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, name], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stderr.strip()) == (130, told)

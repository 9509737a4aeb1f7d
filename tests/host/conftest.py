"""The host program, and a small model to run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import cbuild
from tests.engine import models

SHAPE = models.Shape()
TENSORS = models.random_tensors(SHAPE)

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def ingot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host program."""
    return cbuild.host_program(tmp_path_factory)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with a context of 16 tokens; of its 256 tokens, 0 ends a text."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    path.write_bytes(models.model_bytes(SHAPE, TENSORS))
    return path


@pytest.fixture(scope="session")
def run(ingot: Path) -> Run:
    """`run(MODEL, *flags, stdin=b"", status=0, cwd=None)`: the host program to its end."""

    def start(*words: str | Path, stdin: bytes = b"", status: int = 0,
              cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run([ingot, *words], input=stdin, capture_output=True, timeout=120, cwd=cwd)
        assert done.returncode == status, done.stderr.decode()
        return done

    return start


def model_that_says(folder: Path, text: bytes) -> Path:
    """A model without layers' effect that says `text`, byte after byte, by position."""
    width = 64
    shape = models.Shape(context=64, layers=1, heads=1, width=width, hidden=width)
    tensors = {name: np.zeros_like(t) for name, t in models.random_tensors(shape).items()}
    tensors["output_norm.weight"] += 1
    tensors["output.weight"] = np.zeros((256, width), np.float32)
    for position, byte in enumerate(text):
        tensors["position_embd.weight"][position, position] = 1
        tensors["output.weight"][byte, position] += 1
    path = folder / "says.gguf"
    path.write_bytes(models.model_bytes(shape, tensors))
    return path

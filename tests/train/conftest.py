"""The trainer, built for tests, and small corpora for it."""

from __future__ import annotations

import array
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cbuild import build

TEXT = b"the cat sat on the mat and the dog sat on the log. a bird sang to the cat; the cat ran off.\n"


def write_tokens(path: Path, ids: bytes | list[int]) -> Path:
    """uint16, little-endian."""
    path.write_bytes(array.array("H", list(ids)).tobytes())
    return path


@dataclass(frozen=True)
class Run:
    """One run of the trainer: what it is called with, and where its outputs go."""

    program: Path
    folder: Path
    options: dict[str, str]

    def with_(self, folder: Path | None = None, **options: Any) -> Run:
        """The same with other options (`eval_every=3`); None drops one. `folder`: for the outputs."""
        changed = {**self.options, **{key.replace("_", "-"): value for key, value in options.items()}}
        return Run(self.program, folder or self.folder, {k: str(v) for k, v in changed.items() if v is not None})

    @property
    def argv(self) -> list[str]:
        outputs = {"out": "weights.bin", "log": "train.jsonl", "samples": "samples.txt"}
        words = {**{key: str(self.folder / name) for key, name in outputs.items()}, **self.options}
        return [str(self.program), *(word for key, value in words.items() for word in (f"--{key}", value))]

    def start(self) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(self.argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, status: int = 0) -> subprocess.CompletedProcess[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(self.argv, text=True, capture_output=True, timeout=300)
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def outputs(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in ("weights.bin", "train.jsonl", "samples.txt")}

    def log(self) -> list[dict[str, float]]:
        return [json.loads(line) for line in (self.folder / "train.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """build/host/train, made for tests."""
    return build(tmp_path_factory, "train", ("engine", "kernels", "train"))


@pytest.fixture
def small(program: Path, tmp_path: Path) -> Run:
    """A run of a moment, with sizes that are no multiples of 16."""
    train = write_tokens(tmp_path / "train.tokens", TEXT * 20)
    val = write_tokens(tmp_path / "val.tokens", TEXT * 2 + b"the cat sang.")
    return Run(program, tmp_path / "run", {
        "train": str(train), "val": str(val), "layers": "2", "heads": "3", "width": "18", "context": "21",
        "vocab": "256", "steps": "12", "batch": "5", "lr": "0.004", "warmup": "3", "decay": "0.1", "seed": "7",
        "eval-every": "5", "sample-every": "6", "log-every": "2"})

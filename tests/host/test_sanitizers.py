"""The whole host program under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import cbuild
from tests.engine import damaged
from tests.engine.damaged import Damaged

pytestmark = pytest.mark.slow  # the build alone takes most of a minute

PROMPT = ("-i", "Once")
# What the program holds when it ends is the system's to free. What a failing load leaves is found in tests/engine.
ENV = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}


def start(*command: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=ENV)


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the sanitizers in it."""
    return cbuild.build(tmp_path_factory, "ingot", ("engine", "kernels", "host"), [*cbuild.SANITIZE, "-O1"])


def refused(program: Path, folder: Path, one: Damaged) -> None:
    """One line that tells the damage, one that helps; nothing of a sanitizer."""
    model, words = folder / f"damaged.{one.suffix}", []
    model.write_bytes(one.model)
    if one.tokenizer is not None:
        (folder / "tokenizer").write_bytes(one.tokenizer)
        words = ["-z", str(folder / "tokenizer")]
    done = start(program, model, *words, *PROMPT)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1 and not done.stdout, f"{one.what}: {lines}"
    assert len(lines) == 2 and lines[1].startswith("hint: "), f"{one.what}: {lines}"
    assert lines[0].startswith(f"ingot: {one.words}"), f"{one.what}: {lines}"


def test_damaged_files(checked: Path, tmp_path: Path) -> None:
    for one in damaged.every():
        refused(checked, tmp_path, one)


def test_a_random_model(checked: Path, ingot: Path, tmp_path: Path) -> None:
    """The same text as without sanitizers, by every kernel that this machine has, on two threads, and in the chat."""
    model = tmp_path / "good.gguf"
    model.write_bytes(bytes(damaged.GOOD.data))
    command = [model, *PROMPT, "-t", "1", "--tokens", "24", "-j", "2"]
    wanted = start(ingot, *command).stdout
    assert wanted.startswith(b"Once")
    for kernel in ("auto", "scalar", "sse2"):
        done = start(checked, *command, "--kernel", kernel)
        assert (done.returncode, done.stdout) == (0, wanted), done.stderr.decode()
    chat = start(checked, model, "--chat", stdin=b"/help\n/max_tokens 5\nOnce\n\xff\n/log\n")
    assert chat.returncode == 0 and b"[stats]" in chat.stdout, chat.stderr.decode()


def test_stories260k(checked: Path, data: Callable[[str], Path]) -> None:
    model, tokenizer = data("stories260K.bin"), data("tok512.bin")
    known = json.loads(data("stories260K-llama2c.json").read_text())[0]
    done = start(checked, model, "-z", tokenizer, *known["args"])
    assert (done.returncode, done.stdout.decode()) == (0, known["stdout"]), done.stderr.decode()

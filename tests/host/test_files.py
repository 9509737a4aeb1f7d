"""Files that the chat writes in the working directory of the host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def chat(ingot: Path, model: Path, folder: Path, typed: bytes) -> bytes:
    """What it says to these lines."""
    return subprocess.run([ingot, model, "--chat"], input=typed, capture_output=True, cwd=folder, timeout=60,
                          check=True).stdout


def test_save_log(ingot: Path, tiny: Path, tmp_path: Path) -> None:
    """The new one takes the place of the old one at once; nothing else is left."""
    (tmp_path / "log.txt").write_bytes(b"old" * 100)
    (tmp_path / "log.txt.new").write_bytes(b"half of one" * 100)
    said = chat(ingot, tiny, tmp_path, b"/nonsense\r/save_log\r")
    log = (tmp_path / "log.txt").read_bytes()
    assert b"error: no command /nonsense" in log
    assert f"\n[saved] log.txt bytes={len(log)}\n".encode() in said and os.listdir(tmp_path) == ["log.txt"]


def test_a_folder_that_takes_none(ingot: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt.new").mkdir()
    assert b"\nerror: log.txt: Is a directory\n" in chat(ingot, tiny, tmp_path, b"/save_log\r")


def test_a_link_is_not_written_through(ingot: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt.new").symlink_to(tmp_path / "elsewhere")
    said = chat(ingot, tiny, tmp_path, b"/nonsense\r/save_log\r")
    assert b"\nerror: log.txt: " in said and os.listdir(tmp_path) == ["log.txt.new"]

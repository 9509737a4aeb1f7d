"""The byte tokenizer."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.program import InputError
from model.tokenizers.bytes import encode, main, split


@given(st.binary(max_size=300))
def test_encode_is_each_byte_as_uint16(text: bytes) -> None:
    assert struct.unpack(f"<{len(text)}H", encode(text)) == tuple(text)


@given(st.binary(min_size=20, max_size=300), st.floats(0.15, 0.85))
def test_split_loses_nothing(text: bytes, share: float) -> None:
    train, val = split(text, share)
    assert train + val == text
    assert abs(len(train) - share * len(text)) <= 1


def test_program(tmp_path: Path) -> None:
    text = bytes(range(256)) * 4
    (tmp_path / "corpus.txt").write_bytes(text)
    outputs = ["--train", str(tmp_path / "t"), "--val", str(tmp_path / "v")]
    assert main([str(tmp_path / "corpus.txt"), "--split", "0.9", *outputs]) == 0
    train, val = (tmp_path / "t").read_bytes(), (tmp_path / "v").read_bytes()
    assert len(train) == 2 * 921 and len(val) == 2 * (1024 - 921)
    assert struct.unpack("<1024H", train + val) == tuple(text)
    assert sorted(os.listdir(tmp_path)) == ["corpus.txt", "t", "v"]


@pytest.mark.parametrize("text", [b"", b"a", b"abc", b"abcdefghij"])
def test_too_small(text: bytes) -> None:
    with pytest.raises(InputError, match=f"a text of {len(text)} bytes is too small"):
        split(text, 0.9)


def test_errors_are_two_lines_and_leave_nothing(tmp_path: Path, root: Path) -> None:
    (tmp_path / "empty.txt").touch()
    for text, what in (("empty.txt", "a text of 0 bytes is too small"), ("absent.txt", "No such file")):
        made = subprocess.run(
            [sys.executable, "-m", "model.tokenizers.bytes", text, "--split=0.9", "--train=t", "--val=v"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
        )
        assert made.returncode == 1
        error, hint = made.stderr.splitlines()
        assert error.startswith("error: ") and what in error
        assert hint.startswith("hint: ")
    assert os.listdir(tmp_path) == ["empty.txt"]


@pytest.mark.parametrize("share", ["0", "1", "nan", "-0.5", "half"])
def test_the_share_is_between_0_and_1(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["x", f"--split={share}", "--train=t", "--val=v"])
    assert stop.value.code == 2
    assert "invalid share value" in capsys.readouterr().err
